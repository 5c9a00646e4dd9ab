"""Tests kill and freeze workers at calls that they name: a name that was changed would strike nothing."""

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
POINT = re.compile(r"\b([a-z_]+(?:\.[a-z_]+)+):([A-Za-z_.]+) \d+ (?:before|after)\b")
POINTS = sorted({match for file in TESTS.rglob("*.py") for match in POINT.findall(file.read_text())})


def test_there_are_points():
    assert len(POINTS) > 20


@pytest.mark.parametrize(("module", "path"), POINTS)
def test_each_point_that_tests_strike_at_exists(monkeypatch, module, path):
    monkeypatch.setenv("ACTORLINE_REDIS_URL", "redis://127.0.0.1:1/0")
    assert callable(reduce(getattr, path.split("."), import_module(module)))
