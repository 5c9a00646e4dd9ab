"""Bad input at the terminal: one clear message, its exit code, and nothing is started, billed or kept."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_parts import TOKEN, wait_for
from terminal import Done, Terminal, running_valkey

from actorline.host.stack_home import LOCK_FILE, take_lock

WRONG_TOKEN = "apify_api_CanaryOfNobody"
CLOSED = "redis://:canary-password@127.0.0.1:1/0"


@pytest.fixture(scope="module")
def bad_files(shared_terminal: Terminal) -> None:
    """What the bad orders name."""
    actor = shared_terminal.emulator.actor("refusals", items=10, duration_secs=0)
    cwd = shared_terminal.cwd
    (cwd / "in-the-way").write_text("a file")
    (cwd / "broken.json").write_text('{"startUrls": [')
    (cwd / "read-only").mkdir()
    (cwd / "read-only").chmod(0o500)
    (cwd / "misspelt.json").write_text(f'{{"actor": "{actor}", "options": {{"timeoutSecs": 5}}}}')
    (cwd / "two.json").write_text(f'{{"actor": "{actor}", "dataset_id": "abc"}}')


def assert_clear(done: Done, code: int, *words: str) -> None:
    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err
    assert TOKEN not in done.err
    assert WRONG_TOKEN not in done.err
    for word in words:
        assert word in " ".join(done.err.split())


pytestmark = pytest.mark.timeout(400)  # each command loads for a second or two, and there are tens of them

UNWRITABLE = "/sys/rows" if os.getuid() == 0 else "read-only/rows"  # root may write wherever the kernel lets it

REFUSALS: dict[str, tuple[list[str], dict[str, str | None], tuple[str, ...]]] = {
    "no token": (["demo/refusals"], {"APIFY_TOKEN": None}, ("No token is set", "Set APIFY_TOKEN")),
    "wrong token": (["demo/refusals"], {"APIFY_TOKEN": WRONG_TOKEN}, ("Is APIFY_TOKEN right?",)),
    "no such Actor": (["demo/nobody"], {}, ("no Actor demo/nobody",)),
    "no such Actor task": (["--actor-task", "nobodysTask"], {}, ("no Actor task nobodysTask",)),
    "no such run": (["--run-id", "nobodysRun"], {}, ("no run nobodysRun",)),
    "no such dataset": (["--dataset-id", "nobodys"], {}, ("no dataset nobodys",)),
    "input no JSON": (["demo/refusals", "-i", "{broken"], {}, ("not JSON at 1:2",)),
    "input file no JSON": (["demo/refusals", "-i", "@broken.json"], {}, ("broken.json", "not JSON")),
    "input file missing": (["demo/refusals", "-i", "@gone.json"], {}, ("gone.json can't be read",)),
    "unknown field": (["--document", "misspelt.json"], {}, ('did you mean "timeout_secs"?',)),
    "document missing": (["--document", "gone.json"], {}, ("gone.json can't be read",)),
    "no target": ([], {}, ("exactly one of", "none is given")),
    "two targets": (["demo/refusals", "--run-id", "abc"], {}, ("actor and run_id are given",)),
    "two in a document": (["--document", "two.json"], {}, ("actor and dataset_id are given",)),
    "odd memory": (["demo/refusals", "-m", "1000"], {}, ("power of 2: use 512 or 1024",)),
    "bad key": (["demo/refusals", "--key", "../up"], {}, ("key: has characters", "use 1 to 200 of A-Z a-z 0-9")),
    "bad label": (["demo/refusals", "--label", "shop"], {}, ("NAME=VALUE",)),
    "file in the way": (["demo/refusals", "-o", "in-the-way"], {}, ("in-the-way/ can't be written",)),
    "sink read-only": (["demo/refusals", "-o", UNWRITABLE], {}, ("can't be written",)),
    "sink unknown": (["demo/refusals", "-o", "ftp://rows/"], {}, ("not ftp",)),
    "format unknown": (["demo/refusals", "--format", "jsno"], {}, ("collect.format: ", "'jsonl'")),
}


IN_JSON = {
    "wrong token": "auth",
    "no such Actor task": "actor-not-found",
    "no such run": "run-not-found",
    "no such dataset": "dataset-not-found",
    "input no JSON": "input-invalid",
    "two targets": "document-invalid",
    "file in the way": "sink-refused",
}


def starts_refused(terminal: Terminal) -> int:
    """POSTs for what the bad orders name; others may come from jobs of earlier files."""
    return sum(bool(re.search("refusals|nobody", post["path"])) for post in terminal.emulator.requests("POST"))


@pytest.fixture(scope="module")
def refused(shared_terminal: Terminal, bad_files: None) -> dict[tuple[str, bool], Done]:
    """How each bad order ended, spoken and in JSON: (name, as JSON) -> end. They run a few at a time."""
    wanted = [*((name, False) for name in REFUSALS), *((name, True) for name in IN_JSON)]
    ends: dict[tuple[str, bool], Done] = {}
    before = starts_refused(shared_terminal)
    while batch := [wanted.pop() for _ in wanted[:4]]:
        commands = {}
        for name, as_json in batch:
            arguments, environment, _ = REFUSALS[name]
            commands[name, as_json] = shared_terminal.start("run", *arguments, *["--json"] * as_json, **environment)
        ends |= {each: command.end() for each, command in commands.items()}
    assert starts_refused(shared_terminal) == before
    assert not shared_terminal.processes()
    assert not shared_terminal.home.exists()
    return ends


@pytest.mark.thorough
@pytest.mark.parametrize("name", REFUSALS)
def test_bad_order_is_refused_before_anything_is_started_or_kept(refused, name):
    done = refused[name, False]
    assert_clear(done, 5, *REFUSALS[name][2], "Nothing was started")
    assert len(done.err.splitlines()) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("name", IN_JSON)
def test_refusal_is_one_json_object_on_standard_output(refused, name):
    done = refused[name, True]
    assert (done.code, done.err) == (5, "")
    assert (done.json["reason"]["code"], done.json["reason"]["billed"]) == (IN_JSON[name], False)
    assert REFUSALS[name][2][0] in done.json["reason"]["message"]


@pytest.mark.thorough
def test_dry_run_prints_what_was_ordered_and_starts_nothing(terminal, refused):
    del refused

    def requests():
        return [request for request in terminal.emulator.requests() if "refusals" in request["path"]]

    before = requests()
    done = terminal("run", "demo/refusals", "-m", "512", "-i", '{"a": 1}', "--dry-run")
    assert (done.code, done.err.splitlines()[0]) == (0, "Nothing was started.")
    given = json.loads(done.out)
    assert {name: given[name] for name in given.keys() - {"sink"}} == {
        "actor": "demo/refusals", "options": {"memory_mbytes": 512}, "input": {"a": 1},
    }  # fmt: skip
    assert given["sink"]["url"].endswith("/rows/{key}/")
    assert requests() == before
    assert not terminal.home.exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["run", "--no-such-option"], {}, ("--no-such-option",)),
        (["jobs", "--state", "DONE"], {}, ("DONE",)),
        (["jobs"], {"ACTORLINE_REDIS_URL": "http://h/"}, ("ACTORLINE_REDIS_URL", "redis://")),
        (["jobs"], {"ACTORLINE_LOG_LEVEL": "LOUD"}, ("ACTORLINE_LOG_LEVEL",)),
        (["flower", "--address", "0.0.0.0"], {"ACTORLINE_REDIS_URL": CLOSED}, ("Set FLOWER_BASIC_AUTH",)),
    ],
)
def test_wrong_use_is_exit_code_2(shared_terminal, arguments, environment, words):
    assert_clear(shared_terminal(*arguments, **environment), 2, *words)


ELLIPSIS_TOKEN = "apify_api_Canary…OfNobody"


@pytest.mark.thorough
@pytest.mark.parametrize("command", [("run", "demo/refusals"), ("doctor",), ("up", "--port", "0"), ("worker",)])
def test_text_that_is_no_token_is_refused_by_every_command(shared_terminal, command):
    done = shared_terminal(*command, APIFY_TOKEN=ELLIPSIS_TOKEN)
    assert_clear(done, 2, "Invalid settings: APIFY_TOKEN: has a blank, a line break or another character")
    assert "Canary" not in done.err


@pytest.mark.thorough
def test_file_that_holds_no_token_stops_a_worker(shared_terminal, short_folder):
    (shared_terminal.cwd / "no-token").write_text(ELLIPSIS_TOKEN)
    environment = {"APIFY_TOKEN": None, "APIFY_TOKEN_FILE": "no-token"}
    with running_valkey(short_folder):
        done = shared_terminal("worker", ACTORLINE_REDIS_URL=f"redis+socket://{short_folder}/s", **environment)
    assert (done.code, "APIFY_TOKEN_FILE: has a blank, a line break" in done.err) == (2, True)
    assert "Canary" not in done.err + done.out


@pytest.mark.thorough
@pytest.mark.parametrize("as_json", [False, True])
def test_redis_that_is_not_there_is_told_without_its_password(shared_terminal, refused, as_json):
    done = shared_terminal("run", "demo/refusals", *["--json"] * as_json, ACTORLINE_REDIS_URL=CLOSED)
    message = done.json["reason"]["message"] if as_json else done.err
    assert done.code == 7
    assert "Redis can't be used: no connection" in message
    assert "canary-password" not in done.err + done.out


@pytest.mark.thorough
def test_who_wanted_to_stop_is_told_what_goes_on(shared_terminal):
    commands = {
        ("cancel", "--all"): "Nothing was stopped: runs go on, and may be billing.",
        ("pause",): "Nothing was paused: paid runs are still started.",
        ("orphans", "--abort"): "No run was aborted or adopted: orphans may be billing.",
    }
    for command, words in commands.items():
        done = shared_terminal(*command, ACTORLINE_REDIS_URL=CLOSED)
        assert (done.code, words in done.err, "Nothing was started" in done.err) == (7, True, False)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_doctor_masks_the_password_of_redis(shared_terminal, options):
    done = shared_terminal("doctor", *options, ACTORLINE_REDIS_URL=CLOSED)
    assert "***@" in done.out
    assert "send_task" not in done.out, "what can't be ordered isn't ok"
    assert "canary-password" not in done.err + done.out


@pytest.fixture(params=["requirepass", "appendonly", "maxmemory-policy"])
def unfit_redis(request: pytest.FixtureRequest, short_folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Which setting of a Redis is unfit, and the environment that leads there."""
    unfit = {"requirepass": "canary", "appendonly": "no", "maxmemory-policy": "allkeys-lru"}[request.param]
    with running_valkey(short_folder, f"--{request.param}", unfit):
        yield request.param, {"ACTORLINE_REDIS_URL": f"redis+socket://{short_folder}/s"}


@pytest.mark.thorough
def test_redis_that_cannot_keep_the_promise_is_refused(terminal, unfit_redis):
    unfit, environment = unfit_redis
    words = {
        "requirepass": ("Redis can't be used", "password"),
        "appendonly": ("append-only file", "appendonly yes"),
        "maxmemory-policy": ("maxmemory-policy allkeys-lru", "noeviction"),
    }
    actor = terminal.emulator.actor("unfit", items=10, duration_secs=0)
    spoken = terminal.start("run", actor, "--key", "unfit", **environment)
    written = terminal("run", actor, "--key", "unfit", "--json", **environment)
    assert_clear(spoken.end(), 7, *words[unfit])
    assert (written.code, written.json["reason"]["billed"]) == (7, False)
    assert terminal.emulator.starts(actor) == []
    if unfit != "requirepass":
        assert terminal("jobs", "--json", **environment).out == ""
        assert_clear(terminal("worker", "control", **environment), 7, *words[unfit])
        up = terminal("up", "--port", "0", "--flower-port", "0", **environment)
        assert (up.code, words[unfit][0] in up.err) == (7, True)


@pytest.fixture(scope="module")
def taken(shared_terminal: Terminal, refused: Any) -> str:
    """An Actor that one job with the key `taken` has run, into ./taken."""
    actor = shared_terminal.emulator.actor("taken", items=10, duration_secs=0)
    done = shared_terminal.run("--out", "taken", key="taken", actor=actor).end()
    assert done.code == 0
    return actor


@pytest.mark.thorough
def test_folder_of_another_job_is_refused_before_money_is_spent(shared_terminal, taken):
    done = shared_terminal.run("--out", "taken", "--json", key="second", actor=taken).end()
    assert (done.code, done.json["state"], done.json["run_id"]) == (5, "FAILED", None)
    assert (done.json["reason"]["code"], done.json["reason"]["billed"]) == ("sink-refused", False)
    assert "belongs to another job" in done.json["reason"]["message"]
    assert len(shared_terminal.emulator.starts(taken)) == 1
    rows = shared_terminal("items", "second")
    assert (rows.code, rows.out) == (5, "")
    assert "has delivered nothing" in rows.err


def test_same_key_and_document_joins_the_ended_job(shared_terminal, taken):
    done = shared_terminal.run("--out", "taken", "--json", key="taken", actor=taken).end()
    assert (done.code, done.json["state"], done.json["items"]) == (0, "DELIVERED", 10)
    assert "joined" in done.err
    assert len(shared_terminal.emulator.starts(taken)) == 1


def test_same_key_with_another_order_is_a_conflict(shared_terminal, taken):
    done = shared_terminal.run("--json", key="taken", actor=taken, input={"other": True}).end()
    assert (done.code, done.json["reason"]["code"]) == (5, "conflict")
    assert len(shared_terminal.emulator.starts(taken)) == 1
    for said in (shared_terminal.run(key="taken", actor=taken, input={}).end(), shared_terminal("retry", "taken")):
        assert said.code == 5
        assert said.err.endswith("Next: `actorline show taken`.\n")


@pytest.mark.thorough
def test_refused_order_leaves_no_workers_behind(shared_terminal, taken):
    refused = shared_terminal.run(key="taken", actor=taken, input={"other": True}).end()
    with (shared_terminal.home / LOCK_FILE).open("a") as lock:
        assert (refused.code, take_lock(lock)) == (5, True)


@pytest.mark.parametrize("command", [("cancel",), ("retry",), ("forget", "--yes")])
def test_one_unknown_key_leaves_the_others_alone(shared_terminal, taken, command):
    done = shared_terminal(*command, "taken", "tkaen")
    assert (done.code, "No job has the key 'tkaen'. Nothing was done." in done.err) == (5, True)
    assert shared_terminal("show", "taken", "--json").json["state"] == "DELIVERED"


@pytest.mark.thorough
def test_no_wait_without_a_stack_starts_nothing_and_says_how(shared_terminal, taken):
    done = shared_terminal.run("--no-wait", key="unattended", actor=taken).end()
    assert (done.code, done.out) == (7, "")
    assert "actorline up" in done.err
    assert shared_terminal("show", "unattended").code == 5
    assert len(shared_terminal.emulator.starts(taken)) == 1


@pytest.mark.thorough
def test_no_wait_beside_workers_of_another_command_is_refused(shared_terminal, taken):
    actor = shared_terminal.emulator.actor("refusals-long", items=1, duration_secs=600)
    waiting = shared_terminal.run(key="long", actor=actor)
    wait_for(lambda: shared_terminal.emulator.runs_of(actor), what="the run of a command that waits")
    (shared_terminal.cwd / "two.jsonl").write_text(f'{{"actor": "{taken}", "key": "nobodys"}}\n')
    without_waiting = shared_terminal.run("--no-wait", key="nobodys", actor=taken).end()
    assert (without_waiting.code, shared_terminal("submit", "two.jsonl").code) == (7, 7)
    shared_terminal.emulator.finish_runs_of(actor)
    assert waiting.end().code == 0
    assert shared_terminal("show", "nobodys").code == 5


@pytest.mark.thorough
def test_order_that_was_refused_is_not_in_the_ledger(shared_terminal, taken):
    shared_terminal.run("--json", key="taken", actor=taken, input={"other": True}).end()
    shared_terminal.run("--no-wait", key="unattended", actor=taken).end()
    ordered = {job["key"] for job in shared_terminal("jobs", "--json").lines}
    assert {"taken"} <= ordered <= {"taken", "second", "long"}  # those that other tests may have ordered before
