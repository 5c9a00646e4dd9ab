import pytest

from actorline.emulator.errors import ApiError
from actorline.emulator.life import Life
from actorline.emulator.profile import Script
from actorline.emulator.records import Record, RecordStore

SCRIPT = Script(
    duration_secs=10,
    record_count=2,
    records={
        "OUTPUT": {"body": {"ok": True}},
        "page.html": {"content_type": "text/html", "body": "<p>é</p>"},
        "pixel": {"content_type": "image/png", "base64": "iVBORw=="},
    },
)
LIFE = Life(SCRIPT, created_at=0.0)


def test_scripted_records_appear_at_the_runs_end():
    store = RecordStore(SCRIPT)
    store.put("INPUT", Record("application/json", b"{}"))
    assert store.sorted_keys(LIFE, 9.9) == ["INPUT"]
    assert store.get("OUTPUT", LIFE, 9.9) is None
    assert store.sorted_keys(LIFE, 10) == ["INPUT", "KEY-00001", "KEY-00002", "OUTPUT", "page.html", "pixel"]


@pytest.mark.parametrize(
    ("key", "content_type", "body"),
    [
        ("OUTPUT", "application/json; charset=utf-8", b'{"ok":true}'),
        ("page.html", "text/html", "<p>é</p>".encode()),
        ("pixel", "image/png", b"\x89PNG"),
    ],
)
def test_a_record_keeps_its_bytes_and_type(key, content_type, body):
    assert RecordStore(SCRIPT).get(key, LIFE, 10) == Record(content_type, body)


@pytest.mark.parametrize("key", ["", "a/b", "ä", "a" * 257])
def test_a_key_that_the_platform_does_not_allow_is_refused(key):
    with pytest.raises(ApiError) as refusal:
        RecordStore(SCRIPT).put(key, Record("text/plain", b""))
    assert (refusal.value.status, refusal.value.type) == (400, "invalid-record-key")
