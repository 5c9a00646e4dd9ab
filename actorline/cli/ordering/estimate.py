"""`run --dry-run`: what an order would come to, in words."""

from actorline.cli.terminal.output import print_json, say
from actorline.jobs.history import History
from actorline.orders.estimate import Estimate
from actorline.story.number_words import counted


def print_estimate(found: Estimate, *, as_json: bool) -> None:
    """Print the checked document to standard output, and what it would come to beside it."""
    if as_json:
        print_json({**found.document, "estimate": found.model_dump(mode="json", exclude={"document"})})
        return
    print_json(found.document, indent=2)
    say("Nothing was started.")
    if found.runs != 0:
        say(runs_text(found))
        say(history_text(found.like_it))
    if found.reserves_usd is not None:
        say(f"Each start reserves ${found.reserves_usd:,.2f}.")
    for room in found.budgets:
        until = f", until {room.ends_at}" if room.ends_at else ""
        say(f"Budget {room.budget}, {room.period}: ${room.left_usd:,.2f} of ${room.limit_usd:,.2f} are left{until}.")
    for reason in found.refusals:
        say(f"It would be refused ({reason.code}): {reason.message}")
    for reason in found.waits:
        say(f"It would wait ({reason.code}): {reason.message}")


def runs_text(found: Estimate) -> str:
    """Return how many runs it would start, and what these would cost in all."""
    if found.runs is None:
        return "It would start one run for each input; how many there are is known when inputs_url has been read."
    in_all = f", about ${found.runs * found.like_it.cost_usd.median:,.2f} in all" if found.like_it else ""
    return f"It would start {counted(found.runs, 'run')}{in_all}."


def history_text(like_it: History | None) -> str:
    """Return what ran before, in a sentence."""
    if like_it is None:
        return "What it costs is unknown: the ledger has no run like it."
    minutes = f", {like_it.minutes.median:,.1f} minutes ({like_it.minutes.p90:,.1f})" if like_it.minutes else ""
    rate = "" if like_it.usd_per_1000_rows is None else f"; ${like_it.usd_per_1000_rows:,.4f} per 1,000 rows"
    return (
        f"{counted(like_it.runs, 'run')} like it, {like_it.succeeded:,} of them successful: in the middle (and nine of "
        f"ten at most) ${like_it.cost_usd.median:,.4f} (${like_it.cost_usd.p90:,.4f}), {like_it.rows.median:,.0f} rows "
        f"({like_it.rows.p90:,.0f}){minutes}{rate}."
    )
