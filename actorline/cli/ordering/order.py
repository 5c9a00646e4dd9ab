"""From the command line's options to a job document."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from actorline.errors import Code, Refused
from actorline.jobs.document import label

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
    """Return the labels by name. Raises Refused."""
    try:
        return label.parse_labels(labels)
    except ValueError as error:
        message = f"A label must be NAME=VALUE, not {str(error)!r}. Nothing was started."
        raise Refused(Code.DOCUMENT_INVALID, message) from None


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


def as_batch(
    order: dict[str, Any], *, inputs: str | None, split: str | None, max_running: int | None
) -> dict[str, Any]:
    """Return the batch document for what `run` orders. Raises Refused for options that contradict each other."""
    if (inputs is None) is (split is None):
        raise Refused(Code.DOCUMENT_INVALID, "Give one of --inputs and --split. Nothing was started.")
    own = ("key", "sink", "notify", "account", "priority", "labels", "deadline_secs")
    whole = {name: order[name] for name in own if name in order}
    template = {name: value for name, value in order.items() if name not in (*own, "input")}
    source = _inputs_source(order, inputs) if inputs is not None else {"split": _split(order.get("input"), split or "")}
    running = {} if max_running is None else {"max_running": max_running}
    return {**whole, "template": template, **source, **running}


def _inputs_source(order: dict[str, Any], inputs: str) -> dict[str, Any]:
    if "input" in order:
        raise Refused(Code.DOCUMENT_INVALID, "--inputs has the inputs, so leave out --input. Nothing was started.")
    if "://" in inputs:
        return {"inputs_url": inputs}
    if inputs == "-":
        return {"inputs": [parse_object(line) for line in sys.stdin.buffer if line.strip()]}
    path = Path(inputs).expanduser().resolve()
    if not path.is_file():
        raise Refused(Code.INPUT_UNREADABLE, f"{path} can't be read: there is no such file. Nothing was started.")
    return {"inputs_url": path.as_uri()}


def _split(given: Any, split: str) -> dict[str, Any]:
    field, _, size = split.rpartition(":")
    if not field or not size.isdecimal():
        raise Refused(Code.DOCUMENT_INVALID, f"--split is FIELD:SIZE, not {split[:60]!r}. Nothing was started.")
    if not isinstance(given, dict):
        raise Refused(Code.DOCUMENT_INVALID, "--split cuts a list of --input, which must be an object.")
    return {"input": given, "field": field, "size": int(size)}


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
