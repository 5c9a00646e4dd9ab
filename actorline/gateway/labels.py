"""Labels in a URL's query."""

from collections.abc import Iterable

from actorline.errors import Code, Refused
from actorline.jobs.document import label


def parse_labels(labels: Iterable[str]) -> dict[str, str]:
    """Return the labels by name. Raises Refused if one isn't `name:value`, or `name=value` as in the terminal."""
    try:
        return label.parse_labels(labels)
    except ValueError:
        raise Refused(Code.REQUEST_INVALID, "A label is written name:value.") from None
