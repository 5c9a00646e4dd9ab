"""The usage of `up`, `worker`, `beat`, `flower` and `emulator`."""

from enum import StrEnum
from typing import Annotated

import typer


class Kind(StrEnum):
    CONTROL = "control"
    FETCH = "fetch"
    ALL = "all"


def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the HTTP gateway; 0: any free one")] = 8470,
    flower_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Flower; 0: any free one")] = 5555,
    redis_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the embedded Valkey, for services in containers; 0: any free one"),
    ] = None,
    redis_host: Annotated[str, typer.Option(help="Address of that port; 0.0.0.0: for containers, too")] = "127.0.0.1",
    show_addresses: Annotated[bool, typer.Option("--show-addresses", help="Also print Redis's passwords")] = False,
) -> None:
    """Run Valkey, workers, beat, Flower and the HTTP gateway, and keep them running; Ctrl-C drains them."""
    from actorline.cli import processes

    processes.up(port, flower_port, redis_port, redis_host, show_addresses=show_addresses)


def worker(
    kinds: Annotated[
        list[Kind] | None, typer.Argument(help="control, fetch or all; default: all", metavar="KIND")
    ] = None,
) -> None:
    """Run one worker process, for containers."""
    from actorline.cli import processes

    processes.worker(kinds or [Kind.ALL])


def beat() -> None:
    """Run celery beat on schedules.toml."""
    from actorline.cli import processes

    processes.beat()


def flower(
    address: Annotated[
        str,
        typer.Option(
            "--host", "--address", help="Address to listen on; other than loopback, it needs FLOWER_BASIC_AUTH"
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one")] = 5555,
) -> None:
    """Run Flower, the dashboard."""
    from actorline.cli import processes

    processes.flower(address, port)


def emulator(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one")] = 8480,
    profile: Annotated[
        str | None, typer.Option(help="JSON file that describes its Actors (docs/emulator.md)", metavar="FILE")
    ] = None,
) -> None:
    """Run a local Apify API to try Actorline against. It needs the extra `emulator`."""
    from actorline.cli import processes

    processes.emulator(host, port, profile)
