"""The HTTP gateway while its Redis is away, frozen, full or forgetful."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gateway_process import running_gateway
from real_parts import make_line, wait_for
from terminal import running_valkey

from actorline.ledger.store import connect

pytestmark = pytest.mark.thorough


@pytest.fixture
def gateway(short_folder, emulator, tmp_path):
    """A door whose Valkey the test starts and stops."""
    line = make_line(f"redis+socket://{short_folder}/s", emulator, tmp_path, "gw-redis")
    with running_gateway(line) as gateway:
        yield gateway
    line.client.close()


def assert_unavailable(response: httpx.Response, code: str, *words: str) -> None:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (503, code), problem
    assert response.headers["Retry-After"]
    for word in words:
        assert word in problem["detail"]


def test_gateway_runs_without_redis_and_orders_when_it_is_there(gateway, short_folder):
    assert_unavailable(gateway.http.get("/readyz"), "redis-unavailable")
    assert_unavailable(gateway.order(key="k", actor="x"), "redis-unavailable", "no connection", "same key")
    assert_unavailable(gateway.http.get("/v1/jobs"), "redis-unavailable")
    assert_unavailable(gateway.http.get("/metrics"), "redis-unavailable")
    assert gateway.http.get("/healthz").status_code == 200
    with running_valkey(short_folder):
        wait_for(lambda: gateway.http.get("/readyz").status_code == 200, what="a door that is ready")
        assert gateway.order(key="k", actor="x").status_code == 202
    assert_unavailable(gateway.http.get("/v1/jobs/k", params={"wait": 5}), "redis-unavailable")
    with running_valkey(short_folder):  # another process, which knows no script of ours but the order
        wait_for(lambda: gateway.http.get("/readyz").status_code == 200, what="a door that is ready again")
        assert gateway.order(key="k", actor="x").status_code == 200
        assert gateway.order(key="k-2", actor="x").status_code == 202
    assert gateway.logged("request_failed") == []


def test_who_waits_for_a_frozen_redis_holds_up_no_sign_of_life(gateway, short_folder):
    with running_valkey(short_folder) as valkey:
        wait_for(lambda: gateway.order(key="k", actor="x").status_code == 202, what="an order")
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            with httpx.Client(base_url=gateway.url, timeout=60) as http, ThreadPoolExecutor() as pool:
                began = time.monotonic()
                waiting = pool.submit(http.get, "/v1/jobs/k")
                assert http.get("/healthz").status_code == 200  # a Redis that is asked would give none
                assert_unavailable(waiting.result(60), "redis-unavailable", "in time")
                assert time.monotonic() - began < 50
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        wait_for(lambda: gateway.http.get("/v1/jobs/k").status_code == 200, what="a response again")


def test_a_probe_is_told_of_a_frozen_redis_before_others_give_up(gateway, short_folder):
    with running_valkey(short_folder) as valkey:
        wait_for(lambda: gateway.order(key="k", actor="x").status_code == 202, what="an order")
        wait_for(lambda: gateway.http.get("/readyz").status_code == 200, what="a door that is ready")
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor() as pool:
                waiting = pool.submit(gateway.http.get, "/v1/jobs/k")
                # a look of less than a second ago still counts
                wait_for(lambda: gateway.http.get("/readyz").status_code == 503, what="a door that isn't ready")
                assert not waiting.done()
                assert_unavailable(gateway.http.get("/readyz"), "redis-unavailable", "in time")
                assert_unavailable(waiting.result(120), "redis-unavailable", "in time")
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        wait_for(lambda: gateway.http.get("/readyz").status_code == 200, what="a door that is ready again")


@pytest.mark.parametrize("option", ["appendonly no", "maxmemory-policy allkeys-lru"])
def test_it_is_not_ready_with_a_redis_that_forgets(gateway, short_folder, option):
    with running_valkey(short_folder, *f"--{option}".split()):
        wait_for(lambda: gateway.http.get("/v1/jobs").status_code == 200, what="Redis's reply")
        assert_unavailable(gateway.http.get("/readyz"), "ledger-not-durable", "CONFIG SET")


def test_an_order_that_would_not_be_on_disk_is_not_taken(gateway, short_folder):
    with running_valkey(short_folder, "--appendonly", "no"):
        wait_for(lambda: gateway.http.get("/v1/jobs").status_code == 200, what="Redis's reply")
        assert_unavailable(gateway.order(key="k", actor="x"), "ledger-not-durable", "No run was started")
        assert gateway.http.get("/v1/jobs/k").status_code == 404


def test_order_without_key_on_a_slow_disk_names_the_made_key(gateway, short_folder):
    with running_valkey(short_folder, "--appendfsync", "no"):
        wait_for(lambda: gateway.http.get("/v1/jobs").status_code == 200, what="Redis's reply")
        refused = gateway.order(actor="x")
        code = refused.json()["code"]  # whichever comes first: no word of the disk, or the end of the door's patience
        assert code in {"ledger-not-durable", "redis-unavailable"}
        assert_unavailable(refused, code, refused.json()["key"])
        with connect(f"redis+socket://{short_folder}/s") as redis:
            redis.config_set("appendfsync", "always")
        assert gateway.order(key=refused.json()["key"], actor="x").status_code == 200  # it was in the ledger
        assert [job["key"] for job in gateway.http.get("/v1/jobs").json()["jobs"]] == [refused.json()["key"]]


def test_cancel_works_where_the_disk_promises_nothing(gateway, short_folder):
    with running_valkey(short_folder):
        wait_for(lambda: gateway.http.get("/v1/jobs").status_code == 200, what="Redis's reply")
        assert gateway.order(key="k", actor="x").status_code == 202
        with connect(f"redis+socket://{short_folder}/s") as redis:
            redis.config_set("appendonly", "no")
        assert gateway.http.post("/v1/jobs/k/cancel").status_code == 202
        assert gateway.line.ledger.load("k").stop_wish == "cancel"
