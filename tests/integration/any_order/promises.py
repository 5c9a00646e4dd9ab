"""What is promised of a line whatever befalls it: looked at after each round trip, each step, and at the end."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from celery import states
from held_execution import running
from held_line import HeldLine

from actorline.delivery.manifest import Manifest
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import MANIFEST, MissingFile, Sink, open_sink
from actorline.jobs.job import Job
from actorline.jobs.states import TRANSITIONS, State
from actorline.ledger.queries.tally import read_tally
from actorline.platform.marker import digest_of

ENDS: Final = frozenset({"JobFailed", "JobCancelled", "JobExpired", "JobRefused"})
"""What a caller may get raised."""
ROUND_SECS: Final = 5.0
SHORT_ROUNDS: Final = 40
LONG_ROUND_SECS: Final = 30.0
LAST_ROUNDS: Final = 400
"""Three hours: a message that is lost again and again is looked for every ten minutes."""


@dataclass
class Seen:
    """What was last seen of a job."""

    state: State | None = None
    epoch: int = 0
    change: str | None = None
    """The token of the last one."""
    run_ids: frozenset[str] = frozenset()
    intent: str | None = None


@dataclass
class Promises:
    """`keys`: of all jobs that may be ordered."""

    line: HeldLine
    keys: Sequence[str]
    seen: dict[str, Seen] = field(default_factory=dict)
    manifests: dict[tuple[str, int], Manifest] = field(default_factory=dict)
    """The first of each end, by key and number of retries."""

    broken: AssertionError | None = None
    """By a round trip of an execution, whose own code must not get it: it copes with errors."""

    def __post_init__(self) -> None:
        self.line.ledger.redis.seen = self._look

    # -- after each round trip of an execution

    def _look(self) -> None:
        try:
            self._check_changes()
        except AssertionError as broken:
            self.broken = self.broken or broken

    def _check_changes(self) -> None:
        name = self.line.ledger.name
        with self.line.raw.pipeline(transaction=False) as pipe:
            for key in self.keys:
                pipe.hmget(name("job", key), ["state", "epoch", "last_change", "run_id", "intent"])
                pipe.hvals(name("runs", key))
            found = iter(pipe.execute())
        for key, (state, epoch, change, run_id, intent), runs in zip(self.keys, found, found, strict=True):
            run_ids = frozenset(run_id for attempt in runs for run_id in json.loads(attempt))
            now = Seen(state and State(state), int(epoch or 0), change, run_ids, intent)
            before = self.seen.get(key, Seen())
            check_move(key, before, now)
            assert now.epoch >= before.epoch, f"{key}: its epoch went from {before.epoch} to {now.epoch}"
            assert run_ids >= before.run_ids, f"{key}: the ledger lost {before.run_ids - run_ids}"
            assert not run_id or run_id in run_ids, f"{key}: its run {run_id} isn't kept"
            self.seen[key] = now

    # -- after each step

    def check(self) -> None:
        if self.broken:
            raise self.broken
        self._check_paid_once()
        self._check_answers()
        for job in self.jobs():
            self._check_counters(job)
            self._check_manifest(job)
        self._check_tally()

    def _check_paid_once(self) -> None:
        settle_s = self.line.settings.start_settle_secs
        for attempt, runs in self.line.platform.paid().items():
            *earlier, _ = sorted(runs, key=lambda run: run.sent_at)
            hidden = [run.listed_at > run.sent_at + settle_s for run in earlier]
            assert all(hidden), f"{attempt} was paid {len(runs)} times"
            revived = [len(run.phases) - 1 for run in runs]
            assert max(revived) <= 1, f"a run of {attempt} was resurrected {max(revived)} times"  # no order allows more

    def _check_answers(self) -> None:
        """What a caller gets is its job's end, or the refusal of its order; never how we fare meanwhile."""
        for task_id in self.line.callers:
            answer = self.line.app.backend.get_task_meta(task_id)
            raised = answer["status"] in states.EXCEPTION_STATES and type(answer["result"]).__name__
            assert answer["status"] == states.RETRY or not raised or raised in ENDS, (
                f"a caller got {answer['result']!r}"
            )

    def _check_counters(self, job: Job) -> None:
        pages = self.line.ledger.pages.all(job.key, job.attempt).values()
        receipts = [page for page in pages if isinstance(page, Receipt) and page.scanned]
        counted = (job.collection.items, job.collection.scanned, job.collection.byte_count, job.collection.pages)
        assert counted == (
            sum(receipt.items for receipt in receipts),
            sum(receipt.scanned for receipt in receipts),
            sum(receipt.bytes for receipt in receipts),
            len(receipts),
        ), f"{job.key}: its counters are not its receipts'"

    def _check_tally(self) -> None:
        """Each thing is tallied once, however often its message came, and its script was repeated."""
        jobs, tally = list(self.jobs()), read_tally(self.line.ledger)
        events = [entry.event for job in jobs for entry in self.line.ledger.timeline.entries(job.key)]
        runs = self.line.raw.hlen(self.line.ledger.name("run_keys"))
        assert tally.count("queued") == len(jobs)
        assert sum(tally.counted("ended").values()) == events.count("ended")
        assert sum(tally.counted("runs").values()) == runs
        assert tally.count("nano_usd") == sum(round((job.total_cost_usd or 0) * 1e9) for job in jobs)
        if not any(job.attempt > 1 for job in jobs):
            counted = (
                sum(job.collection.items for job in jobs),
                sum(job.collection.byte_count for job in jobs),
                sum(job.collection.pages for job in jobs),
            )
            assert tuple(map(tally.count, ("items", "bytes", "pages"))) == counted

    def _check_manifest(self, job: Job) -> None:
        manifest = read_manifest(open_sink(job.sink_url))
        if manifest is None:
            return
        first = self.manifests.setdefault((job.key, manifest.retries), manifest)
        assert decision(manifest) == decision(first), f"{job.key}: another manifest than the first"
        if job.manifest and job.retries == manifest.retries:
            assert job.state == manifest.state, f"{job.key} is {job.state}, its manifest says {manifest.state}"

    # -- at the end

    def check_end(self) -> None:
        """No blow falls any more: everything comes to its end, and to a good one."""
        self.line.platform.is_down = False
        while self.line.held:
            self.line.go_on(self.line.held.pop())
        for number in range(LAST_ROUNDS):
            if self.is_over():
                break
            self.line.work(ROUND_SECS if number < SHORT_ROUNDS else LONG_ROUND_SECS)
        self.check()
        self._check_runs()
        for job in self.jobs():
            assert job.is_terminal, f"{job.key} is still {job.state}: {self.story(job)}"
            self._check_bill(job)
            self._check_rows(job)
        self._check_all_answered()

    def is_over(self) -> bool:
        now = self.line.clock.now()
        runs = [run for run in self.line.platform.runs.values() if run.attempt]
        return (
            not self.line.bag
            and all(job.is_terminal for job in self.jobs())
            and all(run.is_terminal(now) for run in runs)
            and not self.line.ledger.runs.strays()
            and not self.line.raw.keys(self.line.ledger.name("callers", "*"))
        )

    def _check_runs(self) -> None:
        now = self.line.clock.now()
        going = [run.id for runs in self.line.platform.paid().values() for run in runs if not run.is_terminal(now)]
        assert not going, f"{going} are billing, and nobody aborts them"
        assert not self.line.ledger.runs.strays()

    def _check_all_answered(self) -> None:
        for task_id in filter(self.line.ledger.callers.key_of, self.line.callers):
            status = self.line.app.backend.get_state(task_id)
            assert status in states.READY_STATES, f"a caller waits for ever in {status}"

    def _check_bill(self, job: Job) -> None:
        """Who is told that nothing was billed has no run."""
        digest = digest_of(job.key)
        made = [run.id for attempt, runs in self.line.platform.paid().items() for run in runs if attempt[0] == digest]
        is_first = job.attempt == 1 and not job.retries
        if job.reason and not job.reason.billed and is_first:
            assert not made, f"{job.key} says that nothing was billed ({job.reason.message}): {made}"

    def _check_rows(self, job: Job) -> None:
        sink = open_sink(job.sink_url)
        manifest = read_manifest(sink)
        if manifest is None or manifest.run is None:
            assert job.state not in {State.DELIVERED, State.PARTIAL}
            return
        run = self.line.platform.runs[manifest.run.id or ""]
        for part in manifest.parts:
            with sink.open(part.name) as file:
                stored = gzip.decompress(file.read())
            assert stored == b"".join(map(run.line, range(part.offset, part.offset + part.scanned))), part.name
        if job.state is State.DELIVERED:
            offsets = [part.offset for part in manifest.parts]
            rows = run.rows(self.line.clock.now())
            assert (manifest.totals.items, manifest.totals.scanned, job.collection.items) == (rows, rows, rows)
            assert len(set(offsets)) == len(offsets)

    # -- words

    def jobs(self) -> Iterator[Job]:
        return filter(None, map(self.line.ledger.load, self.keys))

    def story(self, job: Job) -> list[Any]:
        return [(entry.event, entry.data) for entry in self.line.ledger.timeline.entries(job.key)][-8:]


def check_move(key: str, before: Seen, now: Seen) -> None:
    """The table allows it, and whoever changed the job held it, or took back an intent of which nothing came."""
    if before.state is None:
        assert now.state in {None, State.QUEUED}, f"{key} began {now.state}"
        return
    assert now.state is not None, f"{key} was lost"
    if now.state is not before.state:
        assert now.state in TRANSITIONS[before.state].values(), f"{key} went from {before.state} to {now.state}"
    execution = running()
    if now.change != before.change and execution and execution.epoch is not None:
        is_taken_back = before.intent and not now.intent and (now.state, now.epoch) == (before.state, before.epoch)
        assert execution.epoch == before.epoch or is_taken_back, f"{execution.about} changed {key} in other hands"


def read_manifest(sink: Sink) -> Manifest | None:
    try:
        with sink.open(MANIFEST) as file:
            return Manifest.model_validate_json(file.read())
    except MissingFile:
        return None


def decision(manifest: Manifest) -> tuple[Any, ...]:
    """What no later manifest of the same end says otherwise; cost and stats may be read again."""
    return manifest.state, manifest.complete, manifest.attempt, manifest.parts, manifest.totals, manifest.reason
