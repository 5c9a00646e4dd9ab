"""What `doctor` says of workers that don't fit together, and of schedules that order nothing."""

from types import SimpleNamespace

import pytest

from actorline.checks.installation import PAUSED, _fleet, _workers, schedule_advice
from actorline.ledger.queries.fleet import Worker

LOCAL = SimpleNamespace(default_sink="file:///rows/{key}/")
SHARED = SimpleNamespace(default_sink="s3://rows/{key}/")


def fetch(host: str, version: str = "1", unseen_s: float = 1) -> Worker:
    return Worker(f"fetch-7@{host}", version, ("fetch",), unseen_s)


def found(settings, *workers):
    return [(each.subject, each.is_good) for each in _fleet(settings, SimpleNamespace(workers=workers))]


def test_workers_of_one_version_and_host_are_no_finding():
    assert found(LOCAL, fetch("a"), fetch("a"), fetch("a", "0", unseen_s=60)) == []


def test_workers_of_two_versions_are_a_fault():
    assert found(LOCAL, fetch("a", "1"), fetch("a", "2")) == [("workers", False)]


def test_a_folder_of_several_hosts_is_asked_about():
    assert found(LOCAL, fetch("a"), fetch("b")) == [("sink", True)]
    assert found(SHARED, fetch("a"), fetch("b")) == []


@pytest.mark.parametrize(
    ("logs", "has_workers", "unseen_s", "is_good", "words"),
    [
        (None, False, {"control": 360, "fetch": 360}, True, "by the command that needs them"),
        (
            "/home/logs",
            True,
            {"control": 1, "fetch": 360},
            False,
            "no fetch worker runs (last seen 360 s ago) /home/logs",
        ),
        ("/home/logs", True, {}, True, "are starting"),
        (None, True, {"control": 1}, False, "no fetch worker runs (never seen) Start them"),
    ],
)
def test_workers_that_hang_are_told_where_no_job_waits(monkeypatch, logs, has_workers, unseen_s, is_good, words):
    tally = SimpleNamespace(unseen_s=unseen_s)
    monkeypatch.setattr("actorline.checks.installation.describe_unattended", lambda *_, **__: None)
    monkeypatch.setattr("actorline.checks.installation.read_tally", lambda _: tally)
    found = _workers(None, logs, has_workers=has_workers, names_jobs=True)
    assert found.is_good is is_good
    assert all(word in f"{found.text} {found.fix}" for word in words.split())


@pytest.mark.parametrize(
    ("whys", "restart", "resume"),
    [([f"{PAUSED}: no price"], False, True), (["late"], True, False), (["late", f"{PAUSED}: no price"], True, True)],
)
def test_schedules_are_given_the_advice_that_can_help(whys, restart, resume):
    advice = schedule_advice(whys)
    assert ("restart it" in advice, "schedules resume NAME" in advice) == (restart, resume)
