"""A step without a message of its own: Flower shows it, and revoking its id means the job."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.shell import shown_step
from tasks.shell.shown_step import listeners, shown

TASK: Any = SimpleNamespace(request=SimpleNamespace(id="1", root_id="0"))


@pytest.fixture
def worker(monkeypatch):
    """Lend a worker's events, and note what is sent and which ids are remembered."""
    sent: list[dict[str, Any]] = []
    named: list[str] = []

    def make(**fields: Any) -> Any:
        dispatcher = SimpleNamespace(
            send=lambda kind, **of: sent.append({"kind": kind, **of}),
            **{"enabled": True, "groups": set(), "pid": os.getpid(), **fields},
        )
        monkeypatch.setattr(listeners, "dispatcher", dispatcher)
        callers = SimpleNamespace(name_tasks=lambda _, ids: named.extend(ids))
        monkeypatch.setattr(shown_step, "ledger", lambda: SimpleNamespace(callers=callers))
        return SimpleNamespace(sent=sent, named=named)

    return make


@pytest.mark.parametrize("groups", [set(), {"worker", "task"}])
def test_a_step_is_shown_as_a_task_that_can_be_revoked(worker, groups):
    seen = worker(groups=groups)
    with shown(TASK, "fetch_page", "k", "(key=k, page=0)"):
        assert [event["kind"] for event in seen.sent] == ["task-received", "task-started"]
    first, _, last = seen.sent
    assert (first["name"], first["args"], first["parent_id"]) == ("actorline.fetch_page", "(key=k, page=0)", "1")
    assert (last["kind"], {event["uuid"] for event in seen.sent}) == ("task-succeeded", set(seen.named))


def test_a_step_that_breaks_off_is_shown_as_over(worker):
    seen = worker()
    with pytest.raises(KeyError), shown(TASK, "finish_job", "k", "(key=k)"):
        raise KeyError
    assert seen.sent[-1]["kind"] == "task-succeeded"


@pytest.mark.parametrize("fields", [{"groups": {"worker"}}, {"enabled": False}, {"pid": 1}])
def test_nothing_is_sent_while_nobody_listens(worker, fields):
    seen = worker(**fields)
    with shown(TASK, "fetch_page", "k", "(key=k, page=0)"):
        pass
    assert (seen.sent, seen.named) == ([], [])
