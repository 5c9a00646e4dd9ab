"""The tables `[budgets]`: what they may say, and how a mistake is told."""

import re
from pathlib import Path

import pytest

from actorline.budgets.limits import Budgets
from actorline.errors import SettingsError
from actorline.settings import load_settings


@pytest.fixture
def read(tmp_path, monkeypatch):
    def load(text):
        file = tmp_path / "actorline.toml"
        file.write_text(text)
        monkeypatch.setenv("ACTORLINE_SETTINGS", str(file))
        return load_settings().budgets

    return load


def test_tables_are_read_from_the_settings_file(read):
    budgets = read("""
        [budgets]
        assumed_run_usd = 0.25
        [budgets.account.Default]
        daily_usd = 50
        timezone = "Europe/Prague"
        [budgets.label.team.search]
        monthly_usd = 20
        hard = true
    """)
    assert [(budget, limits.daily_usd, limits.hard) for budget, limits in budgets.named()] == [
        ("account:default", 50, False),
        ("label:team=search", None, True),
    ]
    assert budgets.assumed_run_usd == 0.25


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[budgets.account.default]\ndaily_usd = 0", "DAILY_USD: must be greater than 0"),
        ("[budgets.account.default]\ndaily_usd = inf", "DAILY_USD: must be"),
        ("[budgets.account.default]\nmonthly_usd = 9_000_001", "MONTHLY_USD: must be less than or equal"),
        ("[budgets.account.default]\ntimezone = 'UTC'", "give daily_usd or monthly_usd"),
        ("[budgets.account.default]\ndaily_usd = 1\ntimezone = 'Mars/Base'", "'Mars/Base' is not a time zone"),
        ("[budgets.account.default]\ndaily = 1", "DAILY: is not known"),
        ("[budgets.account.default]\ndaily_usd = 1\n[budgets.account.DEFAULT]\ndaily_usd = 2", "named twice"),
        ("[budgets.label.team]", "the label team has no budget"),
        ("[budgets.label.team.search]", "give daily_usd or monthly_usd"),
        ("[budgets]\nassumed_run_usd = 0", "ASSUMED_RUN_USD: must be greater than 0"),
        ("[budgets", "Settings can't be read"),
    ],
)
def test_mistake_in_a_table_is_refused_by_name(read, table, said):
    with pytest.raises(SettingsError) as refused:
        read(table)
    assert said in str(refused.value)


def test_example_of_the_documentation_is_valid(read):
    page = (Path(__file__).parents[3] / "docs" / "budgets.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert [budget for budget, _ in read(example).named()] == ["account:default", "label:team=search"]


def test_no_tables_mean_no_budgets():
    assert list(Budgets().named()) == []
