"""What the README shows runs as it stands there, on a stack that `actorline up` brought up."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from real_parts import ROOT, delivery_of, wait_for
from terminal import ACTORLINE, Running, Terminal

from actorline.schedules.schedules_file import load_schedules

pytestmark = pytest.mark.thorough

README = (ROOT / "README.md").read_text()
ACTOR = "apify~website-content-crawler"
ROWS = 3


def chapter(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def fenced(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", chapter(title), re.MULTILINE | re.DOTALL)


def commands(title: str) -> str:
    """The indented lines of a chapter, as a person pastes them."""
    return "\n".join(re.findall(r"^ {4}(.*)$", chapter(title), re.MULTILINE))


@dataclass(frozen=True)
class Stack:
    terminal: Terminal
    command: Running
    http: str

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        broker, results = re.search(r'broker="([^"]+)", backend="([^"]+)"', self.command.err).groups()
        path = f"{ACTORLINE.parent}:{os.environ['PATH']}"
        return subprocess.run(
            command, cwd=self.terminal.cwd, capture_output=True, text=True, timeout=240, check=False,
            env={**self.terminal.environment, "PATH": path, "BROKER": broker, "RESULTS": results},
        )  # fmt: skip

    def shell(self, script: str) -> "subprocess.CompletedProcess[str]":
        return self.run("bash", "-euc", script.replace("localhost:8470", self.http.removeprefix("http://")))


@pytest.fixture(scope="module")
def stack(shared_terminal: Terminal) -> Iterator[Stack]:
    script = {"items": ROWS, "duration_secs": 0.2}
    shared_terminal.emulator._send("PUT", f"/emulator/actors/{ACTOR}", {"script": script})
    command = shared_terminal.start("up", "--port", "0", "--flower-port", "0")
    http = wait_for(lambda: re.search(r"^HTTP: (\S+)$", command.err, re.MULTILINE), within=120, what="the HTTP door")
    yield Stack(shared_terminal, command, http[1])
    command.signal(15)
    assert command.end().code == 0


def test_first_command_delivers_rows(stack):
    _, _, *run = commands("Run an Actor").split("actorline jobs ")[0].splitlines()
    done = stack.shell("\n".join(run))
    assert done.returncode == 0, done.stderr
    assert re.match(rf"DELIVERED \S+: {ROWS} items", done.stdout), done.stdout


def test_every_listed_command_is_understood(stack):
    assert stack.shell(f"actorline run {ACTOR} --key KEY --records OUTPUT").returncode in {0, 6}
    (stack.terminal.cwd / "orders.jsonl").write_text(f'{{"actor": "{ACTOR}", "key": "from-a-file"}}\n')
    listed = [line for line in commands("Run an Actor").splitlines() if re.match(r"actorline \w+ .*# ", line)]
    assert len(listed) >= 12
    for line in listed:
        done = stack.shell(line)
        assert done.returncode in {0, 5}, (line, done.stderr)  # `retry` of a delivered job is refused
        assert "Traceback" not in done.stderr


def test_service_with_celery_gets_a_result(stack):
    program, _ = fenced("Order from a service", "python")
    done = stack.run(sys.executable, "-W", "ignore", "-c", program)
    assert "'state': 'DELIVERED'" in done.stdout, done.stderr


def test_service_with_the_client_reads_rows(stack):
    _, program = fenced("Order from a service", "python")
    done = stack.run(sys.executable, "-W", "ignore", "-c", program)
    assert len(done.stdout.splitlines()) == ROWS, done.stderr


def test_curl_orders_and_reads_rows(stack):
    done = stack.shell(commands("Order over HTTP"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"state":"DELIVERED"') >= 1
    expected = delivery_of({"sink": f"file://{stack.terminal.home}/rows/prices-2026-11-23/"})
    assert len(expected.lines.splitlines()) == ROWS


def test_schedule_is_right(stack, tmp_path):
    file = tmp_path / "schedules.toml"
    file.write_text(*fenced("Schedules", "toml"))
    assert list(load_schedules(file)) == ["nightly"]
