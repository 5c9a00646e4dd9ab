import pytest

from actorline.isolated_celery import IsolatedCelery

OURS, THEIRS = "redis://ours:1/0", "redis://theirs:2/0"


@pytest.fixture(autouse=True)
def _somebody_elses_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL", "RESULT_BACKEND"):
        monkeypatch.setenv(f"CELERY_{name}", THEIRS)
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "no_such_module")
    monkeypatch.setenv("CELERY_LOADER", "no.such:Loader")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "mysite.settings")


def make_app() -> IsolatedCelery:
    settings = {"task_serializer": "json"}
    return IsolatedCelery("isolated", broker=OURS, backend=f"{OURS}1", settings=settings, set_as_current=False)


def test_addresses_are_those_given_not_the_environments():
    app = make_app()
    for connection in (app.connection(), app.connection_for_read(), app.connection_for_write(), app.pool.connection):
        assert (connection.hostname, connection.port) == ("ours", 1)
    assert app.backend.connparams["host"] == "ours"
    assert app.backend.connparams["db"] == 1
    app.close()


def test_no_module_of_another_project_is_loaded():
    app = make_app()
    assert app.conf.task_serializer == "json"
    app.loader.import_default_modules()
    assert app.fixups == []


def test_tls_is_verified_by_every_client():
    app = IsolatedCelery("tls", broker="rediss://h/0", backend="rediss://h/1", settings={}, set_as_current=False)
    assert app.connection().ssl["ssl_cert_reqs"].name == "CERT_REQUIRED"
    assert app.backend.connparams["ssl_cert_reqs"].name == "CERT_REQUIRED"
    assert app.conf.broker_use_ssl == {"ssl_cert_reqs": "required"}


def test_an_address_that_cannot_be_used_is_refused_at_once():
    with pytest.raises(ValueError, match="must begin with redis://"):
        IsolatedCelery("x", broker="amqp://h", backend=OURS, settings={}, set_as_current=False)
