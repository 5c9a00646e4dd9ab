"""One case: a line of its own, one small job, one blow, and what is there when the job has ended."""

import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callers import Caller, call
from real_parts import Emulator, Line, delivery_of, make_line, start_worker, unacked, wait_for
from toll import Point, TollGate

from actorline.jobs.job_key import key_of_task

FAULTY_WORKER = Path(__file__).with_name("faulty_worker.py")
ROWS = 300
END_SECS = 240  # a start whose worker died is taken over when its lease of 90 s has run out; machines may be busy
LEFT_SECS = 90


@dataclass(frozen=True)
class Case:
    """What strikes: a kill at a platform request, or a fault inside the worker (see faulty_worker.py)."""

    name: str
    point: Point | None = None
    worker: dict[str, str] = field(default_factory=dict)
    duration_secs: float = 0.0
    """Of the run; 0: it has ended when it is first looked at."""
    workers: int = 1
    """More than one: the others live on when one is killed, and no new one is started."""
    callers: int = 0
    """Further callers of the job, with continuations: half of them come after its end."""
    pages: int = 2
    """One page is fetched and finished where it is planned, without messages of its own."""
    has_key: bool = True
    """False: the order comes without one."""

    @property
    def group(self) -> str:
        """What its figures are counted under."""
        faults = {
            "CHAOS_DIE": "killed at a step",
            "CHAOS_FREEZE": "frozen at a step",
            "CHAOS_LOSE": "message lost",
            "CHAOS_DOUBLE": "message doubled",
        }
        return next(
            (faults[name] for name in self.worker), "killed at a request" + ", another living" * (self.workers > 1)
        )


@dataclass
class Outcome:
    result: dict[str, Any] | None = None
    error: str = ""
    runs: list[str] = field(default_factory=list)
    rows_are_right: bool = False
    served: int = 0
    """Further callers that have their result, and whose continuations have theirs."""
    events: list[str] = field(default_factory=list)
    left_unacked: int = 0
    left_staged: list[str] = field(default_factory=list)
    kills: int = 0
    freezes: int = 0
    late_writes: list[str] = field(default_factory=list)
    """What changed when a frozen worker went on after the job's end: parts of the ledger, files of the delivery."""
    take_over_s: float | None = None
    """From the blow to the job's next request or entry in its timeline; None if nothing was left to do."""
    total_s: float = 0.0


def run_case(case: Case, valkey: str, emulator: Emulator, home: Path) -> Outcome:
    """Place an order, let the blow fall, start a new worker if none lives, and look at everything at the end."""
    line = make_line(valkey, emulator, home, case.name)
    gate = TollGate(emulator.url, case.point)
    workers: list[subprocess.Popen[bytes]] = []
    with ExitStack() as exits:
        try:
            for _ in range(case.workers):
                line.environment["ACTORLINE_API_URL"] = url = exits.enter_context(gate.address())
                workers.append(start_faulty_worker(line, case.worker))
                gate.doomed[url] = workers[-1].pid
            return _strike(case, line, gate, workers)
        finally:
            for worker in workers:
                worker.terminate()
                worker.send_signal(signal.SIGCONT)  # one that is frozen hears nothing else
            for worker in workers:
                worker.wait(60)
            line.client.close()


def start_faulty_worker(line: Line, fault: dict[str, str]) -> subprocess.Popen[bytes]:
    with (line.home / f"faulty-{time.monotonic_ns()}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", FAULTY_WORKER, "all"],
            cwd=line.home,
            env={**line.environment, **fault},
            stdout=log,
            stderr=log,
        )


def _strike(case: Case, line: Line, gate: TollGate, workers: list[subprocess.Popen[bytes]]) -> Outcome:
    records = {"OUTPUT": {"body": {"numbers": list(range(500))}}}
    actor = line.emulator.actor(case.name, items=ROWS, duration_secs=case.duration_secs, records=records)
    document = {"actor": actor, "poll_interval_secs": 1, "collect": {"page_items": ROWS // case.pages}}
    outcome, began, struck_at = Outcome(), time.monotonic(), None
    task_id = str(uuid.uuid4())
    key = case.name if case.has_key else key_of_task(task_id)
    pending = line.submit(document | ({"key": key} if case.has_key else {}), task_id=task_id)
    document["key"] = key
    callers = [call(line, document) for _ in range(case.callers // 2)]
    dies = "CHAOS_DIE" in case.worker  # perhaps as it gives the answer
    while (not pending.ready() or (dies and struck_at is None)) and time.monotonic() < began + END_SECS:
        if struck_at is None and any(is_struck(worker) for worker in workers):
            struck_at = time.time()
            if case.workers == 1:
                workers.append(start_worker("all", line))
        time.sleep(0.1)
    outcome.total_s = time.monotonic() - began
    outcome.kills = sum(worker.poll() == -signal.SIGKILL for worker in workers)
    frozen = [worker for worker in workers if worker.poll() is None and is_struck(worker)]
    outcome.freezes = len(frozen)
    if pending.successful():
        outcome.result = pending.get(timeout=5)
    else:
        outcome.error = f"{line.state(key)} after {outcome.total_s:.0f} s: {pending.result!r}"
    callers += [call(line, document) for _ in range(case.callers - len(callers))]
    outcome.served = sum(is_served(caller, outcome.result) for caller in callers)
    _look_at_the_job(line, actor, key, outcome)
    if struck_at is not None:
        steps = [*(entry.at for entry in line.ledger.timeline.entries(key)), *(at for at, _ in gate.passed)]
        outcome.take_over_s = min((at - struck_at for at in steps if at > struck_at), default=None)
    for worker in frozen:
        outcome.late_writes += let_go_on(worker, line, key)
        _look_at_the_job(line, actor, key, outcome)
    _look_at_what_is_left(line, outcome)
    return outcome


def is_struck(worker: "subprocess.Popen[bytes]") -> bool:
    """Dead, or frozen."""
    if worker.poll() is not None:
        return True
    state = subprocess.run(["ps", "-o", "state=", "-p", str(worker.pid)], check=False, capture_output=True)
    return state.stdout.startswith(b"T")


def let_go_on(worker: "subprocess.Popen[bytes]", line: Line, key: str) -> list[str]:
    """Wake a frozen worker and let it do what it still has in hand; returns what of the ended job it changed."""
    name = f"all-{worker.pid}@{socket.gethostname()}"
    before = picture_of(line, key)
    worker.send_signal(signal.SIGCONT)
    wait_for(lambda: line.client.control.inspect([name], timeout=0.5).active() == {name: []}, what="an idle worker")
    wait_for(lambda: not unacked(line), within=40, what="an empty unacked set")
    after = picture_of(line, key)
    return [part for part in before | after if before.get(part) != after.get(part)]


def picture_of(line: Line, key: str) -> dict[str, object]:
    """All there is of a job but the token of its last change, which upkeep makes as well."""
    job = line.ledger.redis.hgetall(line.ledger.name("job", key))
    files = (path for path in line.home.rglob("*") if path.is_file() and path.suffix != ".log")
    return {
        **{name: value for name, value in job.items() if name != "last_change"},
        **{str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files},
        "pages": line.ledger.redis.hgetall(line.ledger.name("pages", key, 1)),
    }


def is_served(caller: Caller, result: dict[str, Any] | None) -> bool:
    try:
        own, *made = caller.results(within=60)
    except TimeoutError:
        return False
    return own == result and made == [ROWS, ROWS]


def _look_at_the_job(line: Line, actor: str, key: str, outcome: Outcome) -> None:
    outcome.runs = [run["id"] for run in line.emulator.runs_of(actor)]
    outcome.events = line.events(key)
    if outcome.result:
        expected = line.emulator.expected(outcome.result["dataset_id"])
        outcome.rows_are_right = delivery_of(outcome.result).sha256 == expected["sha256"]


def _look_at_what_is_left(line: Line, outcome: Outcome) -> None:
    """Leftovers count if they stay: upkeep's own message is in hand for a moment each second, and a worker that takes
    over may only be starting.
    """
    deadline = time.monotonic() + LEFT_SECS
    while time.monotonic() < deadline:
        outcome.left_unacked = unacked(line)
        outcome.left_staged = [str(path) for path in line.home.rglob(".*.tmp")]
        if not outcome.left_unacked and not outcome.left_staged:
            return
        time.sleep(0.2)


def assert_paid_once_and_whole(outcome: Outcome) -> None:
    assert outcome.error == ""
    assert outcome.result is not None
    assert len(outcome.runs) == 1
    assert (outcome.result["state"], outcome.result["items"], outcome.result["records"]) == ("DELIVERED", ROWS, 1)
    assert outcome.result["run_id"] == outcome.runs[0]
    assert outcome.rows_are_right
    assert outcome.events.count("ended") == 1
    assert outcome.left_unacked == 0
    assert outcome.left_staged == []
