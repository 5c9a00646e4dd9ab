"""What changed between two deliveries, computed the plain way: everything in memory, one dictionary for each."""

import json
from collections.abc import Iterable, Sequence
from typing import Any


def naive_changes(before: Iterable[bytes], after: Iterable[bytes], paths: Sequence[str]) -> dict[str, list[Any]]:
    old, new = _last_by_key(before, paths), _last_by_key(after, paths)
    return {
        "added": [row for key, row in new.items() if key not in old],
        "removed": [row for key, row in old.items() if key not in new],
        "changed": [
            {"before": old[key], "after": row}
            for key, row in new.items()
            if key in old and _text(old[key]) != _text(row)
        ],
    }


def _last_by_key(lines: Iterable[bytes], paths: Sequence[str]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for line in lines:
        row = json.loads(line)
        key = [_at(row, path) for path in paths]
        if all(value is not None for value in key):
            rows.pop(_text(key), None)  # the last row of a key also has its place
            rows[_text(key)] = row
    return rows


def _at(row: Any, path: str) -> Any:
    for part in path.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
