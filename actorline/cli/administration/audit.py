"""`audit`: changes to the installation, and who made them."""

from rich.markup import escape

from actorline.cli.attach import attach
from actorline.cli.terminal.output import out, print_json, say
from actorline.cli.terminal.times import short_time
from actorline.jobs.times import iso_time
from actorline.ledger.audit import read_audit
from actorline.settings import load_settings


def audit(limit: int, *, as_json: bool) -> None:
    with attach(load_settings(), workers=False) as stack:
        entries = list(read_audit(stack.ledger, limit))
    for entry in entries:
        if as_json:
            print_json({"at": iso_time(entry.at), "event": entry.event, **entry.data})
            continue
        facts = " ".join(f"{name}={value}" for name, value in entry.data.items() if value is not None)
        out.print(f"{short_time(entry.at):<16}  {entry.event:<16}  {escape(facts)}")
    if not entries and not as_json:
        say("Nothing has been changed so far.")
