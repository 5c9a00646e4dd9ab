from types import SimpleNamespace

import pytest

from workers.broker.heartbeat import Heartbeat


@pytest.mark.parametrize("timeout_s", [5, 15, 600])
def test_messages_are_renewed_several_times_within_the_timeout(timeout_s):
    options = {"visibility_timeout": timeout_s}
    consumer = SimpleNamespace(app=SimpleNamespace(conf=SimpleNamespace(broker_transport_options=options)))
    assert timeout_s / 5 <= Heartbeat(consumer).every_s <= timeout_s / 3
