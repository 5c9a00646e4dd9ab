"""What code and documents refer to is in the repository: documents, headings, files, names, tests."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("actorline", "bench", "config", "docs", "examples", "requirements", "tasks", "tests", "workers")
TEXTS = {".lua", ".md", ".mjs", ".py", ".sh", ".toml", ".yml"}

DOCUMENT = re.compile(r"\bdocs/([a-z-]+\.md)(?:#([\w-]+))?")
LINK = re.compile(r"\]\(([^)\s]+)\)")
LABEL = re.compile(r"\]\[([^\]]+)\]")
PATH = re.compile(r"`((?:actorline|bench|config|docs|examples|tasks|tests|workers)/[\w./-]*)(?::(\w+))?`")
OTHER_FILE = re.compile(r"\b((?:\w+/)*test_\w+\.py)\b|\b[Ss]ee `?([\w/]+\.(?:py|lua|md))\b")
FENCED = r"(?ms)^```.*?^```"
NOWHERE = re.compile(r"[Ff]act sheet|\bDESIGN\b|(?<!RFC \d{4}, )\b[Ss]ections? \d")
"""What isn't in the repository, and sections known by a number only, which the next edition changes."""


def test_documents_that_are_named_have_the_heading():
    wrong = []
    for path in texts():
        for name, anchor in DOCUMENT.findall(path.read_text()):
            document = ROOT / "docs" / name
            if not document.exists() or (anchor and anchor not in anchors(document)):
                wrong.append(f"{shown(path)}: docs/{name}#{anchor}")
    assert wrong == []


def test_links_between_documents_lead_somewhere():
    wrong = []
    for path in markdown():
        prose = without_code(path.read_text())
        for link in LINK.findall(prose):
            file, _, anchor = link.partition("#")
            target = path.parent / file if file else path
            if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
                wrong.append(f"{shown(path)}: {link}")
        wrong += [f"{shown(path)}: [{label}]" for label in LABEL.findall(prose) if f"\n[{label}]: " not in prose]
    assert wrong == []


def test_files_and_names_in_documents_exist():
    named = {(shown(path), *found) for path in markdown() for found in PATH.findall(path.read_text())}
    assert sorted(each for each in named if not has_name(ROOT / each[1], each[2])) == []


def test_tests_and_modules_that_are_named_exist():
    known = [f"/{shown(path)}" for path in texts()]
    named = {(shown(path), name or see) for path in texts() for name, see in OTHER_FILE.findall(path.read_text())}
    assert sorted(each for each in named if not any(path.endswith(f"/{each[1]}") for path in known)) == []


def test_nothing_outside_the_repository_is_cited():
    others = [path for path in texts() if path != Path(__file__)]
    assert [f"{shown(path)}: {cited}" for path in others for cited in NOWHERE.findall(path.read_text())] == []


@cache
def texts() -> list[Path]:
    inside = chain.from_iterable((ROOT / folder).rglob("*") for folder in FOLDERS)
    found = (path for path in chain(ROOT.glob("*"), inside) if path.suffix in TEXTS or path.name == "Makefile")
    return [path for path in found if path.is_file() and "node_modules" not in path.parts]


def markdown() -> Iterator[Path]:
    return (path for path in texts() if path.suffix == ".md")


@cache
def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document: lower case, hyphens for spaces, no punctuation."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(FENCED, "", document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def has_name(file: Path, name: str) -> bool:
    """Whether the file exists and, unless it is empty, defines the name."""
    return file.exists() and (not name or re.search(rf"\b(def|class) {name}\b", file.read_text()) is not None)


def without_code(text: str) -> str:
    return re.sub(rf"{FENCED}|`[^`\n]*`", "", text)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
