"""Refused documents: their fields by the names of the options."""

import pytest

from actorline.cli.ordering.option_names import fields_named_as_options
from actorline.errors import Code, Refused
from actorline.jobs.document.parse import parse_document


@pytest.mark.parametrize(
    ("document", "options"),
    [
        ({"delta": {"base": "monday"}}, "delta.key is --changes-key."),
        ({"guard": {"required": ["a..b"]}}, "guard.required is --require."),
        ({"stop_when": {"items": 0}}, "stop_when.items is --stop-after."),
        ({"stop_when": {"items": 5}, "collect": {"format": "csv"}}, "collect.format is --format."),
        ({"options": {"memory_mbytes": 100}}, "options.memory_mbytes is --memory."),
        ({"options": {"timeout_secs": -1}}, "options.timeout_secs is --timeout."),
        ({"deadline_secs": 0}, "deadline_secs is --deadline."),
        ({"stop_when": {"items": 5}, "mode": "sync"}, 'mode "async" is the default, without --sync.'),
    ],
)
def test_refused_fields_are_named_as_options(document, options):
    with pytest.raises(Refused, match="Nothing was started") as refused, fields_named_as_options():
        parse_document({"actor": "demo/rows", **document})
    assert str(refused.value).endswith(f"On the command line {options}")
    assert refused.value.reason.code is Code.DOCUMENT_INVALID


def test_other_refusals_stay_as_they_are():
    for error in (Refused(Code.DOCUMENT_INVALID, "actor is missing."), Refused(Code.SINK_REFUSED, "delta.key")):
        with pytest.raises(Refused) as refused, fields_named_as_options():
            raise error
        assert refused.value is error
