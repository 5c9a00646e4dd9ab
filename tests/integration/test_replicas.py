"""Writes that a replica of Redis has to have on its disk as well."""

from types import SimpleNamespace

import pytest
from celery import Celery
from real_parts import free_port, wait_for
from terminal import running_valkey

from actorline.identifiers import TaskId
from actorline.jobs.document.parse import parse_document
from actorline.jobs.states import State
from actorline.ledger import durability
from actorline.ledger.change import Change
from actorline.ledger.durability import NotDurable
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import NewJob
from actorline.ledger.store import connect
from tasks.shell import answers


def register(ledger: Ledger, key: str) -> str:
    (registered,) = ledger.register(
        [NewJob(key, parse_document({"actor": "x/y"}), "file:///rows/k/", fresh=False)], due_in_s=10
    )
    return registered.outcome


@pytest.mark.thorough
def test_order_waits_until_a_replica_has_it_on_disk(short_folder, monkeypatch):
    port = free_port()
    (short_folder / "r").mkdir()
    with running_valkey(short_folder, "--port", str(port), "--bind", "127.0.0.1"):
        client = connect(f"redis+socket://{short_folder}/s")
        ledger = Ledger(client, "replicated", replicas=1)
        with pytest.raises(NotDurable, match="0 of 1"):
            register(ledger, "alone")
        with running_valkey(short_folder / "r", "--replicaof", f"127.0.0.1 {port}"):
            wait_for(lambda: client.info("replication")["connected_slaves"] == 1, what="the replica")
            replica = connect(f"redis+socket://{short_folder}/r/s")
            wait_for(lambda: replica.info("replication")["master_link_status"] == "up", what="the link")
            monkeypatch.setattr(durability, "WAIT_MS", 60_000)  # a replica that has just come writes its whole file
            register(ledger, "followed")
            assert Ledger(replica, "replicated").load("followed")
            replica.close()
        client.close()


@pytest.mark.thorough
def test_end_counts_once_a_replica_has_it(short_folder, monkeypatch):
    with running_valkey(short_folder):
        client = connect(f"redis+socket://{short_folder}/s")
        register(Ledger(client, "ended"), "k")
        followed = Ledger(client, "ended", replicas=1)
        assert followed.change("k", Change(due_in_s=1), epoch=None)
        monkeypatch.setattr(durability, "WAIT_MS", 1_000)  # the primary itself writes within that, also on a busy disk
        with pytest.raises(NotDurable, match="0 of 1"):
            followed.change("k", Change(to=State.FAILED), epoch=None)
        client.close()


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:Call to deprecated")  # by Celery
def test_caller_is_forgotten_once_a_replica_has_its_answer(short_folder, monkeypatch):
    """A primary that was replaced accepts answers that are lost with it, while the ledger is elsewhere already."""
    port, forgotten = free_port(), []
    callers = SimpleNamespace(forget=lambda key, task_id: forgotten.append((key, task_id)))
    monkeypatch.setattr(answers, "ledger", lambda: SimpleNamespace(callers=callers))
    monkeypatch.setattr(answers, "settings", lambda: SimpleNamespace(durable_replicas=1))
    (short_folder / "r").mkdir()
    address = f"redis+socket://{short_folder}/s"
    with (
        running_valkey(short_folder, "--port", str(port), "--bind", "127.0.0.1"),
        Celery("answers", broker="memory://", backend=address) as app,
    ):
        ledger = Ledger(connect(address), "answered")
        register(ledger, "k")
        ended = ledger.load("k").model_copy(update={"state": State.DELIVERED})
        answers.answer_caller(ended, TaskId("1"), {})
        assert (app.AsyncResult("1").state, forgotten) == ("SUCCESS", [])
        with running_valkey(short_folder / "r", "--replicaof", f"127.0.0.1 {port}"):
            client = app.backend.client
            wait_for(lambda: client.info("replication")["connected_slaves"] == 1, what="the replica")
            monkeypatch.setattr(answers, "REPLICATED_MS", 60_000)
            answers.answer_caller(ended, TaskId("1"), {})
            ledger.redis.close()
        assert forgotten == [("k", "1")]


@pytest.mark.thorough
def test_before_7_2_an_order_waits_for_a_replica_too(short_folder, monkeypatch):
    monkeypatch.setattr(durability.Server, "can_wait_for_disk", property(lambda _: False))
    monkeypatch.setattr(durability, "OLD_SERVER_WAIT_SECS", 0)
    monkeypatch.setattr(durability, "WAIT_MS", 200)
    with running_valkey(short_folder):
        client = connect(f"redis+socket://{short_folder}/s")
        with pytest.raises(NotDurable, match="Only 0 of 1 Redis replicas had a write in time"):
            register(Ledger(client, "old", replicas=1), "alone")
        assert register(Ledger(client, "old"), "enough") == "created"
        client.close()


@pytest.mark.thorough
def test_nearly_full_redis_takes_no_new_order_and_every_cancel(short_folder):
    with running_valkey(short_folder):
        client = connect(f"redis+socket://{short_folder}/s")
        ledger = Ledger(client, "full")
        register(ledger, "there")
        for number in range(200):  # of a few hundred kB a twentieth is less than connections may take
            client.set(f"others:{number}", bytes(100_000))
        client.execute_command("WAITAOF", 1, 0, 0)  # what waits for the disk counts as used, up to all of it
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.02))
        assert [register(Ledger(client, "full"), key) for key in ("new", "there")] == ["overload", "joined"]
        assert ledger.change("there", Change(fields={"stop_wish": "cancel"}), epoch=None)
        client.close()
