"""The compose file lets every setting through, and bounds what it starts."""

from pathlib import Path

import pytest
import yaml

from actorline.settings import Settings
from actorline.settings_file import SETTINGS_FILE_VARIABLE

COMPOSE = yaml.safe_load((Path(__file__).parents[3] / "docker-compose.yml").read_text())
OWN = {
    "ACTORLINE_REDIS_URL", "ACTORLINE_REDIS_PASSWORD_FILE",  # its own Redis
    "APIFY_TOKEN_FILE", "ACTORLINE_GATEWAY_KEY_FILE", SETTINGS_FILE_VARIABLE,  # files of ./secrets
    "ACTORLINE_HOME",  # where ./schedules is
    "ACTORLINE_METRICS_PORT", "ACTORLINE_METRICS_HOST",  # where Prometheus finds workers
}  # fmt: skip
"""What the file sets itself, so that `settings.env` can't."""
SERVICES = ("control", "fetch", "beat", "flower", "gateway")


def variables_of(service):
    return set(COMPOSE["services"][service].get("environment", {}))


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_reaches_the_service(service):
    every = {f"ACTORLINE_{name.upper()}" for name in Settings.model_fields} | {"APIFY_TOKEN", "APIFY_TOKEN_FILE"}
    assert COMPOSE["services"][service]["env_file"].endswith("/settings.env")
    assert variables_of(service) & every <= OWN


def test_what_only_workers_may_know_is_theirs_alone():
    holders = {name for name, service in COMPOSE["services"].items() if "workers_toml" in service.get("secrets", ())}
    assert holders == {"control", "fetch"}
    assert {
        variables["ACTORLINE_SETTINGS"] for variables in (COMPOSE["services"][name]["environment"] for name in holders)
    } == {"/run/secrets/workers_toml"}


@pytest.mark.parametrize("service", ["beat", "gateway", "control"])
def test_schedules_are_read_where_they_are_asked_for(service):
    """By beat, by the gateway's page and its alert on late ones, and by commands in `control`."""
    home = COMPOSE["services"][service]["environment"]["ACTORLINE_HOME"]
    assert f"./schedules:{home}:ro" in COMPOSE["services"][service]["volumes"]


def test_logs_are_bounded_and_dead_services_come_back():
    for name, service in COMPOSE["services"].items():
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == "unless-stopped"


def test_every_service_is_closed_and_bounded():
    for name, service in COMPOSE["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"], name
        assert service["mem_limit"], name


def test_worker_that_hangs_is_killed_to_be_started_again():
    for name in ("control", "fetch"):
        service = COMPOSE["services"][name]
        assert service["healthcheck"]["test"][-2:] == ["--kill-after", "3"]
        assert service["init"]  # a worker that is process 1 can't be killed from inside
