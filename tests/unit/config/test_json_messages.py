"""What a service's typed values become."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pytest
from kombu.utils.json import dumps

from config.json_messages import typed_as_text


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (date(2026, 11, 1), "2026-11-01"),
        (datetime(2026, 11, 1, 8, tzinfo=UTC), "2026-11-01T08:00:00+00:00"),
        (time(8, 30), "08:30:00"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ({"__type__": "Pointer", "__value__": "x"}, {"__type__": "Pointer", "__value__": "x"}),
        ({"__type__": ["date"], "__value__": 1}, {"__type__": ["date"], "__value__": 1}),
        ({"__type__": "uuid", "__value__": {}}, {"__type__": "uuid", "__value__": {}}),
        ({"__type__": "date", "__value__": "x", "more": 1}, {"__type__": "date", "__value__": "x", "more": 1}),
    ],
)
def test_typed_values_are_their_text_and_anything_else_is_itself(sent, read):
    message = json.loads(dumps({"input": {"list": [sent]}}))
    assert typed_as_text(message) == {"input": {"list": [read]}}
