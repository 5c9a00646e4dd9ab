"""Inputs behind a URL, as JSON lines: streamed, checked on the way, and refused unless they were read to their end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final
from urllib.parse import urlsplit

import requests
import urllib3

from actorline.batches.inputs.check_lines import REFUSED
from actorline.delivery.formats.child import ChildFailed, run_child
from actorline.delivery.sink import MissingFile, SinkError, is_below, open_sink
from actorline.delivery.sink.local import folder_url, local_path
from actorline.errors import Code, Refused
from actorline.identifiers import AccountName
from actorline.outbound.exchange import SERVER_SILENCE_SECS, TookTooLong, Unreachable, exchange
from actorline.outbound.http_status import is_server_error, is_success
from actorline.outbound.user_agent import USER_AGENT
from actorline.outbound.web_address import address_problem
from actorline.settings import Settings

SOURCE_WITHIN_SECS: Final = 3_600.0
SOURCE_BLOCK_BYTES: Final = 256 * 1024
WEB: Final = frozenset({"http", "https"})
STORES: Final = frozenset({"file", "s3", "gs", "az", "abfss"})
CHECK: Final = "actorline.batches.inputs.check_lines"


class UnreadableSource(Exception):
    """The inputs can't be read; `may_pass`: whether it is worth another try. The message names no URL: it may hold a
    signature.
    """

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


def check_source(url: str, account: AccountName, settings: Settings, *, trusted: bool) -> None:
    """Refuse a URL from which no inputs may be read: a service's must be a web address that `input_url` may name, or
    lie below the roots of its sinks. Raises Refused.
    """
    scheme = urlsplit(url).scheme
    if scheme in WEB:
        if problem := address_problem(url, settings.input_hosts):
            raise _unreadable(f"inputs_url {problem}. ACTORLINE_INPUT_HOSTS lists the allowed hosts")
        return
    if scheme not in STORES:
        raise _unreadable("inputs_url must begin with file://, s3://, gs://, az://, https:// or http://")
    if not (trusted or any(is_below(url, root) for root in settings.sink_roots_of(account))):
        raise _unreadable("inputs_url is outside the roots in which services may read and write (ACTORLINE_SINK_ROOTS)")


def _unreadable(what: str) -> Refused:
    return Refused(Code.INPUT_UNREADABLE, f"{what}. Nothing was started.")


def copy_source(
    url: str, settings: Settings, *, take: Callable[[bytes], object], keep_alive: Callable[[], None]
) -> None:
    """Hand the inputs behind a URL to `take`, a line each, in blocks of any size. `keep_alive` is called now and then,
    and may raise to stop.

    A process of its own checks them: a gigabyte is half a minute of computing. Raises Refused for what can't be inputs,
    UnreadableSource if they can't be read to their end, and what `take` raises.
    """
    with _opened(url, settings) as source:

        def check() -> None:
            try:
                keep_alive()
            except BaseException:
                source.cut()
                raise

        try:
            run_child(CHECK, source=source.blocks, take=take, keep_alive=check)
        except ChildFailed as error:
            if error.status == REFUSED:
                raise Refused(Code.INPUT_INVALID, str(error)) from None
            raise UnreadableSource(
                f"The process that checks the inputs broke (exit code {error.status})", may_pass=True
            ) from error


@dataclass(frozen=True)
class _Source:
    """`cut` ends a wait for the next block, from another thread."""

    blocks: Iterator[bytes]
    cut: Callable[[], None]


def _opened(url: str, settings: Settings) -> AbstractContextManager[_Source]:
    return _requested(url, settings) if urlsplit(url).scheme in WEB else _stored(url)


def place_of(url: str) -> tuple[str, str]:
    """Return the URL of the folder where a stored source is, and the file's name there. Raises SinkError."""
    if urlsplit(url).scheme == "file":
        path = local_path(url)
        return folder_url(path.parent), path.name
    folder, _, name = url.rpartition("/")
    return f"{folder}/", name


@contextmanager
def _stored(url: str) -> Iterator[_Source]:
    with _readable():
        folder, name = place_of(url)
        sink = open_sink(folder)
        size = sink.size(name)
        opened = sink.open(name)
    with opened as file:
        yield _Source(_blocks(file, lambda: sink.size(name) == size == file.tell()), cut=lambda: None)


def _blocks(file: BinaryIO, is_whole: Callable[[], bool]) -> Iterator[bytes]:
    with _readable():
        while block := file.read(SOURCE_BLOCK_BYTES):
            yield block
        if not is_whole():
            raise UnreadableSource("The file of inputs_url changed while it was read", may_pass=True)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except MissingFile as error:
        raise UnreadableSource("There is no file at inputs_url", may_pass=False) from error
    except SinkError as error:
        raise UnreadableSource(str(error).removesuffix("."), may_pass=False) from error


@contextmanager
def _requested(url: str, settings: Settings) -> Iterator[_Source]:
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
    try:
        with (
            exchange(settings.input_hosts, within_s=SOURCE_WITHIN_SECS) as session,
            session.get(
                url, headers=headers, timeout=SERVER_SILENCE_SECS, allow_redirects=False, stream=True
            ) as response,
        ):
            _check_response(response)
            yield _Source(response.iter_content(SOURCE_BLOCK_BYTES), session.cut)
    except (Unreachable, TookTooLong) as error:
        raise UnreadableSource(f"The host of inputs_url {error}", may_pass=True) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise UnreadableSource(
            f"The connection to the host of inputs_url broke before the end ({type(error).__name__})", may_pass=True
        ) from None


def _check_response(response: requests.Response) -> None:
    """Raise UnreadableSource for a response of which nothing, or no end, could be recognized."""
    status = response.status_code
    if not is_success(status):
        raise UnreadableSource(
            f"The host of inputs_url responded with status {status}",
            may_pass=is_server_error(status),
        )
    if not ({"Content-Length", "Transfer-Encoding"} & set(response.headers)):
        raise UnreadableSource(
            "The host of inputs_url doesn't say how long its response is, so a part of it would look like all of it. "
            "Serve it with Content-Length, or chunked",
            may_pass=False,
        )
