import pytest

from actorline.budgets.reservation import NANO
from actorline.errors import Code, Refused
from actorline.jobs.allowance import allowance_of
from actorline.jobs.document.parse import parse_document
from actorline.jobs.rights import EVERYTHING, Rights, Scope
from actorline.jobs.sender import Sender

DEFAULT = frozenset({Scope.SUBMIT, Scope.READ, Scope.CANCEL})
SHOP = frozenset({"apify~web-scraper", "aYG0l9s7dbB7j3gbS"})
FULL = {"force_permission_level": "FULL_PERMISSIONS"}


def rights(*scopes: Scope, **limits: object) -> Rights:
    return Rights(scopes=DEFAULT | set(scopes), **limits)


@pytest.mark.parametrize(
    ("given", "document"),
    [
        (rights(), {"actor": "a/b"}),
        (rights(), {"actor_task": "a/b"}),
        (rights(), {"actor": "a/b", "options": {"force_permission_level": "LIMITED_PERMISSIONS"}}),
        (rights(Scope.FULL_PERMISSIONS), {"actor": "a/b", "options": FULL}),
        (rights(Scope.COLLECT), {"run_id": "r"}),
        (rights(Scope.COLLECT, max_usd_per_run=1), {"dataset_id": "d"}),
        (rights(Scope.COLLECT, Scope.CANCEL_ANY), {"run_id": "r", "own": True}),
        (rights(actors=SHOP), {"actor": "apify/web-scraper"}),
        (rights(actors=SHOP), {"actor": "apify~web-scraper"}),
        (rights(actors=SHOP), {"actor": "aYG0l9s7dbB7j3gbS"}),
        (rights(max_usd_per_run=5), {"actor": "a/b", "options": {"max_total_charge_usd": 5}}),
        (EVERYTHING, {"run_id": "r", "own": True}),
    ],
)
def test_order_that_the_rights_cover_is_allowed(given, document):
    given.check(parse_document(document))


@pytest.mark.parametrize(
    ("given", "document", "words"),
    [
        (rights(), {"run_id": "r"}, "scope collect"),
        (rights(), {"dataset_id": "d"}, "scope collect"),
        (Rights(scopes=frozenset({Scope.COLLECT})), {"actor": "a/b"}, "scope submit"),
        (rights(), {"actor": "a/b", "options": FULL}, "scope full-permissions"),
        (rights(Scope.COLLECT), {"run_id": "r", "own": True}, "scope cancel-any"),
        (rights(Scope.COLLECT, Scope.CANCEL_ANY, actors=SHOP), {"run_id": "r", "own": True}, "no limit of Actors"),
        (rights(actors=SHOP), {"actor": "apify/web-scraper-2"}, "does not cover the actor apify/web-scraper-2"),
        (rights(actors=SHOP), {"actor": "~web-scraper"}, "does not cover"),
        (rights(actors=SHOP, actor_tasks=frozenset()), {"actor_task": "apify/web-scraper"}, "no actor_task at all"),
        (rights(max_usd_per_run=5), {"actor": "a/b"}, "needs options.max_total_charge_usd in each order: at most 5"),
        (rights(max_usd_per_run=5), {"actor": "a/b", "options": {"max_total_charge_usd": 5.01}}, "up to 5, not 5.01"),
        (rights(max_usd_per_day=2), {"actor": "a/b"}, "at most 2"),
        (rights(max_usd_per_run=5, max_usd_per_day=2), {"actor": "a/b", "options": {"max_total_charge_usd": 3}}, "2"),
    ],
)
def test_order_beyond_the_rights_is_refused(given, document, words):
    with pytest.raises(Refused) as caught:
        given.check(parse_document(document))
    assert caught.value.reason.code is Code.FORBIDDEN
    assert words in str(caught.value)
    assert "Nothing was started." in str(caught.value)


def test_order_takes_of_its_keys_day_what_all_its_runs_may_cost():
    document = parse_document(
        {
            "actor": "a/b",
            "options": {"max_total_charge_usd": 0.1},
            "on_failure": {"new_runs": 2},
        }
    )
    sender = Sender("http", "shop", None, rights(max_usd_per_day=1))
    allowance = allowance_of(sender, document)
    assert allowance is not None
    assert (allowance.holder, allowance.nano_usd, allowance.limit_nano_usd) == ("shop", 3 * NANO // 10, NANO)
    assert allowance_of(Sender("http", "shop", None, rights()), document) is None


def test_account_is_seen_in_any_case():
    assert Rights(accounts=frozenset({"default"})).sees("Default")
    assert not Rights(accounts=frozenset({"default"})).sees("other")
