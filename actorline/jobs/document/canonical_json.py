"""JSON as it is hashed and sent: the same bytes for the same value."""

import json
from typing import Any


def canonical_json(value: Any, *, sort: bool = True) -> bytes:
    text = json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()
