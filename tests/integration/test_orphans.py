"""Runs of ours that no job wants; and starts whose run can't be told by its marker."""

import pytest
import requests
from real_parts import TOKEN, reason_of, running_workers, wait_for

from actorline.cli.terminal.exits import Exit
from actorline.platform.marker import make_marker

pytestmark = pytest.mark.thorough

LONG = {"items": 60, "duration_secs": 600}
QUICK = {"poll_interval_secs": 1}


def start_as(installation: str, emulator, actor: str, key: str) -> str:
    """A run that carries an installation's marker, without any ledger's doing."""
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": make_marker(installation, key, 1)}
    url = f"{emulator.url}/v2/actors/{actor.replace('/', '~')}/runs"
    return requests.post(url, json={}, headers=headers, timeout=60).json()["data"]["id"]


def start_as_ours(line, actor: str, key: str) -> str:
    return start_as(line.ledger.installation(None), line.emulator, actor, key)


def is_aborted(line, run_id: str) -> bool:
    return line.emulator.run(run_id)["status"] == "ABORTED"


def test_sweep_aborts_a_second_run_and_leaves_all_else_alone(own_line):
    line = own_line("sweep")
    actor = line.emulator.actor("swept", **LONG)
    foreign = requests.post(
        f"{line.emulator.url}/v2/actors/demo~swept/runs", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60
    ).json()["data"]["id"]
    with running_workers(line, "control"):
        line.submit({"key": "swept", "actor": actor, **QUICK})
        own = wait_for(lambda: (job := line.ledger.load("swept")) and job.run.id, what="the job's run")
        doubled, unknown = start_as_ours(line, actor, "swept"), start_as_ours(line, actor, "of a lost ledger")
        line.send("actorline.sweep", "default", queue="control")
        wait_for(lambda: is_aborted(line, doubled), what="the abort of the second run")
        assert "stray-run" in line.events("swept")
        for run_id in (own, unknown, foreign):
            assert line.emulator.run(run_id)["status"] in {"READY", "RUNNING"}
        line.cancel("swept")
        wait_for(lambda: is_aborted(line, own), what="the end of the job's own run")


def test_run_of_a_lost_ledger_is_adopted_where_that_is_set(own_line):
    line = own_line("adopting", orphans="adopt")
    actor = line.emulator.actor("adopted", items=200, duration_secs=4)
    with running_workers(line, "control", "fetch"):
        run_id = start_as_ours(line, actor, "forgotten")  # it has ended before a busy machine has workers
        line.send("actorline.sweep", "default", queue="control")
        key = f"adopted-{run_id}"
        job = wait_for(lambda: (j := line.ledger.load(key)) and j.is_terminal and j, what="the adopted job's end")
    assert (job.state, job.collection.items, job.run.id) == ("DELIVERED", 200, run_id)
    assert len(line.emulator.starts(actor)) == 1


def test_second_search_aborts_a_run_that_appeared_very_late(own_line, faults):
    line = own_line("late-commit")
    actor = line.emulator.actor("late-commit", **LONG)
    faults({"method": "POST", "action": "reset_before", "nth": 1, "path_regex": "late-commit/runs$"})
    with running_workers(line, "control"):
        line.submit({"key": "late-commit", "actor": actor, **QUICK})
        own = wait_for(lambda: (job := line.ledger.load("late-commit")) and job.run.id, what="the second start's run")
        late = start_as_ours(line, actor, "late-commit")
        ((member, _),) = line.ledger.redis.zrange(line.ledger.name("second_looks"), 0, -1, withscores=True)
        line.ledger.redis.zadd(line.ledger.name("second_looks"), {member: 0})
        wait_for(lambda: is_aborted(line, late), what="the abort of the late run")
        assert not is_aborted(line, own)
        assert wait_for(lambda: not line.ledger.redis.exists(line.ledger.name("second_looks")), what="the look's end")
        line.cancel("late-commit")
        wait_for(lambda: is_aborted(line, own), what="the end of the job's own run")


def test_start_without_a_marker_is_recognised_by_its_input(own_line, faults):
    """The first start never arrives; the only other run in the window has another input, so it isn't ours."""
    line = own_line("no-marker")
    actor = line.emulator.actor("no-marker", items=10, duration_secs=0, hide_user_agent=True)
    requests.post(
        f"{line.emulator.url}/v2/actors/demo~no-marker/runs",
        json={"page": 1},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=60,
    )
    faults({"method": "POST", "action": "reset_before", "nth": 1, "path_regex": "no-marker/runs$"})
    with running_workers(line, "control", "fetch"):
        result = line.submit({"key": "no-marker", "actor": actor, "input": {"page": 2}, **QUICK}).get(timeout=120)
    assert result["state"] == "DELIVERED"
    assert len(line.emulator.runs_of(actor)) == 2


def test_start_like_a_run_with_the_same_input_asks_a_person(own_line, faults):
    line = own_line("untold")
    actor = line.emulator.actor("untold", items=10, duration_secs=0, hide_user_agent=True)
    faults({"method": "POST", "action": "reset_after", "nth": 1, "path_regex": "untold/runs$"})
    with running_workers(line, "control", "fetch"):
        order = line.submit({"key": "untold", "actor": actor, "input": {"page": 1}, **QUICK})
        job = wait_for(
            lambda: (j := line.ledger.load("untold")) and j.waiting_for == "start-unclear" and j, what="the alert"
        )
        (run,) = line.emulator.runs_of(actor)
        (alert,) = [
            entry.data for entry in line.ledger.timeline.entries(job.key) if entry.data.get("code") == "start-unclear"
        ]
        assert run["id"] in alert["message"]
        line.cancel("untold")
        with pytest.raises(Exception) as raised:  # noqa: PT011 - a service can't import our classes
            order.get(timeout=120)
        reason = reason_of(raised.value)
        assert (reason["code"], reason["billed"]) == ("cancelled", True)
        assert run["id"] in reason["message"]
    assert len(line.emulator.starts(actor)) == 1


def test_orphans_are_aborted_on_the_command_line_only_if_asked(terminal, emulator):
    actor = emulator.actor("orphan-by-hand", **LONG)
    run_id = start_as("al-by-hand", emulator, actor, "forgotten")
    start_as("al-somebody-else", emulator, actor, "forgotten")

    def orphans(*options):
        return terminal("orphans", *options, ACTORLINE_INSTALLATION="al-by-hand")

    listed = orphans("--json")
    assert (listed.code, listed.json["run_id"], listed.json["job"], listed.json["done"]) == (
        0,
        run_id,
        None,
        "left alone",
    )
    assert "--abort" in listed.err
    assert emulator.run(run_id)["status"] in {"READY", "RUNNING"}
    assert orphans("--abort").out.startswith(run_id)
    wait_for(lambda: emulator.run(run_id)["status"] == "ABORTED", what="the abort")
    assert "No orphans" in orphans().err
    assert [run["status"] for run in emulator.runs_of(actor)].count("ABORTED") == 1


def test_orphan_that_cannot_be_aborted_is_told_and_keeps_no_other_alive(terminal, emulator, faults):
    actor = emulator.actor("orphan-refused", **LONG)
    refused, aborted = (start_as("al-refused", emulator, actor, key) for key in ("lost", "lost-too"))
    faults({"action": "status", "status": 403, "type": "insufficient-permissions", "path_regex": f"/{refused}/abort$"})
    ended = terminal("orphans", "--abort", ACTORLINE_INSTALLATION="al-refused")
    assert ended.code == Exit.UNAVAILABLE
    assert f"{refused}  " in ended.out
    assert "not aborted" in ended.out
    assert "1 run could not be aborted, and may be billing." in ended.err
    assert emulator.run(refused)["status"] in {"READY", "RUNNING"}
    wait_for(lambda: emulator.run(aborted)["status"] == "ABORTED", what="the other's abort")
