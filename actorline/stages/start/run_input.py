"""What a start sends: the document's own input with its secrets, or what is at its `input_url`."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import requests
import urllib3

from actorline.delivery.formats.json_lines import parse_row
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import MAX_INPUT_BYTES
from actorline.jobs.document.secret import Holder, fill_secrets, is_secret
from actorline.jobs.document.values import MEDIA_TYPE_PATTERN
from actorline.jobs.job import Intent, Job
from actorline.ledger.admission.outside_places import Place
from actorline.ledger.ledger import Ledger
from actorline.outbound.exchange import SERVER_SILENCE_SECS, TookTooLong, Unreachable, exchange
from actorline.outbound.http_status import is_server_error, is_success
from actorline.outbound.user_agent import USER_AGENT
from actorline.platform.actors import get_actor, get_actor_task
from actorline.platform.client import Platform
from actorline.platform.errors import Forbidden, NotFound
from actorline.settings import Settings

JSON: Final = "application/json"
UNKNOWN_TYPE: Final = "application/octet-stream"
ENCRYPTED: Final = "ENCRYPTED_"  # docs/platform-facts.md#secret-input
INPUT_WITHIN_SECS: Final = 60.0  # for the largest input 160 kB/s
INPUT_BLOCK_BYTES: Final = 64 * 1024
_PASSING: Final = frozenset({408, 425, 429})


@dataclass(frozen=True)
class RunInput:
    body: bytes = field(repr=False)
    content_type: str = JSON

    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


class UnreadableInput(Exception):
    """The input can't be had from its URL; the message names the host only, for a URL may hold a signature.

    `may_pass`: whether it is worth another try.
    """

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


def own_input(ledger: Ledger, job: Job, settings: Settings, platform: Platform) -> RunInput:
    """Return the document's input. Raises Refused for a secret that isn't meant for what is started, PlatformError if
    that can't be found out.
    """
    raw = ledger.load_input(job.key)
    if b'"$secret"' not in raw:
        return RunInput(raw)
    kind, name = job.document.target
    holder = Holder(kind, name, job.document.account, partial(_find_id, platform, kind))
    filled = fill_secrets(json.loads(raw), holder, settings.secrets)
    return RunInput(json.dumps(filled, separators=(",", ":"), ensure_ascii=False).encode())


def _find_id(platform: Platform, kind: str, name: str) -> str | None:
    find = get_actor if kind == "actor" else get_actor_task
    try:
        return find(platform, name).id
    except (NotFound, Forbidden):
        return None


def fetch_input(document: JobDocument, settings: Settings, place: Place) -> RunInput:
    """Fetch the input from its URL. Raises UnreadableInput, or what `place` raises if it is lost."""
    headers = {"User-Agent": USER_AGENT, "Accept": document.input_type or "*/*"}
    try:
        with (
            exchange(settings.input_hosts, within_s=INPUT_WITHIN_SECS) as session,
            place.kept(session.cut) as check,
            session.get(
                document.input_url or "",
                headers=headers,
                timeout=SERVER_SILENCE_SECS,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            _check_status(response)
            body = _read(response)
            check()  # a body that was cut may look whole
            return RunInput(body, document.input_type or _type_of(response))
    except Unreachable as error:
        raise UnreadableInput(
            f"its host {error}; ACTORLINE_INPUT_HOSTS lists those that may be private", may_pass=True
        ) from None
    except TookTooLong as error:
        raise UnreadableInput(f"it {error}", may_pass=True) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise UnreadableInput(f"the connection to its host broke ({type(error).__name__})", may_pass=True) from None


def input_test(ledger: Ledger, job: Job, intent: Intent) -> Callable[[bytes], bool]:
    """Return whether a run's INPUT may come from what the start of this intent sent.

    What was fetched from a URL isn't fetched again; its hash recognises only a text that the platform adds nothing to.
    """
    if job.document.input_url is None:
        return partial(is_alike, ledger.load_input(job.key))
    return partial(_may_be, intent.input_sha256)


def is_alike(ordered: bytes, stored: bytes) -> bool:
    """Return whether an INPUT may come from an ordered one, whose secrets aren't filled in: what was sent in their
    places may have changed since.
    """
    if ordered == stored:
        return True
    try:
        return _fits(parse_row(ordered), parse_row(stored))
    except ValueError:
        return False


def _fits(ordered: Any, stored: Any) -> bool:
    """Return whether a stored value holds all that was ordered: the platform adds an Actor task's values and the
    schema's defaults, and encrypts what the schema calls secret.
    """
    if is_secret(ordered) or (isinstance(stored, str) and stored.startswith(ENCRYPTED)):
        return True
    if isinstance(ordered, dict) and isinstance(stored, dict):
        return all(name in stored and _fits(value, stored[name]) for name, value in ordered.items())
    if isinstance(ordered, list) and isinstance(stored, list):
        return len(ordered) == len(stored) and all(map(_fits, ordered, stored))
    return bool(ordered == stored)


def _may_be(sha256: str | None, stored: bytes) -> bool:
    if sha256 in {None, hashlib.sha256(stored).hexdigest()}:
        return True
    try:
        return isinstance(parse_row(stored), dict)
    except ValueError:
        return False


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if is_success(status):
        return
    may_pass = is_server_error(status) or status in _PASSING
    hint = "; no redirect is followed" if response.is_redirect else ""
    raise UnreadableInput(f"its host responded with status {status}{hint}", may_pass=may_pass)


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for block in response.iter_content(INPUT_BLOCK_BYTES):
        body += block
        if len(body) > MAX_INPUT_BYTES:
            raise UnreadableInput(
                f"it has more than {MAX_INPUT_BYTES:,} bytes, the most that the platform accepts", may_pass=False
            )
    if not body and "Content-Length" not in response.headers:  # so looks a head that breaks off
        raise UnreadableInput("its host sent nothing", may_pass=True)
    return bytes(body)


def _type_of(response: requests.Response) -> str:
    given = response.headers.get("Content-Type", "").strip()
    return given if MEDIA_TYPE_PATTERN.fullmatch(given) else UNKNOWN_TYPE
