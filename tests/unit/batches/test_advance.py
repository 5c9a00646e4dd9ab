from unittest.mock import Mock

import pytest

from actorline.batches.advance import BatchAdvancer
from actorline.batches.batch import Batch
from actorline.batches.decision import Rest
from actorline.batches.document import parse_batch
from actorline.batches.inputs.input_file import InputFile
from actorline.jobs.document.lengths import STORED


@pytest.fixture
def advancer(monkeypatch):
    document = parse_batch({"template": {"actor": "demo/x"}, "inputs": [{}]}).stored_text()
    stored = {"hash": "h", "queued_at": 1_000, "sink": "file:///rows/b/", "inputs": 3, "document": document}
    batch = Batch.model_validate({"key": "b", "state": "RUNNING", **stored}, context=STORED)
    monkeypatch.setattr("actorline.batches.advance.load_batch", lambda *_: batch)
    ledger = Mock()
    ledger.now.return_value = 2_000.0
    return BatchAdvancer(ledger, Mock(), start=Mock())


def test_silent_sink_keeps_one_message_of_a_batch(advancer, monkeypatch, hang):
    monkeypatch.setattr(InputFile, "read", hang)
    assert [advancer.advance("b") for _ in range(3)] == [Rest(), Rest(), Rest()]  # upkeep takes it on in some seconds
    assert hang.call_count == 1
    advancer.ledger.register.assert_not_called()
