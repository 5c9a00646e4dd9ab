"""Where a batch's inputs come from: a list in the order, one input that is cut, or JSON lines behind a URL.

They are streamed: memory holds one of them, and a block of what was read.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from actorline import __version__
from actorline.batches.document import BatchDocument, Split, parse_batch
from actorline.delivery.sink import SinkError, is_below, open_sink
from actorline.errors import Code, Refused
from actorline.jobs.document.parse import MAX_INPUT_BYTES, input_text
from actorline.jobs.document.problems import json_type
from actorline.outbound.exchange import SERVER_SILENCE_SECS, TookTooLong, Unreachable, exchange
from actorline.outbound.web_address import address_problem
from actorline.settings import Settings

MOST_INPUTS: Final = 500_000  # a million don't fit: members have six digits, and a manifest lists each of them
MOST_LISTED_BYTES: Final = 32_000_000  # held in Redis until they are in the sink
SOURCE_WITHIN_SECS: Final = 3_600.0
SOURCE_BLOCK_BYTES: Final = 256 * 1024
WEB: Final = frozenset({"http", "https"})
STORES: Final = frozenset({"file", "s3", "gs", "az", "abfss"})


class UnreadableSource(Exception):
    """The inputs can't be read; `may_pass`: whether it is worth another try. The message names no URL: it may hold a
    signature.
    """

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


def listed_lines(raw_inputs: Iterable[Any]) -> list[bytes]:
    """Return inputs that came with an order as lines, each checked. Raises Refused."""
    lines: list[bytes] = []
    size = 0
    for number, value in enumerate(raw_inputs):
        line = input_line(value, f"inputs[{number}]")
        size += len(line)
        if len(lines) == MOST_INPUTS:
            raise _refused(f"there are more than {MOST_INPUTS:,} inputs; cut them into several batches")
        if size > MOST_LISTED_BYTES:
            raise _refused(
                f"the inputs have more than {MOST_LISTED_BYTES:,} bytes; put them into a file, and give inputs_url"
            )
        lines.append(line)
    if not lines:
        raise _refused("there are no inputs")
    return lines


def listed_inputs(document: BatchDocument) -> list[bytes] | None:
    """Return the inputs that came with the order, as lines; None: it names a URL. Raises Refused."""
    if document.split is not None:
        return listed_lines(_cut(document.split))
    return None if document.inputs is None else listed_lines(document.inputs)


def batch_problems(raw: Any) -> list[str]:
    """Return what an order of a batch would be refused for; none: it is valid."""
    try:
        listed_inputs(parse_batch(raw))
    except Refused as refused:
        return [str(refused)]
    return []


def _cut(split: Split) -> Iterator[dict[str, Any]]:
    entries = split.input.get(split.field)
    if not isinstance(entries, list):
        found = "is missing" if split.field not in split.input else f"is {json_type(entries)}"
        raise _refused(f"split.input.{split.field[:60]} must be a list; it {found}")
    for first in range(0, len(entries), split.size):
        yield {**split.input, split.field: entries[first : first + split.size]}


def input_line(value: Any, place: str) -> bytes:
    """Return an input as one line of JSON. Raises Refused for one that no run can have."""
    if not isinstance(value, dict):
        raise _refused(f"{place} must be an object, not {json_type(value)}")
    try:
        return input_text(value)
    except ValueError as error:
        raise _refused(f"{place}: {str(error).removeprefix('input: ')}") from None


def _refused(what: str) -> Refused:
    return Refused(Code.INPUT_INVALID, f"The batch is refused: {what}. Nothing was started.")


# -- behind a URL


def check_source(url: str, account: str, settings: Settings, *, trusted: bool) -> None:
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
    roots = [root.replace("{account}", account) for root in settings.sink_roots or [settings.default_sink]]
    if not (trusted or any(is_below(url, root) for root in roots)):
        raise _unreadable("inputs_url is outside the roots in which services may read and write (ACTORLINE_SINK_ROOTS)")


def _unreadable(what: str) -> Refused:
    return Refused(Code.INPUT_UNREADABLE, f"{what}. Nothing was started.")


def source_lines(url: str, settings: Settings) -> Iterator[bytes]:
    """Yield the inputs behind a URL as lines, each checked. Raises Refused for what can't be inputs, and
    UnreadableSource if they can't be read to their end.
    """
    count = 0
    with _opened(url, settings) as blocks:
        for number, line in enumerate(_lines(blocks), 1):
            if line.isspace() or not line:
                continue
            if count == MOST_INPUTS:
                raise _refused(f"inputs_url has more than {MOST_INPUTS:,} inputs; cut them into several batches")
            count += 1
            yield input_line(_parsed(line, number), f"line {number:,} of inputs_url")
    if not count:
        raise _refused("inputs_url has no inputs")


def _parsed(line: bytes, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        ending = "" if line.endswith(b"\n") else "; it is the last one, and looks as if the source ended in its middle"
        raise _refused(f"line {number:,} of inputs_url is not JSON{ending}") from None


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends; the last one may have none."""
    rest = bytearray()
    for block in blocks:
        *whole, last = block.split(b"\n")
        for line in whole:
            rest += line
            yield bytes(rest) + b"\n"
            rest.clear()
        rest += last
        if len(rest) > 2 * MAX_INPUT_BYTES:
            raise _refused("inputs_url has a line that no input can be: is it JSON lines, an object in each line?")
    if rest:
        yield bytes(rest)


@contextmanager
def _opened(url: str, settings: Settings) -> Iterator[Iterator[bytes]]:
    if urlsplit(url).scheme in WEB:
        with _requested(url, settings) as blocks:
            yield blocks
        return
    folder, _, name = url.rpartition("/")
    name = unquote(name) if url.startswith("file:") else name  # as the sink does with its folder
    try:
        with open_sink(f"{folder}/").open(name) as file:
            yield _blocks(file)
    except SinkError as error:
        raise UnreadableSource(str(error), may_pass=False) from error


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(SOURCE_BLOCK_BYTES):
        yield block


@contextmanager
def _requested(url: str, settings: Settings) -> Iterator[Iterator[bytes]]:
    headers = {"User-Agent": f"actorline/{__version__}", "Accept": "*/*"}
    try:
        with (
            exchange(settings.input_hosts, within_s=SOURCE_WITHIN_SECS) as session,
            session.get(
                url, headers=headers, timeout=SERVER_SILENCE_SECS, allow_redirects=False, stream=True
            ) as response,
        ):
            status = response.status_code
            if status // 100 != 2:  # noqa: PLR2004
                raise UnreadableSource(
                    f"The host of inputs_url responded with status {status}",
                    may_pass=status >= 500,  # noqa: PLR2004
                )
            yield response.iter_content(SOURCE_BLOCK_BYTES)
    except (Unreachable, TookTooLong) as error:
        raise UnreadableSource(f"The host of inputs_url {error}", may_pass=True) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise UnreadableSource(
            f"The connection to the host of inputs_url broke ({type(error).__name__})", may_pass=True
        ) from None
