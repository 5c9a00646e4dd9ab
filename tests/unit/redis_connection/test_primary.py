import pytest
from redis.exceptions import ResponseError
from redis.sentinel import SentinelManagedSSLConnection

from actorline.isolated_celery import IsolatedCelery
from actorline.ledger.store import connect
from actorline.redis_connection.primary import Leaving, NotInService, PrimaryConnection, PrimaryTLSConnection
from workers.broker.fair_turns import SentinelChannel

UNBLOCKED = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"


class Refusing:
    def __init__(self, said: str) -> None:
        self.said = said
        self.closings = 0

    def read_response(self):
        raise ResponseError(self.said)

    def disconnect(self) -> None:
        self.closings += 1


@pytest.mark.parametrize(
    ("said", "closed"), [("NOREPLICAS Not enough good replicas to write.", 1), (UNBLOCKED, 1), ("WRONGTYPE", 0)]
)
def test_client_leaves_a_primary_that_is_out_of_service(said, closed):
    class Connection(Leaving, Refusing):
        pass

    connection = Connection(said)
    with pytest.raises(NotInService if closed else ResponseError):
        connection.read_response()
    assert connection.closings == closed


@pytest.mark.parametrize(("scheme", "kind"), [("sentinel", PrimaryConnection), ("sentinels", PrimaryTLSConnection)])
def test_ledger_broker_and_results_use_such_connections(scheme, kind):
    address = f"{scheme}://h/0?master=m"
    app = IsolatedCelery("x", broker=address, backend=address, settings={}, set_as_current=False)
    for client in (connect(address), app.backend.client):
        assert client.connection_pool.connection_class is kind
    assert (SentinelChannel.connection_class, SentinelChannel.connection_class_ssl) == (
        PrimaryConnection,
        PrimaryTLSConnection,
    )
    assert issubclass(PrimaryTLSConnection, SentinelManagedSSLConnection)
