"""Rows that are paid for are delivered, whatever becomes of their comparison."""

from types import SimpleNamespace
from typing import Any

import pytest

from actorline.delivery.changes.find_changes import ChangesFinder, ComparisonFailed
from actorline.delivery.manifest import Manifest, totals_of
from actorline.delivery.read_back import DamagedDelivery
from actorline.delivery.sink import SinkError
from actorline.jobs.document.parse import parse_document
from actorline.jobs.step import LostJob
from actorline.stages.collect.comparison import ERROR_BYTES, NO_BASE, Comparison

WHOLE = Manifest(
    job="k", installation="al", attempt=1, target={}, run=None, dataset_id=None, query={}, format="jsonl",
    compression="gzip", parts=[], records=[], totals=totals_of([], []), state="DELIVERED", complete=True, reason=None,
)  # fmt: skip


def comparison(failures: int = 0) -> Comparison:
    document = parse_document({"actor": "a", "delta": {"key": ["url"]}})
    job: Any = SimpleNamespace(key="k", document=document, attempt=1, failures=failures, delta_base=NO_BASE)
    nothing: Any = None
    return Comparison(nothing, job, nothing, nothing)


@pytest.mark.parametrize(
    ("error", "failures"),
    [
        (ComparisonFailed("a row is nested too deeply"), 0),
        (DamagedDelivery("is missing"), 0),
        (OSError(28, "No space left on device"), 0),
        (SinkError("x" * 5_000), 2),
    ],
)
def test_rows_that_cannot_be_compared_are_delivered(monkeypatch, error, failures):
    monkeypatch.setattr(ChangesFinder, "find", _raising(error))
    manifest = comparison(failures).add_to(WHOLE)
    assert (manifest.complete, manifest.changes.counts) == (True, None)
    assert manifest.changes.error.startswith("The rows could not be compared: ")
    assert len(manifest.changes.error) <= ERROR_BYTES


@pytest.mark.parametrize("error", [SinkError("The sink doesn't respond."), LostJob()])
def test_what_may_pass_or_is_another_execution_s_is_not_the_end(monkeypatch, error):
    monkeypatch.setattr(ChangesFinder, "find", _raising(error))
    with pytest.raises(type(error)):
        comparison().add_to(WHOLE)


def test_rows_that_are_not_all_there_are_not_compared():
    partial = WHOLE.model_copy(update={"state": "PARTIAL", "complete": False})
    changes = comparison().add_to(partial).changes
    assert (changes.counts, "this one is PARTIAL" in changes.error) == (None, True)


def _raising(error: Exception) -> Any:
    def find(*_: object) -> None:
        raise error

    return find
