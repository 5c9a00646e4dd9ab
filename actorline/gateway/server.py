"""The process: checks who could reach it, listens, serves until SIGTERM, and then ends the waiting requests."""

import gc
import logging
import resource
import signal
import socket
import sys
from typing import Final

import structlog
import uvicorn

from actorline.api_keys import list_keys
from actorline.errors import SettingsError
from actorline.gateway.app import make_app
from actorline.gateway.authentication import CLOSED_FILE, Authenticator
from actorline.gateway.connections import MOST_CONNECTIONS, BoundedConnection
from actorline.host.loopback import is_loopback
from actorline.host.ports import family_of, refusal
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.logs import line_renderer
from actorline.settings import Settings

REDIS_TIMEOUT_SECS: Final = 8.0  # just longer than a write may take to be on disk (5 s): a client waits
REDIS_RETRIES: Final = 1
HEAD_BYTES: Final = 16_384  # a request's line and headers
CONNECTION_KEEP_ALIVE_SECS: Final = 30  # above the idle time of usual clients' pools, so that they close first
RESPONSES_DRAIN_SECS: Final = 10  # for responses that are being sent at SIGTERM; the stack allows 25
BACKLOG: Final = 512


def serve(settings: Settings, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError if it would be reachable from outside without a key or the
    address is in use, and redis.RedisError.
    """
    ledger = Ledger(
        connect(settings.ledger, socket_timeout_s=REDIS_TIMEOUT_SECS, retries=REDIS_RETRIES),
        settings.namespace,
        replicas=settings.durable_replicas,
    )
    key = settings.bootstrap_key
    if not is_loopback(host) and key is None and not list_keys(ledger):
        raise SettingsError(
            f"{host} can be reached from outside and there is no API key. The gateway was not started. Create a key "
            "(actorline keys create NAME), set ACTORLINE_GATEWAY_KEY, or listen on 127.0.0.1."
        )
    may_be_open = is_loopback(host) and settings.public_url is None
    authenticator = Authenticator(ledger, key, may_be_open, settings.home / CLOSED_FILE)
    _allow_files()
    with listen(host, port) as listener:
        _configure_log(settings.log_level)
        app = make_app(settings, ledger, authenticator, is_stopping=lambda: server.should_exit)
        config = uvicorn.Config(
            app,
            http=BoundedConnection,
            ws="none",
            loop="uvloop",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=HEAD_BYTES,
            timeout_keep_alive=CONNECTION_KEEP_ALIVE_SECS,
            timeout_graceful_shutdown=RESPONSES_DRAIN_SECS,
        )
        server = uvicorn.Server(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))  # the server drains, and then passes the signal on
        structlog.get_logger(__name__).info("listening", url=url_of(listener, host))
        gc.freeze()  # what exists by now is never freed: full collections skip it
        server.run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Listen on the address. Raises SettingsError if that isn't possible."""
    try:
        return socket.create_server((host.strip("[]"), port), family=family_of(host), backlog=BACKLOG)
    except OSError as error:
        raise refusal(host, port, error) from error


def url_of(listener: socket.socket, host: str) -> str:
    name = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


def _allow_files() -> None:
    """Raise the limit of open files to fit all connections; macOS allows a process 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else min(2 * MOST_CONNECTIONS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _configure_log(level: str) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # whole exceptions may quote an input: see `problems`
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            line_renderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
