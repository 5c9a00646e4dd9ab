import shutil

import certifi
import pytest

from actorline.errors import SettingsError
from actorline.isolated_celery import IsolatedCelery
from actorline.ledger.store import connect
from actorline.messages import celery_arguments, send_line
from actorline.redis_connection.address import checked_address, next_database, with_password, with_sentinel_password
from actorline.redis_connection.sentinels import SentinelAddress
from actorline.settings import load_settings

HOSTS = [("one", 26379), ("two", 7), ("::1", 8)]


@pytest.fixture
def address(tmp_path) -> str:
    shutil.copy(certifi.where(), tmp_path / "ca.pem")
    url = f"sentinels://app@one,two:7,[::1]:8/4?master=orders&ssl_ca_certs={tmp_path}/ca.pem"
    return checked_address(with_sentinel_password(with_password(url, "p@ss;w/rd"), "s&cond"))


def test_broker_results_and_ledger_ask_the_same_sentinels(address, tmp_path):
    app = IsolatedCelery("x", broker=address, backend=next_database(address), settings={}, set_as_current=False)
    broker = app.connection()
    assert [part.partition("@")[2] for part in broker.alt] == ["one:26379/4", "two:7/4", "[::1]:8/4"]
    assert (broker.userid, broker.password, broker.virtual_host) == ("app", "p@ss;w/rd", "4")
    assert broker.ssl == {"ssl_ca_certs": f"{tmp_path}/ca.pem", "ssl_cert_reqs": "required"}
    for pool in (app.backend.client.connection_pool, connect(address).connection_pool):
        sentinels = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
        assert [(each["host"], each["port"]) for each in sentinels] == HOSTS
        assert {each["password"] for each in sentinels} == {"s&cond"}
        assert {each["ssl_ca_certs"] for each in sentinels} == {f"{tmp_path}/ca.pem"}
        kwargs = pool.connection_kwargs
        assert (pool.service_name, kwargs["username"], kwargs["password"]) == ("orders", "app", "p@ss;w/rd")
        assert kwargs["ssl_ca_certs"] == f"{tmp_path}/ca.pem"
    assert [app.backend.connparams["db"], SentinelAddress.parse(address).database] == [5, 4]


def test_settings_of_celery_are_kept_beside_the_sentinels(address):
    settings = {"broker_transport_options": {"visibility_timeout": 15}}
    app = IsolatedCelery("x", broker=address, backend=address, settings=settings, set_as_current=False)
    assert app.conf.broker_transport_options["visibility_timeout"] == 15
    assert app.conf.broker_transport_options["master_name"] == "orders"


def test_what_a_service_is_shown_is_python_and_masked(tmp_path):
    settings = load_settings(redis_url="sentinel://:hush@a,b/0?master=m&sentinel_password=quiet", home=tmp_path)
    assert send_line(settings) == (
        'Celery(broker="sentinel://:***@a:26379/0;sentinel://:***@b:26379/0", '
        'backend="sentinel://:***@a:26379/1;sentinel://:***@b:26379/1", '
        "broker_transport_options={'master_name': 'm', 'sentinel_kwargs': {'password': '***'}, 'socket_timeout': 5.0}, "
        "result_backend_transport_options={'master_name': 'm', 'sentinel_kwargs': {'password': '***'}}, "
        "redis_socket_timeout=5.0)"
        '.send_task("actorline.run", [document], queue="actorline").get()'
    )
    assert "hush" in send_line(settings, show_passwords=True)
    assert celery_arguments("redis://h/0", "redis://h/1") == {"broker": "redis://h/0", "backend": "redis://h/1"}


def test_celery_shows_no_password_of_servers_or_sentinels():
    url = "sentinel://u:hush@h1:1,h2:2/0?master=m&sentinel_password=quiet"
    app = IsolatedCelery("x", broker=url, backend=url, settings={}, set_as_current=False)
    shown = f"{app.conf.table()} {app.conf.humanize()} {app.connection().as_uri()} {app.backend.as_uri()}"
    assert [secret for secret in ("hush", "quiet") if secret in shown] == []


@pytest.mark.parametrize(
    ("settings", "replicas"),
    [
        ({"redis_url": "sentinel://h/0?master=m"}, 1),
        ({"redis_url": "sentinel://h/0?master=m", "durable_replicas": 2}, 2),
        ({"redis_url": "redis://h/0", "ledger_url": "sentinel://h/0?master=m"}, 1),
        ({"redis_url": "sentinel://h/0?master=m", "ledger_url": "redis://h/0"}, 0),
        ({"redis_url": "redis://h/0"}, 0),
    ],
)
def test_intents_are_on_a_replica_where_one_may_be_promoted(settings, replicas):
    assert load_settings(**settings).durable_replicas == replicas


def test_a_ledger_that_could_lose_intents_is_refused():
    with pytest.raises(SettingsError, match="ACTORLINE_DURABLE_REPLICAS: must be at least 1 with sentinels"):
        load_settings(redis_url="sentinel://h/0?master=m", durable_replicas=0)


def test_passwords_come_from_files(tmp_path):
    (tmp_path / "redis").write_text("p@ss\n")
    (tmp_path / "sentinel").write_text("s&cond\n")
    settings = load_settings(
        redis_url="sentinel://h/0?master=m",
        redis_password_file=tmp_path / "redis",
        sentinel_password_file=tmp_path / "sentinel",
    )
    assert settings.ledger == "sentinel://:p%40ss@h/2?master=m&sentinel_password=s%26cond"
