"""The room of an account, taken by starts in a real ledger: never more than the platform would let in."""

import time

import pytest
from real_parts import wait_for

from actorline.jobs.document.parse import parse_document
from actorline.ledger.admission import account_room
from actorline.ledger.admission.account_room import ENDED_AGAIN_SECS, AccountRoom, AccountUse, RoomLeft
from actorline.ledger.admission.capacity_line import CapacityLine
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.fleet import read_fleet
from actorline.ledger.registration import NewJob
from actorline.ledger.store import connect


@pytest.fixture
def ledger(valkey, request):
    ledger = Ledger(connect(valkey + "?virtual_host=2"), f"room-{abs(hash(request.node.name))}")
    yield ledger
    ledger.redis.close()


@pytest.fixture
def room(ledger, monkeypatch):
    for name in ("FULL_AGAIN_SECS", "SENT_SECS"):  # however long the test's own process stands still
        monkeypatch.setattr(account_room, name, 600.0)
    return AccountRoom(ledger, "default")


def claim(room, key, memory=1024):
    return room.claim(key, "actor:x", memory).verdict


def read(room, *left):
    """The limits, read now: what is left in runs, MB and MB in all."""
    assert claim(room, "asks") == "ask"
    note(room, room.ledger.redis.time()[0] + room.ledger.redis.time()[1] / 1e6, *left)


def note(room, at, runs, mbytes, most_mbytes):
    used = {"runs": 0, "memory_gbytes": ((most_mbytes or 0) - (mbytes or 0)) / 1024}
    limit = {"runs": runs, "memory_gbytes": None if most_mbytes is None else most_mbytes / 1024}
    room.note(AccountUse(at=at, used=used, limit={of: most for of, most in limit.items() if most is not None}))


def test_room_is_read_before_anything_starts_and_taken_once(room):
    read(room, 2, 2048, 4096)
    assert [claim(room, key) for key in "abc"] == ["free", "free", "full"]
    assert room.noted().left == RoomLeft(0, 0, 4096)


def test_memory_of_the_actor_counts_where_the_order_names_none(room):
    read(room, 5, 2048, 4096)
    assert claim(room, "a", None) == "memory"
    room.note_memory("actor:x", 2048)
    assert [claim(room, "a", None), claim(room, "b", None)] == ["free", "full"]


def test_run_that_never_fits_is_left_to_the_platform(room):
    read(room, 5, 0, 4096)
    assert [claim(room, "a", 8192), claim(room, "b", 4096)] == ["free", "full"]


def test_accounts_with_no_limits_or_hidden_ones_let_all_start(room):
    read(room, None, None, None)
    assert {claim(room, key, None) for key in "abc"} == {"free"}
    room.forget()
    assert claim(room, "d") == "ask"
    room.note_unreadable()
    assert {claim(room, key, None) for key in "efg"} == {"free"}


def test_starts_under_way_are_subtracted_from_newer_limits(room, ledger):
    read(room, 3, None, None)
    assert [claim(room, "landed"), claim(room, "under-way")] == ["free", "free"]
    ledger.register([NewJob("landed", parse_document({"actor": "x"}), "file:///rows/", fresh=True)], due_in_s=100)
    CapacityLine(ledger, "default").leave(ledger.load("landed"), started=True)
    time.sleep(0.01)  # the platform has counted the run that landed when the limits are read
    room.forget()
    read(room, 2, None, None)
    assert room.noted().left.runs == 1


def test_full_account_is_read_again_once_a_run_of_ours_has_ended(room, ledger):
    read(room, 0, None, None)
    assert claim(room, "a") == "full"
    asked_at = float(ledger.redis.hget(ledger.name("room", "default"), "asked_at"))
    CapacityLine(ledger, "default").call_next()
    claims = []
    wait_for(lambda: claims.append(room.claim("a", "actor:x", 1024)) or claims[-1].verdict != "full", what="a look")
    *full, asks = claims
    assert asks.verdict == "ask"
    assert all(each.at - asked_at < ENDED_AGAIN_SECS for each in full)
    assert asks.at - asked_at >= ENDED_AGAIN_SECS
    again = room.claim("a", "actor:x", 1024)  # another execution is reading them, for a second at most
    assert again.verdict == ("full" if again.at - asks.at < ENDED_AGAIN_SECS else "ask")


def test_what_is_shown_is_what_starts_go_by(room, ledger):
    read(room, 7, 2048, 4096)
    shown = read_fleet(ledger).use["default"]
    assert shown.left == room.noted().left == RoomLeft(7, 2048, 4096)
    note(room, shown.at - 1, 0, 0, 4096)  # an answer that took long replaces no newer one
    assert (read_fleet(ledger).use["default"], room.noted().left.runs) == (shown, 7)
