"""What the README and the pages in docs show runs as it stands there, on a stack that `actorline up` brought up."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from real_parts import ROOT, delivery_of, wait_for
from terminal import ACTORLINE, Running, Terminal

from actorline.batches.document import parse_batch
from actorline.batches.inputs.listed import listed_inputs
from actorline.schedules.schedules_file import load_schedules

pytestmark = pytest.mark.thorough

ACTOR = "apify~website-content-crawler"
ROWS = 3
KEYS_ARE_MADE = (("docs/http.md", "API keys"), ("docs/jobs-page.md", "Signing in"))


def page(name: str) -> str:
    return (ROOT / name).read_text()


def chapter(name: str, title: str) -> str:
    """The text of a page below a heading, down to the next one."""
    return page(name).split(f"\n## {title}\n")[1].split("\n## ")[0]


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> str:
    """The indented lines, as a person pastes them."""
    return "\n".join(re.findall(r"^ {4}(.*)$", text, re.MULTILINE))


@dataclass(frozen=True)
class Stack:
    terminal: Terminal
    command: Running
    http: str

    @property
    def environment(self) -> dict[str, str]:
        broker, results = re.search(r'broker="([^"]+)", backend="([^"]+)"', self.command.err).groups()
        path = f"{ACTORLINE.parent}:{os.environ['PATH']}"
        return {**self.terminal.environment, "PATH": path, "BROKER": broker, "RESULTS": results}

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.terminal.cwd,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env=self.environment,
        )

    @contextmanager
    def running(self, *command: str) -> Iterator[None]:
        """Run a process of the service beside what happens inside."""
        process = subprocess.Popen(command, cwd=self.terminal.cwd, stderr=subprocess.DEVNULL, env=self.environment)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)

    def shell(self, script: str) -> "subprocess.CompletedProcess[str]":
        return self.run("bash", "-euc", script.replace("localhost:8470", self.http.removeprefix("http://")))


@pytest.fixture(scope="module")
def stack(shared_terminal: Terminal) -> Iterator[Stack]:
    script = {"items": ROWS, "duration_secs": 0.2}
    shared_terminal.emulator._send("PUT", f"/emulator/actors/{ACTOR}", {"script": script})
    command = shared_terminal.start("up", "--port", "0", "--flower-port", "0")
    http = wait_for(lambda: re.search(r"^HTTP: (\S+)$", command.err, re.MULTILINE), within=120, what="the HTTP gateway")
    yield Stack(shared_terminal, command, http[1])
    command.signal(15)
    assert command.end().code == 0


def test_first_command_delivers_rows(stack):
    _, _, *run = commands(chapter("README.md", "Run an Actor")).splitlines()
    done = stack.shell("\n".join(run))
    assert done.returncode == 0, done.stderr
    assert re.match(rf"DELIVERED \S+: {ROWS} items", done.stdout), done.stdout


def test_every_listed_command_is_understood(stack):
    assert stack.shell(f"actorline run {ACTOR} --key KEY --records OUTPUT").returncode in {0, 6}
    (stack.terminal.cwd / "orders.jsonl").write_text(f'{{"actor": "{ACTOR}", "key": "from-a-file"}}\n')
    shown = commands(chapter("docs/terminal.md", "Commands")).splitlines()
    listed = [line for line in shown if re.match(r"actorline \w+ .*# ", line)]  # not what changes a shell's files
    assert len(listed) >= 13
    for line in listed:
        done = stack.shell(line)
        assert done.returncode in {0, 5}, (line, done.stderr)  # `retry` of a delivered job is refused
        assert "Traceback" not in done.stderr


def test_tutorial_runs_step_by_step(stack):
    said = ""
    for step in re.findall(r"^## (\d\. .*)$", page("docs/tutorial.md"), re.MULTILINE):
        done = stack.shell(commands(chapter("docs/tutorial.md", step)))
        assert done.returncode == 0, (step, done.stdout, done.stderr)
        said += done.stdout
    assert said.count('"state":"DELIVERED"') >= 1
    assert '{"maxCrawlPages":3}' in said  # the record INPUT
    assert "DELIVERED tutorial-csv: 2 items" in said


@pytest.mark.parametrize("name", ["README.md", "docs/celery.md", "docs/tutorial.md"])
def test_service_with_celery_gets_a_result(stack, name):
    program, *_ = fenced(page(name), "python")
    done = stack.run(sys.executable, "-W", "ignore", "-c", program)
    assert "'state': 'DELIVERED'" in done.stdout, done.stderr


def test_tasks_of_a_service_follow_a_job(stack):
    (program,) = fenced(chapter("docs/celery.md", "Inside a Celery service"), "python")
    (stack.terminal.cwd / "shop.py").write_text(program)
    *_, line = commands(chapter("docs/celery.md", "Inside a Celery service")).splitlines()
    with stack.running(sys.executable, "-W", "ignore", "-m", *line.split(), "--pool", "solo"):
        order = "import shop; print(shop.order_prices('2026-11-26').get(timeout=120))"
        done = stack.run(sys.executable, "-W", "ignore", "-c", order)
    assert done.stdout == f"{ROWS}\n", done.stderr


@pytest.mark.parametrize(("name", "title"), [("celery", "The Python client"), ("moving", "From apify-client")])
def test_service_with_the_client_reads_rows(stack, name, title):
    *_, program = fenced(chapter(f"docs/{name}.md", title), "python")
    done = stack.run(sys.executable, "-W", "ignore", "-c", program)
    assert len(done.stdout.splitlines()) == ROWS, done.stderr


def test_batches_run_from_the_terminal_and_by_the_client(stack):
    done = stack.shell(commands(chapter("docs/batches.md", "From the terminal")))
    assert done.returncode == 0, done.stderr
    assert f"{3 * ROWS}\n" in done.stdout
    assert "whole" in done.stdout
    (program,) = fenced(chapter("docs/batches.md", "From Celery and Python"), "python")
    read = stack.run(sys.executable, "-W", "ignore", "-c", program)
    assert len(read.stdout.splitlines()) == 2 * ROWS, read.stderr
    listed_inputs(parse_batch(json.loads(fenced(chapter("docs/batches.md", "The batch document"), "json")[0])))


@pytest.mark.parametrize(("name", "key"), [("README.md", "prices-2026-11-23"), ("docs/http.md", "prices-2026-11-24")])
def test_curl_orders_and_reads_rows(stack, name, key):
    shown = [line for line in commands(page(name)).splitlines() if re.match(r"curl |     -d | +\"input\"", line)]
    assert len(shown) >= 5
    done = stack.shell("\n".join(shown))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"state":"DELIVERED"') >= 1
    expected = delivery_of({"sink": f"file://{stack.terminal.home}/rows/{key}/"})
    assert len(expected.lines.splitlines()) == ROWS


def test_guards_and_budgets_of_their_pages_work(stack):
    for key in ("prices-2026-11-23", "prices-2026-11-24"):
        assert stack.shell(f"actorline run {ACTOR} --key {key}").returncode in {0, 5}  # or it is there already
    (stack.terminal.cwd / "input.json").write_text("{}")
    budgeted = stack.terminal.cwd / "budgeted"
    budgeted.mkdir()
    (budgeted / "actorline.toml").write_text(*fenced(page("docs/budgets.md"), "toml"))
    suggest = commands(chapter("docs/guards.md", "Learn it from deliveries"))
    limits = commands(chapter("docs/budgets.md", "Where it is shown"))
    estimate = commands(chapter("docs/budgets.md", "What will it cost?"))
    done = stack.shell(f"{suggest}\n{estimate}\ncd budgeted\n{limits}")
    assert done.returncode == 0, (done.stdout, done.stderr)
    for said in ('"min_items"', '"apify/web-scraper"', "label:team=search"):
        assert said in done.stdout


def test_documents_of_their_pages_are_orders(stack):
    for name in ("changes", "guards"):
        (stack.terminal.cwd / f"{name}.json").write_text(fenced(page(f"docs/{name}.md"), "json")[0])
    done = stack.shell("for name in changes guards; do actorline run --document $name.json --dry-run; done")
    assert done.returncode == 0, done.stderr


def test_commands_that_look_through_jobs_work(stack):
    terminal = commands(chapter("docs/terminal.md", "Commands")).splitlines()
    operations = commands(chapter("docs/operations.md", "Why does a job wait? What bills right now?")).splitlines()
    looking = [*(line for line in terminal if re.match(r"actorline \w+ --", line)), *operations]
    assert len(looking) >= 6
    asked = [line.partition("#")[0] for line in looking if "install-completion" not in line]
    done = stack.shell("\n".join(f"{line} || test $? = 5" for line in asked))  # refused: nothing to cancel, or retry
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "No orphans" in done.stdout + done.stderr


def test_commands_of_schedules_do_what_their_table_says(stack, tmp_path):
    file = tmp_path / "schedules.toml"
    file.write_text(*fenced(page("docs/schedules.md"), "toml"))
    assert list(load_schedules(file)) == ["nightly"]
    shown = re.findall(r"^\| `(actorline schedules [^`]+)` \|", page("docs/schedules.md"), re.MULTILINE)
    script = "\n".join(re.sub(r"\[?NAME\]?", "nightly", command) for command in shown)
    done = stack.shell(f"export ACTORLINE_SCHEDULES_FILE={file}\n{script}")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert len(re.findall(r"T0[12]:00:00|0[12]:00", done.stdout)) >= 10


def test_webhook_of_its_page_is_added(stack):
    stack.terminal.emulator._send("PUT", "/emulator/actors/user~name", {"script": {"items": 1}})
    text = chapter("docs/webhooks.md", "Collecting runs that others start")
    document = re.search(r"`(\{.*\})`", text)[1]
    (stack.terminal.cwd / "collect.json").write_text(document)
    public = re.search(r"ACTORLINE_PUBLIC_URL=[^`\s]+", page("docs/webhooks.md"))[0]
    done = stack.shell(f"export {public}\n{commands(text)}\nactorline webhooks list")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "user/name" in done.stdout.splitlines()[-1].replace("~", "/")


def test_keys_of_the_pages_open_what_they_say(stack):
    """The last one: with the first key the gateway is closed to those that have none."""
    stack.terminal.emulator._send("PUT", "/emulator/actors/user~name", {"script": {"items": 1}})
    script = "\n".join(commands(chapter(*where)) for where in KEYS_ARE_MADE)
    done = stack.shell(script)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert httpx.get(f"{stack.http}/v1/jobs", timeout=60).status_code == 401
    headers = [{"Authorization": f"Bearer {key}"} for key in done.stdout.splitlines()]
    assert [httpx.get(f"{stack.http}/v1/jobs", headers=each, timeout=60).status_code for each in headers] == [200, 200]
