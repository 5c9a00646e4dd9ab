"""The project's own image as workers, a Redis container as broker, another for results, the emulator beside them."""

import gzip
import hashlib

import pytest
from pytest_celery import (
    CELERY_REDIS_BACKEND,
    CELERY_REDIS_BROKER,
    CeleryTestWorker,
    CeleryWorkerCluster,
    CeleryWorkerContainer,
    RedisContainer,
    RedisTestBackend,
    RedisTestBroker,
)
from pytest_docker_tools import container, fxtr, volume
from real_parts import TOKEN, Emulator

pytestmark = pytest.mark.timeout(600)  # the first test builds the image

EMULATOR_PORT = "8480/tcp"


class DurableRedis(RedisContainer):
    """The worker refuses a Redis without an append-only file."""

    @classmethod
    def command(cls, *args, **_):
        return ["redis-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction", *args]


class ActorlineWorker(CeleryWorkerContainer):
    @property
    def ready_prompt(self):
        return "worker_ready"


@pytest.fixture
def celery_broker(request):
    broker: RedisTestBroker = request.getfixturevalue(CELERY_REDIS_BROKER)
    yield broker
    broker.teardown()


@pytest.fixture
def celery_backend(request):
    backend: RedisTestBackend = request.getfixturevalue(CELERY_REDIS_BACKEND)
    yield backend
    backend.teardown()


def redis_container():
    return container(
        image="redis:7-alpine",
        command=DurableRedis.command(),
        network="{default_pytest_celery_network.name}",
        ports=DurableRedis.ports(),
        tmpfs={"/data": ""},  # the image's own volume would outlive the container
        wrapper_class=DurableRedis,
        timeout=180,
    )


default_redis_broker = redis_container()
default_redis_backend = redis_container()
emulator_container = container(
    image="{actorline_image}",
    command=["emulator", "--host", "0.0.0.0", "--port", "8480"],
    network="{default_pytest_celery_network.name}",
    ports={EMULATOR_PORT: ("127.0.0.1", None)},
    timeout=180,
)
rows = volume()


@pytest.fixture
def worker_environment(celery_worker_cluster_config, emulator_container):
    broker, backend = (
        celery_worker_cluster_config[f"celery_{kind}_cluster_config"]["urls"][0] for kind in ("broker", "backend")
    )
    return {
        "ACTORLINE_REDIS_URL": broker,
        "ACTORLINE_RESULTS_URL": backend,
        "ACTORLINE_LEDGER_URL": broker.removesuffix("/0") + "/2",
        "ACTORLINE_API_URL": f"http://{emulator_container.attrs['Config']['Hostname']}:8480",
        "ACTORLINE_API_ALLOW_HTTP": "true",
        "ACTORLINE_DATASET_LAG_SECS": "0.5",
        "APIFY_TOKEN": TOKEN,
    }


def worker_container(kind):
    return container(
        image="{actorline_image}",
        command=["worker", kind],
        environment=fxtr("worker_environment"),
        network="{default_pytest_celery_network.name}",
        volumes={"{rows.name}": {"bind": "/rows"}},
        wrapper_class=ActorlineWorker,
        timeout=180,
    )


control_container = worker_container("control")
fetch_container = worker_container("fetch")


@pytest.fixture
def celery_worker_cluster(control_container, fetch_container, celery_setup_app):
    cluster = CeleryWorkerCluster(
        *(CeleryTestWorker(each, celery_setup_app) for each in (control_container, fetch_container))
    )
    yield cluster
    cluster.teardown()


@pytest.fixture
def platform(emulator_container):
    return Emulator(f"http://127.0.0.1:{emulator_container.ports[EMULATOR_PORT][0]}")


def delivered_lines(container, key):
    """The rows in their order, as bytes, read from the shared volume."""
    parts = {name: body for name, body in container.get_files(f"/rows/{key}").items() if name.endswith(".jsonl.gz")}
    return b"".join(gzip.decompress(parts[name]) for name in sorted(parts))


def test_an_order_through_a_redis_container_delivers_every_row(celery_setup, platform, fetch_container):
    actor = platform.actor("containers", items=20_000, duration_secs=0.5)
    order = {"key": "containers", "actor": actor, "poll_interval_secs": 1}
    result = celery_setup.app.send_task("actorline.run", [order], queue="actorline").get(timeout=180)

    assert (result["state"], result["items"]) == ("DELIVERED", 20_000)
    expected = platform.get(f"/emulator/datasets/{result['dataset_id']}/expected")
    assert expected["count"] == 20_000
    assert hashlib.sha256(delivered_lines(fetch_container, "containers")).hexdigest() == expected["sha256"]
    assert [run["id"] for run in platform.runs()] == [result["run_id"]]


def test_a_stopped_worker_container_drains_and_ends_with_zero(celery_setup, fetch_container):
    fetch_container._container.stop(timeout=30)
    assert fetch_container._container.wait()["StatusCode"] == 0
