"""The usage of `audit`."""

from typing import Annotated

import typer

from actorline.cli.usage.options import AsJson


def audit(
    limit: Annotated[int, typer.Option(min=1, help="Most entries to list")] = 50, as_json: AsJson = False
) -> None:
    """List who changed pauses, API keys and webhooks; newest first."""
    from actorline.cli.administration import audit

    audit.audit(limit, as_json=as_json)
