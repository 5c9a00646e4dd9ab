from types import SimpleNamespace

import pytest

from actorline.platform.errors import NotFound, UnusableResponse
from actorline.platform.runs import NAMELESS
from actorline.stages.start import suspects
from actorline.stages.start.run_input import is_alike

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("ordered", "stored", "alike"),
    [
        (b'{"a":1}', b'{"a":1}', True),
        (b'{"a":1}', b'{"b":[2],"a":1}', True),  # the platform added a default
        (b"{}", b'{"b":2}', True),
        (b'{"a":1}', b'{"a":2}', False),
        (b'{"a":1}', b'{"b":1}', False),
        (b'{"a":{"b":1}}', b'{"a":{"b":1,"c":2}}', True),  # a default within an object
        (b'{"a":{"b":1}}', b'{"a":{"b":2,"c":2}}', False),
        (b'{"a":{"b":1}}', b'{"a":[]}', False),
        (b'{"a":[{"b":1},2]}', b'{"a":[{"b":1,"c":2},2]}', True),
        (b'{"a":[{"b":1},2]}', b'{"a":[{"b":1},2,3]}', False),
        (b'{"user":"u","password":"p"}', b'{"user":"u","password":"ENCRYPTED_VALUE:k:v"}', True),
        (b'{"user":"u","password":"p"}', b'{"user":"v","password":"ENCRYPTED_VALUE:k:v"}', False),
        (b'{"user":"u","password":"p"}', b'{"user":"u","password":"q"}', False),
        (b'{"cookies":[{"a":1}]}', b'{"cookies":"ENCRYPTED_JSON:k:v"}', True),
        (b'{"shop":{"$secret":"SHOP"},"n":1}', b'{"shop":"what it was then","n":1}', True),  # or is by now
        (b'{"shop":{"$secret":"SHOP"},"n":1}', b'{"shop":"what it was then","n":2}', False),
        (b'{"shop":{"$secret":"SHOP"}}', b"{}", False),
        (b"[1]", b"[1]", True),
        (b"[1]", b"[1, 2]", False),
        (b"[1]", b'{"a":1}', False),
        (b'{"a":1}', b"not JSON", False),
        (b'{"a":1}', b"\xff\xfe", False),
        (b'{"a":1}', b'{"a":1,"b":' + DEEP + b"}", True),
        (b'{"a":1}', b'{"a":' + DEEP + b"}", False),
        (b'{"a":1}', DEEP, False),
    ],
)
def test_an_input_is_ours_if_it_holds_all_that_we_sent(ordered, stored, alike):
    assert is_alike(ordered, stored) is alike


def is_suspect(monkeypatch, *, of="actor", says=None, run_id="run", **said):
    """Return whether a run of which a list says this, and that is `of` an Actor, may be the job's."""
    run = SimpleNamespace(id=run_id, **said)
    ledger = SimpleNamespace(runs=SimpleNamespace(key_of=lambda _: None))
    monkeypatch.setattr(suspects, "get_actor", lambda *_: SimpleNamespace(id="actor"))
    whole = SimpleNamespace(act_id=of, metamorphs=[], default_key_value_store_id="store")
    monkeypatch.setattr(suspects, "read_summary", says or (lambda *_: whole))
    job = SimpleNamespace(key="job", document=SimpleNamespace(actor_task=None, actor="demo/rows"))
    return suspects.may_be_ours(ledger, None, job, lambda _: True, [run]) == [run]


@pytest.mark.parametrize("act_id", [None, "actor"])
def test_run_that_a_list_says_little_of_may_be_ours(monkeypatch, act_id):
    record = SimpleNamespace(blocks=lambda _: [b"{}"], close=lambda: None)
    monkeypatch.setattr(suspects, "open_record", lambda _platform, store, _key: {"store": record}[store])
    assert is_suspect(monkeypatch, act_id=act_id, default_key_value_store_id=None)


def test_run_of_another_actor_isnt_ours_though_a_list_doesnt_say_so(monkeypatch):
    assert not is_suspect(monkeypatch, of="another", act_id=None, default_key_value_store_id=None)


def has_input(monkeypatch, *, is_there=True):
    def open_record(*_):
        if not is_there:
            raise NotFound("no such record")
        return SimpleNamespace(blocks=lambda _: [b"{}"], close=lambda: None)

    monkeypatch.setattr(suspects, "open_record", open_record)


def gone(*_):
    raise NotFound("Actor run was not found")


def no_object(*_):
    raise UnusableResponse("The response is not a RunSummary")


@pytest.mark.parametrize("says", [gone, no_object])
@pytest.mark.parametrize("is_there", [True, False])
def test_input_tells_whose_a_run_is_that_says_nothing_of_itself(monkeypatch, says, is_there):
    """A run that is listed, but of which the platform says nothing, must not stop the search for good."""
    has_input(monkeypatch, is_there=is_there)
    said = {"act_id": "another", "default_key_value_store_id": "store"}
    assert is_suspect(monkeypatch, says=says, **said) is is_there


@pytest.mark.parametrize("is_there", [True, False])
def test_input_tells_whose_a_run_without_an_id_is(monkeypatch, is_there):
    has_input(monkeypatch, is_there=is_there)
    said = {"act_id": "another", "default_key_value_store_id": "store"}
    assert is_suspect(monkeypatch, run_id=NAMELESS, says=pytest.fail, **said) is is_there


def test_run_that_nobody_can_ask_about_may_be_ours(monkeypatch):
    said = {"act_id": None, "default_key_value_store_id": None}
    assert is_suspect(monkeypatch, run_id=NAMELESS, says=pytest.fail, **said)
    assert is_suspect(monkeypatch, says=gone, **said)


def test_an_input_beyond_any_start_isnt_read_to_its_end(monkeypatch):
    read = []

    class Endless:
        def blocks(self, size):
            while len(read) < 10_000:
                read.append(size)
                yield bytes(size)

        def close(self):
            pass

    monkeypatch.setattr(suspects, "open_record", lambda *_: Endless())
    assert not is_suspect(monkeypatch, act_id="actor", default_key_value_store_id="store")
    assert sum(read) <= suspects.STORED_BYTES_MAX + suspects.BLOCK_BYTES
