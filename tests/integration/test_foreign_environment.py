"""Variables that somebody else set for something else change nothing."""

import pytest
from terminal import Terminal

OTHERS = {
    "CELERY_BROKER_URL": "amqp://guest:guest@127.0.0.1:1//",
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/0",
    "BROKER_URL": "amqp://127.0.0.1:1//",
    "CELERY_LOADER": "shop.loaders:Loader",
    "CELERY_CONFIG_MODULE": "shop.celeryconfig",
    "DJANGO_SETTINGS_MODULE": "shop.settings",
    "APP": "shop",
    "ACTORLINE_SINK_URL": "",
    "ACTORLINE_RETENTION_DAYS": "",
    "APIFY_TOKEN_FILE": "",
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["ha#sh?per%41cent"])
def test_a_job_is_done_in_any_home_whatever_a_service_set(terminal: Terminal, name):
    terminal.home = terminal.folder / name
    terminal.environment |= OTHERS | {"ACTORLINE_HOME": str(terminal.home)}
    actor = terminal.emulator.actor("foreign-environment", items=10, duration_secs=0)
    done = terminal.run("--json", key="foreign", actor=actor).end()
    assert (done.code, done.json["items"]) == (0, 10)
    rows = terminal("items", "foreign")
    assert (rows.code, rows.out.count("\n")) == (0, 10)
