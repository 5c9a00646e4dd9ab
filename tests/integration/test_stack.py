"""`actorline up`: one embedded stack for all, in a Django project's folder, that starts again what dies."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from celery import Celery
from real_parts import TOKEN, delivery_of, wait_for
from terminal import Running, Terminal

pytestmark = pytest.mark.thorough

CANARY = "canary-in-the-input"


@dataclass(frozen=True)
class Up:
    """A stack that `actorline up` keeps up."""

    command: Running
    order_line: str
    flower: str
    login_of: Path

    @property
    def login(self) -> str:
        return self.login_of.read_text().strip()

    def has_flower(self) -> bool:
        try:
            return self.get("/healthcheck").is_success
        except httpx.TransportError:
            return False

    def read(self, path: str) -> str:
        return self.get(path, auth=tuple(self.login.split(":"))).raise_for_status().text

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.flower + path, timeout=60, **options)

    def tasks(self) -> list[dict[str, Any]]:
        """The rows of Flower's table of tasks."""
        query = "draw=1&start=0&length=500&order%5B0%5D%5Bcolumn%5D=0&columns%5B0%5D%5Bdata%5D=name"
        return json.loads(self.read(f"/tasks/datatable?{query}"))["data"]


def make_foreign_project(folder: Path) -> None:
    """Packages of a project that has the same names as ours; whoever imports them by mistake dies of it."""
    for name in ("config", "tasks", "workers"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('a foreign package was imported')\n")


def start_up(terminal: Terminal, *options: str) -> tuple[Running, str]:
    """`actorline up` when it says that it is up, and where Flower is."""
    command = terminal.start("up", "--port", "0", "--flower-port", "0", *options)
    flower = wait_for(
        lambda: re.search(r"^Flower: (\S+)$", command.err, re.MULTILINE), within=120, what="a stack that is up"
    )
    return command, flower[1]


@pytest.fixture(scope="module")
def up(shared_terminal: Terminal) -> Iterator[Up]:
    make_foreign_project(shared_terminal.cwd)
    shared_terminal.home.mkdir(mode=0o755)
    shared_terminal.environment["PYTHONPATH"] = str(shared_terminal.cwd)
    command, flower = start_up(shared_terminal)
    order_line = re.search(r"order with: (.*)$", command.err, re.MULTILINE)[1]
    stack = Up(command, order_line, flower, login_of=shared_terminal.home / "flower.login")
    wait_for(stack.has_flower, what="Flower")  # a busy machine may need longer than `up` waits for it
    yield stack
    command.signal(signal.SIGTERM)
    assert command.end().code == 0


def test_up_works_beside_packages_of_the_same_names(shared_terminal, up):
    actor = shared_terminal.emulator.actor("up-attached", items=100, duration_secs=0)
    done = shared_terminal.run("--json", key="up-attached", actor=actor, input={"secret": CANARY}).end()
    assert (done.code, done.json["items"]) == (0, 100)
    assert done.err == ""  # nothing was brought up: the stack that runs did it
    assert "foreign" not in up.command.err


def test_printed_line_orders_a_job(shared_terminal, up):
    actor = shared_terminal.emulator.actor("up-line", items=100, duration_secs=0)
    program = "import json, sys; from celery import Celery; document = json.loads(sys.argv[1]); print(json.dumps({}))"
    document = {"key": "up-line", "actor": actor, "poll_interval_secs": 1, "input": {"secret": CANARY}}
    answered = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program.format(up.order_line), json.dumps(document)],
        cwd=shared_terminal.folder,
        capture_output=True,
        check=True,
        timeout=120,
    )
    result = json.loads(answered.stdout)
    assert (result["key"], result["state"], result["items"]) == ("up-line", "DELIVERED", 100)
    assert delivery_of(result).folder == shared_terminal.home / "rows" / "up-line"


def test_order_without_waiting_is_done_by_the_stack(shared_terminal, up):
    actor = shared_terminal.emulator.actor("up-no-wait", items=100, duration_secs=600)
    done = shared_terminal.run("--json", "--no-wait", key="up-no-wait", actor=actor).end()
    assert (done.code, done.err) == (0, "")
    assert done.json["state"] in {"QUEUED", "WAITING", "STARTING", "RUNNING"}
    wait_for(lambda: shared_terminal.emulator.runs_of(actor), what="the run")
    shared_terminal.emulator.finish_runs_of(actor)

    def is_delivered() -> bool:
        return shared_terminal("show", "up-no-wait", "--json").json["state"] == "DELIVERED"

    wait_for(is_delivered, what="the job done by the stack")


def test_what_the_stack_keeps_is_closed_to_other_users(shared_terminal, up):
    actor = shared_terminal.emulator.actor("up-closed", items=10, duration_secs=0)
    assert shared_terminal.run("--json", key="up-closed", actor=actor).end().code == 0
    rows = shared_terminal.cwd / "rows" / "up-closed"
    kept = [path for folder in (shared_terminal.home, rows) for path in (folder, *folder.rglob("*"))]
    open_to_others = [str(path) for path in kept if path.stat().st_mode & 0o077]
    assert open_to_others == []
    assert {"stack.json", "valkey", "manifest.json"} <= {path.name for path in kept}


def test_flower_is_up_where_it_says(up):
    assert "Flower" in up.read("/")
    wait_for(lambda: "flower_events_total" in up.read("/metrics"), what="the first event of a worker")


@pytest.mark.parametrize("path", ["/", "/tasks", "/metrics", "/api/workers"])
def test_flower_on_loopback_is_closed_to_who_has_no_password(up, path):
    assert up.get(path).status_code == 401
    assert up.get(path, headers={"Host": "evil.example"}).status_code == 401
    assert up.get(path, auth=("actorline", "guess")).status_code == 401
    assert up.login not in up.command.err


@pytest.mark.parametrize(
    "command",
    [
        ("up", "--port", "{taken}", "--flower-port", "0"),
        ("up", "--port", "0", "--flower-port", "{taken}"),
        ("gateway", "--port", "{taken}"),
        ("flower", "--port", "{taken}"),
    ],
    ids=" ".join,
)
def test_port_that_is_taken_is_refused(up, shared_terminal, tmp_path, command):
    """Services would send their keys to whatever holds it, if another one were chosen silently."""
    home = {} if command[0] != "up" else {"ACTORLINE_HOME": str(tmp_path)}
    taken = str(httpx.URL(up.flower).port)
    done = shared_terminal.start(*(part.format(taken=taken) for part in command), **home).end()
    assert (done.code, done.out) == (2, "")
    assert f"127.0.0.1:{taken} can't be listened on" in done.err
    assert "(pid " in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "valkey").exists()


def test_flower_shows_tasks_by_key_without_input_or_token(shared_terminal, up):
    actor = shared_terminal.emulator.actor("up-shown", items=100, duration_secs=0)
    done = shared_terminal.run("--json", key="up-shown", actor=actor, input={"secret": CANARY}).end()
    assert done.code == 0
    names = {"actorline.start_run", "actorline.poll_run", "actorline.fetch_pages", "actorline.fetch_page",
             "actorline.finish_job"}  # fmt: skip

    def shown() -> list[dict[str, Any]] | None:
        tasks = [task for task in up.tasks() if "up-shown" in str(task["args"]) and task["state"] != "STARTED"]
        return tasks if {task["name"] for task in tasks} >= names else None

    for task in wait_for(shown, what="every stage in Flower, at its end"):
        assert "up-shown" in task["args"]
        assert task["state"] == "SUCCESS"
    page = up.read("/tasks") + json.dumps(up.tasks())
    assert CANARY not in page
    assert TOKEN not in page


def test_task_in_flower_leads_to_its_jobs_page(shared_terminal, up):
    actor = shared_terminal.emulator.actor("up-linked", items=10, duration_secs=0)
    key = f"{'up-linked@2026+':x<199}1"  # the longest that there is
    assert shared_terminal.run("--json", key=key, actor=actor, input={"secret": CANARY}).end().code == 0
    gateway = re.search(r"^HTTP: (\S+)$", up.command.err, re.MULTILINE)[1]
    tasks = wait_for(lambda: [task for task in up.tasks() if key in str(task["args"])], what="the job's tasks")
    for task in tasks:
        page = up.read(f"/task/{task['uuid']}")
        address = re.search(r'Job: <a href="([^"]+)">', page)[1]
        assert address.startswith(f"{gateway}/jobs/up-linked")
        assert key in httpx.get(address, timeout=60).raise_for_status().text
        assert CANARY not in page
        assert TOKEN not in page


def test_http_gateway_that_dies_restarts_at_its_address(shared_terminal, up):
    url = re.search(r"^HTTP: (\S+)$", up.command.err, re.MULTILINE)[1]
    actor = shared_terminal.emulator.actor("up-http", items=100, duration_secs=0)
    document = {"key": "up-http", "actor": actor, "poll_interval_secs": 1}
    with httpx.Client(base_url=url, timeout=70) as http:
        assert http.post("/v1/jobs", json=document).status_code == 202
        os.kill(shared_terminal.child("actorline.gateway"), signal.SIGKILL)
        wait_for(lambda: "gateway: restarted" in up.command.err, what="the gateway restarted")

        def delivered() -> bool:
            try:
                return http.get("/v1/jobs/up-http", params={"wait": 30}).json().get("items") == 100
            except httpx.TransportError:  # not yet there again
                return False

        wait_for(delivered, what="the job's end over HTTP")
        assert http.get("/v1/jobs/up-http/items").content.count(b"\n") == 100


def test_second_up_in_a_home_is_refused(shared_terminal, up):
    done = shared_terminal("up", "--port", "0", "--flower-port", "0")
    assert done.code == 7
    assert f"Another stack is running in {shared_terminal.home}" in done.err


def test_valkey_folder_that_others_can_write_is_refused(terminal):
    folder = terminal.home / "valkey"  # as somebody has restored it
    folder.mkdir(parents=True, mode=0o700)
    folder.chmod(0o1777)
    done = terminal("up", "--port", "0", "--flower-port", "0")
    assert done.code == 7
    assert f"The folder {folder} can't be used: other users can write to it. Nothing was started." in done.err
    assert "Traceback" not in done.err


def test_killed_processes_are_started_again_and_the_job_goes_on(shared_terminal, up):
    actor = shared_terminal.emulator.actor("up-killed", items=1200, duration_secs=6)
    command = shared_terminal.run("--json", key="up-killed", actor=actor)
    wait_for(lambda: shared_terminal.emulator.runs_of(actor), what="the run")
    for name, process in (("fetch", "worker fetch"), ("valkey", "valkey-server")):
        os.kill(shared_terminal.child(process), signal.SIGKILL)
        wait_for(lambda name=name: f"{name}: restarted" in up.command.err, what=f"{name} restarted")
        assert f"{name}: died (exit -9); restarting in" in up.command.err
    done = command.end(120)
    assert (done.code, done.json["state"], done.json["items"]) == (0, "DELIVERED", 1200)
    assert len(shared_terminal.emulator.starts(actor)) == 1


def test_interrupted_stack_names_what_is_left_and_its_run(terminal):
    command, _ = start_up(terminal, "--redis-port", "0")
    actor = terminal.emulator.actor("up-left", items=1, duration_secs=600)
    assert terminal.run("--no-wait", key="up-left", actor=actor).end().code == 0

    def run_id() -> str | None:
        return terminal("show", "up-left", "--json").json["run_id"]

    run = wait_for(run_id, what="a run that the job knows")
    command.signal(signal.SIGINT)
    done = command.end()
    assert (done.code, done.out) == (0, "")
    *_, draining, left = done.err.splitlines()
    assert draining == "draining"
    assert left.startswith(f"1 job is unfinished: up-left (RUNNING, its run {run} may be billing). `actorline up`")
    assert not terminal.processes()
    assert 'broker="redis://:***@' in done.err  # whole only with --show-addresses
    assert (terminal.home / "redis.password").read_text().strip() not in done.err


def test_redis_port_serves_other_programs_with_a_password(emulator, short_folder):
    terminal = Terminal(short_folder, emulator)
    actor = emulator.actor("by-port", items=20, duration_secs=0.2)
    command, _ = start_up(terminal, "--redis-port", "0", "--show-addresses")
    try:
        broker, results = wait_for(lambda: re.findall(r'"(redis://:[^"]+)"', command.err), what="the addresses")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(re.sub(r":[^:@/]+@", "", broker)).ping()
        with Celery("other", broker=broker, backend=results, set_as_current=False) as other:
            order = {"key": "by-port", "actor": actor, "poll_interval_secs": 1}
            assert other.send_task("actorline.run", [order], queue="actorline").get(timeout=120)["items"] == 20
        assert terminal("show", "by-port", "--json").json["state"] == "DELIVERED"
        password = (terminal.home / "redis.password").read_text().strip()
        assert not any(password in line.partition("ACTORLINE_")[0] for line in terminal.processes().values())
    finally:
        command.signal(signal.SIGTERM)
        assert command.end().code == 0
    assert terminal("show", "by-port", "--json").json["state"] == "DELIVERED"  # without the port, with the password
    terminal.wait_until_empty()
