"""The default sink's folders are named by the keys of their jobs: an order of a service may use only its own, so that
it can't take the folder of a future job.
"""

import re
from collections.abc import Mapping
from typing import Final

from actorline.delivery.sink import path_in, split_root
from actorline.identifiers import JobKey

_NAMES: Final[Mapping[str, str]] = {
    "key": r"[A-Za-z0-9][A-Za-z0-9._\-@:+]{0,199}",
    "date": r"\d{4}-\d\d-\d\d",
    "run_id": r".+",
}


def is_of_another_key(sink: str, template: str, key: JobKey) -> bool:
    """Return whether a sink overlaps the folder that the default sink `template` gives a job with another key."""
    root, _ = split_root(template)
    inner = path_in(sink, root)
    if inner is None or "{key}" not in template:
        return False
    segments = template.removeprefix(root).strip("/").split("/")
    for segment, name in zip(segments, filter(None, inner.split("/")), strict=False):
        if not _fits(segment, name, _NAMES):
            return False
        if "{key}" in segment:
            return not _fits(segment, name, {**_NAMES, "key": re.escape(key)})
    return True


def _fits(segment: str, name: str, names: Mapping[str, str]) -> bool:
    parts = re.split(r"{(\w+)}", segment)
    pattern = "".join(names[part] if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return re.fullmatch(pattern, name) is not None
