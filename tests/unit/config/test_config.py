import json
import logging
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import structlog
from celery import Celery

from actorline.cli.terminal.quiet_log import quiet_logs
from actorline.logs import Logger
from actorline.queue_names import control_queue, entrance_queue, fetch_queue
from actorline.settings import load_settings
from config.celery import celery_settings
from config.logging import configure_logging
from config.queues import queues_of, routes
from tasks import MODULES


@pytest.fixture
def celery() -> dict[str, Any]:
    return celery_settings(load_settings(namespace="shop", redis_url="redis://host/3", visibility_timeout_secs=30))


@pytest.fixture
def app(celery: dict[str, Any]) -> Iterator[Celery]:
    for module in MODULES:
        import_module(module)
    app = Celery("config", set_as_current=False)
    app.config_from_object(celery)
    app.finalize()
    yield app
    app.close()


def test_every_task_has_its_queue_and_every_route_its_task(app):
    assert {name for name in app.tasks if name.startswith("actorline.")} == set(routes("shop"))


def test_a_route_is_kept_by_celery_itself(app):
    for name, route in routes("shop").items():
        assert app.amqp.router.route({}, name)["queue"].name == route["queue"]


def test_the_names_of_tasks_and_queues_outlive_a_deploy():
    assert {name: route["queue"] for name, route in routes("actorline").items()} == {
        "actorline.run": "actorline",
        "actorline.batch": "actorline",
        "actorline.advance_batch": "actorline.control",
        "actorline.store_batch": "actorline.fetch",
        "actorline.cancel": "actorline",
        "actorline.retry": "actorline",
        "actorline.status": "actorline",
        "actorline.start_run": "actorline.control",
        "actorline.poll_run": "actorline.control",
        "actorline.look_at_fleet": "actorline.control",
        "actorline.answer": "actorline.control",
        "actorline.upkeep": "actorline.control",
        "actorline.sweep": "actorline.control",
        "actorline.look_again": "actorline.control",
        "actorline.settle": "actorline.control",
        "actorline.hook": "actorline.control",
        "actorline.abort_stray": "actorline.control",
        "actorline.fetch_ahead": "actorline.fetch",
        "actorline.fetch_pages": "actorline.fetch",
        "actorline.fetch_page": "actorline.fetch",
        "actorline.finish_job": "actorline.fetch",
        "actorline.notify": "actorline.fetch",
    }


def test_every_queue_is_consumed_and_short_tasks_never_wait():
    everything = {entrance_queue("shop"), control_queue("shop"), fetch_queue("shop")}
    control, fetch = set(queues_of("control", "shop")), set(queues_of("fetch", "shop"))
    assert control | fetch == set(queues_of("all", "shop")) == everything
    assert not control & fetch


def test_no_worker_of_ours_takes_a_callers_continuation(app):
    assert app.conf.task_default_queue == "celery"
    assert "celery" not in queues_of("all", "shop")


def test_the_unacked_keys_are_our_own(celery):
    options = celery["broker_transport_options"]
    names = {options[name] for name in ("unacked_key", "unacked_index_key", "unacked_mutex_key")}
    assert len(names) == 3
    assert all(name.startswith("shop.") for name in names)
    assert options["visibility_timeout"] == 30


def test_no_dead_worker_keeps_others_from_giving_messages_back(celery):
    options = celery["broker_transport_options"]
    assert options["unacked_mutex_expire"] < options["visibility_timeout"]


def test_messages_are_json_acknowledged_late_and_never_hoarded(celery):
    assert celery["accept_content"] == ["json"]
    assert celery["task_serializer"] == celery["result_serializer"] == "json"
    assert celery["task_acks_late"] is True
    assert celery["task_reject_on_worker_lost"] is True
    assert celery["worker_prefetch_multiplier"] == 1
    assert celery["result_extended"] is False


def test_broker_and_results_are_those_of_the_settings(celery):
    assert (celery["broker_url"], celery["result_backend"]) == ("redis://host/3", "redis://host/4")


def test_celery_knows_every_setting_it_is_given(app, celery):
    from celery.app.defaults import NAMESPACES, flatten

    known = {name for name, _ in flatten(NAMESPACES)}
    assert set(celery) <= known


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_before")
def test_a_log_line_is_one_json_object_with_the_job_on_it(capsys):
    configure_logging("INFO")
    with structlog.contextvars.bound_contextvars(job_key="nightly", epoch=2):
        structlog.get_logger("tests.fresh").info("page_stored", page_no=3)
        logging.getLogger("tests.plain").warning("plain %s", "words")
        structlog.get_logger("tests.fresh").debug("unheard")
    out, err = capsys.readouterr()
    ours, plain = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert (ours["event"], ours["page_no"], ours["level"], ours["logger"]) == ("page_stored", 3, "info", "tests.fresh")
    assert (plain["event"], plain["level"], plain["logger"]) == ("plain words", "warning", "tests.plain")
    assert all((line["job_key"], line["epoch"]) == ("nightly", 2) for line in (ours, plain))
    assert all("timestamp" in line for line in (ours, plain))


@pytest.mark.usefixtures("_logging_as_before")
@pytest.mark.filterwarnings("default")
def test_a_warning_of_a_library_is_a_line_of_the_log(capsys):
    with warnings.catch_warnings():  # without pytest's own recording, which would take it first
        configure_logging("INFO")
        warnings.warn("You're running the worker\nwith superuser privileges", stacklevel=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert "superuser privileges" in json.loads(line)["event"]


@pytest.mark.usefixtures("_logging_as_before")
def test_celerys_own_lines_about_messages_stay_out(capsys):
    """They hold the arguments of tasks."""
    configure_logging("DEBUG")
    for name in ("celery.worker.strategy", "celery.app.trace", "kombu"):
        logging.getLogger(name).info("Task received: an input")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("_logging_as_before")
def test_an_exception_is_logged_with_traceback_on_one_line(capsys):
    configure_logging("INFO")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("tests.plain").exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError" in json.loads(line)["exception"]


@pytest.mark.usefixtures("_logging_as_before")
def test_a_terminal_shows_text_without_local_variables(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    configure_logging("INFO")
    log = structlog.get_logger("tests.terminal")
    log.info("page_stored", page_no=3)
    secret = "canary"
    try:
        {}[len(secret)]
    except KeyError:
        log.exception("failed")
    shown = capsys.readouterr().err
    assert "page_stored" in shown
    assert "Traceback" in shown
    assert not shown.startswith("{")
    assert "canary" not in shown.replace('secret = "canary"', "")


@pytest.mark.usefixtures("_logging_as_before")
@pytest.mark.parametrize("configure", [lambda: configure_logging("INFO"), lambda: quiet_logs(logging.INFO)])
def test_no_text_of_an_actor_steers_the_terminal_of_a_log(capsys, monkeypatch, configure):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    configure()
    log, nasty = Logger("tests.nasty"), "ok\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"
    log.warning("ended", message=nasty, lines=[nasty])
    log.warning("failed", exc_info=ValueError(nasty))
    shown = capsys.readouterr().err
    assert shown.count(r"ok\x1b]0;owned\x07\x1b[2J\u202e\x9b31m") == 3
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(re.sub(r"\x1b\[\d*m", "", shown))  # the colours are ours


@pytest.mark.usefixtures("_logging_as_before")
def test_a_repeated_call_says_which_but_no_argument_of_a_task(capsys):
    configure_logging("INFO")
    extra = {"request": "GET /v2/actor-runs/x", "status": 502, "attempt": 2, "data": {"args": "an input"}}
    logging.getLogger("tests.calls").warning("platform_call_repeated", extra=extra)
    line = json.loads(capsys.readouterr().err)
    assert (line["request"], line["status"], line["attempt"]) == ("GET /v2/actor-runs/x", 502, 2)
    assert "an input" not in json.dumps(line)
