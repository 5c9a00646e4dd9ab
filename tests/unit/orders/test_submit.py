import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import pytest

from actorline.errors import Code, Refused, Unavailable
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job_result import JobResult
from actorline.jobs.sender import FROM_TERMINAL, Sender
from actorline.jobs.states import State
from actorline.ledger.durability import NotDurable
from actorline.ledger.registration import NewJob, RegisterResult
from actorline.orders.submit import SINK_URL_MAX_CHARS, Submission, SubmittedJob, fill_sink, submit, submit_many
from actorline.settings import Settings, load_settings
from actorline.stages.ending import run_reason
from actorline.stages.watch.log_tail import shortened

JOB_OF_BEAT = "nightly@2026-11-23T02:00:00Z"
NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load_settings(home=tmp_path, sink_url=f"file://{tmp_path}/rows/{{key}}/")


class FakeLedger:
    """Takes an order as it is told to; the real one is tested with a real server."""

    def __init__(self, registered: RegisterResult | Exception) -> None:
        self.registered = registered
        self.orders: list[NewJob] = []

    def now(self) -> float:
        return NOON

    def load_many(self, keys: Sequence[str]) -> list[None]:
        return [None] * len(keys)

    def account(self, key: str) -> str | None:
        return "default" if key == JOB_OF_BEAT else None

    def register(self, orders: Sequence[NewJob], **_: Any) -> list[RegisterResult]:
        self.orders += orders
        if isinstance(self.registered, Exception):
            raise self.registered
        return [self.registered] * len(orders)


def order(raw: dict[str, Any], settings: Settings, registered: Any = None, *, trusted: bool = False) -> Any:
    ledger: Any = FakeLedger(registered or RegisterResult("created", "hash", State.QUEUED))
    return submit(raw, ledger=ledger, settings=settings, trusted=trusted, sender=FROM_TERMINAL), ledger.orders


@pytest.mark.parametrize(
    ("url", "filled"),
    [
        ("file:///srv/{key}/", "file:///srv/a:b@c+1/"),
        ("file:///srv/{date}/{key}", "file:///srv/2026-11-23/a:b@c+1/"),
        ("file:///srv/{run_id}/{key}-{key}/", "file:///srv/{run_id}/a:b@c+1-a:b@c+1/"),
        ("file:///srv/./x/../rows", "file:///srv/rows/"),
    ],
)
def test_the_sink_is_filled_once_and_the_run_is_left_open(settings, url, filled):
    document = parse_document({"actor": "x", "sink": {"url": url}})
    assert unquote(fill_sink(document, "a:b@c+1", NOON, settings)) == filled


def test_without_a_sink_the_rows_go_to_the_default_one(settings, tmp_path):
    assert fill_sink(parse_document({"actor": "x"}), "k", NOON, settings) == f"{tmp_path.as_uri()}/rows/k/"


@pytest.mark.parametrize("url", ["s3://id:secret@bucket/", "rows/", "file://[/", "file:///x?y", f"file:///{'ü' * 200}"])
def test_a_sink_that_cannot_be_used_is_refused(settings, url):
    with pytest.raises(Refused) as caught:
        fill_sink(parse_document({"actor": "x", "sink": {"url": url}}), "k", NOON, settings)
    assert caught.value.reason.code is Code.SINK_REFUSED
    assert "Nothing was started." in str(caught.value)


def test_the_longest_order_that_is_taken_has_a_result_under_4_kb(settings, make_job):
    url = "file:///" + "x" * (SINK_URL_MAX_CHARS - len("file:////"))
    sink = fill_sink(parse_document({"actor": "x", "sink": {"url": url}}), "k" * 200, NOON, settings)
    assert len(sink) == SINK_URL_MAX_CHARS
    reason = {"code": "sink-failed", "message": f"{sink} {'x' * 500}", "billed": True}
    job = make_job(
        order={"actor": f"{'a' * 100}/{'b' * 100}"},
        sink=sink,
        manifest=f"{sink}manifest.json",
        reason=reason,
        manifest_sha256="0" * 64,
    )
    assert len(JobResult.of(job).model_dump_json()) < 4_000


@pytest.mark.parametrize("letter", ["x", '"', "\u0436", "\u4ef7", "\U0001f600"])
def test_result_is_under_4_kb_in_whatever_script_its_run_writes(make_job, letter):
    job = make_job(
        key="k" * 200,
        order={"actor": f"{'a' * 60}/{'b' * 60}"},
        sink=f"file:///{'x' * 706}",
        manifest=f"file:///{'x' * 706}manifest.json",
        run_status="FAILED",
        run_message=letter * 500,
        run_log=shortened([letter * 300]),
        manifest_sha256="0" * 64,
    )
    result = JobResult.of(job).model_copy(update={"reason": run_reason(job.run)})
    assert len(json.dumps(result.model_dump(mode="json"))) < 4096


@pytest.mark.parametrize(
    ("sink", "roots", "taken"),
    [
        ({}, [], True),
        ({}, ["file:///srv/"], True),  # the operator's own default
        ({"url": "{home}/rows/_other/"}, [], True),
        ({"url": "{home}/rows/../other/"}, [], False),
        ({"url": "file:///srv/x/"}, [], False),
        ({"url": "file:///srv/x/"}, ["file:///opt/", "file:///srv/"], True),
        ({"url": "file:///srv-2/x/"}, ["file:///srv/"], False),
        ({"url": "{home}/rows/other/"}, ["file:///srv/"], False),
    ],
)
def test_a_service_may_name_only_a_sink_below_the_roots(tmp_path, sink, roots, taken):
    settings = load_settings(home=tmp_path, sink_roots=roots)
    sink = {name: value.replace("{home}", tmp_path.as_uri()) for name, value in sink.items()}
    raw = {"actor": "x", "key": "k", "sink": sink}
    if taken:
        assert len(order(raw, settings)[1]) == 1
    else:
        with pytest.raises(Refused, match=r"is outside the allowed roots. Nothing was started"):
            order(raw, settings)
    assert len(order(raw, settings, trusted=True)[1]) == 1


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    "url", ["{home}/", "{home}/rows/", "{home}/../", "file:///", "file:///srv/", "file:///srv/rows/"]
)
def test_a_folder_in_which_sinks_lie_is_no_sink(tmp_path, url, trusted):
    settings = load_settings(home=tmp_path, sink_roots=["file:///srv/rows/", f"{tmp_path.as_uri()}/other/"])
    raw = {"actor": "x", "sink": {"url": url.replace("{home}", tmp_path.as_uri())}}
    with pytest.raises(Refused, match=r"is the folder of all jobs' sinks. Nothing was started"):
        order(raw, settings, trusted=trusted)


def test_a_root_with_a_placeholder_opens_what_begins_with_it(tmp_path):
    settings = load_settings(home=tmp_path, sink_url="file:///srv/rows-{key}/")
    assert len(order({"actor": "x", "key": "mine", "sink": {"url": "file:///srv/rows-mine/"}}, settings)[1]) == 1
    for url in ("file:///srv/backups/", "file:///srv/rows-/", "file:///srv/rows-/../etc/"):
        with pytest.raises(Refused, match="outside the allowed roots"):
            order({"actor": "x", "sink": {"url": url}}, settings)


def test_each_account_has_a_root_of_its_own(tmp_path):
    settings = load_settings(home=tmp_path, sink_roots=["s3://rows/{account}/"])

    def sink(url: str, account: str) -> dict[str, object]:
        return {"actor": "x", "account": account, "sink": {"url": url}}

    assert len(order(sink("s3://rows/team-b/daily/", "team-b"), settings)[1]) == 1
    for url, account in [("s3://rows/team-b/x/", "default"), ("s3://rows/team-b/", "team-b"), ("s3://rows/", "team-b")]:
        with pytest.raises(Refused) as caught:
            order(sink(url, account), settings)
        assert caught.value.reason.code is Code.SINK_REFUSED


def test_only_beat_makes_a_due_times_job_others_may_join(settings):
    raw = {"actor": "x", "key": "nightly@2026-11-24T02:00:00Z"}
    with pytest.raises(Refused, match="only beat creates such a job") as caught:
        order(raw, settings)
    assert caught.value.reason.code is Code.DOCUMENT_INVALID
    assert len(order(raw, settings, trusted=True)[1]) == 1
    assert len(order({**raw, "key": JOB_OF_BEAT}, settings)[1]) == 1
    assert len(order({**raw, "key": "nightly@2026-11-24"}, settings)[1]) == 1


@pytest.mark.parametrize("inner", ["other/", "other/deep/", "other/../another/", "nightly@2026-11-24T02:00:00Z/"])
def test_a_service_takes_no_default_folder_of_another_key(settings, tmp_path, inner):
    raw = {"actor": "x", "key": "k", "sink": {"url": f"{tmp_path.as_uri()}/rows/{inner}"}}
    with pytest.raises(Refused, match="default folder of a job with another key") as caught:
        order(raw, settings)
    assert caught.value.reason.code is Code.SINK_REFUSED
    assert len(order(raw, settings, trusted=True)[1]) == 1


def test_an_order_without_a_key_gets_one_of_its_own(settings):
    first, orders = order({"actor": "x"}, settings)
    second, _ = order({"actor": "x"}, settings)
    assert first.key != second.key
    assert orders[0].fresh is True
    assert orders[0].sink.endswith(f"/{first.key}/")
    named, orders = order({"actor": "x", "key": "k"}, settings)
    assert (named, orders[0].fresh) == (SubmittedJob("k", created=True, state=State.QUEUED), False)


def test_an_order_may_join_a_job_that_has_ended(settings):
    joined, _ = order({"actor": "x", "key": "k"}, settings, RegisterResult("joined", "hash", State.DELIVERED))
    assert (joined.created, joined.has_ended) == (False, True)


def test_a_conflict_shows_both_hashes(settings):
    raw = {"actor": "x", "key": "k"}
    with pytest.raises(Refused) as caught:
        order(raw, settings, RegisterResult("conflict", "0" * 64, State.RUNNING))
    assert caught.value.reason.code is Code.CONFLICT
    assert "0" * 64 in str(caught.value)
    assert parse_document(raw).body_hash in str(caught.value)


def test_a_ledger_that_is_not_on_disk_takes_no_order(settings):
    with pytest.raises(Unavailable) as caught:
        order({"actor": "x"}, settings, NotDurable("Redis keeps no append-only file (appendonly no)"))
    assert caught.value.reason.code is Code.LEDGER_NOT_DURABLE
    assert "No run was started" in str(caught.value)


def test_a_bad_document_does_not_reach_the_ledger(settings):
    ledger: Any = FakeLedger(AssertionError("asked"))
    with pytest.raises(Refused):
        submit({"actor": 5}, ledger=ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
    assert ledger.orders == []


def test_of_many_orders_each_is_taken_or_refused_by_itself(settings):
    ledger: Any = FakeLedger(RegisterResult("created", "hash", State.QUEUED))
    first, second, third = submit_many(
        [
            Submission({"actor": "x", "key": "a"}, "made-1", FROM_TERMINAL),
            Submission({"actor": 5}, "made-2", FROM_TERMINAL),
            Submission({"actor": "x"}, "made-3", FROM_TERMINAL),
        ],
        ledger=ledger,
        settings=settings,
        trusted=True,
    )
    assert [first, third] == [SubmittedJob(key, created=True, state=State.QUEUED) for key in ("a", "made-3")]
    assert isinstance(second, Refused)
    assert [(order.key, order.fresh) for order in ledger.orders] == [("a", False), ("made-3", True)]


def test_only_bad_orders_do_not_reach_the_ledger(settings):
    ledger: Any = FakeLedger(AssertionError("asked"))
    taken = submit_many(
        [Submission({"actor": 5}, "made", FROM_TERMINAL)], ledger=ledger, settings=settings, trusted=True
    )
    assert [type(each) for each in taken] == [Refused]


def test_order_without_key_in_a_message_keeps_its_made_key(settings):
    ledger: Any = FakeLedger(RegisterResult("created", "hash", State.QUEUED))
    for task_id in ("task-1", "task-1", "task-2"):
        submit(
            {"actor": "x"},
            ledger=ledger,
            settings=settings,
            trusted=False,
            caller={"id": task_id},
            sender=FROM_TERMINAL,
        )
    first, again, other = ledger.orders
    assert first.key == again.key != other.key
    assert not first.fresh  # its message may come again after Redis has lost the job and its run


def test_refusal_that_asks_for_a_repeat_names_the_made_key(settings):
    ledger: Any = FakeLedger(NotDurable("no"))
    with pytest.raises(Unavailable) as raised:
        submit({"actor": "x"}, ledger=ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
    assert ledger.orders[0].key in str(raised.value)


@pytest.mark.parametrize(
    ("redis_url", "entrance", "is_refused"),
    [(None, "cli", True), (None, "http", True), ("redis://host/0", "celery", True), ("redis://host/0", "http", False)],
)
def test_parquet_without_its_library_is_no_job(settings, monkeypatch, redis_url, entrance, is_refused):
    monkeypatch.setattr("actorline.orders.parquet.has_parquet", lambda: False)
    there = settings.model_copy(update={"redis_url": redis_url})
    ledger: Any = FakeLedger(RegisterResult("created", "hash", State.QUEUED))
    raw = {"actor": "x", "collect": {"format": "parquet"}}
    if not is_refused:
        submit(raw, ledger=ledger, settings=there, trusted=True, sender=Sender(entrance))
        return
    with pytest.raises(Refused, match="Install actorline\\[parquet\\]") as refused:
        submit(raw, ledger=ledger, settings=there, trusted=True, sender=Sender(entrance))
    assert (refused.value.reason.code, ledger.orders) == (Code.FORMAT_REFUSED, [])


@pytest.mark.parametrize(
    ("api_url", "has_console"), [("https://api.apify.com", True), ("http://127.0.0.1:8480", False)]
)
def test_a_job_knows_whether_its_runs_are_in_the_console(settings, api_url, has_console):
    _, orders = order({"actor": "x"}, settings.model_copy(update={"api_url": api_url}))
    assert orders[0].has_console is has_console
