"""From the command line's options to a job document."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from actorline.errors import Code, Refused

DEFAULT_SINK: Final = "rows/{key}"


def read_input(text: str | None) -> Any:
    """Return the value of `-i`: JSON, `@FILE` or `-`. Raises Refused if it isn't JSON."""
    if text is None:
        return None
    source, raw = _read(text)
    try:
        return parse_json(raw)
    except ValueError as error:
        raise Refused(Code.INPUT_INVALID, f"The input {source} {error}. Nothing was started.") from None


def read_document(path: str) -> dict[str, Any]:
    """Return the job document from a file or `-`. Raises Refused if it isn't a JSON object."""
    source, raw = _read(path if path == "-" else f"@{path}")
    try:
        return parse_object(raw)
    except ValueError as error:
        raise Refused(Code.DOCUMENT_INVALID, f"The document {source} {error}. Nothing was started.") from None


def parse_object(raw: bytes | str) -> dict[str, Any]:
    """Parse a JSON object. Raises ValueError that says what the text is instead."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - a text of the wrong kind, not a mistake of the caller
    return value


def parse_json(raw: bytes | str) -> Any:
    """Parse JSON. Raises ValueError that says what is wrong with the text, and where, without quoting it."""
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON at {error.lineno}:{error.colno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise ValueError("is not JSON: it isn't text in UTF-8") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError:  # Python refuses integers of more than 4,300 digits
        raise ValueError("has a number that is too long") from None


def parse_labels(labels: list[str]) -> dict[str, str]:
    pairs = [label.partition("=" if "=" in label else ":") for label in labels]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise Refused(Code.DOCUMENT_INVALID, f"A label must be NAME=VALUE, not {name!r}. Nothing was started.")
    return {name: value for name, _, value in pairs}


def sink_url(out: str | None) -> str:
    """Return the URL of `--out`, default `./rows/{key}/`; absolute, as workers have other working directories."""
    if out and "://" in out:
        return out
    from actorline.delivery.sink import folder_url

    path = Path(out or DEFAULT_SINK).expanduser().absolute()
    return folder_url(path).replace("%7B", "{").replace("%7D", "}")


def merge(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the options that were given; the others leave it as it is."""
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
        raise Refused(Code.INPUT_INVALID, f"{path} can't be read: {error.strerror}. Nothing was started.") from error
