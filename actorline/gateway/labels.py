"""Labels in a URL's query, written `name:value`."""

from collections.abc import Iterable

from actorline.errors import Code, Refused


def parse_labels(labels: Iterable[str]) -> dict[str, str]:
    """Return the labels by name. Raises Refused if one isn't `name:value`."""
    pairs = [label.partition(":") for label in labels]
    if not all(name and colon for name, colon, _ in pairs):
        raise Refused(Code.REQUEST_INVALID, "A label is written name:value.")
    return {name: value for name, _, value in pairs}
