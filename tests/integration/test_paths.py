"""Every path of a job sends what it must, and nothing twice: messages, requests to the platform, answers."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from real_parts import Line, captured_commands, decoded, make_line, running_workers, wait_for

PIPELINE = {"run": 1, "start_run": 1, "poll_run": 1, "fetch_pages": 1}
IN_TWO_PAGES = {**PIPELINE, "fetch_page": 2, "finish_job": 1}
EMPTY = {**PIPELINE, "fetch_pages": 2}  # looked at again when the platform's counters have caught up
WITHOUT_POLL = {"run": 1, "start_run": 1, "fetch_pages": 1}
RECORDS = {"OUTPUT": {"body": {"numbers": [1, 2, 3]}}}
AS_IT_TAKES = -1
"""A run that is being aborted is polled until its end."""


@dataclass(frozen=True)
class Way:
    """One path of a job. `run`: what becomes of its run; `collect`: what is ordered of it."""

    run: dict[str, Any]
    messages: dict[str, int]
    requests: dict[str, int]
    collect: dict[str, Any] = field(default_factory=dict)


PATHS = {
    "one-page": Way({"items": 10}, PIPELINE, {"actor": 1, "start": 1, "run": 2, "dataset": 1, "items": 2}),
    "two-pages": Way(
        {"items": 10}, IN_TWO_PAGES, {"actor": 1, "start": 1, "run": 2, "dataset": 1, "items": 3}, {"page_items": 5}
    ),
    "no-rows": Way({"items": 0}, EMPTY, {"actor": 1, "start": 1, "run": 2, "dataset": 2, "items": 2}),
    "records-only": Way(
        {"items": 10, "records": RECORDS},
        PIPELINE,
        {"actor": 1, "start": 1, "run": 2, "record": 1},
        {"dataset": False, "records": ["OUTPUT"]},
    ),
    "sync": Way({"items": 10}, PIPELINE, {"actor": 1, "start": 1, "run": 2, "dataset": 1, "items": 1}),
    "adopted-run": Way({"items": 10}, PIPELINE, {"run": 3, "dataset": 1, "items": 2}),
    "dataset-only": Way({"items": 10}, WITHOUT_POLL, {"dataset": 2, "items": 2}),
    "failed": Way(
        {"items": 0, "final_status": "FAILED"},
        EMPTY,
        {"actor": 1, "start": 1, "run": 2, "log": 1, "dataset": 2, "items": 2},
    ),
    "cancelled": Way(
        {"items": 0, "duration_secs": 60},
        {**EMPTY, "cancel": 1, "poll_run": AS_IT_TAKES},
        {"actor": 1, "start": 1, "run": AS_IT_TAKES, "abort": AS_IT_TAKES, "dataset": 2, "items": 2},
    ),
}
KINDS = {
    "actor": r"GET /v2/actors/[^/]*$",  # how much memory its runs have: once in ten minutes
    "start": r"POST /v2/actors/.*/run",
    "abort": r"POST /v2/actor-runs/.*/abort",
    "run": r"GET /v2/actor-runs/\w+$",
    "log": r"GET /v2/logs/",
    "dataset": r"GET /v2/datasets/\w+$",
    "items": r"GET /v2/datasets/\w+/items$",
    "record": r"GET /v2/key-value-stores/\w+/records/",
}
MANY_JOBS = {"upkeep", "settle"}  # each of these messages serves many jobs


@dataclass
class Seen:
    messages: dict[str, Counter[str]]
    """By path: how often each task was sent for it."""
    answers: dict[str, int]
    """By path: how often its caller's final result was stored."""
    requests: dict[str, Counter[str]]
    """By path: how often each kind of request was made about its run and what belongs to it."""
    commands: dict[str, int]
    """By path: how many commands about its keys in the ledger were sent before its answer."""
    story: dict[str, list[str]]
    """By path: its timeline and what was sent for it, each with its time; for the message of a failure."""


@pytest.fixture(scope="module")
def seen(valkey, emulator, tmp_path_factory) -> Seen:
    lag_secs = "4"  # longer than a busy machine takes from the end of a run to the first look at its dataset
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("paths"), "paths", dataset_lag_secs=lag_secs)
    actors = {path: emulator.actor(f"path-{path}", **{"duration_secs": 0, **way.run}) for path, way in PATHS.items()}
    others = {path: emulator.start(actors[path]) for path in ("adopted-run", "dataset-only")}
    with captured_commands(valkey) as commands, running_workers(line, "all"):
        warm_up = {"key": "warm-up", "actor": emulator.actor("path-warm-up"), "collect": {"dataset": False}}
        line.submit(warm_up).get(timeout=120)  # it searches the account, which a new ledger doesn't know
        before = len(emulator.requests())
        pending = {path: line.submit(order_of(path, actors, others)) for path in PATHS}
        wait_for(lambda: "run-status" in line.events("cancelled"), what="the poll of the run to cancel")
        line.cancel("cancelled").get(timeout=120)
        for each in pending.values():
            each.get(timeout=120, propagate=False)
        wait_for(lambda: not any(line.ledger.callers.of(path) for path in PATHS), what="callers that are forgotten")
        requests = emulator.requests()[before:]
        jobs = {path: line.ledger.load(path) for path in PATHS}
        line.client.close()
        seconds, microseconds = line.ledger.redis.time()
    until = seconds + microseconds / 1_000_000  # a worker that stops gives back what it holds, as if it were sent anew
    commands = [command for command in commands if command["time"] <= until]
    texts = [decoded(command["command"]) for command in commands]
    sent = [command["command"] for command in commands if command["client_type"] != "lua"]
    return Seen(
        {path: messages_of(path, texts) for path in PATHS},
        {path: sum(is_answer(text, pending[path].id) for text in texts) for path in PATHS},
        {path: requests_of(jobs[path], actors[path], requests) for path in PATHS},
        {path: commands_before_answer(path, pending[path].id, sent) for path in PATHS},
        {path: story_of(line, path, commands) for path in PATHS},
    )


def order_of(path: str, actors: dict[str, str], others: dict[str, dict[str, Any]]) -> dict[str, Any]:
    target = {
        "adopted-run": lambda: {"run_id": others[path]["id"]},
        "dataset-only": lambda: {"dataset_id": others[path]["defaultDatasetId"]},
        "sync": lambda: {"actor": actors[path], "mode": "sync"},
    }.get(path, lambda: {"actor": actors[path]})
    # a poll of its own that sees the wish to cancel takes the job on while the cancel sends the same stage
    interval_s = 30 if path == "cancelled" else 1
    collect = {"records": [], **PATHS[path].collect}
    return {"key": path, "poll_interval_secs": interval_s, "collect": collect, **target()}


def messages_of(path: str, texts: list[str]) -> Counter[str]:
    names = Counter(task_of(text) for text in texts if is_sent_for(path, text))
    return Counter({name: times for name, times in names.items() if name not in MANY_JOBS})


def is_sent_for(path: str, text: str) -> bool:
    return text.startswith("LPUSH paths") and f'"{path}"' in text


def task_of(text: str) -> str:
    return re.findall(r'"task": "actorline\.(\w+)"', text)[0]  # behind it is the chain


def story_of(line: Line, path: str, commands: list[dict[str, Any]]) -> list[str]:
    texts = [(command["time"], decoded(command["command"])) for command in commands]
    header = re.compile(r'"eta": [^,]*|epoch=\d+')
    sent = [(at, f"{task_of(text)} {set(header.findall(text))}") for at, text in texts if is_sent_for(path, text)]
    told = [(entry.at, f"{entry.event} {entry.data}") for entry in line.ledger.timeline.entries(path)]
    return [f"{at:.3f} {text}" for at, text in sorted([*sent, *told])]


def is_answer(text: str, task_id: str) -> bool:
    return (
        text.startswith(f"SETEX celery-task-meta-{task_id} ")
        and re.search(r'"status": "(SUCCESS|FAILURE)"', text) is not None
    )


def commands_before_answer(path: str, task_id: str, sent: list[str]) -> int:
    answered = next(place for place, text in enumerate(sent) if is_answer(text, task_id))
    return sum(f":{path}" in text for text in sent[:answered])


def requests_of(job: Any, actor: str, requests: list[dict[str, Any]]) -> Counter[str]:
    ids = {job.run.id, job.run.dataset_id, job.run.key_value_store_id, actor.replace("/", "~")} - {None}
    made = [
        f"{request['method']} {request['path']}" for request in requests if any(each in request["path"] for each in ids)
    ]
    return Counter(next(kind for kind, form in KINDS.items() if re.match(form, each)) for each in made)


@pytest.mark.thorough
@pytest.mark.parametrize("path", PATHS)
def test_path_sends_what_it_must_and_nothing_twice(seen, path):
    way = PATHS[path]
    story = "\n".join(seen.story[path])
    assert as_expected(seen.messages[path], way.messages) == way.messages, story
    assert as_expected(seen.requests[path], way.requests) == way.requests, story
    assert seen.answers[path] == 1, story


def as_expected(found: Counter[str], expected: dict[str, int]) -> dict[str, int]:
    free = {name: AS_IT_TAKES for name, times in expected.items() if times == AS_IT_TAKES and found[name]}
    return {**found, **free}


@pytest.mark.thorough
def test_small_job_costs_few_commands_of_the_ledger(seen):
    assert seen.commands["one-page"] <= 28  # 41 when each stage loaded the job and what belongs to it one by one
