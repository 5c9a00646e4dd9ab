"""A document as it was given is checked: refused with each problem, or returned with its input as bytes."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import to_json

from actorline.errors import Code, Refused
from actorline.jobs.document.canonical_json import canonical_json
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.json_faults import find_fault
from actorline.jobs.document.lengths import outgrows, size_bytes
from actorline.jobs.document.problems import MOST_PROBLEMS, json_type, problems_of, unknown_fields

MAX_INPUT_BYTES: Final = 9_437_184  # docs/platform-facts.md#body-size
MAX_DOCUMENT_BYTES: Final = 65_536  # without the input: it is read again at every step of its job


def parse_document(raw: Any) -> JobDocument:
    """Check an order. Raises Refused with each bad field, why, and the nearest name, and nothing else."""
    checked = _check(raw)
    if isinstance(checked, JobDocument):
        return checked
    raise Refused(Code.DOCUMENT_INVALID, f"The job document is refused: {'; '.join(checked)}. Nothing was started.")


def document_problems(raw: Any) -> list[str]:
    """Return what `parse_document` would refuse an order for, a line each; none: it is valid."""
    checked = _check(raw)
    return [] if isinstance(checked, JobDocument) else checked


def _check(raw: Any) -> JobDocument | list[str]:
    """Return the document, or what is wrong with it."""
    if problems := _rough_problems(raw):
        return problems
    try:
        document = JobDocument.model_validate(dict(raw))
        _checked_body(document.input, partial(_body_of, document))
    except ValidationError as error:
        return list(problems_of(error, JobDocument))
    except ValueError as error:
        return [str(error)]
    return document


def _body_of(document: JobDocument) -> bytes:
    """Return the request body; it and both hashes are cached: they take a second for a large input."""
    _ = document.body_hash, document.likeness
    return document.input_body


def _rough_problems(raw: Any) -> list[str]:
    """Return problems found before anything is built from the order, so that megabytes of nonsense cost little."""
    if not isinstance(raw, Mapping):
        return [f"the document must be a JSON object, not {json_type(raw)}"]
    if problem := rough_problem(_without_input(raw), "its input"):
        return [problem]
    unknown = list(islice(unknown_fields(raw, JobDocument), MOST_PROBLEMS))
    return unknown if len(unknown) == MOST_PROBLEMS else []


def rough_problem(rest: Mapping[Any, Any], without: str) -> str:
    """Return what is wrong with the size and the JSON of a document `without` what has its own limit; "": nothing."""
    try:
        if outgrows(rest, MAX_DOCUMENT_BYTES) or size_bytes(rest) > MAX_DOCUMENT_BYTES:
            return f"the document has more than {MAX_DOCUMENT_BYTES:,} bytes without {without}"
    except (RecursionError, ValueError):
        return "the document is nested too deeply"
    return (find_fault(rest, "") or "").removeprefix(".")


def input_text(value: Any) -> bytes:
    """Return an input as the request body that sends it. Raises ValueError that says what is wrong with it."""
    return _checked_body(value, partial(canonical_json, value, sort=False))


def _checked_body(value: Any, make_body: Callable[[], bytes]) -> bytes:
    """Return an input's request body. Raises ValueError that says what is wrong with the input."""
    try:
        to_json(value)  # raises at a depth of about 250: workers walk through the input
        body = make_body()
    except (ValueError, TypeError, RecursionError):  # NaN, half surrogates, values that aren't JSON
        raise ValueError(find_fault(value, "input") or "input: is nested too deeply") from None
    if len(body) > MAX_INPUT_BYTES:
        raise ValueError(f"input: has {len(body):,} bytes; the platform accepts at most {MAX_INPUT_BYTES:,}")
    return body


def _without_input(raw: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in raw.items() if name != "input"}
