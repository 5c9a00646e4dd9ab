"""The usage of `gateway`."""

from typing import Annotated

import typer


def gateway(
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; other than loopback, it needs an API key: `actorline keys create`"),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one")] = 8470,
) -> None:
    """Run the HTTP gateway. It needs the extra `gateway`."""
    from actorline.cli import gateway

    gateway.gateway(host, port)
