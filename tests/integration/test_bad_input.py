"""Bad input through every door: refused with a reason, and nothing is started, billed or kept; the workers live on."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from callers import refusal
from kombu import Producer
from real_parts import TOKEN, delivery_of, wait_for
from terminal import Done, Terminal

from actorline.jobs.document.parse import MAX_INPUT_BYTES, parse_document
from actorline.ledger.registration import NewJob

NO_TEXT = os.fsdecode(b"\xff\xfe")
CANARY = "apify_api_CanaryInABadMessage"


@pytest.fixture(scope="module")
def shell(line, tmp_path_factory) -> Terminal:
    """The command line at the shared line's Redis."""
    folder = tmp_path_factory.mktemp("door")
    return Terminal(folder, line.emulator, ACTORLINE_REDIS_URL=line.broker, ACTORLINE_NAMESPACE=line.namespace)


@pytest.fixture(autouse=True)
def nothing_but_what_the_test_says(line) -> Iterator[set[str]]:
    """After each test the ledger has the jobs it had, and those that the test names in the set that it gets."""
    new: set[str] = set()
    line.send("actorline.status", "nobody").get(timeout=120)  # behind what earlier files have ordered
    wait_for(lambda: not unstarted(line), what="the starts that earlier files have ordered")
    before, starts = jobs_of(line), starts_of_all(line)
    yield new
    assert jobs_of(line) - before == new
    assert starts_of_all(line) == starts + len(new)


def unstarted(line) -> list[str]:
    names = [line.ledger.name("state", state) for state in ("QUEUED", "STARTING")]
    return [key for name in names for key in line.ledger.redis.zrange(name, 0, -1) if line.state(key)]


def starts_of_all(line) -> int:
    """Other POSTs may be aborts that an earlier test asked for."""
    return sum(request["path"].endswith("/runs") for request in line.emulator.requests("POST"))


def jobs_of(line) -> set[str]:
    prefix = line.ledger.name("job", "")
    return {name.removeprefix(prefix) for name in line.ledger.redis.keys(prefix + "*")}


def assert_refused(done: Done, *words: str) -> None:
    assert done.code == 5
    assert "Traceback" not in done.err
    assert TOKEN not in done.err
    for word in words:
        assert word in done.err


BIG = {
    "input": (
        {"input": "x" * (MAX_INPUT_BYTES - 1)},
        "input: has 9,437,185 bytes; the platform accepts at most 9,437,184",
    ),
    "labels": ({"labels": {"shop": "x" * 10_000_000}}, "the document has more than 65,536 bytes without its input"),
    "key": ({"key": "x" * 10_000}, "key: has characters or a length that are not allowed"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("part", BIG)
def test_too_big_order_is_refused_before_it_is_sent(line, shell, part):
    fields, said = BIG[part]
    document = {"actor": line.emulator.actor("too-big", items=1), **fields}
    written = json.dumps(document)
    (shell.cwd / "big.jsonl").write_text(written)
    run, submit = shell.start("run", "--document", "big.jsonl"), shell.start("submit", "big.jsonl")
    reason = refusal(line.submit(document))
    assert (reason["code"], reason["billed"]) == ("document-invalid", False)
    assert said in reason["message"]
    assert_refused(run.end(), said, "Nothing was started")
    assert_refused(submit.end(), "big.jsonl:1: ", said)


def send_raw(line, body: str, **headers: Any) -> Any:
    """Send a body as it is, as a sender in another language might; returns the result that it will have."""
    with line.client.connection_for_write() as connection:
        Producer(connection.default_channel).publish(
            body,
            routing_key=line.namespace,
            content_type="application/json",
            content_encoding="utf-8",
            headers={"task": "actorline.run", **headers},
        )
    return line.client.AsyncResult(str(headers.get("id")))


NESTED = "[" * 100_000 + "]" * 100_000


@pytest.mark.thorough
def test_too_deeply_nested_order_is_refused_everywhere(line, shell):
    text = f'{{"actor": "{line.emulator.actor("nested", items=1)}", "input": {NESTED}}}'
    (shell.cwd / "nested.jsonl").write_text(text)
    (shell.cwd / "input.json").write_text(NESTED)
    commands = [
        shell.start("run", "--document", "nested.jsonl"),
        shell.start("run", "demo/nested", "-i", "@input.json"),
        shell.start("submit", "nested.jsonl"),
    ]
    sent = send_raw(line, f"[[{text}], {{}}, {{}}]", id="nested")
    assert "can't be read" in refusal(sent)["message"]
    for command in commands:
        assert_refused(command.end(), "nested too deeply. Nothing was started")


HOSTILE = {
    "above": "../up",
    "long": "k" * 10_000,
    "look-alike": "k\u0435y",
    "wide": "\uff4bey",
    "newline": "key\n",
    "null": "key\0",
    "pattern": "*",
    "empty": "",
    "no-text": "\ud800",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_key_is_refused_by_the_workers_and_opens_nothing(line, name):
    key = HOSTILE[name]
    reason = refusal(line.submit({"key": key, "actor": "demo/hostile"}))
    assert reason["code"] == "document-invalid"
    assert reason["message"].startswith("The job document is refused: key: ")
    assert line.send("actorline.status", key).get(timeout=120) is None
    assert line.cancel(key).get(timeout=120) is None
    assert refusal(line.send("actorline.retry", key))["code"] == "unknown-key"


@pytest.mark.parametrize("key", [None, 5, ["key"], {"password": CANARY}])
def test_key_of_another_kind_is_unknown_to_the_workers(line, key):
    assert line.send("actorline.status", key).get(timeout=120) is None
    assert line.cancel(key).get(timeout=120) is None
    reason = refusal(line.send("actorline.retry", key))
    assert reason["code"] == "unknown-key"
    assert CANARY not in reason["message"]


@pytest.mark.thorough
def test_hostile_key_is_refused_by_every_command(shell):
    keys = [key for key in HOSTILE.values() if "\0" not in key and key != "\ud800"]  # no command line can hold these
    wanted = [("show", key) for key in keys]
    wanted += [(name, key) for name in ("cancel", "items", "records", "retry", "watch") for key in ("../up", "")]
    while batch := [wanted.pop() for _ in wanted[:4]]:
        commands = [shell.start(name, "--", key) for name, key in batch]
        for command in commands:
            assert_refused(command.end(), "No job has the key")


def test_keys_that_contain_each_other_are_separate_jobs(line, nothing_but_what_the_test_says):
    keys = {"a": 10, "a:1": 20, "a:pages": 30, "pages:a": 40}
    actors = {key: line.emulator.actor(f"alike-{items}", items=items, duration_secs=0) for key, items in keys.items()}
    orders = {key: line.submit({"key": key, "actor": actor, "poll_interval_secs": 1}) for key, actor in actors.items()}
    for key, order in orders.items():
        result = order.get(timeout=120)
        assert (result["key"], result["items"]) == (key, keys[key])
        assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    nothing_but_what_the_test_says.update(keys)


ORDER = f'{{"actor": "demo/raw", "input": {{"password": "{CANARY}"}}}}'
UNREADABLE = {
    "no-json": f"{CANARY} \xff",
    "no-list": "5",
    "an-object": f'{{"{CANARY}": {ORDER}}}',
    "of-one-part": f"[[{ORDER}]]",
    "of-two-parts": f"[[{ORDER}], {{}}]",
    "nested": f"[[{ORDER}], {NESTED}, {{}}]",
}
DISCARDED: dict[str, tuple[str, dict[str, Any]]] = {
    "odd-kwargs": (f"[[{ORDER}], 5, {{}}]", {"id": "odd-kwargs"}),
    "odd-eta": (f"[[{ORDER}], {{}}, {{}}]", {"id": "odd-eta", "eta": "soon"}),
    "odd-id": (f"[[{ORDER}], {{}}, {{}}]", {"id": [CANARY]}),
    "no-id": (f"[[{ORDER}], {{}}, {{}}]", {}),
    "no-such-task": (f"[[{ORDER}], {{}}, {{}}]", {"id": "no-such-task", "task": "actorline.rum", "argsrepr": ORDER}),
    "no-task": (f"[[{ORDER}], {{}}, {{}}]", {"id": "no-task", "task": None}),
}


def logs_of(line) -> str:
    return "".join(path.read_text() for path in line.home.glob("*.log"))


def test_message_that_is_no_task_is_refused_and_workers_live(line, nothing_but_what_the_test_says):
    for name, body in UNREADABLE.items():
        assert "can't be read" in refusal(send_raw(line, body, id=name))["message"]
    for serializer in ("pickle", "yaml"):
        sent = line.submit({"key": f"by-{serializer}", "actor": "demo/any", "input": CANARY}, serializer=serializer)
        assert "Send it as JSON" in refusal(sent)["message"]
    for body, headers in DISCARDED.values():
        send_raw(line, body, **headers)
    actor = line.emulator.actor("after-the-unreadable", items=10, duration_secs=0)
    order = line.submit({"key": "after-the-unreadable", "actor": actor, "poll_interval_secs": 1})
    assert order.get(timeout=120)["items"] == 10
    nothing_but_what_the_test_says.add("after-the-unreadable")
    assert logs_of(line).count("worker_ready") == 2
    assert CANARY not in logs_of(line)


def test_unreadable_job_keeps_no_other_from_upkeep(line, nothing_but_what_the_test_says):
    """As an older worker meets it that works beside a newer one."""
    actor = line.emulator.actor("readable", items=10, duration_secs=0)
    document = parse_document({"actor": actor, "poll_interval_secs": 1})
    sink = f"{line.home.as_uri()}/rows/readable/"
    jobs = [NewJob(key, document, sink, fresh=False, caller=None) for key in ("unreadable", "readable")]
    line.ledger.register(jobs, due_in_s=1)
    line.ledger.redis.hset(line.ledger.name("job", "unreadable"), "document", '{"version": 2}')
    wait_for(lambda: line.state("readable") == "DELIVERED", what="the job that can be read")
    line.ledger.redis.zrem(line.ledger.name("due"), "unreadable")
    line.ledger.redis.delete(line.ledger.name("job", "unreadable"))
    nothing_but_what_the_test_says.add("readable")


@pytest.mark.thorough
def test_actor_that_needs_approval_is_refused_with_what_to_do(line, shell, faults, nothing_but_what_the_test_says):
    actor = line.emulator.actor("needs-approval", items=1)
    said = "Actor must be approved before it can run with full permissions"
    refused = {"status": 403, "type": "full-permission-actor-not-approved", "message": said}
    faults({"method": "POST", "path_regex": "needs-approval/runs$", "action": "status", **refused})
    nothing_but_what_the_test_says.update({"approved-by-nobody", "approved-by-none"})
    done = shell("run", actor, "--key", "approved-by-nobody", "--json")
    assert (done.code, done.json["state"]) == (5, "FAILED")
    for reason in (done.json["reason"], refusal(line.submit({"key": "approved-by-none", "actor": actor}))):
        assert (reason["code"], reason["platform_type"], reason["billed"]) == ("forbidden", refused["type"], False)
        assert said in reason["message"]
        assert "No run was started. Approve the Actor's permissions in the console" in reason["message"]
    assert line.emulator.runs_of(actor) == []


@pytest.mark.thorough
@pytest.mark.parametrize("command", [("show",), ("jobs", "--actor"), ("pause", "--account"), ("keys", "revoke")])
def test_value_that_is_no_text_is_wrong_usage(shell, command):
    done = shell(*command, NO_TEXT)
    assert (done.code, done.out, "Traceback" in done.err) == (2, "", False)
    assert r"'\xff\xfe' has bytes that aren't text in the terminal's encoding" in done.err


@pytest.mark.thorough
def test_name_that_is_no_text_is_refused_and_told(shell):
    options = (["run", "--document", NO_TEXT], ["run", "demo/x", "-i", f"@{NO_TEXT}"], ["submit", NO_TEXT])
    spoken = [shell.start(*each) for each in options]
    written = [shell.start(*each, "--json") for each in options]
    for command in spoken:
        assert_refused(command.end(), "can't be read")
    for command in written:
        done = command.end()
        assert "can't be read" in done.json["reason"]["message"]
        assert done.code == 5


@pytest.mark.thorough
def test_home_that_cannot_be_used_is_told_and_nothing_is_started(line, shell):
    actor = line.emulator.actor("homeless", items=1)
    (shell.cwd / "a-file").write_text("in the way")
    homes = [str(shell.cwd / "a-file"), str(shell.cwd / "a-file" / "below"), "/proc/nowhere"]
    for home in homes:
        commands = [
            shell.start(*each, ACTORLINE_HOME=home, ACTORLINE_REDIS_URL=None)
            for each in (["run", actor], ["jobs"], ["up", "--port", "0", "--flower-port", "0"])
        ]
        for command in commands:
            done = command.end()
            assert (done.code, done.out) == (7, "")
            assert f"The home {home} can't be used: " in done.err
            assert "Set ACTORLINE_HOME" in done.err
            assert "Traceback" not in done.err
