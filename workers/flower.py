"""Flower, the dashboard."""

import os
from typing import Any, Final
from urllib.parse import quote

from flower.urls import handlers
from flower.views.monitor import Metrics
from flower.views.tasks import TaskView
from tornado.template import Loader, Template
from tornado.web import authenticated, url

from actorline.host.ports import choose_port
from actorline.settings import Settings
from config.flower import drop_variables, flower_arguments, job_of, set_login
from workers.app import app
from workers.worker import APP

TASK_PAGE: Final = "task.html"
TASK_PAGE_WITH_JOB: Final = """\
{% extends "task.html" %}
{% block navbar %}
{% module Template("navbar.html", active_tab="tasks") %}
<p class="container-fluid mt-3 mb-0">Job: <a href="{{ job_url }}">{{ job_key }}</a></p>
{% end %}
"""


class ClosedMetrics(Metrics):  # type: ignore[misc]  # Flower has no types
    """Puts Flower's metrics, which name tasks and workers, behind its password; by default they are open to all."""

    @authenticated
    async def get(self) -> None:
        await super().get()


class TaskOfJob(TaskView):  # type: ignore[misc]  # Flower has no types
    """A task's page, with a link to the page of its job."""

    def initialize(self, gateway_url: str) -> None:
        self._gateway_url = gateway_url

    def render_string(self, template_name: str, **values: Any) -> bytes:
        task = values.get("task")
        key = job_of(task.name, task.args) if template_name == TASK_PAGE and task else None
        if key is None:
            return bytes(super().render_string(template_name, **values))
        template = Template(TASK_PAGE_WITH_JOB, loader=Loader(self.get_template_path()))
        values |= {"job_key": key, "job_url": f"{self._gateway_url}/jobs/{quote(key)}"}
        return template.generate(**{**self.get_template_namespace(), **values})


def run_flower(address: str, port: int, settings: Settings) -> None:
    """Run until SIGTERM. Raises SettingsError if the port is in use, or if it would be open without a password."""
    set_login(address, settings, os.environ)
    arguments = flower_arguments(address, choose_port(address, port))
    drop_variables(arguments, os.environ)
    handlers[handlers.index(("/metrics", Metrics))] = ("/metrics", ClosedMetrics)
    if settings.gateway_url:
        _link_tasks_to_jobs(settings.gateway_url)
    app.start([*APP, "flower", *arguments])


def _link_tasks_to_jobs(gateway_url: str) -> None:
    for place, handler in enumerate(handlers):
        if getattr(handler, "handler_class", None) is TaskView:
            options = {"gateway_url": gateway_url}
            handlers[place] = url(handler.regex.pattern, TaskOfJob, options, handler.name)
