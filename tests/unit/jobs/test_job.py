import pytest

from actorline.errors import Code, Reason
from actorline.jobs.job import FIELDS, StopWish
from actorline.jobs.job_result import JobResult
from actorline.jobs.progress import Pace, Progress
from actorline.jobs.states import TERMINAL, State
from actorline.jobs.times import iso_time

PACED = {
    "state": State.COLLECTING, "scanned": 3_000, "scanned_before": 1_000, "collecting_at": 100.0, "stored_at": 104.0,
    "items_total": 5_000,
}  # fmt: skip


def test_an_empty_field_of_the_ledger_is_none(make_job):
    job = make_job(run_id="", stop_wish="", sink="", patience="")
    assert (job.run.id, job.stop_wish, job.sink, job.care.patience_s) == (None, None, None, None)


def test_text_of_the_ledger_becomes_what_it_means(make_job):
    job = make_job(
        epoch="7",
        adopted="1",
        fresh="0",
        cost_usd="0.42",
        intent={"attempt": 2, "marker": "m", "at": 5.5},
        state="RUNNING",
    )
    assert (job.epoch, job.run.adopted, job.fresh, job.run.cost_usd, job.state) == (7, True, False, 0.42, State.RUNNING)
    assert job.intent
    assert (job.intent.attempt, job.intent.marker, job.intent.at, job.intent.sent_at) == (2, "m", 5.5, None)


def test_each_group_reads_its_own_fields_of_the_flat_hash(make_job):
    job = make_job(
        hash="h",
        run_id="r1",
        run_status="RUNNING",
        started_at="5.5",
        run_started_at="1970-01-01T00:00:05.000Z",
        collecting_at="9.5",
        bytes="7",
        resume="1",
        wanted="cancel",
        notice_at="8.5",
        notice_failures="2",
        patience="60",
        sent_at="4.5",
        resurrects="1",
    )
    run, collection, notice, care = job.run, job.collection, job.notice, job.care
    assert (job.document_hash, job.stop_wish, job.chances.resurrects) == ("h", StopWish.CANCEL, 1)
    assert (run.id, run.status, run.known_at, run.started_at) == ("r1", "RUNNING", 5.5, "1970-01-01T00:00:05.000Z")
    assert (collection.started_at, collection.byte_count) == (9.5, 7)
    assert (notice.due_at, notice.failures) == (8.5, 2)
    assert (care.is_planned, care.patience_s, care.sent_at) == (True, 60, 4.5)
    assert len(set(FIELDS)) == len(FIELDS)


def test_a_group_after_a_change_has_the_rest_as_before(make_job):
    asked = {"expected": 1, "at": 5.0, "finished_at": None}
    chances = make_job(resurrection=asked, resurrects=1).chances
    assert chances.after({"new_runs": 2}) == make_job(resurrection=asked, resurrects=1, new_runs=2).chances


@pytest.mark.parametrize("state", State)
def test_a_job_is_terminal_in_its_ends(make_job, state):
    assert make_job(state=state).is_terminal is (state in TERMINAL)


def test_the_deadline_counts_from_queued_at(make_job):
    assert make_job(order={"actor": "x", "deadline_secs": 90}).deadline_at == 1090
    assert make_job().deadline_at is None


@pytest.mark.parametrize(
    ("wanted", "deadline_secs", "now", "wish"),
    [
        ("", None, 9_999_999, None),
        ("", 90, 1_090, None),
        ("", 90, 1_090.1, "expire"),
        ("cancel", 90, 1_001, "cancel"),
        ("cancel", 90, 2_000, "cancel"),  # what somebody asked for explains the end better than the clock
        ("expire", 90, 1_001, "expire"),
    ],
)
def test_job_isnt_wanted_after_a_wish_or_its_deadline(make_job, wanted, deadline_secs, now, wish):
    job = make_job(stop_wish=wanted, order={"actor": "x", "deadline_secs": deadline_secs})
    assert job.stop_wish_at(now) == wish


def test_the_runs_folder_is_known_with_the_run(make_job):
    assert make_job(sink="file:///x/{run_id}/").sink_url == "file:///x/{run_id}/"
    assert make_job(sink="file:///x/{run_id}/", run_id="r1").sink_url == "file:///x/r1/"


def test_the_result_has_the_one_shape(make_job):
    reason = {"code": "run-failed", "message": "The run ended FAILED", "platform_type": None, "billed": True}
    job = make_job(
        order={"actor_task": "me/nightly", "key": "other"},
        state="PARTIAL",
        reason=reason,
        run_id="r1",
        actor_id="act1",
        dataset_id="d1",
        run_status="FAILED",
        sink="file:///x/",
        manifest="file:///x/manifest.json",
        manifest_sha256="ab",
        items=3,
        scanned=4,
        bytes=5,
        pages=1,
        cost_usd=0.5,
        started_at=1001.5,
        run_finished_at="2026-11-23T08:15:30+00:00",
        delivered_at=1003,
    )
    assert JobResult.of(job).model_dump(mode="json") == {
        "key": "k", "kind": "job", "state": "PARTIAL", "reason": reason,
        "actor": "act1", "target": {"actor_task": "me/nightly"},
        "run_id": "r1",
        "run_url": "https://console.apify.com/view/runs/r1", "run_status": "FAILED", "attempt": 1, "adopted": False,
        "dataset_id": "d1", "key_value_store_id": None, "sink": "file:///x/", "manifest": "file:///x/manifest.json",
        "items": 3, "scanned": 4, "bytes": 5, "pages": 1, "records": 0, "cost_usd": 0.5,
        "queued_at": "1970-01-01T00:16:40.000Z", "started_at": "1970-01-01T00:16:41.500Z",
        "run_finished_at": "2026-11-23T08:15:30+00:00", "delivered_at": "1970-01-01T00:16:43.000Z",
        "manifest_sha256": "ab", "waiting": None, "stopped": None, "broken": None, "changes": None,
    }  # fmt: skip


def test_a_run_of_an_emulator_has_no_page_in_the_console(make_job):
    assert JobResult.of(make_job(run_id="r1", no_console="1")).run_url is None
    assert JobResult.of(make_job(run_id="r1")).run_url == "https://console.apify.com/view/runs/r1"


def test_a_run_has_started_when_the_platform_says_so(make_job):
    seen = {"run_id": "r1", "started_at": 2000.0, "run_finished_at": "1970-01-01T00:16:40.000Z"}
    assert JobResult.of(make_job(**seen)).started_at == "1970-01-01T00:33:20.000Z"
    taken_over = make_job(**seen, run_started_at="1970-01-01T00:16:39.000Z")
    assert JobResult.of(taken_over).started_at == "1970-01-01T00:16:39.000Z"


def test_a_refused_order_has_a_result_of_the_same_shape(make_job):
    reason = Reason(
        code=Code.DOCUMENT_INVALID, message="The job document is refused. Nothing was started.", billed=False
    )
    refused = JobResult.refused("k", State.FAILED, reason).model_dump(mode="json")
    assert refused.keys() == JobResult.of(make_job()).model_dump().keys()
    assert (refused["attempt"], refused["items"], refused["run_id"], refused["queued_at"]) == (0, 0, None, None)


def test_progress_tells_the_callers_how_far_the_job_is(make_job):
    job = make_job(state="RUNNING", run_id="r1", run_status="RUNNING", items=5, items_total=9, cost_usd=0.1)
    assert Progress.of(job).model_dump(mode="json") == {
        "key": "k", "state": "RUNNING", "run_id": "r1", "run_status": "RUNNING", "items": 5, "items_total": 9,
        "pages": 0, "bytes": 0, "items_per_sec": None, "eta_secs": None, "cost_usd": 0.1,
    }  # fmt: skip


def test_a_job_that_collects_tells_its_rate_and_the_seconds_left(make_job):
    # what came while the run was running tells nothing
    assert Pace.of(make_job(**PACED)) == Pace(items_per_sec=500, eta_secs=4)
    assert Pace.of(make_job(**PACED | {"items_total": None})) == Pace(items_per_sec=500, eta_secs=None)
    limited = make_job(order={"actor": "x", "collect": {"limit": 3_500}}, **PACED)
    assert Pace.of(limited).eta_secs == 1
    assert Pace.of(make_job(**PACED | {"stored_at": None})) == Pace()
    assert Pace.of(make_job(**PACED | {"state": State.DELIVERED})) == Pace()


def test_times_are_written_as_the_platform_writes_them():
    assert iso_time(1_795_421_730.123) == "2026-11-23T08:15:30.123Z"
    assert iso_time(None) is None
