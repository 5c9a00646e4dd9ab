"""Labels in a URL's query."""

from collections.abc import Iterable

from actorline.errors import Code, Refused
from actorline.jobs.document.label import parse_label


def parse_labels(labels: Iterable[str]) -> dict[str, str]:
    """Return the labels by name. Raises Refused if one isn't `name:value`, or `name=value` as in the terminal."""
    pairs = [parse_label(label) for label in labels]
    if None in pairs:
        raise Refused(Code.REQUEST_INVALID, "A label is written name:value.")
    return dict(pair for pair in pairs if pair)
