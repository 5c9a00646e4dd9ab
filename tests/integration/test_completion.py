"""What Tab offers, by the shells' own protocols, against a real Valkey."""

import logging
import secrets
import sys

import pytest
import structlog
from terminal import Terminal

from actorline.api_keys import create_key
from actorline.batches.document import parse_batch
from actorline.cli import main
from actorline.cli.usage import completion
from actorline.identifiers import JobKey
from actorline.jobs.document.parse import parse_document
from actorline.jobs.rights import Rights
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import Event
from actorline.ledger.batches import NewBatch
from actorline.ledger.change import Change
from actorline.ledger.registration import NewJob
from actorline.logs import before_the_first_line

BY_SCHEDULE = "nightly@2026-11-23T03:00:00Z"
LATER = "nightly@2026-11-24T03:00:00Z"


@pytest.fixture
def line_of_tab(own_line):
    return own_line(f"tab-{secrets.token_hex(4)}")


@pytest.fixture
def tab(monkeypatch, capsys, line_of_tab):
    """Completes a line in a shell, whose ledger has jobs that run, have ended and were made by a schedule."""
    line = line_of_tab
    ledger = line.ledger
    for key in ("old-1", "failed-1", BY_SCHEDULE, LATER, "new-1"):
        document = parse_document({"key": key, "actor": "demo/rows"})
        ledger.register([NewJob(key=key, document=document, sink="file:///tmp/x/", fresh=False)], due_in_s=60)
    failed = ledger.load("failed-1")
    assert ledger.move(failed, Event.FAIL, Change(due_in_s=60))
    create_key(ledger, "billing", Rights(), FROM_TERMINAL)
    (line.home / "schedules.toml").write_text('[schedules.nightly]\ncron = "wrong"\n[schedules.hourly]\n')
    for name, value in {**line.environment, "ACTORLINE_ACCOUNTS__SHOP": "a-token"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["actorline"])
    monkeypatch.setattr(completion, "PATIENCE_SECS", 60)  # however busy the machine is
    capsys.readouterr()

    def complete(*words: str, shell: str = "bash") -> str:
        monkeypatch.setenv("_ACTORLINE_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["actorline", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(["actorline", *words]))
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    yield complete
    structlog.reset_defaults()  # completion runs in this process, and logs nothing
    logging.disable(logging.NOTSET)
    before_the_first_line(lambda: None)


def test_tab_offers_batches_before_their_members(tab, line_of_tab, capsys):
    document = parse_batch({"key": "pages", "template": {"actor": "demo/rows"}, "inputs": [{}]})
    batch = NewBatch(JobKey("pages"), document.stored_text(), "hash", "default", "file:///tmp/x/", b"{}")
    line_of_tab.ledger.batches.register(batch)
    capsys.readouterr()
    assert tab("show", "").split()[:2] == ["pages", "new-1"]
    assert tab("retry", "pa").split() == []  # it hasn't ended


def test_tab_offers_keys_unfinished_and_newest_first(tab):
    assert tab("show", "").split() == ["new-1", LATER, BY_SCHEDULE, "old-1", "failed-1"]
    assert tab("cancel", "new-1", "").split() == [LATER, BY_SCHEDULE, "old-1"]
    assert tab("retry", "").split() == ["failed-1"]
    assert tab("items", "").split() == []


def test_keys_with_the_signs_that_bash_cuts_at_are_completed(tab):
    assert tab("show", "night").split() == [LATER, BY_SCHEDULE]
    assert tab("show", "nightly", "@", "2026-11-23").split() == ["2026-11-23T03:00:00Z"]
    assert tab("show", "nightly", "@", "2026-11-23T03", ":", "0").split() == ["00:00Z"]


def test_zsh_and_fish_get_the_same_keys(tab):
    assert '"new-1"' in tab("show", "new", shell="zsh")
    assert tab("show", "new", shell="fish").split() == ["new-1"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["jobs", "--state", "ru"], ["RUNNING"]),
        (["run", "--format", "x"], ["xml", "xlsx"]),
        (["pause", "--account", "s"], ["shop"]),
        (["keys", "create", "name", "--accounts", "default,s"], ["default,shop"]),
        (["keys", "revoke", ""], ["billing"]),
        (["schedules", "next", ""], ["nightly", "hourly"]),
    ],
)
def test_tab_offers_values_of_options_and_names(tab, words, offered):
    assert tab(*words).split() == offered


def test_tab_without_a_stack_is_silent_and_starts_nothing(emulator, tmp_path):
    terminal = Terminal(tmp_path, emulator)
    protocol = {"_ACTORLINE_COMPLETE": "complete_bash", "COMP_WORDS": "actorline\nshow\n", "COMP_CWORD": "2"}
    done = terminal(**protocol)
    assert (done.out.strip(), done.err) == ("", "")
    assert not terminal.home.exists()
    done = terminal(**protocol, ACTORLINE_REDIS_URL="redis://127.0.0.1:1/0", ACTORLINE_NO_SUCH_SETTING="x")
    assert (done.out.strip(), done.err) == ("", "")
