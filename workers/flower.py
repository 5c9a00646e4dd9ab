"""Flower, the dashboard."""

import os

from flower.urls import handlers
from flower.views.monitor import Metrics
from tornado.web import authenticated

from actorline.host.ports import choose_port
from actorline.settings import Settings
from config.flower import drop_variables, flower_arguments, set_login
from workers.app import app
from workers.worker import APP


class ClosedMetrics(Metrics):  # type: ignore[misc]  # Flower has no types
    """Puts Flower's metrics, which name tasks and workers, behind its password; by default they are open to all."""

    @authenticated
    async def get(self) -> None:
        await super().get()


def run_flower(address: str, port: int, settings: Settings) -> None:
    """Run until SIGTERM. Raises SettingsError if the port is in use, or if it would be open without a password."""
    set_login(address, settings, os.environ)
    arguments = flower_arguments(address, choose_port(address, port))
    drop_variables(arguments, os.environ)
    handlers[handlers.index(("/metrics", Metrics))] = ("/metrics", ClosedMetrics)
    app.start([*APP, "flower", *arguments])
