"""Flower, the dashboard."""

from actorline.ports import choose_port
from config.flower import flower_arguments
from workers.app import app
from workers.worker import APP


def run_flower(address: str, port: int) -> None:
    """Run until SIGTERM. Raises SettingsError if the port is taken, and for what `config.flower` refuses."""
    flower_arguments(address, port)  # refuses an address that others reach before it looks at the port
    app.start([*APP, "flower", *flower_arguments(address, choose_port(address, port))])
