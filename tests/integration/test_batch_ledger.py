"""A batch's counters move with its members' own changes, whatever order these come in and however often."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorline.batches import listing
from actorline.batches.advance import BatchAdvancer
from actorline.batches.batch import FIELDS, Batch, BatchResult, load_batch
from actorline.batches.cancel import cancel_batch
from actorline.batches.document import parse_batch
from actorline.batches.inputs.input_file import InputFile
from actorline.batches.inputs.listed import listed_inputs
from actorline.batches.inputs.reading_places import ReadingPlaces
from actorline.batches.retry import retry_batch
from actorline.batches.store import BatchStore
from actorline.batches.submit import submit_batch
from actorline.budgets.reservation import ENDLESS, NANO, Count, Entry, Reservation, batch_budget
from actorline.errors import Overloaded
from actorline.identifiers import AccountName, ExecutionToken, JobKey
from actorline.jobs.document.parse import parse_document
from actorline.jobs.fields import NOW
from actorline.jobs.member_key import member_key
from actorline.jobs.sender import FROM_TERMINAL, Sender
from actorline.jobs.states import LIVE, TERMINAL, Event, State
from actorline.ledger.batches import BatchChange, NewBatch, NoPlaceInBatch
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import BEFORE_ALL, Cursor
from actorline.ledger.registration import NewJob
from actorline.ledger.store import connect
from actorline.ledger.stored_job import UnreadableJob
from actorline.orders.retry import retry_job
from actorline.settings import load_settings
from actorline.upkeep.old_jobs import forget_old_jobs
from actorline.upkeep.purge import Purge

ENDS = sorted(TERMINAL)
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def ledger(valkey):
    return Ledger(connect(valkey + "?virtual_host=3"), "batch-ledger")


def new_batch(ledger: Ledger, key: str) -> JobKey:
    """A batch whose inputs are stored."""
    document = parse_batch({"template": {"actor": "demo/x"}, "inputs": [{}]})
    order = NewBatch(JobKey(key), document.stored_text(), "hash", AccountName("default"), "file:///x/", listed=None)
    ledger.batches.register(order)
    ledger.batches.change(JobKey(key), BatchChange(to=State.RUNNING, fields={"inputs": 3}), states={State.QUEUED})
    return JobKey(key)


def make(ledger: Ledger, batch: JobKey, number: int) -> str:
    document = parse_document({"actor": "demo/x", "input": {"number": number}})
    order = NewJob(member_key(batch, number), document, "file:///y/", fresh=False, member=(batch, number))
    (registered,) = ledger.register([order], due_in_s=600)
    return registered.outcome


def found(ledger: Ledger, key: JobKey) -> Batch:
    batch = load_batch(ledger, key)
    assert batch is not None
    return batch


def test_cancelled_batch_gets_no_further_member(ledger):
    batch = new_batch(ledger, "no-more")
    assert (make(ledger, batch, 0), make(ledger, batch, 0)) == ("created", "joined")
    assert cancel_batch(ledger, batch, sender=FROM_TERMINAL)
    assert make(ledger, batch, 1) == "stopped"
    assert ledger.load(member_key(batch, 1)) is None
    assert ledger.batches.live_members(batch) == [member_key(batch, 0)]


def retried_batch(ledger: Ledger, name: str) -> tuple[JobKey, list[str]]:
    """A batch whose three members failed, and are to run again."""
    batch = new_batch(ledger, name)
    keys = [member_key(batch, number) for number in range(3)]
    for number, key in enumerate(keys):
        make(ledger, batch, number)
        ledger.change(key, Change(to=State.FAILED, fields={"ended_at": NOW}), epoch=None)
    ledger.batches.change(batch, BatchChange(to=State.FAILED, fields={"ended_at": NOW}), states={State.RUNNING})
    retry_batch(ledger, batch, sender=FROM_TERMINAL)
    return batch, keys


def test_batch_cancelled_during_its_retry_gets_no_member_back(ledger, tmp_path):
    batch, keys = retried_batch(ledger, "cancelled-in-between")
    settings = load_settings(home=tmp_path)

    def cancel_meanwhile(_: str) -> None:
        cancel_batch(ledger, batch, sender=FROM_TERMINAL)
        BatchAdvancer(ledger, settings, start=lambda _: None).advance(batch)

    BatchAdvancer(ledger, settings, start=cancel_meanwhile).advance(batch)
    assert ledger.batches.live_members(batch) == keys[:1]
    assert ledger.load(keys[0]).stop_wish == "cancel"


def test_member_returns_only_where_its_batch_has_room(ledger):
    batch, keys = retried_batch(ledger, "full")
    retry_job(ledger, keys[0], members_max=1, sender=FROM_TERMINAL)
    with pytest.raises(NoPlaceInBatch):
        retry_job(ledger, keys[1], members_max=1, sender=FROM_TERMINAL)
    assert ledger.batches.live_members(batch) == keys[:1]
    retry_job(ledger, keys[1], members_max=2, sender=FROM_TERMINAL)
    retry_job(ledger, keys[2], sender=FROM_TERMINAL)  # by hand: no batch waits for room
    assert ledger.batches.live_members(batch) == keys


def test_waiting_batch_says_what_for_and_until_when(ledger, tmp_path):
    batch = new_batch(ledger, "waits")
    for number in range(3):
        make(ledger, batch, number)
        held = Change(fields={"waiting_for": "budget", "waiting_until": 1_800_000_000})
        ledger.move(ledger.load(member_key(batch, number)), Event.HOLD, held)
    BatchAdvancer(ledger, load_settings(home=tmp_path), start=lambda _: None).advance(batch)
    waiting = found(ledger, batch)
    assert (waiting.state, waiting.waiting_for) == (State.WAITING, "budget")
    message = BatchResult.of(waiting).reason.message
    assert "budget, since 20" in message
    assert message.endswith("until 2027-01-15 08:00 UTC at the latest.")


def batch_of_a_key(ledger: Ledger, tmp_path: Path, key: str, **fields: object) -> JobKey:
    """A batch of three inputs, ordered with the API key `shop`."""
    sink = f"{tmp_path.as_uri()}/{key}/"
    document = parse_batch({"template": {"actor": "demo/x"}, "inputs": [{}, {}, {}]})
    sender = Sender("http", "shop")
    ledger.batches.register(NewBatch(JobKey(key), document.stored_text(), "hash", "default", sink, sender=sender))
    InputFile(sink).store("al-test", JobKey(key), lambda take: take(b"{}\n" * 3), "execution")
    change = BatchChange(to=State.RUNNING, fields={"inputs": 3, **fields})
    ledger.batches.change(JobKey(key), change, states={State.QUEUED})
    return JobKey(key)


def test_members_are_open_jobs_of_the_key_that_ordered(ledger, tmp_path):
    """Else a key with many batches has as many open jobs as it likes."""
    settings = load_settings(quotas={"open_jobs": 3}, home=tmp_path)
    advancer = BatchAdvancer(ledger, settings, start=lambda _: None)
    one, other = (batch_of_a_key(ledger, tmp_path, key) for key in ("open-one", "open-two"))
    for batch in (one, other, other):
        advancer.advance(batch)
    assert [found(ledger, batch).made for batch in (one, other)] == [3, 0]
    assert ledger.redis.scard(ledger.name("open", "shop")) == 3
    waiting = found(ledger, other)
    assert (waiting.state, waiting.waiting_for) == (State.WAITING, "quota")
    assert "its API key has as many open jobs as it may have" in BatchResult.of(waiting).reason.message
    assert [entry.event for entry in ledger.timeline.entries(other)].count("waiting") == 1
    assert 0 < ledger.redis.zscore(ledger.name("batch_due"), other) - ledger.now() <= 20
    for number, made in ((1, 1), (0, 2), (2, 3)):
        ledger.change(member_key(one, number), Change(to=State.FAILED, fields={"ended_at": NOW}), epoch=None)
        advancer.advance(other)
        assert (found(ledger, other).made, found(ledger, other).state) == (made, State.RUNNING)


def test_batch_waits_while_redis_has_no_room(ledger, tmp_path):
    batch = batch_of_a_key(ledger, tmp_path, "roomless")
    BatchAdvancer(ledger, load_settings(redis_max_mbytes=1, home=tmp_path), start=lambda _: None).advance(batch)
    waiting = found(ledger, batch)
    assert (waiting.made, waiting.state, waiting.waiting_for) == (0, State.WAITING, "overload")
    BatchAdvancer(ledger, load_settings(home=tmp_path), start=lambda _: None).advance(batch)
    assert (found(ledger, batch).made, found(ledger, batch).state) == (3, State.RUNNING)


SPLIT = {"input": {"pad": "ü" * 4_000, "u": list(range(1_000))}, "field": "u", "size": 1}


def test_split_takes_no_more_of_redis_than_was_sent(ledger, tmp_path):
    """Its inputs come to a thousand times as much."""
    raw = {"key": "cut", "template": {"actor": "demo/x"}, "split": SPLIT, "sink": {"url": f"{tmp_path.as_uri()}/cut/"}}
    settings = load_settings(home=tmp_path)
    submit_batch(raw, ledger=ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
    assert ledger.redis.memory_usage(ledger.name("batch", "cut"), samples=0) < 100_000
    places = ReadingPlaces(1)
    assert BatchStore(ledger, settings, "al-test", places).work(JobKey("cut"), ExecutionToken("execution"))
    assert list(InputFile(f"{tmp_path.as_uri()}/cut/").lines()) == listed_inputs(parse_batch(raw))
    assert not ledger.batches.has_field(JobKey("cut"), "split")


def test_new_batch_is_refused_where_redis_has_no_room(ledger, tmp_path):
    raw = {"key": "too-much", "template": {"actor": "demo/x"}, "inputs": [{}]}
    settings, full = (load_settings(redis_max_mbytes=size, home=tmp_path) for size in (1_000_000, 1))
    with pytest.raises(Overloaded, match="nearly full"):
        submit_batch(raw, ledger=ledger, settings=full, trusted=True, sender=FROM_TERMINAL)
    assert load_batch(ledger, JobKey("too-much")) is None
    assert submit_batch(raw, ledger=ledger, settings=settings, trusted=True, sender=FROM_TERMINAL).created
    assert not submit_batch(raw, ledger=ledger, settings=full, trusted=True, sender=FROM_TERMINAL).created


MOVES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["make", "end", "again", "rows", "cost"]), st.integers(0, 4)),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_counters_are_what_the_members_say(ledger, moves):
    batch = new_batch(ledger, f"counted-{next(NUMBERS)}")
    for number, move, value in moves:
        key = member_key(batch, number)
        match move:
            case "make":
                make(ledger, batch, number)
            case "end":
                change = Change(to=State(ENDS[value]), fields={"ended_at": NOW})
                ledger.change(key, change, epoch=None, states=LIVE)
            case "again":
                ledger.change(key, Change(to=State.QUEUED), epoch=None, states=TERMINAL)
            case "rows":
                fields = {"items": value * 10, "bytes": value * 1000, "records": value}
                ledger.change(key, Change(fields=fields), epoch=None, states=set(State))
            case "cost":
                ledger.change(key, Change(fields={"cost_usd": value / 7}), epoch=None, states=set(State))
    counted = found(ledger, batch)
    jobs = [job for number in range(3) if (job := ledger.load(member_key(batch, number)))]
    assert counted.live == len(ledger.batches.live_members(batch)) == sum(not job.is_terminal for job in jobs)
    assert counted.ended == {state: sum(job.state is state for job in jobs) for state in TERMINAL}
    assert counted.items == sum(job.collection.items for job in jobs)
    assert counted.bytes == sum(job.collection.byte_count for job in jobs)
    assert counted.records == sum(job.collection.records for job in jobs)
    assert counted.nano_usd == sum(round((job.run.cost_usd or 0) * 1e9) for job in jobs)
    assert counted.made == max((int(job.key[-6:]) + 1 for job in jobs), default=0)


def test_members_are_kept_as_long_as_their_batch(ledger):
    batch = new_batch(ledger, "kept")
    make(ledger, batch, 0)
    key = member_key(batch, 0)
    ledger.change(key, Change(to=State.FAILED, fields={"ended_at": NOW}), epoch=None)
    forget_old_jobs(ledger, retention_days=-1, limit=1000)
    assert ledger.load(key) is not None
    ended = BatchChange(to=State.FAILED, fields={"ended_at": "@now"})
    ledger.batches.change(batch, ended, states={State.RUNNING})
    forget_old_jobs(ledger, retention_days=-1, limit=1000)
    assert (load_batch(ledger, batch), ledger.load(key)) == (None, None)
    names = [name for name in ledger.redis.scan_iter(f"{ledger.namespace}:*") if "kept" in name]
    assert names == []


def test_batch_under_a_forgotten_key_has_all_of_its_budget(ledger):
    entry = Entry(budget=batch_budget("spent", 2).id, period=ENDLESS, limit_nano_usd=2 * NANO)
    for _ in range(2):
        batch = new_batch(ledger, "spent")
        make(ledger, batch, 0)
        member = ledger.load(member_key(batch, 0))
        reservation = Reservation(attempt=1, nano_usd=2 * NANO, entries=(entry,))
        assert ledger.move(member, Event.START, Change(fields={"reservation": reservation}))
        spent = {"cost_usd": 2.0, "figures_settled": True, "ended_at": NOW}
        ledger.change(member.key, Change(to=State.FAILED, fields=spent), epoch=None)
        assert ledger.budgets.read([entry]) == [Count(2 * NANO, 0)]
        ended = BatchChange(to=State.FAILED, fields={"ended_at": "@now"})
        ledger.batches.change(batch, ended, states={State.RUNNING})
        forget_old_jobs(ledger, retention_days=-1, limit=1000)


def test_unreadable_batch_keeps_no_other_from_being_forgotten(ledger):
    """As an older worker meets it that works beside a newer one."""
    newer, ended = new_batch(ledger, "newer"), new_batch(ledger, "beside-newer")
    ledger.redis.hset(ledger.name("batch", newer), "state", "RESTING")
    ledger.batches.change(ended, BatchChange(to=State.FAILED, fields={"ended_at": NOW}), states={State.RUNNING})
    with pytest.raises(UnreadableJob):
        load_batch(ledger, newer)
    purge = Purge(ledger, before=ledger.now() + 1, states=TERMINAL)
    assert [batch.key for batch in purge.batches() if batch.key == ended] == [ended]
    forget_old_jobs(ledger, retention_days=-1, limit=1000)
    assert (ledger.batches.exists(newer), ledger.batches.exists(ended)) == (True, False)
    ledger.batches.forget(newer)


def test_batches_behind_old_ones_that_live_are_forgotten(ledger):
    for key in ledger.batches.queued_before(ledger.now(), -1):
        ledger.batches.forget(key)
    now, day_s = ledger.now(), 86_400
    ends = {"aged-lives": None, "aged-ended-lately": now - day_s, "aged-over": now - 35 * day_s, "aged-late": now}
    for number, (key, ended_at) in enumerate(ends.items()):
        new_batch(ledger, key)
        if ended_at:
            ended = BatchChange(to=State.FAILED, fields={"ended_at": ended_at})
            ledger.batches.change(key, ended, states={State.RUNNING})
        ledger.redis.zadd(ledger.name("batches"), {key: now - (40 - number) * day_s})
    for _ in range(3):  # the second reaches the one that is over, the third begins anew
        forget_old_jobs(ledger, retention_days=30, limit=2)
    assert [key for key in ends if not ledger.batches.exists(key)] == ["aged-over"]
    over = BatchChange(to=State.FAILED, fields={"ended_at": now - 35 * day_s})
    ledger.batches.change("aged-lives", over, states={State.RUNNING})
    for _ in range(2):
        forget_old_jobs(ledger, retention_days=30, limit=2)
    assert [key for key in ends if ledger.batches.exists(key)] == ["aged-ended-lately", "aged-late"]


def test_batch_of_many_inputs_takes_a_few_kb_of_redis(ledger):
    batch = new_batch(ledger, "small")
    ledger.batches.change(batch, BatchChange(fields={"inputs": 500_000}), states={State.RUNNING})
    used = sum(ledger.redis.memory_usage(name) or 0 for name in ledger.redis.scan_iter(f"{ledger.namespace}:*:small*"))
    assert used < 4_000
    assert set(json.loads(found(ledger, batch).document.stored_text())) == {"template"}
    assert "listed" not in FIELDS


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_list_of_batches_names_only_those_it_shows(valkey, monkeypatch, limit):
    monkeypatch.setattr(listing, "BATCHES_SEEN_MAX", 2)
    ledger = Ledger(connect(valkey + "?virtual_host=3"), f"batch-list-{limit}")
    keys = [f"b{number:02}" for number in range(12)]
    for number, key in enumerate(keys):
        document = parse_batch({"template": {"actor": "demo/x"}, "inputs": [{}], "account": "ab"[number % 5 > 0]})
        account = AccountName(document.account)
        ledger.batches.register(NewBatch(key, document.stored_text(), "hash", account, "file:///x/", listed=None))
        ledger.redis.zadd(ledger.name("batches"), {key: 1_900_000_000 + number // 3 / 1_000_000})
    shown: list[str] = []
    cursors: list[Cursor | None] = [None]
    while len(cursors) == 1 or cursors[-1]:
        page = listing.list_batches(ledger, limit=limit, after=cursors[-1], accounts={"a"})
        shown += [batch.key for batch in page.batches]
        cursors.append(page.next and Cursor.parse(str(page.next)))
    ledger.redis.close()
    assert shown == ["b10", "b05", "b00"]
    assert len(set(cursors)) == len(cursors) - 1  # None begins and ends
    assert {cursor.key for cursor in cursors if cursor} <= {*shown, BEFORE_ALL}
