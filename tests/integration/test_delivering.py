"""A job's delivery, made in a real ledger and a real folder: safe to repeat wherever it dies."""

import hashlib
import json
import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest
from pydantic import SecretStr
from real_parts import TOKEN, Emulator

from actorline.delivery.formats.table import FORMATS
from actorline.delivery.page_plan import Window
from actorline.delivery.read_back import DamagedDelivery, NoDelivery
from actorline.delivery.receipt import Receipt
from actorline.delivery.record_index import RecordBlock
from actorline.delivery.sink import LocalSink, SinkError
from actorline.delivery.verify import verify
from actorline.errors import Code, Reason
from actorline.jobs.delivered import open_delivered
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Job
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import State
from actorline.jobs.step import Ended, Stop
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.pages import Pages
from actorline.ledger.registration import NewJob
from actorline.orders.retry import retry_job
from actorline.platform import key_value_stores
from actorline.platform.client import Platform
from actorline.platform.run_stats import RunStats
from actorline.settings import Settings
from actorline.stages.collect.deliver import Deliverer
from actorline.stages.ending import SINK_TRIES
from actorline.upkeep import settle


@pytest.fixture
def collected(ledger: Ledger, tmp_path: Path) -> Callable[..., Job]:
    """A job whose pages are stored, with one row each."""
    sink = LocalSink((tmp_path / "rows").as_uri())
    order = {"dataset_id": "d1", "collect": {"records": []}, "sink": {"compression": "none"}}
    ledger.register([NewJob("k", parse_document(order), fresh=False, sink=sink.url, caller=None)], due_in_s=10)

    def make(*names: str, state: State = State.COLLECTING, **fields: Any) -> Job:
        ledger.change(
            "k", Change(to=state, fields={"dataset_id": "d1", "reason": None, **fields}), states=set(State), epoch=None
        )
        job = ledger.load("k")
        for number, name in enumerate(names):
            store_page(ledger, sink, job, number, name)
        return ledger.load("k")

    return make


def store_page(ledger: Ledger, sink: LocalSink, job: Job, number: int, name: str) -> None:
    """Store a page of one row."""
    sink.write_once(name, row(number))
    ledger.pages.fix("k", job.attempt, Window(page_no=number, offset=number, limit=1))
    stored = {"bytes": len(row(number)), "sha256": hashlib.sha256(row(number)).hexdigest(), "part": name}
    receipt = Receipt(page_no=number, offset=number, limit=1, scanned=1, items=1, **stored)
    ledger.pages.record("k", job.attempt, receipt, due_in_s=10)


def row(number: int) -> bytes:
    return b'{"n": %d}\n' % number


MISSING = Reason(code=Code.PAGE_UNREADABLE, message="a page is missing", billed=False)


def deliver(ledger: Ledger, job: Job, failure: Reason | None = None) -> Any:
    deliverer = Deliverer(ledger, None, Settings(), "al-1")  # type: ignore[arg-type]  # a dataset's job has no records
    return deliverer.deliver(job, ledger.pages.all(job.key, job.attempt), failure, secrets.token_hex(8))


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


class Killed(BaseException):
    pass


def kill_after(monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Die after the nth change to the sink."""
    seen = [0]
    for name in ("publish", "move"):
        original = getattr(LocalSink, name)

        def dying(*args: Any, original: Callable[..., Any] = original) -> Any:
            result = original(*args)
            seen[0] += 1
            if seen[0] == nth:
                raise Killed
            return result

        monkeypatch.setattr(LocalSink, name, dying)


OLDER = ("part-00000.jsonl", "part-00001.jsonl")
SECOND = ("attempt-2/part-00000.jsonl", "attempt-2/part-00001.jsonl")


@pytest.fixture
def retried(ledger: Ledger, collected: Callable[..., Job], tmp_path: Path) -> Job:
    """A job at the end of its second attempt, in whose folder the end of the first one lies, and a stray row."""
    job = collected(*OLDER)
    assert isinstance(deliver(ledger, job, MISSING), Ended)
    (tmp_path / "rows" / "part-00002.jsonl").write_bytes(row(2))
    return collected(*SECOND, attempt=2, retries=1)


@pytest.mark.parametrize("nth", [*range(1, 8), None])
def test_end_that_dies_at_any_step_delivers_once(ledger, retried, tmp_path, monkeypatch, nth):
    if nth:
        with monkeypatch.context() as patch:
            kill_after(patch, nth)
            with pytest.raises(Killed):
                deliver(ledger, retried)
        assert ledger.load("k").state is State.COLLECTING
    assert isinstance(deliver(ledger, retried), Ended)
    found = files(tmp_path / "rows")
    manifests = [json.loads(found.pop(name)) for name in ("manifest.json", "superseded-1/manifest.json")]
    assert [[part["name"] for part in manifest["parts"]] for manifest in manifests] == [list(SECOND), list(OLDER)]
    assert [(manifest["attempt"], manifest["retries"]) for manifest in manifests] == [(2, 1), (1, 0)]
    rows = {name: row(number).decode() for number, name in enumerate(SECOND)}
    older = {f"superseded-1/part-0000{number}.jsonl": row(number).decode() for number in range(3)}
    assert found == {"_SUCCESS": "", **rows, **older}
    assert (ledger.load("k").state, ledger.load("k").manifest) == (
        State.DELIVERED, f"{(tmp_path / 'rows').as_uri()}/manifest.json"
    )  # fmt: skip


def test_second_execution_of_an_end_uses_the_manifest(ledger, collected, tmp_path):
    job = collected(*OLDER)
    assert isinstance(deliver(ledger, job), Ended)
    before = files(tmp_path / "rows")
    assert isinstance(deliver(ledger, job), Stop)
    assert files(tmp_path / "rows") == before


def test_execution_of_an_older_end_touches_no_later_delivery(ledger, collected, tmp_path):
    stale = collected(*OLDER)
    later = collected(*SECOND, attempt=2, retries=1)
    ledger.change("k", Change(next_epoch=True), states=set(State), epoch=None)
    assert isinstance(deliver(ledger, ledger.load("k")), Ended)
    before = files(tmp_path / "rows")
    assert isinstance(deliver(ledger, stale), Stop)
    assert files(tmp_path / "rows") == before
    assert later.attempt == 2


def test_doubled_execution_of_an_end_ends_no_retry_of_it(ledger, collected, monkeypatch):
    job = collected(OLDER[0])
    assert isinstance(deliver(ledger, job, MISSING), Ended)
    end = Deliverer._end

    def end_after_a_retry(*args: Any) -> Any:
        retry_job(ledger, "k", sender=FROM_TERMINAL)
        return end(*args)

    monkeypatch.setattr(Deliverer, "_end", end_after_a_retry)
    assert isinstance(deliver(ledger, job, MISSING), Stop)
    assert (ledger.load("k").state, ledger.load("k").retries) == (State.COLLECTING, 1)


def test_doubled_execution_sets_no_page_of_a_retry_aside(ledger, collected, tmp_path, monkeypatch):
    job = collected(OLDER[0], retries=1)
    assert isinstance(deliver(ledger, job, MISSING), Ended)
    find = Deliverer._clear_the_way

    def publish_a_page_after_that(*args: Any) -> Any:
        found = find(*args)
        retry_job(ledger, "k", sender=FROM_TERMINAL)
        collected(*OLDER)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Deliverer, "_clear_the_way", publish_a_page_after_that)
        assert isinstance(deliver(ledger, job, MISSING), Stop)
    assert set(files(tmp_path / "rows")) == {*OLDER, "manifest.json"}
    assert isinstance(deliver(ledger, ledger.load("k")), Ended)
    assert ledger.load("k").state is State.DELIVERED


@pytest.mark.parametrize("has_ended", [False, True])
def test_settled_figures_replace_no_manifest_of_a_retry(ledger, collected, tmp_path, monkeypatch, has_ended):
    assert isinstance(deliver(ledger, collected(OLDER[0], run_id="r1", run_status="SUCCEEDED"), MISSING), Ended)
    run = SimpleNamespace(id="r1", is_terminal=True, usage_total_usd=0.5, stats=None)
    monkeypatch.setattr(settle, "get_run", lambda *_: run)
    write_once = LocalSink.write_once

    def write_while_a_retry_begins(sink: LocalSink, name: str, text: bytes) -> bool:
        if name == settle.SETTLED:
            retry_job(ledger, "k", sender=FROM_TERMINAL)
            assert not has_ended or isinstance(deliver(ledger, collected(*OLDER)), Ended)
        return write_once(sink, name, text)

    stale = ledger.load("k")
    monkeypatch.setattr(LocalSink, "write_once", write_while_a_retry_begins)
    settle.settle_figures(ledger, None, stale, is_last=True)
    manifest = json.loads((tmp_path / "rows" / "manifest.json").read_text())
    assert (manifest["retries"], manifest["run"]["settled"]) == (int(has_ended), False)
    assert not (tmp_path / "rows" / settle.SETTLED).exists()
    assert not ledger.load("k").figures_settled


def test_settled_figures_are_written_to_the_manifest_once(ledger, collected, tmp_path, monkeypatch):
    assert isinstance(deliver(ledger, collected(OLDER[0], run_id="r1", run_status="SUCCEEDED"), MISSING), Ended)
    run = SimpleNamespace(id="r1", is_terminal=True, usage_total_usd=0.5, stats=RunStats(compute_units=0.25))
    monkeypatch.setattr(settle, "get_run", lambda *_: run)
    move, written = LocalSink.move, []
    monkeypatch.setattr(LocalSink, "move", lambda sink, *names: written.append(names) or move(sink, *names))
    for _ in range(2):  # a slow sink: the first call was no longer waited for
        settle.settle_figures(ledger, None, ledger.load("k"), is_last=True)
    assert written == [(settle.SETTLED, "manifest.json")]
    manifest = json.loads((tmp_path / "rows" / "manifest.json").read_text())
    assert (manifest["run"]["settled"], manifest["run"]["cost_usd"]) == (True, 0.5)
    assert ledger.load("k").figures_settled


def test_manifest_of_an_earlier_end_of_the_run_is_set_aside(ledger, collected, tmp_path):
    """Another execution published it while the run was running again already."""
    run = {"run_id": "r1", "run_status": "SUCCEEDED"}
    assert isinstance(deliver(ledger, collected(OLDER[0], run_finished_at="2026-11-30T10:00:00.000Z", **run)), Ended)
    job = collected(*OLDER, run_finished_at="2026-11-30T10:05:00.000Z", **run)
    assert isinstance(deliver(ledger, job), Ended)
    manifest = json.loads((tmp_path / "rows" / "manifest.json").read_text())
    assert tuple(part["name"] for part in manifest["parts"]) == OLDER
    assert "superseded-0/manifest.json" in files(tmp_path / "rows")


def test_a_known_cost_stays_in_the_manifest_when_untold(ledger, collected, tmp_path, monkeypatch):
    known = {"run_id": "r1", "run_status": "SUCCEEDED", "cost_usd": 4.0}
    assert isinstance(deliver(ledger, collected(OLDER[0], **known), MISSING), Ended)
    run = SimpleNamespace(id="r1", is_terminal=True, usage_total_usd=None, stats=RunStats(compute_units=0.25))
    monkeypatch.setattr(settle, "get_run", lambda *_: run)
    settle.settle_figures(ledger, None, ledger.load("k"), is_last=True)
    manifest = json.loads((tmp_path / "rows" / "manifest.json").read_text())
    assert (manifest["run"]["settled"], manifest["run"]["cost_usd"]) == (True, 4.0)
    assert (ledger.load("k").run.cost_usd, ledger.load("k").figures_settled) == (4.0, True)


def test_same_attempt_that_ends_again_keeps_its_pages(ledger, collected, tmp_path):
    assert isinstance(deliver(ledger, collected(OLDER[0]), MISSING), Ended)
    job = collected(*OLDER, retries=1)
    assert isinstance(deliver(ledger, job), Ended)
    found = files(tmp_path / "rows")
    assert set(found) == {*OLDER, "manifest.json", "superseded-1/manifest.json", "_SUCCESS"}
    assert json.loads(found["manifest.json"])["totals"]["items"] == 2
    assert json.loads(found["superseded-1/manifest.json"])["totals"]["items"] == 1


def test_manifest_of_an_earlier_job_is_not_taken_for_this_ones(ledger, collected, tmp_path):
    """The ledger forgets a job after its retention; its folder stays."""
    assert isinstance(deliver(ledger, collected(OLDER[0])), Ended)
    job = collected(*OLDER, dataset_id="d2")
    assert isinstance(deliver(ledger, job), Ended)
    found = files(tmp_path / "rows")
    assert json.loads(found["manifest.json"])["dataset_id"] == "d2"
    assert json.loads(found["superseded-0/manifest.json"])["dataset_id"] == "d1"
    assert {"_SUCCESS", "superseded-0/_SUCCESS"} <= set(found)


def test_a_key_ordered_again_delivers_what_the_dataset_holds_now(ledger, collected, tmp_path):
    """Retry, attempt, run and dataset are the same; the ledger has forgotten the first job, or was lost."""
    assert isinstance(deliver(ledger, collected(OLDER[0])), Ended)
    job = collected(*OLDER, queued_at=ledger.load("k").queued_at + 1)
    assert isinstance(deliver(ledger, job), Ended)
    found = files(tmp_path / "rows")
    assert [json.loads(found[name])["totals"]["items"] for name in ("manifest.json", "superseded-0/manifest.json")] == [
        2, 1,
    ]  # fmt: skip
    assert list(verify(open_delivered(ledger.load("k")), lambda _: None)) == []


@pytest.mark.parametrize("other", [{"job": "k2"}, {"installation": "al-2"}, {"queued_at": None}])
def test_a_manifest_that_somebody_planted_decides_nothing(ledger, collected, tmp_path, other):
    job = collected(*OLDER)
    deliver(ledger, job)
    manifest = json.loads((tmp_path / "rows" / "manifest.json").read_text())
    planted = manifest | {"state": "PARTIAL", "complete": False} | other
    (tmp_path / "rows" / "manifest.json").write_text(json.dumps(planted))
    assert isinstance(deliver(ledger, collected()), Ended)
    assert ledger.load("k").state is State.DELIVERED


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "attempt-2/../../secret", "records/OUTPUT"])
def test_a_planted_manifest_moves_no_file_of_others(ledger, collected, tmp_path, name):
    (tmp_path / "secret").write_text("secret")
    deliver(ledger, collected(*OLDER))
    path = tmp_path / "rows" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["parts"][0]["name"] = name
    path.write_text(json.dumps(manifest | {"retries": 7}))
    with pytest.raises(SinkError, match="is not a manifest"):
        deliver(ledger, collected())
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_delivery_is_read_only_if_the_ledger_knows_it(ledger, collected, tmp_path):
    deliver(ledger, collected(*OLDER))
    path = tmp_path / "rows" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"run": None, "query": {}}))  # figures may be written again
    assert len(list(open_delivered(ledger.load("k")).items())) == 2
    manifest["parts"] = manifest["parts"][:1]
    path.write_text(json.dumps(manifest))
    with pytest.raises(DamagedDelivery, match="isn't the one that the job delivered"):
        open_delivered(ledger.load("k"))


def test_a_complete_delivery_is_one_also_if_cleaning_up_fails(ledger, tmp_path, monkeypatch):
    sink = LocalSink((tmp_path / "rows").as_uri())
    order = {"dataset_id": "d1", "collect": {"format": "json"}, "sink": {"compression": "none", "single_file": True}}
    ledger.register([NewJob("k", parse_document(order), fresh=False, sink=sink.url)], due_in_s=10)
    ledger.change("k", Change(to=State.COLLECTING, fields={"dataset_id": "d1"}), epoch=None)
    staged = [FORMATS["json"].page_name(number, "none", single_file=True) for number in range(2)]
    for number, name in enumerate(staged):
        store_page(ledger, sink, ledger.load("k"), number, name)

    def refuse(*_: Any) -> None:
        raise SinkError("The store doesn't remove anything.")

    monkeypatch.setattr(LocalSink, "remove", refuse)
    assert isinstance(deliver(ledger, ledger.load("k")), Ended)
    assert ledger.load("k").state is State.DELIVERED
    assert set(files(tmp_path / "rows")) == {"items.json", "manifest.json", "_SUCCESS", *staged}


# -- the records of a large store

BLOCK = 20


@pytest.fixture
def store(ledger, emulator, tmp_path, monkeypatch) -> str:
    """Id of a store with 50 records and an INPUT, in blocks of 20, that a job collects."""
    monkeypatch.setattr(key_value_stores, "KEYS_LIMIT", BLOCK)
    actor = emulator.actor(f"store-{secrets.token_hex(4)}", items=0, duration_secs=0, record_count=50)
    run = emulator._send("POST", f"/v2/acts/{actor.replace('/', '~')}/runs", {"page": 1})["data"]
    order = {"dataset_id": "d1", "collect": {"dataset": False, "all_records": True}}
    ledger.register(
        [NewJob("k", parse_document(order), fresh=False, sink=f"{tmp_path.as_uri()}/rows/", caller=None)], due_in_s=10
    )
    ledger.change(
        "k",
        Change(to=State.COLLECTING, fields={"dataset_id": "d1", "key_value_store_id": run["defaultKeyValueStoreId"]}),
        states=set(State),
        epoch=None,
    )
    return run["defaultKeyValueStoreId"]


def deliver_records(ledger: Ledger, emulator: Emulator) -> Any:
    with closing(Platform(emulator.url, SecretStr(TOKEN), user_agent="x")) as platform:
        return Deliverer(ledger, platform, Settings(), "al-1").deliver(ledger.load("k"), {}, None, secrets.token_hex(8))


def reads_of(emulator: Emulator, store: str) -> list[str]:
    return [request["path"] for request in emulator.requests("GET", f"/v2/key-value-stores/{store}/records/")]


def test_a_large_store_is_listed_in_files_of_its_own(ledger, emulator, store, tmp_path):
    assert isinstance(deliver_records(ledger, emulator), Ended)
    delivery = open_delivered(ledger.load("k"))
    assert [index.records for index in delivery.manifest.record_indexes] == [20, 20, 11]
    assert (delivery.manifest.records, delivery.manifest.totals.records) == ([], 51)
    assert ledger.load("k").collection.records == 51
    assert [record.key for record in delivery.records()] == ["INPUT", *(f"KEY-{number:05}" for number in range(1, 51))]
    with delivery.open_record("INPUT") as file:
        assert json.load(file) == {"page": 1}
    with pytest.raises(NoDelivery, match=r"has no record KEY-00099.*and 31 more"):
        delivery.open_record("KEY-00099")
    assert list(verify(delivery, lambda _: None)) == []
    (tmp_path / "rows" / "records-00001.jsonl").write_text("")
    assert [(problem.file, problem.text) for problem in verify(delivery, lambda _: None)] == [
        ("records-00001.jsonl", "isn't what the manifest says it is")
    ]


def test_a_stopped_execution_goes_on_behind_the_last_block(ledger, emulator, store, monkeypatch):
    keep = Pages.keep_record_block

    def die_after_two(self: Pages, key: str, attempt: int, block_no: int, block: RecordBlock) -> None:
        keep(self, key, attempt, block_no, block)
        if block_no == 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Pages, "keep_record_block", die_after_two)
        with pytest.raises(Killed):
            deliver_records(ledger, emulator)
    assert len(reads_of(emulator, store)) == 2 * BLOCK
    assert isinstance(deliver_records(ledger, emulator), Ended)
    reads = reads_of(emulator, store)
    assert len(reads) == len(set(reads)) == 51
    assert len(list(open_delivered(ledger.load("k")).records())) == 51


def test_a_retry_fetches_only_the_blocks_that_failed(ledger, emulator, store, faults):
    faults(
        {
            "method": "GET",
            "path_regex": "/records/KEY-00025$",
            "action": "status",
            "status": 400,
            "type": "invalid-request",
            "message": "broken",
            "times": 1,
        }
    )
    assert isinstance(deliver_records(ledger, emulator), Ended)
    job = ledger.load("k")
    assert (job.state, job.reason.code, job.collection.records) == (State.PARTIAL, Code.RECORD_UNREADABLE, 50)
    assert "KEY-00025" in job.reason.message
    retry_job(ledger, "k", sender=FROM_TERMINAL)
    ledger.change("k", Change(to=State.COLLECTING), states=set(State), epoch=None)
    assert isinstance(deliver_records(ledger, emulator), Ended)
    assert (ledger.load("k").state, ledger.load("k").collection.records) == (State.DELIVERED, 51)
    assert len(reads_of(emulator, store)) == 51 + BLOCK
    assert list(verify(open_delivered(ledger.load("k")), lambda _: None)) == []


def test_a_record_that_no_file_system_takes_costs_no_other_one(ledger, emulator, store, monkeypatch):
    publish = LocalSink.publish

    def refuse(self: LocalSink, file: BinaryIO, name: str) -> bool:
        if name.endswith("KEY-00007"):
            raise SinkError("The sink refuses: File name too long.")
        return publish(self, file, name)

    monkeypatch.setattr(LocalSink, "publish", refuse)
    with pytest.raises(SinkError):  # it is waited for
        deliver_records(ledger, emulator)
    ledger.change("k", Change(fields={"failures": SINK_TRIES}), states=set(State), epoch=None)
    assert isinstance(deliver_records(ledger, emulator), Ended)
    job = ledger.load("k")
    assert (job.state, job.collection.records, job.reason.code) == (State.PARTIAL, 50, Code.RECORD_UNREADABLE)
    assert "KEY-00007 can't be stored" in job.reason.message
