"""A user of Redis with the rights that the operations guide names, and no others: everything works, none is missing."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from gateway_process import running_gateway
from real_parts import ROOT, Line, delivery_of, free_port, make_line, running_service, running_workers, wait_for
from terminal import running_valkey

from actorline.cli.attach import has_workers
from actorline.settings import load_settings

PASSWORD = "p@ss;w/rd#1"
pytestmark = pytest.mark.thorough


def documented_rights() -> list[str]:
    """The rules in the guide's `ACL SETUSER actorline ...`."""
    guide = (ROOT / "docs" / "operations.md").read_text()
    (rules,) = re.findall(r"^    ACL SETUSER actorline on >PASSWORD ((?:.*\\\n)*.*)$", guide, re.MULTILINE)
    return rules.replace("\\\n", " ").split()


@pytest.fixture
def admin(short_folder: Path) -> Iterator[redis.Redis]:
    """The administrator of a server whose only other user is `actorline`."""
    port = free_port()
    with running_valkey(short_folder, "--port", str(port), "--bind", "127.0.0.1"):
        with redis.Redis(port=port) as opened:
            opened.execute_command("ACL", "SETUSER", "admin", "on", ">admin", "+@all", "~*", "&*")
            opened.execute_command("ACL", "SETUSER", "actorline", "on", f">{PASSWORD}", *documented_rights())
            opened.execute_command("ACL", "SETUSER", "default", "off")
        with redis.Redis(port=port, username="admin", password="admin", decode_responses=True) as admin:
            yield admin


@pytest.fixture
def line(admin, emulator, tmp_path) -> Iterator[Line]:
    port = admin.connection_pool.connection_kwargs["port"]
    address = f"redis://actorline:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/5"
    line = make_line(address, emulator, tmp_path / "home", "actorline")
    of_service = make_line(f"redis://admin:admin@127.0.0.1:{port}/5", emulator, tmp_path / "service", "actorline")
    line.client.close()
    line = replace(line, client=of_service.client)
    with running_workers(line, "control", "fetch"), running_service(of_service, tmp_path):
        yield line
    of_service.client.close()


def test_everything_works_with_the_rights_of_the_guide(admin, line, emulator):
    actor = emulator.actor("rights", items=30, duration_secs=1, records={"OUTPUT": {"body": {"a": 1}}})
    document = {"key": "rights", "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 10}}
    ordered = line.submit(document)
    result = ordered.get(timeout=120)
    assert delivery_of(result).sha256 == emulator.expected(result["dataset_id"])["sha256"]

    chained = line.submit({**document, "key": "rights-2"}, link=line.client.signature("service.items", queue="celery"))
    assert chained.get(timeout=120)["items"] == 30

    endless = emulator.actor("rights-endless", duration_secs=600)
    revoked = line.submit({"key": "rights-3", "actor": endless, "poll_interval_secs": 1})
    wait_for(lambda: line.state("rights-3") == "RUNNING", what="the run")
    line.client.control.revoke(revoked.id)
    wait_for(lambda: line.state("rights-3") == "CANCELLED", what="the cancel")

    assert PASSWORD not in str(line.client.control.inspect(timeout=2).stats())
    with running_gateway(line) as gateway:
        assert gateway.delivered("rights-4", actor=actor)["items"] == 30
        assert gateway.http.get("/v1/jobs").status_code == 200
        assert gateway.http.get("/metrics").status_code == 200
    wait_for(lambda: has_workers(load_settings(redis_url=line.broker, home=line.home)), what="a worker that replies")
    denied = [
        {name: entry[name] for name in ("reason", "object", "username")}
        for entry in admin.acl_log()
        if entry["username"] == "actorline"
    ]
    assert denied == []
    assert set(admin.info("keyspace")) == {"db5", "db6", "db7"}


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "KEYS *", "CONFIG GET *", "SHUTDOWN", "SCRIPT FLUSH", "GET another", "EVAL x 1 a"]
)
def test_nothing_else_is_allowed(admin, command):
    reply = admin.execute_command("ACL", "DRYRUN", "actorline", *command.split())
    assert "no permissions" in str(reply).lower()
