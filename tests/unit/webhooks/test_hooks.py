"""Hooks: which runs are theirs, and which templates can order a job for each of them."""

from typing import Any

import pytest

from actorline.errors import Refused
from actorline.platform.runs import Run
from actorline.settings import load_settings
from actorline.webhooks.hooks import Hook
from actorline.webhooks.registration import check_template


def make_hook(target: str = "actor", **fields: Any) -> Hook:
    facts = {"id": "h", "account": "default", "name": "demo/rows", "template": {}, "serial": "s", "added_at": 1.0}
    return Hook.model_validate({**facts, "target": target, "target_id": "theirs", **fields})


def make_run(**fields: Any) -> Run:
    facts = {"id": "r1", "actId": "theirs", "status": "SUCCEEDED", "startedAt": "2026-01-01T00:00:00Z"}
    return Run.from_platform({**facts, "defaultDatasetId": "d", "defaultKeyValueStoreId": "k", **fields})


@pytest.mark.parametrize(
    ("target", "run", "fits"),
    [
        ("actor", {}, True),
        ("actor", {"actorTaskId": "some"}, True),
        ("actor", {"actId": "another"}, False),
        ("actor", {"actId": "another", "metamorphs": [{"actorId": "another"}]}, True),
        ("actor_task", {"actorTaskId": "theirs"}, True),
        ("actor_task", {"actorTaskId": "another"}, False),
        ("actor_task", {}, False),
    ],
)
def test_hook_fits_runs_of_its_target(target, run, fits):
    assert make_hook(target).fits(make_run(**run)) is fits


def test_each_run_is_ordered_under_its_own_id():
    hook = make_hook(template={"labels": {"team": "prices"}})
    assert hook.document("r1") == {"labels": {"team": "prices"}, "run_id": "r1", "key": "r1"}


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path)


def test_template_names_the_account(settings):
    assert check_template({}, settings) == "default"
    assert check_template({"account": "team", "sink": {"url": "file:///srv/{run_id}/"}}, settings) == "team"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"run_id": "r1"}, "must not have run_id"),
        ({"dataset_id": "d", "own": False}, "must not have dataset_id, own"),
        ({"sink": {"url": "file:///srv/rows/"}}, "same for every run"),
        ({"labls": {}}, "labels"),
        ({"mode": "sync"}, "sync"),
    ],
)
def test_template_without_use_is_refused(settings, template, words):
    with pytest.raises(Refused, match=words):
        check_template(template, settings)
