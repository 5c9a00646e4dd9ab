"""From the command line's options to a job document."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from actorline.delivery.sink import folder_url
from actorline.errors import Code, Refused

DEFAULT_SINK: Final = "rows/{key}"


def read_input(text: str | None) -> Any:
    """`-i` as JSON, `@FILE` or `-`. Raises Refused if it is no JSON."""
    if text is None:
        return None
    source, raw = _read(text)
    try:
        return json.loads(raw)
    except ValueError as error:
        where = f" at {error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        message = f"The input {source} is not JSON{where}. Nothing was started."
        raise Refused(Code.INPUT_INVALID, message) from None


def read_document(path: str) -> dict[str, Any]:
    """A job document from a file or `-`. Raises Refused if it is no JSON object."""
    source, raw = _read(path if path == "-" else f"@{path}")
    try:
        document = json.loads(raw)
    except ValueError as error:
        message = f"The document {source} is not JSON: {error}. Nothing was started."
        raise Refused(Code.DOCUMENT_INVALID, message) from None
    if not isinstance(document, dict):
        message = f"The document {source} is no JSON object. Nothing was started."
        raise Refused(Code.DOCUMENT_INVALID, message)
    return document


def parse_labels(labels: list[str]) -> dict[str, str]:
    pairs = [label.partition("=") for label in labels]
    for name, equals, _ in pairs:
        if not equals or not name:
            message = f"A label is written NAME=VALUE, not {name!r}. Nothing was started."
            raise Refused(Code.DOCUMENT_INVALID, message)
    return {name: value for name, _, value in pairs}


def sink_url(out: str | None) -> str:
    """`--out` as a URL or a folder; by default `./rows/{key}/`. Absolute, so that workers elsewhere mean the same."""
    if out and "://" in out:
        return out
    path = Path(out or DEFAULT_SINK).expanduser().absolute()
    return folder_url(path).replace("%7B", "{").replace("%7D", "}")


def merge(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The document with the options that were given; an option that wasn't leaves it as it is."""
    merged = dict(document)
    for name, value in changes.items():
        if isinstance(value, dict):
            section = merged.get(name)
            inner = merge(section if isinstance(section, dict) else {}, value)
            if inner:
                merged[name] = inner
        elif value is not None:
            merged[name] = value
    return merged


def _read(text: str) -> tuple[str, bytes | str]:
    if text == "-":
        return "from standard input", sys.stdin.buffer.read()
    if not text.startswith("@"):
        return "on the command line", text
    path = Path(text[1:]).expanduser()
    try:
        return f"in {path}", path.read_bytes()
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}. Nothing was started."
        raise Refused(Code.INPUT_INVALID, message) from error
