"""`actorline run` to each end with no stack running, and what the other commands then say of the jobs."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from real_parts import delivery_of, wait_for
from terminal import ACTORLINE, Done, Terminal

TIMED = re.compile(r"  \d\d:\d\d:\d\d  ")

FAILING: dict[str, Any] = {
    "duration_secs": 0.5, "final_status": "FAILED", "status_message": "The shop blocks us \u2717",
}  # fmt: skip
LONG: dict[str, Any] = {"duration_secs": 600, "items": 6000}

NOTHING_TO_RETRY = "Nothing to retry: no such job has ended without being delivered."
BRINGS_UP_WORKERS = "starting one until this command ends"  # they would pay for what others have ordered


@pytest.fixture(scope="module")
def ended(shared_terminal: Terminal) -> dict[str, Done]:
    """One command for each end, in one home: they share the stack that the first one brings up. The deadline's is
    started when the stack is there, whatever time that took.
    """
    run, emulator = shared_terminal.run, shared_terminal.emulator
    report = {"OUTPUT": {"body": {"title": "caf\u00e9"}}, "PAGE": {"content_type": "text/html", "body": "<p>"}}
    actors = {
        "delivered": emulator.actor("cli-delivered", items=1200, duration_secs=1, records=report, usage_usd=0.25),
        "partial": emulator.actor("cli-partial", items=1200, **FAILING),
        "failed": emulator.actor("cli-failed", items=0, **FAILING),
        "expired": emulator.actor("cli-expired", **LONG),
        "cancelled": emulator.actor("cli-cancelled", **LONG),
    }
    commands = {
        "delivered": run(
            "--label", "shop=one", key="delivered", actor=actors["delivered"],
            collect={"page_items": 500, "records": ["OUTPUT", "PAGE"]},
        ),
        "partial": run("--json", "--label", "shop=two", key="partial", actor=actors["partial"]),
        "failed": run("--json", key="failed", actor=actors["failed"]),
        "cancelled": run("--json", key="cancelled", actor=actors["cancelled"]),
    }  # fmt: skip
    began = time.monotonic()
    first = commands["failed"].end(120)
    enough_secs = max(10, round(time.monotonic() - began))  # for a start, however busy the machine is
    commands["expired"] = run("--json", key="expired", actor=actors["expired"], deadline_secs=enough_secs)
    (still_going,) = wait_for(lambda: emulator.runs_of(actors["cancelled"]), what="the run that is to be cancelled")
    assert (first.code, still_going["status"]) == (1, "RUNNING")
    wait_for(lambda: emulator.runs_of(actors["expired"]), what="the run that is to be ended by the deadline")
    cancelling = shared_terminal("cancel", "cancelled", "--json")
    done = {"cancelling": cancelling, **{name: command.end() for name, command in commands.items()}}
    shared_terminal.wait_until_empty()
    return done


def test_commands_share_one_stack_until_the_last_ends(shared_terminal, ended):
    assert {name: done.code for name, done in ended.items()} == {
        "delivered": 0, "partial": 6, "failed": 1, "expired": 3, "cancelled": 4, "cancelling": 0,
    }  # fmt: skip
    log = (shared_terminal.home / "logs" / "stack.log").read_text()
    assert log.count("up: valkey, control, fetch") == 1


def test_actorline_alone_says_what_goes_on(shared_terminal, ended):
    del ended
    done = shared_terminal()
    now, day, last, how, *room, more = done.out.splitlines()
    assert (done.code, now) == (0, "Now: nothing is running.")
    assert day.startswith("Last 24 hours: 5 jobs ordered (")
    assert {"1 DELIVERED", "1 PARTIAL", "1 FAILED", "1 CANCELLED", "1 EXPIRED"} <= set(re.findall(r"\d [A-Z]+", day))
    items = sum(job["items"] or 0 for job in shared_terminal("jobs", "--json").lines)
    assert items > 2000
    assert re.search(rf"; {items:,} items, \$0\.[23]\d+\.$", day)
    assert re.match(r"Last not delivered: (expired|cancelled) is (EXPIRED|CANCELLED): ", last)
    assert "`actorline show " in how
    assert all(re.match(r"Account default: .* runs .* left", line) for line in room), "kept for ten minutes"
    assert "`actorline --help`" in more


@pytest.mark.thorough
def test_jobs_are_listed_by_actor_and_time(shared_terminal, ended):
    del ended
    listed = shared_terminal("jobs", "--actor", "demo/cli-failed", "--since", "1h", "--json").lines
    assert [job["key"] for job in listed] == ["failed"]
    assert shared_terminal("jobs", "--actor", "demo/cli-failed", "--since", "0s", "--json").lines == []


@pytest.mark.thorough
def test_selected_jobs_are_retried_only_with_consent_to_pay(shared_terminal, ended):
    del ended
    planned = shared_terminal("retry", "--state", "FAILED", "--dry-run", "--json").json
    refused = shared_terminal("retry", "--state", "FAILED")
    assert (planned["key"], planned["pays"], refused.code) == ("failed", True, 5)
    assert "1 of them would start another paid run. Nothing was started: give --yes" in refused.err
    assert BRINGS_UP_WORKERS not in refused.err


def test_run_delivers_below_the_working_directory(shared_terminal, ended):
    folder = shared_terminal.cwd / "rows" / "delivered"
    assert ended["delivered"].out.splitlines()[:2] == [
        "DELIVERED delivered: 1,200 items, 2 records, $0.2500",
        f"  rows: file://{folder}/",
    ]
    (run,) = shared_terminal.emulator.runs_of("demo/cli-delivered")
    delivery = delivery_of({"sink": f"file://{folder}/"})
    assert delivery.files >= {"part-00000.jsonl.gz", "manifest.json", "_SUCCESS", "records/OUTPUT"}
    assert delivery.sha256 == shared_terminal.emulator.expected(run["defaultDatasetId"])["sha256"]


def test_failed_run_with_rows_is_one_json_object_and_exit_code_6(shared_terminal, ended):
    result = ended["partial"].json
    assert (result["state"], result["items"], result["reason"]["code"]) == ("PARTIAL", 1200, "run-failed")
    assert result["sink"] == f"file://{shared_terminal.cwd}/rows/partial/"


@pytest.mark.parametrize(
    ("name", "state", "run_status", "code"),
    [
        ("failed", "FAILED", "FAILED", "run-failed"),
        ("expired", "EXPIRED", "ABORTED", "deadline"),
        ("cancelled", "CANCELLED", "ABORTED", "cancelled"),
    ],
)
def test_end_without_delivery_is_one_json_object_that_says_why(shared_terminal, ended, name, state, run_status, code):
    result = ended[name].json
    assert (result["state"], result["run_status"], result["reason"]["code"]) == (state, run_status, code)
    assert shared_terminal.emulator.run(result["run_id"])["status"] == run_status


def test_cancel_waits_until_the_run_is_aborted(ended):
    result = ended["cancelling"].json
    assert (result["key"], result["state"], result["run_status"]) == ("cancelled", "CANCELLED", "ABORTED")


@pytest.mark.thorough
def test_cancel_of_an_ended_or_unknown_job_says_so(shared_terminal, ended):
    done = shared_terminal("cancel", "partial", "--json")
    assert (done.code, done.json["state"]) == (0, "PARTIAL")
    assert "has already ended" in done.err
    unknown = shared_terminal("cancel", "nobody", "--json")
    assert (unknown.code, unknown.json["reason"]["code"]) == (5, "unknown-key")
    assert BRINGS_UP_WORKERS not in done.err + unknown.err


@pytest.fixture(scope="module")
def redis_only(shared_terminal: Terminal, ended: dict[str, Done]) -> Iterator[None]:
    """Commands that read need Redis only; kept up here, it is shared by all of them."""
    shared_terminal.wait_until_empty()
    command = [sys.executable, "-P", "-m", "workers", "stack", "--only-redis", "--stay"]
    with subprocess.Popen(command, env=shared_terminal.environment, stderr=subprocess.PIPE) as stack:
        assert stack.stderr.readline() == b"up: valkey\n"
        yield
        stack.terminate()


@pytest.mark.thorough
def test_watch_of_nothing_is_no_refusal(shared_terminal, ended, redis_only):
    done = shared_terminal("watch")
    assert (done.code, done.out, done.err) == (0, "", "No job is unfinished.\n")


@pytest.mark.thorough
@pytest.mark.parametrize("how", [(), ("--dry-run",), ("--json",), ("--dry-run", "--json")])
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("cancel", "--all"), "Nothing to stop: no job is unfinished."),
        (("cancel", "--label", "shop=one"), "Nothing to stop: no such job is unfinished."),
        (("retry", "--label", "shop=one"), NOTHING_TO_RETRY),
        (("retry", "--label", "shop=none", "--yes"), NOTHING_TO_RETRY),
    ],
)
def test_selection_of_nothing_is_no_refusal(shared_terminal, ended, redis_only, command, said, how):
    done = shared_terminal(*command, *how)
    assert (done.code, done.out, done.err) == (0, "", f"{said}\n")


@pytest.mark.thorough
def test_budgets_in_json_say_what_was_not_paid(shared_terminal, ended, redis_only):
    spoken, written = shared_terminal("budgets"), shared_terminal("budgets", "--json")
    assert (written.code, written.json.keys(), written.err) == (0, {"saved"}, "")
    saved = written.json["saved"]
    assert saved.keys() == {"joined", "joined_usd", "reused", "reused_usd", "stopped"}
    assert f"Not paid since the ledger began: {saved['joined']} order" in spoken.err


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (["--state", "PARTIAL"], {"partial"}),
        (["--state", "CANCELLED", "--state", "EXPIRED"], {"cancelled", "expired"}),
        (["--label", "shop=one"], {"delivered"}),
        (["--label", "shop=none"], set()),
        (["--reason", "RUN-FAILED"], {"failed", "partial"}),
        (["--reason", "cancelled", "--reason", "deadline"], {"cancelled", "expired"}),
        (["--state", "FAILED", "--reason", "auth"], set()),
        ([], {"delivered", "partial", "failed", "expired", "cancelled"}),
    ],
)
def test_jobs_lists_what_is_asked_for(shared_terminal, ended, redis_only, options, keys):
    done = shared_terminal("jobs", "--json", *options)
    assert done.code == 0
    assert {result["key"] for result in done.lines} == keys


@pytest.mark.thorough
def test_jobs_lists_the_newest_first_up_to_the_limit(shared_terminal, ended, redis_only):
    every = shared_terminal("jobs", "--json").lines
    queued = [result["queued_at"] for result in every]
    assert queued == sorted(queued, reverse=True)
    assert shared_terminal("jobs", "--json", "--limit", "2").lines == every[:2]
    table = shared_terminal("jobs", "--limit", "2").out.splitlines()
    columns = [column for column in table[0].split() if column != "why"]  # only where one of the two has a reason
    assert columns == ["key", "state", "actor", "items", "cost", "queued"]
    assert [row.split()[0] for row in table[1:]] == [result["key"] for result in every[:2]]


def test_show_tells_what_happened_in_order(shared_terminal, ended, redis_only):
    shown = shared_terminal("show", "delivered", "--json").json
    timeline = shown.pop("timeline")
    assert shown.keys() == ended["partial"].json.keys()
    events = [entry["event"] for entry in timeline]
    story = {"queued", "starting", "run-known", "collecting", "ended"}
    assert [event for event in events if event in story] == ["queued", "starting", "run-known", "collecting", "ended"]
    assert [entry["at"] for entry in timeline] == sorted(entry["at"] for entry in timeline)
    printed = shared_terminal("show", "delivered").out.splitlines()
    assert printed[0] == ended["delivered"].out.splitlines()[0]
    assert len([line for line in printed if TIMED.match(line)]) == len(events)
    assert any(line.startswith("  Running") and "=" in line for line in printed)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["partial", "failed", "expired", "cancelled"])
def test_show_prints_the_whole_timeline_of_each_end(shared_terminal, ended, redis_only, name):
    timeline = shared_terminal("show", name, "--json").json["timeline"]
    done = shared_terminal("show", name, PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "")
    assert len([line for line in done.out.splitlines() if TIMED.match(line)]) == len(timeline)


def test_items_are_the_rows_that_were_delivered(shared_terminal, ended, redis_only):
    result = ended["partial"].json
    done = shared_terminal("items", "partial")
    expected = shared_terminal.emulator.expected(result["dataset_id"])
    assert (done.code, hashlib.sha256(done.out.encode()).hexdigest()) == (0, expected["sha256"])
    assert "not complete" in done.err


def test_items_into_a_pipe_that_closes_early_shows_no_traceback(shared_terminal, ended, redis_only):
    done = subprocess.run(
        f"{ACTORLINE} items delivered | head -1",
        shell=True,
        cwd=shared_terminal.cwd,
        env=shared_terminal.environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout.count(b"\n") == 1
    json.loads(done.stdout)
    assert done.stderr == b""


@pytest.mark.thorough
def test_records_are_listed_and_read_one_by_one(shared_terminal, ended, redis_only):
    listed = shared_terminal("records", "delivered")
    assert [line.split("\t")[:2] for line in listed.out.splitlines()] == [
        ["OUTPUT", "application/json; charset=utf-8"],
        ["PAGE", "text/html"],
    ]
    assert [record["key"] for record in shared_terminal("records", "delivered", "--json").lines] == ["OUTPUT", "PAGE"]
    assert json.loads(shared_terminal("records", "delivered", "OUTPUT").out) == {"title": "caf\u00e9"}
    missing = shared_terminal("records", "delivered", "NOTHING")
    assert (missing.code, missing.out) == (5, "")
    assert "has no record NOTHING" in missing.err
    assert "actorline records delivered" in missing.err
    (file,) = shared_terminal.folder.rglob("OUTPUT*")
    kept = file.rename(file.with_suffix(".gone"))
    damaged = shared_terminal("records", "delivered", "OUTPUT")
    kept.rename(file)
    assert (damaged.code, damaged.out) == (7, "")
    assert "fetched again without another run: actorline run --run-id" in damaged.err


@pytest.mark.thorough
@pytest.mark.parametrize("command", ["show", "items", "records"])
def test_unknown_key_is_refused(shared_terminal, ended, redis_only, command):
    done = shared_terminal(command, "nobody")
    assert (done.code, done.out) == (5, "")
    assert "No job has the key 'nobody'" in done.err


@pytest.mark.thorough
def test_run_in_the_terminal_ends_with_the_run(terminal, emulator):
    actor = emulator.actor("long-polled", items=10, duration_secs=600)
    command = terminal.run(key="long-polled", actor=actor, poll_interval_secs=600)
    (run,) = wait_for(lambda: emulator.runs_of(actor), what="the run")

    def is_held() -> bool:
        asked = emulator.requests("GET", f"/v2/actor-runs/{run['id']}")
        return any("waitForFinish" in request["query"] for request in asked)

    wait_for(is_held, what="a request that waits for the run's end")
    emulator.finish(run["id"])
    done = command.end(within=120)
    assert done.code == 0, done.err


@pytest.mark.thorough
def test_folder_whose_name_is_no_text_holds_the_rows(terminal):
    actor, name = terminal.emulator.actor("cli-any-bytes", items=10, duration_secs=0), os.fsdecode(b"caf\xe9")
    done = terminal.run("--out", name, key="any-bytes", actor=actor).end()
    assert (done.code, (terminal.cwd / name / "_SUCCESS").exists()) == (0, True)
    assert terminal("verify", f"./{name}").code == 0
    assert terminal("items", "any-bytes").out.count("\n") == 10


@pytest.mark.thorough
def test_selected_jobs_are_cancelled_together(terminal):
    actor = terminal.emulator.actor("cli-many", **LONG)
    running = [
        terminal.run("--json", "--label", f"team={team}", key=f"many-{team}-{number}", actor=actor)
        for team, number in (("a", 1), ("a", 2), ("b", 1))
    ]
    wait_for(lambda: len(terminal.emulator.runs_of(actor)) == 3, what="three runs")
    named = terminal("cancel", "--label", "team=a", "--dry-run", "--json").lines
    cancelled = terminal("cancel", "--label", "team=a", "--json").lines
    assert {job["key"] for job in named} == {"many-a-1", "many-a-2"}
    assert {job["key"]: job["state"] for job in cancelled} == {"many-a-1": "CANCELLED", "many-a-2": "CANCELLED"}
    assert terminal("cancel", "--all", "--json").json["key"] == "many-b-1"
    assert [command.end().code for command in running] == [4, 4, 4]
    nothing = terminal("cancel", "--all")
    assert (nothing.code, nothing.err) == (0, "Nothing to stop: no job is unfinished.\n")
