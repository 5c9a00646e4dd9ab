"""The usage of `budgets`."""

from actorline.cli.usage.options import AsJson


def budgets(as_json: AsJson = False) -> None:
    """Show what is spent, reserved and left of each budget, and what it comes to at this pace."""
    from actorline.cli.administration import budgets

    budgets.budgets(as_json=as_json)
