"""Which bases are refused before anything is in the ledger."""

from types import SimpleNamespace
from typing import Any

import pytest

from actorline.errors import Code, Refused
from actorline.jobs.document.parse import parse_document
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL, Sender
from actorline.jobs.states import State
from actorline.orders.delta import check_base, check_comparison
from actorline.settings import load_settings


class FakeLedger:
    def __init__(self, **jobs: Any) -> None:
        self._jobs = jobs

    def account(self, key: str) -> str | None:
        return "default" if key in self._jobs else None

    def load(self, key: str) -> Any:
        return self._jobs.get(key)


def job(state: str = "DELIVERED", **fields: Any) -> Any:
    return SimpleNamespace(state=State(state), document=parse_document({"actor": "a", **fields}))


LEDGER: Any = FakeLedger(
    good=job(),
    running=job("RUNNING"),
    partial=job("PARTIAL"),
    table=job(collect={"format": "csv"}),
    empty=job(collect={"dataset": False}),
    other=job(account="other"),
)
READER = Sender("http", "reader", rights=Rights(accounts=frozenset({"default"})))


def check(base: str, *, key: str = "new", sender: Sender = FROM_TERMINAL, **fields: Any) -> None:
    check_base(parse_document({"actor": "a", "delta": {"key": ["url"], "base": base}, **fields}), key, LEDGER, sender)


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ("new", "it is the job itself"),
        ("nobody", "no job has the key nobody"),
        ("running", "is RUNNING"),
        ("partial", "is PARTIAL"),
        ("table", "delivered csv"),
        ("empty", "delivered no rows"),
        ("last", "belongs to no schedule and has no label"),
    ],
)
def test_a_base_that_cannot_be_compared_with_is_refused(base, why):
    with pytest.raises(Refused, match=why) as refused:
        check(base)
    assert refused.value.reason.code == Code.DOCUMENT_INVALID
    assert "Nothing was started." in str(refused.value)


def test_a_base_of_another_account_is_unknown_to_an_api_key():
    check("other")
    with pytest.raises(Refused, match="no job has the key other"):
        check("other", sender=READER)


def test_an_order_that_joins_its_job_needs_no_base_any_more():
    check("nobody", key="good")


def test_an_api_key_that_must_not_read_gets_no_rows_of_before():
    document = parse_document({"actor": "a", "delta": {"key": ["url"]}})
    blind = Sender("http", "blind", rights=Rights(scopes=frozenset({Scope.SUBMIT})))
    with pytest.raises(Refused, match="needs the scope read") as refused:
        check_comparison(document, load_settings(), blind)
    assert refused.value.reason.code == Code.FORBIDDEN


def test_a_comparison_without_its_library_is_refused(monkeypatch):
    monkeypatch.setattr("actorline.orders.delta.has_comparison", lambda: False)
    with pytest.raises(Refused, match=r"Install actorline\[delta\]"):
        check_comparison(parse_document({"actor": "a", "delta": {"key": ["url"]}}), load_settings(), FROM_TERMINAL)
    check_comparison(parse_document({"actor": "a"}), load_settings(), FROM_TERMINAL)
