"""Redis is handed over from one server to another, under the eyes of its sentinels."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Final

import pytest
import redis
from real_parts import make_line, running_workers, wait_for
from replicated_valkey import Server, replicated_valkey

from actorline.jobs.document.parse import parse_document
from actorline.ledger.durability import NotDurable
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import NewJob
from actorline.ledger.store import connect

WRITERS: Final = 20


@pytest.mark.thorough
def test_job_outlives_a_handover_of_its_redis(short_folder, emulator, tmp_path):
    with replicated_valkey(short_folder, replicas=2) as replicated:
        line = make_line(replicated.address, emulator, tmp_path, "handover")
        actor = emulator.actor("handover", items=300, duration_secs=600)
        with running_workers(line, "all"):
            pending = line.submit({"key": "handover", "actor": actor, "poll_interval_secs": 1})
            wait_for(lambda: line.state("handover") == "RUNNING", what="a run under way")
            former = replicated.primary
            replicated.hand_over()
            replicated.wait_for_successor(former)
            emulator.finish_runs_of(actor)
            result = pending.get(timeout=120)
        line.client.close()
    assert (result["state"], result["items"]) == ("DELIVERED", 300)
    assert [run["id"] for run in emulator.runs_of(actor)] == [result["run_id"]]


@pytest.mark.thorough
def test_what_is_confirmed_during_a_handover_is_kept(short_folder, monkeypatch):
    """The old primary keeps a replica for a second after another one was promoted: what that confirms is forgotten."""
    with replicated_valkey(short_folder, replicas=2) as replicated:
        former, client = replicated.primary, connect(replicated.address, retries=0)
        # as by connections that were there before: nobody tells them of the successor
        monkeypatch.setattr(client.connection_pool.proxy, "get_master_address", lambda: ("127.0.0.1", former.port))
        ledger = Ledger(client, "confirmed", replicas=1)

        def register_all(writer: int) -> list[str]:
            """Order until the old primary is none any more, and return what was confirmed."""
            confirmed, keys = [], (f"k-{writer}-{number}" for number in count())
            while not is_demoted(former):
                with suppress(NotDurable, redis.RedisError):
                    register(ledger, key := next(keys))
                    confirmed.append(key)
            return confirmed

        with ThreadPoolExecutor(WRITERS) as writers:
            running = [writers.submit(register_all, writer) for writer in range(WRITERS)]
            replicated.hand_over_in_use()
            confirmed = [key for writer in running for key in writer.result()]
        kept = Ledger(replicated.wait_for_successor(former).client, "confirmed").load_many(confirmed)
        assert [key for key, job in zip(confirmed, kept, strict=True) if job is None] == []
        client.close()


def is_demoted(server: Server) -> bool:
    with suppress(redis.RedisError):
        return server.client.info("replication")["role"] == "slave"
    return False


def register(ledger: Ledger, key: str) -> None:
    ledger.register([NewJob(key, parse_document({"actor": "x/y"}), "file:///rows/k/", fresh=False)], due_in_s=10)
