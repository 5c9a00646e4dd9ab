import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from hypothesis import HealthCheck, settings

from actorline.jobs.document.parse import parse_document
from actorline.jobs.fields import STORED_AS
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.logs import _BEFORE_THE_FIRST_LINE
from actorline.stages import silent_sink

# a machine that is busy is no bug, and the same commit has the same result each time
settings.register_profile("unit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command run in this process logs warnings only, which is not for the tests after it."""
    yield
    _BEFORE_THE_FIRST_LINE.clear()
    structlog.reset_defaults()


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mock]:
    """A call that a sink doesn't return from. No stage waits for it for long."""
    monkeypatch.setattr(silent_sink, "_overdue", {})
    monkeypatch.setitem(silent_sink.soon.__kwdefaults__, "within_s", 0.05)
    release = threading.Event()
    yield Mock(side_effect=lambda *_: release.wait(5))
    release.set()


@pytest.fixture
def make_job() -> Callable[..., Job]:
    """A job as the ledger would load it; `order` are fields of its document."""

    def make(*, order: dict[str, Any] | None = None, **fields: Any) -> Job:
        document = parse_document(order or {"actor": "apify/x"})
        stored = {STORED_AS.get(name, name): _stored(value) for name, value in fields.items()}
        known = {"key": "k", "hash": document.body_hash, "state": State.QUEUED, "epoch": 1, "attempt": 1}
        known |= {"queued_at": 1000.0, "document": document.model_dump_json(exclude={"input"})}
        return Job.read({name: value for name, value in (known | stored).items() if value not in (None, "")})

    return make


def _stored(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value
