from unittest.mock import Mock

from actorline.delivery.sink import LocalSink
from actorline.jobs.states import State
from actorline.stages.reuse import find_delivery


def test_delivery_in_a_silent_sink_is_not_reused(make_job, monkeypatch, hang):
    monkeypatch.setattr(LocalSink, "exists", hang)
    ledger = Mock()
    ledger.now.return_value = 1_010.0
    ledger.load.return_value = make_job(state=State.DELIVERED, delivered_at=1_000.0, sink="file:///rows/earlier/")
    job = make_job(key="later", order={"actor": "apify/x", "reuse_secs": 60}, likeness="like")
    assert [find_delivery(ledger, job) for _ in range(3)] == [None, None, None]
    assert hang.call_count == 1
