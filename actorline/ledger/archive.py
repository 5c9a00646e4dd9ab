"""Ended jobs and batches as JSON lines, from one ledger into another; of the rows only where they are.

The first line is a header with the installation, which claims the folders of the rows and marks the runs. Each other
line is a job or batch: its hash as it is stored, so that fields of a newer version come along, and what belongs to it.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from redis.exceptions import WatchError

from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_key import is_key
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import index_names
from actorline.platform.marker import digest_of

BLOCK_KEYS: Final = 200
_OF_ITS_LEDGER: Final = (
    "last_change",
    "open_set",
    "reservation",
    "reservation_open",
    "held_nano_usd",
    "booked_nano_usd",
    "assumed_costs",
    "assumed_counted",
)
"""Fields of a job that mean something only beside counters that stay behind."""


class ArchiveHeader(BaseModel):
    """The first line: the format's version, and whose ledger it is."""

    actorline_ledger: Literal[1] = 1
    installation: str
    exported_at: float


class ArchivedJob(BaseModel):
    """A line; `timeline`: ids and fields of its stream; `pages`, `records`, `row_keys`: by attempt."""

    model_config = ConfigDict(extra="forbid")

    job: dict[str, str]
    timeline: list[tuple[str, dict[str, str]]] = []
    runs: dict[str, str] = {}
    pages: dict[str, dict[str, str]] = {}
    records: dict[str, dict[str, str]] = {}
    row_keys: dict[str, dict[str, str]] = {}


class ArchivedBatch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    batch: dict[str, str]
    timeline: list[tuple[str, dict[str, str]]] = []


class Archive:
    """What has ended in a ledger, read and written line by line."""

    def __init__(self, ledger: Ledger) -> None:
        self._redis, self._name = ledger.redis, ledger.name

    def jobs(self) -> Iterator[ArchivedJob]:
        """Yield every job that has ended; one that ends meanwhile may be left out, or come twice."""
        for state in sorted(TERMINAL):
            for key, _ in self._redis.zscan_iter(self._name("state", state), count=BLOCK_KEYS):
                if found := self._job(key):
                    yield found

    def batches(self) -> Iterator[ArchivedBatch]:
        """Yield every batch that has ended."""
        for key, _ in self._redis.zscan_iter(self._name("batches"), count=BLOCK_KEYS):
            stored = self._redis.hgetall(self._name("batch", key))
            if stored.get("state") in TERMINAL:
                stored.pop("last_change", None)
                yield ArchivedBatch(batch=stored, timeline=self._redis.xrange(self._name("events", key)))

    def add_job(self, archived: ArchivedJob) -> bool:
        """Add a job. Return False if the ledger has its key. Raises Refused for what is no ended job."""
        job = _checked(archived.job)
        name, key, account = self._name, job.key, job.document.account.lower()
        state = archived.job["state"]
        hashes = {name("job", key): archived.job, name("runs", key): archived.runs}
        kinds = {"pages": archived.pages, "records": archived.records, "row_keys": archived.row_keys}
        for kind, attempts in kinds.items():
            hashes |= {name(kind, key, int(attempt)): stored for attempt, stored in attempts.items()}
        runs = [run_id for attempt in archived.runs.values() for run_id in _listed(attempt)]
        with self._redis.pipeline() as pipe:
            if not self._begin(pipe, key):
                return False
            self._add_hashes(pipe, hashes)
            self._add_timeline(pipe, key, archived.timeline)
            for index in (name("state", state), name("state", state, account), *index_names(job.document, name)):
                pipe.zadd(index, {key: job.queued_at})
            for run_id in runs:
                pipe.hsetnx(name("run_keys"), run_id, key)
            if runs:
                pipe.hsetnx(name("markers"), digest_of(key), key)
            return _carried_out(pipe)

    def add_batch(self, archived: ArchivedBatch) -> bool:
        """Add a batch. Return False if the ledger has its key. Raises Refused for what is no ended batch."""
        key = JobKey(archived.batch.get("key", ""))
        if not is_key(key) or archived.batch.get("state") not in TERMINAL:
            raise _no_entry("batch")
        with self._redis.pipeline() as pipe:
            if not self._begin(pipe, key):
                return False
            self._add_hashes(pipe, {self._name("batch", key): archived.batch})
            self._add_timeline(pipe, key, archived.timeline)
            pipe.zadd(self._name("batches"), {key: float(archived.batch.get("queued_at", 0))})
            return _carried_out(pipe)

    def _job(self, key: JobKey) -> ArchivedJob | None:
        name = self._name
        stored = self._redis.hgetall(name("job", key))
        if stored.get("state") not in TERMINAL:
            return None
        attempts = range(1, int(stored.get("attempt", 1)) + 1)
        kept: dict[str, dict[str, dict[str, str]]] = {
            kind: {str(n): found for n in attempts if (found := self._redis.hgetall(name(kind, key, n)))}
            for kind in ("pages", "records", "row_keys")
        }
        return ArchivedJob(
            job={field: value for field, value in stored.items() if field not in _OF_ITS_LEDGER},
            timeline=self._redis.xrange(name("events", key)),
            runs=self._redis.hgetall(name("runs", key)),
            pages=kept["pages"],
            records=kept["records"],
            row_keys=kept["row_keys"],
        )

    def _begin(self, pipe: Any, key: JobKey) -> bool:
        """Begin to add the key, if nothing has it; what has it a moment later wins."""
        names = (self._name("job", key), self._name("batch", key))
        pipe.watch(*names)
        if pipe.exists(*names):
            return False
        pipe.multi()
        return True

    def _add_hashes(self, pipe: Any, hashes: dict[str, dict[str, str]]) -> None:
        for name, stored in hashes.items():
            if stored:
                pipe.hset(name, mapping=stored)

    def _add_timeline(self, pipe: Any, key: JobKey, timeline: Iterable[tuple[str, dict[str, str]]]) -> None:
        pipe.delete(self._name("events", key))
        for entry_id, fields in timeline:
            pipe.xadd(self._name("events", key), fields, id=entry_id)


def unfinished(ledger: Ledger) -> int:
    """Return how many jobs haven't ended, and are in no archive."""
    return sum(int(ledger.redis.zcard(ledger.name("state", state))) for state in State if state not in TERMINAL)


def _checked(stored: dict[str, str]) -> Job:
    try:
        job = Job.read({name: value for name, value in stored.items() if value})
    except ValidationError as error:
        raise _no_entry("job") from error
    if not is_key(job.key) or not job.is_terminal:
        raise _no_entry("job")
    return job


def _no_entry(kind: str) -> Refused:
    return Refused(Code.REQUEST_INVALID, f"is no ended {kind} that this version can read")


def _listed(text: str) -> list[str]:
    found = json.loads(text)
    return [str(each) for each in found] if isinstance(found, list) else []


def _carried_out(pipe: Any) -> bool:
    try:
        pipe.execute()
    except WatchError:  # an order of the same key came first
        return False
    return True
