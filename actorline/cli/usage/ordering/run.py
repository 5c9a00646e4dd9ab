"""The usage of `run`."""

from typing import Annotated

import typer

from actorline.cli.usage.completion import complete_account, complete_format, complete_key
from actorline.cli.usage.options import AsJson, DryOrder, NoWait
from actorline.delivery.formats.rules import FORMAT_NAMES
from actorline.jobs.states import State


def run(
    actor: Annotated[str | None, typer.Argument(help="Actor: user/name, user~name or ID", metavar="ACTOR")] = None,
    actor_task: Annotated[
        str | None, typer.Option(help="An Actor task instead: user/name, user~name or ID", metavar="ID")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Take over an existing run", metavar="ID")] = None,
    dataset_id: Annotated[str | None, typer.Option(help="Only collect an existing dataset", metavar="ID")] = None,
    input: Annotated[  # noqa: A002
        str | None, typer.Option("-i", "--input", help="Input as JSON, @FILE or - (standard input)", metavar="JSON")
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option("-m", "--memory", help="Memory in MB, a power of 2; default: the Actor's", metavar="MB"),
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(
            "-t",
            "--timeout",
            help="Seconds after which the platform ends the run; 0: never; default: the Actor's",
            metavar="SECS",
        ),
    ] = None,
    build: Annotated[
        str | None,
        typer.Option("-b", "--build", help="Tag or number of the build; default: the Actor's", metavar="BUILD"),
    ] = None,
    max_items: Annotated[int | None, typer.Option(help="Most items to be charged", metavar="N")] = None,
    max_usd: Annotated[float | None, typer.Option(help="Most that the run may cost, in USD", metavar="USD")] = None,
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option(
            help=f"{', '.join(FORMAT_NAMES)}; default: jsonl", metavar="FORMAT", autocompletion=complete_format
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option("-o", "--out", help="Folder or URL; default: ./rows/{key}/", metavar="FOLDER")
    ] = None,
    records: Annotated[
        list[str] | None,
        typer.Option(
            "--record", "--records", help="Deliver this record, not OUTPUT; repeat it for more", metavar="NAME"
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Name of the job; the same key with the same document joins it; default: a new one", metavar="KEY"
        ),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="A label of the job; repeat it for more", metavar="NAME=VALUE")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="0 (first) to 9 (last); default: 5", metavar="0-9")] = None,
    account: Annotated[
        str | None,
        typer.Option(help="Alias of the account that pays", metavar="ALIAS", autocompletion=complete_account),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            help="Abort the run if more than 5 % of the rows lack this field, from 200 rows on; repeat it for more",
            metavar="FIELD",
        ),
    ] = None,
    unique: Annotated[
        list[str] | None,
        typer.Option(
            help="Abort the run if more than 10 % of the rows repeat this key, from 200 rows on; repeat it for a key "
            "of several fields",
            metavar="FIELD",
        ),
    ] = None,
    stop_after: Annotated[int | None, typer.Option(help="Stop the run after N rows", metavar="N")] = None,
    changes_key: Annotated[
        list[str] | None,
        typer.Option(
            help="Say what changed since an earlier delivery, by this key; repeat it for a key of several fields",
            metavar="FIELD",
        ),
    ] = None,
    changes_since: Annotated[
        str | None,
        typer.Option(
            help="The job to compare with; default: the last one of this Actor with the same labels",
            metavar="KEY",
            autocompletion=complete_key(State.DELIVERED),
        ),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            help="Seconds from the order on, after which the run is aborted and the job is EXPIRED", metavar="SECS"
        ),
    ] = None,
    sync: Annotated[
        bool, typer.Option("--sync", help="Use the synchronous endpoints, for runs of at most 300 s")
    ] = False,
    document: Annotated[
        str | None, typer.Option(help="Job document: FILE or - (standard input)", metavar="FILE")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option(help="Run an input for each line of a file, as one batch", metavar="FILE.jsonl")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Cut a list of the input into runs, as one batch", metavar="FIELD:SIZE")
    ] = None,
    max_running: Annotated[
        int | None, typer.Option(help="Of a batch: most runs at a time; default: 20", metavar="N")
    ] = None,
    dry_run: DryOrder = False,
    as_json: AsJson = False,
    no_wait: NoWait = False,
    keep_on_interrupt: Annotated[
        bool, typer.Option("--keep-on-interrupt", help="Let the job continue after Ctrl-C")
    ] = False,
) -> None:
    """Run an Actor, wait for it, and deliver its rows and records."""
    from actorline.cli.ordering import run
    from actorline.cli.ordering.option_names import fields_named_as_options
    from actorline.cli.ordering.order import merge, parse_labels, read_document, read_input, sink_url

    order = merge(
        read_document(document) if document else {},
        {
            "key": key,
            "actor": actor,
            "actor_task": actor_task,
            "run_id": run_id,
            "dataset_id": dataset_id,
            "input": read_input(input),
            "options": {
                "memory_mbytes": memory,
                "timeout_secs": timeout,
                "build": build,
                "max_items": max_items,
                "max_total_charge_usd": max_usd,
            },
            "guard": {"required": require or None, "unique": unique or None},
            "stop_when": {"items": stop_after},
            "delta": {"key": changes_key or None, "base": changes_since},
            "collect": {"format": format, "records": records or None},
            "sink": {"url": sink_url(out) if out else None},
            "labels": parse_labels(label or []),
            "priority": priority,
            "account": account,
            "deadline_secs": deadline,
            "mode": "sync" if sync else None,
        },
    )
    if inputs or split or max_running is not None:
        from actorline.cli.ordering import batch
        from actorline.cli.ordering.order import as_batch

        order = as_batch(order, inputs=inputs, split=split, max_running=max_running)
        with fields_named_as_options():
            batch.batch(order, dry_run=dry_run, as_json=as_json, no_wait=no_wait, keep=keep_on_interrupt)
        return
    with fields_named_as_options():
        run.run(order, dry_run=dry_run, as_json=as_json, no_wait=no_wait, keep=keep_on_interrupt)
