"""Inputs that come with the order: a list, or one input that is cut along one of its lists."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from actorline.batches.document import BatchDocument, Split, parse_batch
from actorline.batches.inputs.line import MOST_INPUTS, input_line, refused
from actorline.errors import Refused
from actorline.jobs.document.canonical_json import canonical_json
from actorline.jobs.document.lengths import STORED
from actorline.jobs.document.problems import json_type

MOST_LISTED_BYTES: Final = 32_000_000  # they are checked in memory


def listed_lines(raw_inputs: Iterable[Any]) -> list[bytes]:
    """Return inputs that came with an order as lines, each checked. Raises Refused."""
    lines: list[bytes] = []
    size = 0
    for number, value in enumerate(raw_inputs):
        line = input_line(value, f"inputs[{number}]")
        size += len(line)
        if len(lines) == MOST_INPUTS:
            raise refused(f"there are more than {MOST_INPUTS:,} inputs; cut them into several batches")
        if size > MOST_LISTED_BYTES:
            raise refused(
                f"the inputs have more than {MOST_LISTED_BYTES:,} bytes; put them into a file, and give inputs_url"
            )
        lines.append(line)
    if not lines:
        raise refused("there are no inputs")
    return lines


def listed_inputs(document: BatchDocument) -> list[bytes] | None:
    """Return the inputs that came with the order, as lines; None: it names a URL. Raises Refused."""
    if document.split is not None:
        return listed_lines(_cut(document.split))
    return None if document.inputs is None else listed_lines(document.inputs)


def held_split(document: BatchDocument) -> bytes | None:
    """Return what Redis holds of a split until its inputs are in the sink. They may be a thousand times larger."""
    return None if document.split is None else canonical_json(dict(document.split), sort=False)


def lines_of_split(held: bytes) -> Iterator[bytes]:
    """Yield the inputs that were checked with the order, as lines."""
    for number, value in enumerate(_cut(Split.model_validate(json.loads(held), context=STORED))):
        yield input_line(value, f"inputs[{number}]")


def batch_problems(raw: Any) -> list[str]:
    """Return what an order of a batch would be refused for; none: it is valid."""
    try:
        listed_inputs(parse_batch(raw))
    except Refused as refusal:
        return [str(refusal)]
    return []


def _cut(split: Split) -> Iterator[dict[str, Any]]:
    entries = split.input.get(split.field)
    if not isinstance(entries, list):
        found = "is missing" if split.field not in split.input else f"is {json_type(entries)}"
        raise refused(f"split.input.{split.field[:60]} must be a list; it {found}")
    for first in range(0, len(entries), split.size):
        yield {**split.input, split.field: entries[first : first + split.size]}
