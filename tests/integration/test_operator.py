"""What an operator does from the terminal: many orders, the brake, a look at what goes on, a check of everything."""

import json
from typing import Any

import pytest
from real_parts import wait_for
from terminal import Done


@pytest.fixture(scope="module")
def up(shared_terminal):
    """`actorline up` in the home of the file."""
    running = shared_terminal.start("up", "--flower-port", "0", "--port", "0")
    wait_for(lambda: "up: " in running.err, what="the stack")
    yield shared_terminal
    running.process.terminate()
    assert running.end(120).code == 0


def bad_findings(done: Done) -> list[dict[str, Any]]:
    return [finding for finding in done.lines if not finding["is_good"]]


def examined(up, *, faults: int, **environment: str | None) -> Done:
    """What `doctor` says when it finds so many faults: a worker that a busy machine holds up is one more."""

    def look() -> Done | None:
        done = up("doctor", "--json", **environment)
        return done if len(bad_findings(done)) == faults else None

    return wait_for(look, what=f"an installation with {faults} faults")


@pytest.mark.thorough
def test_submit_orders_each_good_line_and_names_each_bad_one(up):
    actor = up.emulator.actor("many", items=5, duration_secs=0.2)
    documents = [{"key": f"many-{n}", "actor": actor, "poll_interval_secs": 1} for n in range(3)]
    lines = [json.dumps(document) for document in documents]
    (up.cwd / "orders.jsonl").write_text("\n".join([lines[0], '{"actr": "x"}', "no json", "", *lines[1:]]))

    done = up("submit", "orders.jsonl")

    assert done.code == 1  # some were ordered
    assert done.out.splitlines() == ["many-0", "many-1", "many-2"]
    bad_field, bad_json = done.err.splitlines()
    assert bad_field.startswith("orders.jsonl:2:")
    assert 'did you mean "actor"?' in bad_field
    assert bad_json.startswith("orders.jsonl:3: is not JSON")
    for document in documents:
        assert up("watch", document["key"], "--json").code == 0
    assert len(up.emulator.runs_of(actor)) == 3


@pytest.mark.thorough
def test_submit_without_a_stack_orders_nothing(terminal):
    actor = terminal.emulator.actor("nobody-does-it", items=1)
    (terminal.cwd / "one.jsonl").write_text(json.dumps({"key": "one", "actor": actor}))
    assert terminal("submit", "one.jsonl").code == 7
    assert terminal("show", "one").code == 5
    assert terminal.emulator.runs_of(actor) == []


@pytest.mark.thorough
def test_pause_starts_no_paid_run_resume_starts_what_waits(up):
    actor = up.emulator.actor("braked", items=2, duration_secs=0.2)
    (up.cwd / "braked.jsonl").write_text(json.dumps({"key": "braked", "actor": actor, "poll_interval_secs": 1}))
    assert "`run` is refused. `submit`, HTTP, Celery and schedules still order" in up("pause").err
    (bad,) = bad_findings(examined(up, faults=1))
    assert (bad["subject"], "resume" in bad["fix"]) == ("pause", True)
    assert "Paid runs are paused: jobs that need one wait until `actorline resume`." in up().out

    refused = up("run", actor, "--json")
    assert (refused.code, refused.json["reason"]["code"], refused.json["reason"]["billed"]) == (5, "paused", False)
    assert "actorline submit" in refused.json["reason"]["message"]
    submitted = up("submit", "braked.jsonl")
    assert (submitted.code, "wait until `actorline resume`" in submitted.err) == (0, True)
    wait_for(lambda: up("show", "braked", "--json").json["state"] == "WAITING", what="the job to wait")
    assert up.emulator.runs_of(actor) == []

    assert up("resume").code == 0
    assert up("watch", "braked").code == 0
    assert len(up.emulator.runs_of(actor)) == 1


@pytest.mark.thorough
def test_the_brake_on_one_account_leaves_the_others_alone(up):
    actor = up.emulator.actor("other-account", items=2, duration_secs=0.2)
    assert up("pause", "--account", "shop").code == 0
    assert "Paid runs of shop are paused" in up().out
    assert up.run("--json", key="other-account", actor=actor).end().code == 0
    assert up("resume", "--account", "shop").code == 0


@pytest.mark.thorough
def test_watch_shows_each_change_and_ends_with_the_result(up, faults):
    actor = up.emulator.actor("watched", items=700, duration_secs=600)
    faults({"method": "GET", "action": "delay", "secs": 600, "path_regex": "/items$"})
    assert up("pause").code == 0  # until somebody watches
    (up.cwd / "watched.jsonl").write_text(json.dumps({"key": "watched", "actor": actor, "poll_interval_secs": 1}))
    assert up("submit", "watched.jsonl").code == 0
    watching = up.start("watch", "watched", "--json")
    wait_for(lambda: "watched" in watching.out_file.read_text(), what="the job watched")
    for command in ("items", "verify"):
        assert "has delivered nothing yet. Wait for its end: actorline watch watched" in up(command, "watched").err
    assert up("resume").code == 0
    wait_for(lambda: '"state":"RUNNING"' in watching.out_file.read_text(), what="the run watched")
    up.emulator.finish_runs_of(actor)
    wait_for(lambda: '"state":"COLLECTING"' in watching.out_file.read_text(), what="the collecting watched")
    up.emulator.end_faults()
    *changes, result = watching.end().lines
    assert {change["key"] for change in changes} == {"watched"}
    assert {"RUNNING", "COLLECTING"} <= {change["state"] for change in changes}
    assert (result["state"], result["items"]) == ("DELIVERED", 700)


@pytest.mark.thorough
def test_watch_without_a_key_follows_what_is_ordered_later(up):
    long = up.emulator.actor("watched-long", items=1, duration_secs=600)
    assert up.run("--no-wait", key="watched-first", actor=long).end().code == 0
    watching = up.start("watch", "--json")
    wait_for(lambda: "watched-first" in watching.out_file.read_text(), what="the first job watched")
    assert up.run("--no-wait", key="watched-late", actor=long).end().code == 0
    wait_for(lambda: "watched-late" in watching.out_file.read_text(), what="the later job watched")
    for key in ("watched-first", "watched-late"):
        assert up("cancel", key).code == 0
    ended = [line["key"] for line in watching.end().lines if line["state"] == "CANCELLED"]
    assert set(ended) == {"watched-first", "watched-late"}


@pytest.mark.thorough
def test_many_are_retried_without_waiting_for_each(up):
    actor = up.emulator.actor("retried-together", items=0, duration_secs=0, final_status="FAILED")
    keys = ["together-1", "together-2"]
    ended = [up.run(key=key, actor=actor) for key in keys]
    assert [command.end().code for command in ended] == [1, 1]
    up.emulator.actor("retried-together", items=1, duration_secs=600)
    assert up("retry", *keys, "--no-wait").code == 0
    wait_for(lambda: len(up.emulator.starts(actor)) == 4, what="both jobs' further runs")
    assert up("cancel", *keys).code == 0
    assert [up("show", key, "--json").json["state"] for key in keys] == ["CANCELLED", "CANCELLED"]


def test_doctor_finds_nothing_to_mend_on_a_good_machine(up):
    done = examined(up, faults=0)
    assert done.code == 0
    assert {finding["subject"] for finding in done.lines} == {
        "settings", "redis", "workers", "gateway", "flower", "token", "clock", "sink", "disk", "order", "notices",
    }  # fmt: skip
    (redis,) = [finding for finding in done.lines if finding["subject"] == "redis"]
    assert redis["text"].startswith("Valkey ")  # not the version of Redis that it is compatible with


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("subject", "wrong"),
    [
        ("token", {"APIFY_TOKEN": "no-such-token"}),
        ("token", {"APIFY_TOKEN": None}),
        ("redis", {"ACTORLINE_REDIS_URL": "redis://127.0.0.1:1/0"}),
        ("sink", {"ACTORLINE_SINK_URL": "file:///proc/nowhere/{key}/"}),
        ("settings", {"ACTORLINE_REDISURL": "redis://127.0.0.1:1/0"}),
    ],
)
def test_doctor_says_what_is_wrong_and_how_to_mend_it(up, subject, wrong):
    done = examined(up, faults=1, **wrong)
    assert done.code == 1
    (bad,) = bad_findings(done)
    assert bad["subject"] == subject
    assert bad["fix"] or "Is ACTORLINE_REDIS_URL right" in bad["text"]
    assert "no-such-token" not in done.out + done.err
