"""What the documents show fits the code: commands, programs, requests, orders, settings.

Those that tests/integration/test_readme.py runs as they stand are listed in docs/testing.md.
"""

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml  # a part of what schemathesis needs

from actorline.batches.batch import BatchResult
from actorline.batches.document import parse_batch
from actorline.budgets.limits import Budgets
from actorline.cli.app import app
from actorline.cli.commands import DeferredCommand
from actorline.emulator.profile import Profile
from actorline.gateway.app import make_app
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job_result import JobResult
from actorline.schedules.schedules_file import load_schedules
from actorline.settings import Settings

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/README.md"), *(ROOT / "docs").glob("*.md")]
NAMED_PATH = re.compile(r"^(?:actorline|bench|config|deploy|docs|examples|tests)/\S+")
COMMENT = re.compile(r"(?m)(?:^|\s)#\s.*$")
ELSEWHERE = frozenset({
    ".", "cp", "do", "docker", "done", "echo", "export", "for", "head", "install", "kubectl", "printf", "python3", "sh",
    "systemctl", "wc", "/opt/actorline/bin/pip",
})  # fmt: skip
"""Programs that aren't ours; the tests of deploy/ and of compose check the files that they are given."""


class Block(NamedTuple):
    """A fenced block, with its language, or indented lines of a shell (`sh`)."""

    page: str
    language: str
    text: str


def blocks(*languages: str) -> list[Any]:
    return [pytest.param(each, id=f"{each.page}-{number}") for number, each in enumerate(_blocks())
            if each.language in languages]  # fmt: skip


@cache
def _blocks() -> list[Block]:
    return [block for path in PAGES for block in _blocks_of(str(path.relative_to(ROOT)), path.read_text())]


def _blocks_of(name: str, text: str) -> Iterator[Block]:
    for language, body in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text):
        yield Block(name, language, body)
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    for lines in re.findall(r"(?m)(?:^ {4}.*\n(?:\n(?= {4}))?)+", f"{prose}\n"):
        if not re.match(r"    (?: *[(<]|ACL SETUSER)", lines):  # code; and rights, which test_redis_rights.py uses
            yield Block(name, "sh", re.sub(r"(?m)^ {4}", "", lines))


def test_every_language_of_a_block_is_checked():
    assert {each.language for each in _blocks()} <= {"sh", "python", "json", "toml", "mermaid", "dockerfile", ""}


# -- shells


@pytest.mark.parametrize("block", blocks("sh"))
def test_commands_of_a_shell_are_understood(block):
    for words in shell_commands(block.text):
        if program := list(dropwhile(re.compile(r"[A-Z_]+=").match, words)):
            check_program(program)


def check_program(words: list[str]) -> None:
    program, *args = words
    match program.removeprefix(".venv/bin/"):
        case "actorline":
            check_arguments(args)
        case "make":
            assert re.search(rf"(?m)^{args[0]}:", (ROOT / "Makefile").read_text()), args
        case "curl":
            check_request(args)
        case "docker" if args[0] != "cp":
            check_compose(args)
        case "python" | "pytest" | "celery" | "./secrets.sh":
            assert [path for path in args if NAMED_PATH.match(path) and not list(ROOT.glob(path))] == []
        case _:
            assert program in ELSEWHERE, f"{program}: a program that no check here knows"


def shell_commands(text: str) -> list[list[str]]:
    """The words of each command, without redirections."""
    lexer = shlex.shlex(COMMENT.sub("", text.replace("\\\n", " ")), posix=True, punctuation_chars="|&;<>\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&;\n"):
            found.append([])
        else:
            found[-1].append(word)
    return [words[: next((place for place, word in enumerate(words) if word in {"<", ">", ">>"}), None)]
            for words in found if words]  # fmt: skip


def check_arguments(args: list[str]) -> None:
    """Read the arguments down to the innermost command, as `actorline` itself does; nothing is run."""
    group: Any = typer.main.get_command(app)
    if not args or args[0].startswith("-"):  # what such an option does, it does while it is parsed
        assert set(args) <= {option for parameter in group.params for option in parameter.opts}
        return
    context: Any = group.make_context("actorline", list(args))
    while words := [*context._protected_args, *context.args]:
        command = context.command.get_command(context, words[0])
        assert command is not None, f"there is no command {words[0]}"
        context = command.make_context(words[0], words[1:], parent=context)


INLINE = sorted({(str(path.relative_to(ROOT)), command) for path in PAGES
                 for command in re.findall(r"`actorline ([^`\n]+)`", path.read_text())})  # fmt: skip


@pytest.mark.parametrize(("page", "text"), INLINE)
def test_commands_in_sentences_exist_with_their_options(page, text):
    words = [word.strip("[]") for word in text.split()]
    command: Any = typer.main.get_command(app)
    while words and isinstance(getattr(command, "commands", None), dict) and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
        command = command.load() if isinstance(command, DeferredCommand) else command
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if re.match("--?[a-z]", word)} <= known | {"--help"}


# -- requests


@cache
def paths() -> dict[str, Any]:
    settings = Settings(apify_token="apify_api_x")
    gateway = make_app(settings, None, None, is_stopping=lambda: True)
    return gateway.openapi()["paths"]


def check_request(args: list[str]) -> None:
    """The request's route exists for its method, and its body is an order."""
    (url,) = [each for each in args if "localhost:8470" in each]
    body = next((after for option, after in pairwise(args) if option in {"-d", "--data"}), None)
    check_route("GET" if body is None else "POST", url.partition("8470")[2])
    if body is not None:
        parse_document(json.loads(body))


def check_route(method: str, address: str) -> None:
    path, _, query = address.partition("?")
    for known, operations in paths().items():
        if method.lower() in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path):
            named = {each["name"] for each in operations[method.lower()].get("parameters", [])}
            assert {each.partition("=")[0] for each in query.split("&") if each} <= named
            return
    raise AssertionError(f"the gateway has no {method} {path}")


ROUTE = re.compile(r"`(GET|POST|DELETE) (/(?!v2/)[^`\n]+)`")
ROUTES = sorted({found for path in PAGES for found in ROUTE.findall(path.read_text())})


@pytest.mark.parametrize(("method", "address"), ROUTES)
def test_requests_in_sentences_have_a_route(method, address):
    check_route(method, address)


def check_compose(args: list[str]) -> None:
    """Each service and profile that is named is one of docker-compose.yml."""
    assert args[0] == "compose"
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {profile for each in services.values() for profile in each.get("profiles", [])}
    scaled = [value.partition("=")[0] for option, value in pairwise(args) if option == "--scale"]
    assert set(scaled) <= services.keys()
    assert {value for option, value in pairwise(args) if option == "--profile"} <= profiles
    if "exec" in args:
        service, program, *rest = args[args.index("exec") + 1 :]
        assert service in services
        check_program([program, *rest])


# -- programs, orders, settings


@pytest.mark.parametrize("block", blocks("python"))
def test_programs_compile_and_find_what_they_import(block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom):
            module = import_module(node.module or "")
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []
        elif isinstance(node, ast.Import):
            assert all(import_module(each.name) for each in node.names)


@pytest.mark.parametrize("block", blocks("json"))
def test_orders_are_taken_and_results_have_their_fields(block):
    shown = json.loads(block.text)
    if "state" in shown:
        assert shown.keys() <= (BatchResult if shown["kind"] == "batch" else JobResult).model_fields.keys()
    elif "stopped" in shown:
        assert shown.keys() <= JobResult.model_fields.keys()
    elif "actors" in shown:
        Profile.model_validate(shown)
    else:
        (parse_batch if "template" in shown else parse_document)(shown)


@pytest.mark.parametrize("block", blocks("toml"))
def test_settings_files_are_read(block, tmp_path):
    shown = tomllib.loads(block.text)
    assert shown.keys() <= {"schedules", "budgets", "defaults"}
    if "budgets" in shown:
        Budgets.model_validate(shown["budgets"])
    else:
        file = tmp_path / "schedules.toml"
        file.write_text(block.text)
        assert load_schedules(file)


def test_variables_that_are_named_are_read_somewhere():
    readers = ["docker-compose.yml", "Dockerfile", "secrets.sh", "docs/settings.md"]
    known = "".join((ROOT / name).read_text() for name in readers)
    known += "".join(
        path.read_text() for name in ("actorline", "config", "workers") for path in (ROOT / name).rglob("*.py")
    )
    with_names = set(re.findall(r"ACTORLINE_[A-Z_]*<[A-Z]+>[A-Z_]*", known))
    of_a_name = re.compile("|".join(re.sub("<[A-Z]+>", "[A-Z_]+", each) for each in with_names))
    named = {name.rstrip("_") for path in PAGES for name in re.findall(r"\bACTORLINE_[A-Z_]+", path.read_text())}
    assert sorted(name for name in named if name not in known and not of_a_name.fullmatch(name)) == []
