"""Writes that count only when they are on the disk of a real server."""

from collections.abc import Iterator

import pytest
from terminal import running_valkey

from actorline.errors import Refused
from actorline.jobs.sender import FROM_TERMINAL
from actorline.ledger import durability
from actorline.ledger.durability import Disk, NotDurable
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.orders.submit import Submission, SubmittedJob, submit_many
from actorline.settings import Settings, load_settings


@pytest.fixture
def ledger(short_folder) -> Iterator[Ledger]:
    with running_valkey(short_folder):
        ledger = Ledger(connect(f"redis+socket://{short_folder}/s"), "durable")
        yield ledger
        ledger.redis.close()


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.fixture
def write(ledger):
    """Sets keys by a script, and waits for the disk."""
    script = ledger.redis.register_script("redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]")
    disk = Disk(ledger.redis)
    return lambda *names: disk.run(script, [([name], [f"{name}-value"]) for name in names])


def test_each_call_gets_its_own_answer(ledger, write):
    assert write("a", "b", "c") == ["a-value", "b-value", "c-value"]
    assert ledger.redis.mget("a", "b", "c") == ["a-value", "b-value", "c-value"]


def test_a_write_succeeds_after_the_server_forgot_the_script(ledger, write):
    write("a")
    ledger.redis.script_flush()
    assert write("b", "c") == ["b-value", "c-value"]


def test_a_server_that_stops_writing_to_disk_is_noticed(ledger, write):
    write("a")
    ledger.redis.config_set("appendonly", "no")
    with pytest.raises(NotDurable):
        write("b")


def test_a_server_that_writes_to_disk_again_is_believed_at_once(ledger, write):
    ledger.redis.config_set("appendonly", "no")
    with pytest.raises(NotDurable, match="appendonly no"):
        write("a")
    assert ledger.redis.get("a") is None
    ledger.redis.config_set("appendonly", "yes")
    assert write("b") == ["b-value"]


def test_a_server_is_not_asked_what_it_is_at_each_write(ledger, write, monkeypatch):
    monkeypatch.setattr(durability, "KNOWN_SECS", 600)
    write("a")
    ledger.redis.config_resetstat()
    for name in "bcd":
        write(name)
    assert "cmdstat_info" not in ledger.redis.info("commandstats")


def test_before_7_2_a_write_is_believed_after_two_seconds(ledger, write, monkeypatch):
    monkeypatch.setattr(durability.Server, "can_wait_for_disk", property(lambda _: False))
    slept = []
    monkeypatch.setattr(durability.time, "sleep", slept.append)
    assert write("a", "b") == ["a-value", "b-value"]
    assert slept == [2]


def test_many_orders_are_on_disk_after_one_wait(ledger, settings):
    orders = [Submission({"key": f"many-{number}", "actor": "x"}, "", FROM_TERMINAL) for number in range(100)]
    submit_many(
        [Submission({"actor": "x"}, "first", FROM_TERMINAL)], ledger=ledger, settings=settings, trusted=False
    )  # loads the script
    ledger.redis.config_resetstat()
    taken = submit_many(
        [*orders, Submission({"key": "many-0", "actor": "y"}, "", FROM_TERMINAL)],
        ledger=ledger,
        settings=settings,
        trusted=False,
    )
    assert [isinstance(each, SubmittedJob) and each.created for each in taken] == [True] * 100 + [False]
    assert isinstance(taken[-1], Refused)
    assert ledger.redis.info("commandstats")["cmdstat_waitaof"]["calls"] == 1
    assert ledger.load("many-99")
