"""Flower, the dashboard."""

from config.flower import flower_arguments
from workers.app import app


def run_flower(address: str, port: int) -> None:
    """Run until SIGTERM. Raises SettingsError (see config.flower)."""
    app.start(["flower", *flower_arguments(address, port)])
