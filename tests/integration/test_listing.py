"""Lists of jobs, page by page, in a real ledger."""

import pytest
from real_parts import wait_for

from actorline.checks.installation import check_looks
from actorline.errors import Refused
from actorline.jobs.document.parse import parse_document
from actorline.jobs.states import State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries import listing
from actorline.ledger.queries.job_index import JobIndex
from actorline.ledger.queries.key_text import KeyText
from actorline.ledger.queries.listing import JOBS_A_BLOCK, Cursor, ListedJobs, list_jobs
from actorline.ledger.registration import NewJob
from actorline.ledger.store import connect

FINAL = (State.DELIVERED, State.FAILED, State.CANCELLED)


@pytest.fixture
def ledger(valkey, request):
    ledger = Ledger(connect(valkey + "?virtual_host=2"), f"list-{abs(hash(request.node.name))}")
    yield ledger
    ledger.redis.close()


def order(ledger: Ledger, *keys: str, **fields: object) -> None:
    """Jobs, each newer than the one before: of those that are registered together, some are of the same microsecond."""
    document = parse_document({"actor": "x", **fields})
    for key in keys:
        ledger.register([NewJob(key, document, "file:///rows/", fresh=False)], due_in_s=100)


def keys_of(page: ListedJobs) -> list[str]:
    return [job.key for job in page.jobs]


def all_pages(ledger: Ledger, limit: int, **wanted: object) -> list[str]:
    keys: list[str] = []
    after: Cursor | None = None
    while True:
        page = list_jobs(ledger, limit=limit, after=after, **wanted)  # type: ignore[arg-type]
        keys += keys_of(page)
        if page.next is None:
            return keys
        after = Cursor.parse(str(page.next))


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_pages_hold_every_job_once_over_all_states(ledger, limit):
    keys = [f"k{number}" for number in range(2 * JOBS_A_BLOCK + 5)]
    order(ledger, *keys)
    for number, key in enumerate(keys):
        if number % 3:
            ledger.change(key, Change(to=FINAL[number % 3]), epoch=None)
    assert all_pages(ledger, limit) == keys[::-1]
    assert all_pages(ledger, limit, states=[State.QUEUED]) == keys[::-3]


def test_jobs_that_change_between_pages_move_nothing(ledger):
    order(ledger, *"abcdef")
    first = list_jobs(ledger, limit=2)
    assert first.next
    order(ledger, "g")
    ledger.change("c", Change(to=State.FAILED), epoch=None)
    ledger.change("f", Change(to=State.FAILED), epoch=None)
    second = list_jobs(ledger, limit=10, after=first.next)
    assert (keys_of(first), keys_of(second)) == (["f", "e"], ["d", "c", "b", "a"])


def test_a_job_purged_between_pages_is_the_only_one_missed(ledger):
    order(ledger, *"abcd")
    first = list_jobs(ledger, limit=2)
    for key in "cb":
        job = ledger.load(key)
        assert job
        ledger.retention.forget(job)
    assert keys_of(list_jobs(ledger, limit=10, after=first.next)) == ["a"]


def test_labels_and_accounts_are_all_that_is_seen(ledger):
    order(ledger, "a", labels={"team": "x", "tier": "1"})
    order(ledger, "b", labels={"team": "x"}, account="Second")
    order(ledger, "c", labels={"team": "y", "tier": "1"})
    assert keys_of(list_jobs(ledger, limit=9, labels={"team": "x"})) == ["b", "a"]
    assert keys_of(list_jobs(ledger, limit=9, labels={"team": "x", "tier": "1"})) == ["a"]
    assert keys_of(list_jobs(ledger, limit=9, accounts={"second"})) == ["b"]
    assert keys_of(list_jobs(ledger, limit=9, accounts=set())) == []


def test_other_accounts_jobs_are_not_looked_at(ledger, monkeypatch):
    order(ledger, "mine", account="Small", labels={"team": "x"})
    order(ledger, *(f"k{number}" for number in range(3 * JOBS_A_BLOCK)))
    loaded, load_many = [], ledger.load_many
    monkeypatch.setattr(ledger, "load_many", lambda keys: loaded.extend(keys) or load_many(keys))
    listed = list_jobs(ledger, limit=1, accounts={"small"}, is_indexed=True)
    assert (keys_of(listed), loaded) == (["mine"], ["mine"])
    assert keys_of(list_jobs(ledger, limit=9, accounts={"small"}, labels={"team": "y"}, is_indexed=True)) == []


def test_an_accounts_index_follows_its_jobs(ledger):
    order(ledger, *"abc", account="Small")
    order(ledger, "d", account="other")
    ledger.change("b", Change(to=State.DELIVERED), epoch=None)
    for states, keys in (((State.QUEUED,), ["c", "a"]), ((State.DELIVERED,), ["b"]), (tuple(State), ["c", "b", "a"])):
        assert keys_of(list_jobs(ledger, limit=9, states=states, accounts={"small"}, is_indexed=True)) == keys
    job = ledger.load("b")
    assert job
    ledger.retention.forget(job)
    assert keys_of(list_jobs(ledger, limit=9, accounts={"small"}, is_indexed=True)) == ["c", "a"]
    assert ledger.redis.zcard(ledger.name("state", State.DELIVERED, "small")) == 0


def test_jobs_of_an_earlier_version_are_entered_once(ledger):
    order(ledger, *"ab", account="Small")
    ledger.redis.delete(ledger.name("state", State.QUEUED, "small"))
    index = JobIndex(ledger)
    index.complete(is_stopping=lambda: False)
    assert index.is_complete
    assert keys_of(list_jobs(ledger, limit=9, accounts={"small"}, is_indexed=True)) == ["b", "a"]


def test_completed_index_is_not_made_again_at_each_start(ledger, monkeypatch):
    order(ledger, *"ab", account="Small")
    JobIndex(ledger).complete(is_stopping=lambda: False)
    order(ledger, "newer", account="Small")
    looked_at, document_bytes = [], ledger.document_bytes
    monkeypatch.setattr(ledger, "document_bytes", lambda keys: looked_at.extend(keys) or document_bytes(keys))
    again = JobIndex(ledger)
    again.complete(is_stopping=lambda: False)
    assert again.is_complete
    assert looked_at == ["newer"]


def test_other_actors_jobs_are_not_looked_at(ledger, monkeypatch):
    order(ledger, "mine", "done", actor="user/small")
    order(ledger, "task", actor=None, actor_task="user~small")
    order(ledger, *(f"k{number}" for number in range(3 * JOBS_A_BLOCK)), actor="user/large")
    ledger.change("done", Change(to=State.DELIVERED), epoch=None)
    loaded, load_many = [], ledger.load_many
    monkeypatch.setattr(ledger, "load_many", lambda keys: loaded.extend(keys) or load_many(keys))
    for spelled in ("user/small", "user~small"):
        assert keys_of(list_jobs(ledger, limit=9, actor=spelled, is_indexed=True)) == ["task", "done", "mine"]
    ended = list_jobs(ledger, limit=9, actor="user/small", states=FINAL, accounts={"default"}, is_indexed=True)
    assert keys_of(ended) == ["done"]
    assert set(loaded) == {"mine", "done", "task"}
    assert keys_of(list_jobs(ledger, limit=9, actor="user/none", is_indexed=True)) == []


def test_other_labels_jobs_are_not_looked_at(ledger, monkeypatch):
    order(ledger, "mine", "done", labels={"team": "x", "shop": "a=b:c ž"})
    order(ledger, "half", labels={"team": "x"}, account="other")
    order(ledger, *(f"k{number}" for number in range(3 * JOBS_A_BLOCK)), labels={"team": "y"})
    ledger.change("done", Change(to=State.DELIVERED), epoch=None)
    loaded, load_many = [], ledger.load_many
    monkeypatch.setattr(ledger, "load_many", lambda keys: loaded.extend(keys) or load_many(keys))
    for wanted, keys in (
        ({"labels": {"team": "x"}}, ["half", "done", "mine"]),
        ({"labels": {"team": "x", "shop": "a=b:c ž"}}, ["done", "mine"]),
        ({"labels": {"team": "x"}, "states": FINAL, "accounts": {"default"}}, ["done"]),
        ({"labels": {"team": "x", "shop": "none"}}, []),
    ):
        assert keys_of(list_jobs(ledger, limit=9, is_indexed=True, **wanted)) == keys
    assert set(loaded) == {"mine", "done", "half"}


def test_indexes_have_jobs_of_an_earlier_version(ledger):
    order(ledger, *"ab", actor="user/name", labels={"team": "x"})
    ledger.redis.delete(ledger.name("actor", "user~name"), ledger.name("label", "team=x"))
    JobIndex(ledger).complete(is_stopping=lambda: False)
    for wanted in ({"actor": "user/name"}, {"labels": {"team": "x"}}):
        assert keys_of(list_jobs(ledger, limit=9, is_indexed=True, **wanted)) == ["b", "a"]


def test_an_actors_id_finds_jobs_ordered_by_its_name(ledger):
    order(ledger, "by-name", actor="user/name")
    ledger.change("by-name", Change(fields={"actor_id": "moJRLRc85AitArpNN"}), epoch=None)
    order(ledger, "by-id", actor="moJRLRc85AitArpNN")
    found = list_jobs(ledger, limit=9, actor="moJRLRc85AitArpNN", is_indexed=True)
    assert keys_of(found) == ["by-id", "by-name"]


def test_forgotten_jobs_leave_their_indexes(ledger):
    order(ledger, "a", actor="user/name", labels={"team": "x"})
    ledger.change("a", Change(to=State.FAILED), epoch=None)
    job = ledger.load("a")
    assert job
    ledger.retention.forget(job)
    assert not ledger.redis.exists(ledger.name("actor", "user~name"), ledger.name("label", "team=x"))


def test_list_by_label_and_account_reads_only_their_jobs(ledger, monkeypatch):
    order(ledger, *(f"k{number}" for number in range(20)))
    order(ledger, "elsewhere", labels={"team": "x"}, account="other")
    order(ledger, "wanted", labels={"team": "x", "shop": "2"})
    order(ledger, "other", labels={"team": "y"})
    read: list[str] = []
    load = ledger.load_many
    monkeypatch.setattr(ledger, "load_many", lambda keys: load(read.extend(keys) or keys))
    assert all_pages(ledger, 100, labels={"team": "x"}, accounts={"default"}) == read == ["wanted"]


def test_a_page_reads_so_many_bytes_and_says_where_to_go_on(ledger, monkeypatch):
    monkeypatch.setattr(listing, "JOBS_A_BLOCK_BYTES", 10_000)
    monkeypatch.setattr(listing, "MOST_BYTES", 20_000)
    labels = {f"a{number}": "x" * 200 for number in range(40)}
    order(ledger, *(f"k{number}" for number in range(10)), labels=labels)
    first = list_jobs(ledger, limit=10)
    assert len(first.jobs) == 3
    assert all_pages(ledger, 10) == [f"k{number}" for number in range(10)][::-1]


def test_a_page_reads_few_jobs_and_says_where_to_continue(ledger, monkeypatch):
    monkeypatch.setattr(listing, "SIFT_SECS", 0.0001)
    order(ledger, "wanted", labels={"team": "x"})
    order(ledger, *(f"k{number}" for number in range(3 * JOBS_A_BLOCK)))
    first = list_jobs(ledger, limit=5, labels={"team": "x"})
    assert first.jobs == []
    assert first.next
    assert all_pages(ledger, 5, labels={"team": "x"}) == ["wanted"]


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("at_once", [1, 3, 9])
def test_a_cursor_names_only_what_the_list_has_shown(ledger, monkeypatch, limit, at_once):
    monkeypatch.setattr(listing, "SIFT_SECS", 0)
    monkeypatch.setattr(listing, "KEYS_A_BLOCK", 4)
    keys = [f"k{number:02}" for number in range(24)]
    for number, key in enumerate(keys):
        order(ledger, key, account="default" if number % 5 else "other")
        at = 1_900_000_000 + number // at_once / 1_000_000
        ledger.redis.zadd(ledger.name("state", State.QUEUED), {key: at})
    shown: list[str] = []
    cursors: list[Cursor | None] = [None]
    while len(cursors) == 1 or cursors[-1]:
        page = list_jobs(ledger, limit=limit, after=cursors[-1], accounts={"other"})
        shown += keys_of(page)
        cursors.append(page.next and Cursor.parse(str(page.next)))
    assert shown == keys[::5][::-1]
    assert len(set(cursors)) == len(cursors) - 1  # None begins and ends
    assert {cursor.key for cursor in cursors if cursor} <= {*shown, listing.BEFORE_ALL}


@pytest.mark.parametrize(
    "text", ["", "x", "_k", "nan_k", "inf_k", "-1_k", "1e9_k", "1", "1." + "9" * 10 + "_k", "\u0663_k"]
)
def test_a_cursor_that_no_list_gave_is_refused(text):
    with pytest.raises(Refused, match="cursor"):
        Cursor.parse(text)


def test_a_cursor_is_the_same_after_a_journey():
    cursor = Cursor(1763900000.123456, "a_b@c")
    assert Cursor.parse(str(cursor)) == cursor


def test_a_part_of_a_key_is_found_in_any_jobs(ledger, monkeypatch):
    order(ledger, "shop-[1]*-a", *(f"k{number}" for number in range(30)), "shop-[1]*-b", account="Small")
    ledger.change("shop-[1]*-a", Change(to=State.DELIVERED), epoch=None)
    for named_most in (500, 1):  # a rare text, and one that many keys have
        monkeypatch.setattr(listing, "NAMED_MOST", named_most)
        assert all_pages(ledger, 1, text="[1]*") == ["shop-[1]*-b", "shop-[1]*-a"]
        assert all_pages(ledger, 9, text="p-[1]", states=[State.DELIVERED]) == ["shop-[1]*-a"]
        assert all_pages(ledger, 9, text="k2", accounts={"small"}, actor="other") == []


def test_keys_in_a_process_follow_the_ledger(ledger):
    order(ledger, "prices-1", "prices-2", "rows-1")
    keys = KeyText(ledger)
    assert sorted(wait_for(lambda: keys.find("prices", most=9), what="the keys")) == ["prices-1", "prices-2"]
    order(ledger, "prices-3")
    ledger.redis.zadd(ledger.name("state", State.DELIVERED), {"prices-0": 1_000.5})  # as an import adds it
    ledger.change("prices-1", Change(to=State.DELIVERED), epoch=None)
    order(ledger, "prices-4")
    found = wait_for(lambda: keys.find("rices-", most=9), what="the keys, read anew")
    assert {"prices-0", "prices-1", "prices-3", "prices-4"} <= found.keys()
    assert found["prices-0"] == 1_000.5
    assert keys.find("prices", most=2) is None
    assert keys.find("100", most=9) == {}  # of a time
    assert [job.key for job in list_jobs(ledger, limit=9, text="prices", keys=keys).jobs] == [
        "prices-4", "prices-3", "prices-2", "prices-1",
    ]  # fmt: skip


def test_jobs_of_an_actor_are_found_by_each_of_its_names(ledger):
    order(ledger, "by-name", actor="user/crawler")
    order(ledger, "by-other-name", actor="user~crawler")
    order(ledger, "label", actor="x/y", labels={"actor": "user/crawler"})
    ledger.change("label", Change(fields={"actor_id": "Id17"}), epoch=None)
    for name in ("user/crawler", "user~crawler"):
        assert all_pages(ledger, 9, actor=name) == ["by-other-name", "by-name"]
    assert all_pages(ledger, 9, actor="Id17") == ["label"]


def test_runs_that_cant_be_looked_at_for_minutes_are_named(ledger):
    order(ledger, "well", "hiccup", "ended", "mute", "unstopped", poll_interval_secs=5)
    for key, state, failures in (
        ("well", State.RUNNING, 0),
        ("hiccup", State.RUNNING, 24),
        ("ended", State.FAILED, 99),
        ("mute", State.RUNNING, 25),
        ("unstopped", State.ABORTING, 25),
    ):
        ledger.change(key, Change(to=state, fields={"failures": failures}), epoch=None)
    (finding,) = check_looks(ledger)
    assert not finding.is_good
    assert finding.text.startswith("looks at the runs of unstopped, mute have failed for minutes")
    ledger.change("mute", Change(fields={"failures": 0}), epoch=None)
    ledger.change("unstopped", Change(fields={"failures": 0}), epoch=None)
    assert [*check_looks(ledger)] == []
