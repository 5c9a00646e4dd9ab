"""`docker compose up` as a person does it, with the emulator instead of the platform."""

import base64
import json
import os
import re
import secrets
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from real_parts import ROOT, TOKEN, wait_for

pytestmark = pytest.mark.timeout(600)  # the first test builds the image

ORDER = """
import json, celery
password = open("/run/secrets/redis_password").read()
app = celery.Celery(broker=f"redis://:{password}@redis:6379/0", backend=f"redis://:{password}@redis:6379/1")
print(json.dumps(app.send_task("actorline.run", [json.loads(input())], queue="actorline").get(timeout=60)))
"""
PLACE = """
import json, celery
password = open("/run/secrets/redis_password").read()
app = celery.Celery(broker=f"redis://:{password}@redis:6379/0")
app.send_task("actorline.run", [json.loads(input())], queue="actorline")
"""
EXPECTED = "import urllib.request; print(urllib.request.urlopen('http://emulator:8480{}').read().decode())"
DELIVERED = """
import glob, gzip, hashlib
parts = sorted(glob.glob("/rows/compose/*.jsonl.gz"))
print(hashlib.sha256(b"".join(gzip.open(part).read() for part in parts)).hexdigest())
"""


@dataclass
class Project:
    """A compose project under a name of its own."""

    command: list[str]
    environment: dict[str, str]
    name: str
    flower_port: int
    gateway_port: int
    secrets: Path
    variables: Path

    def use_image(self, image: str) -> None:
        """Take another image from the next `up` on."""
        text = re.sub(r"(?m)^ACTORLINE_IMAGE=.*$", f"ACTORLINE_IMAGE={image}", self.variables.read_text())
        self.variables.write_text(text)

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            check=False,
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def python(self, service: str, code: str, *, stdin: str = "") -> str:
        return self("exec", "-T", service, "python", "-c", code, stdin=stdin).strip()

    def containers(self, *services: str) -> list[dict]:
        """What the engine knows of the project's containers, running or not."""
        ours = f"label=com.docker.compose.project={self.name}"
        ids = docker("ps", "--all", "--quiet", "--filter", ours).split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return [each for each in found if not services or service_of(each) in services]

    def is_healthy(self) -> bool:
        return all(status_of(each) in {"healthy", "running"} for each in self.containers())


def service_of(container: dict) -> str:
    return container["Config"]["Labels"]["com.docker.compose.service"]


def status_of(container: dict) -> str:
    """`healthy` or not where there is a healthcheck, else `running` or not."""
    state = container["State"]
    return state["Health"]["Status"] if "Health" in state else state["Status"]


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def compose(builder):
    has_plugin = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode == 0
    return ["docker", "compose"] if has_plugin else ["docker-compose"]


@pytest.fixture(scope="module")
def secret_files(tmp_path_factory):
    """What the first line of the instructions makes."""
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    make_secrets(folder, APIFY_TOKEN=TOKEN)
    with (folder / "settings.env").open("a") as file:
        file.write(
            "ACTORLINE_API_URL=http://emulator:8480\nACTORLINE_API_ALLOW_HTTP=true\nACTORLINE_RETENTION_DAYS=7\n"
        )
    with (folder / "workers.toml").open("a") as file:
        file.write(f'[accounts]\nshop = "{TOKEN}"\n')
    return folder


def make_secrets(folder, **environment):
    environment = {"PATH": os.environ["PATH"], "ACTORLINE_SECRETS": str(folder), **environment}
    return subprocess.run([ROOT / "secrets.sh"], check=False, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def project(actorline_image, builder, compose, secret_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose")
    with running_project(actorline_image, builder, compose, secret_files, folder, build="--build") as project:
        yield project


@contextmanager
def running_project(image, builder, compose, secret_files, folder, build="--no-build"):
    """The project of an image, healthy, with two fetch workers."""
    values = {
        "ACTORLINE_SECRETS": str(secret_files),
        "ACTORLINE_IMAGE": image,
        "FLOWER_PORT": free_port(),
        "GATEWAY_PORT": free_port(),
    }
    file = folder / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    name = f"actorline-test-{secrets.token_hex(4)}"
    project = Project(
        [*compose, "--env-file", str(file), "--project-name", name, "--profile", "try"],
        builder,
        name,
        values["FLOWER_PORT"],
        values["GATEWAY_PORT"],
        secret_files,
        file,
    )
    try:
        project("up", "--detach", build, "--scale", "fetch=2")
        wait_for(project.is_healthy, within=240, what="a healthy project")
        yield project
    finally:
        project("down", "--volumes", "--timeout", "30")


def state_of(project, key):
    return json.loads(project("exec", "-T", "control", "actorline", "show", key, "--json"))["state"]


def flower(project, path, password=None):
    request = urllib.request.Request(f"http://127.0.0.1:{project.flower_port}{path}")
    if password:
        request.add_header("Authorization", "Basic " + base64.b64encode(password.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_every_service_comes_up_as_often_as_asked_and_is_healthy(project):
    found = sorted((service_of(each), status_of(each)) for each in project.containers())
    assert found == [
        ("beat", "running"), ("control", "healthy"), ("emulator", "running"),
        ("fetch", "healthy"), ("fetch", "healthy"), ("flower", "healthy"), ("gateway", "healthy"),
        ("redis", "healthy"),
    ]  # fmt: skip


def test_a_service_gets_every_row_into_the_shared_volume(project):
    order = {"key": "compose", "actor": "demo/rows", "input": {"emulate": {"items": 20_000, "duration_secs": 1}}}
    result = json.loads(project.python("control", ORDER, stdin=json.dumps(order)))
    assert (result["state"], result["items"], result["sink"]) == ("DELIVERED", 20_000, "file:///rows/compose/")

    expected = json.loads(
        project.python("control", EXPECTED.format(f"/emulator/datasets/{result['dataset_id']}/expected"))
    )
    assert expected["count"] == 20_000
    for service in ("control", "fetch"):
        assert project.python(service, DELIVERED) == expected["sha256"]


def test_the_command_line_in_a_container_uses_the_stack(project):
    project("exec", "-T", "control", "actorline", "run", "demo/rows", "--key", "by-hand", "--json")
    rows = project("exec", "-T", "fetch", "actorline", "items", "by-hand")
    result = json.loads(project("exec", "-T", "fetch", "actorline", "show", "by-hand", "--json"))
    assert result["state"] == "DELIVERED"
    assert rows.count("\n") == result["items"] == 1000  # not splitlines: the rows hold U+2028


def test_settings_reach_all_services_and_tokens_only_workers(project):
    look = "from actorline.settings import load_settings as l; s = l(); print(s.retention_days, sorted(s.tokens))"
    for service in ("control", "fetch"):
        assert project.python(service, look) == "7 ['default', 'shop']"
    for service in ("beat", "flower", "gateway"):
        assert project.python(service, look) == "7 []"


def test_flower_asks_for_the_password(project):
    assert flower(project, "/") == 401
    assert flower(project, "/api/tasks") == 401
    assert flower(project, "/", "a:wrong") == 401
    assert flower(project, "/metrics") == 401
    assert flower(project, "/", project.secret("flower_login")) == 200


def http(project, path, *, key=None, order=None):
    """The response of the HTTP gateway: its status and body."""
    request = urllib.request.Request(f"http://127.0.0.1:{project.gateway_port}{path}")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    if order:
        request.data = json.dumps(order).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=70) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_gateway_orders_with_the_key_and_gives_the_rows(project):
    assert http(project, "/v1/jobs")[0] == 401
    order = {"key": "over-http", "actor": "demo/rows", "input": {"emulate": {"items": 500, "duration_secs": 0.5}}}
    assert http(project, "/v1/jobs", key=project.secret("gateway_key"), order=order)[0] == 202
    _, result = http(project, "/v1/jobs/over-http?wait=60", key=project.secret("gateway_key"))
    assert json.loads(result)["state"] == "DELIVERED"
    _, rows = http(project, "/v1/jobs/over-http/items", key=project.secret("gateway_key"))
    assert rows.count(b"\n") == 500


def test_a_service_gets_a_key_of_its_own(project):
    made = json.loads(
        project("exec", "-T", "control", "actorline", "keys", "create", "reader", "--scope", "read", "--json")
    )
    assert http(project, "/v1/jobs", key=made["key"])[0] == 200
    assert http(project, "/v1/jobs", key=made["key"], order={"actor": "x"})[0] == 403


def test_only_flower_and_gateway_are_published_on_loopback(project):
    published = {
        (service_of(container), binding["HostIp"])
        for container in project.containers()
        for bindings in container["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    }
    assert published == {("flower", "127.0.0.1"), ("gateway", "127.0.0.1")}


def test_no_process_of_ours_is_root(project):
    for container in project.containers("control", "fetch", "beat", "flower", "gateway", "emulator"):
        _, *lines = docker("top", container["Id"], "-eo", "pid,uid").splitlines()
        assert {line.split()[1] for line in lines} == {"10001"}, service_of(container)


def test_no_service_had_to_be_started_again(project):
    assert {service_of(each): each["RestartCount"] for each in project.containers() if each["RestartCount"]} == {}


def test_secrets_are_only_where_they_are_needed(project):
    holders = {
        service_of(container): {
            Path(mount["Destination"]).name
            for mount in container["Mounts"]
            if mount["Destination"].startswith("/run/secrets/")
        }
        for container in project.containers()
    }
    worker = {"redis_password", "apify_token", "workers_toml"}
    assert holders == {
        "redis": {"redis_password"}, "control": worker, "fetch": worker, "beat": {"redis_password"},
        "flower": {"redis_password", "flower_login"}, "gateway": {"redis_password", "gateway_key"}, "emulator": set(),
    }  # fmt: skip


def test_no_secret_is_in_an_environment_or_a_process_list(project):
    values = [file.read_text() for file in project.secrets.iterdir() if not file.suffix]
    assert len(values) == 5
    shown = docker("inspect", *(each["Id"] for each in project.containers()))
    shown += "".join(docker("top", each["Id"], "-eo", "pid,args") for each in project.containers())
    assert [value for value in values if value.rpartition(":")[2] in shown] == []


def test_redis_has_a_password_and_a_network_of_its_own(project):
    asked = project("exec", "-T", "redis", "redis-cli", "dbsize")
    assert "NOAUTH" in asked
    (redis,) = project.containers("redis")
    assert [name.removeprefix(f"{project.name}_") for name in redis["NetworkSettings"]["Networks"]] == ["ledger"]
    assert json.loads(docker("network", "inspect", f"{project.name}_ledger"))[0]["Internal"]


def test_no_container_may_do_more_than_it_needs(project):
    for container in project.containers():
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], service_of(container)
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert set(host["CapAdd"] or []) <= (
            {"CHOWN", "SETGID", "SETUID"} if service_of(container) == "redis" else set()
        )
        assert service_of(container) == "emulator" or (host["PidsLimit"] and host["Memory"])


def test_secrets_are_made_once_and_closed_to_other_users(tmp_path):
    folder = tmp_path / "secrets"
    assert make_secrets(folder).returncode == 2
    assert make_secrets(folder, APIFY_TOKEN=TOKEN).returncode == 0
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert made["apify_token"] == TOKEN
    assert {name for name in made if "." in name} == {"settings.env", "workers.toml"}
    assert {len(made[name]) for name in ("redis_password", "gateway_key")} == {48}
    assert folder.stat().st_mode & 0o077 == 0
    assert make_secrets(folder, APIFY_TOKEN="apify_api_other").returncode == 0
    assert {file.name: file.read_text() for file in folder.iterdir()} == made


def test_an_order_survives_a_stop_of_everything(project):
    order = {"key": "survivor", "actor": "demo/rows", "input": {"emulate": {"items": 500, "duration_secs": 8}}}
    project.python("control", PLACE, stdin=json.dumps(order))
    wait_for(lambda: state_of(project, "survivor") == "RUNNING", what="the run")
    project("stop", "--timeout", "30", "control", "fetch", "beat", "flower", "gateway", "redis")
    stopped = [each for each in project.containers() if service_of(each) != "emulator"]
    assert [service_of(each) for each in stopped if each["State"]["ExitCode"] != 0] == []

    project("start", "redis")
    project("start", "control", "fetch", "beat", "flower", "gateway")
    wait_for(lambda: state_of(project, "survivor") == "DELIVERED", within=240, what="the delivery")


def test_down_leaves_nothing(project):
    project("down", "--volumes", "--timeout", "30")
    ours = ("--quiet", "--filter", f"label=com.docker.compose.project={project.name}")
    assert docker("ps", "--all", *ours) + docker("volume", "ls", *ours) + docker("network", "ls", *ours) == ""
