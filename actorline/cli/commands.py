"""The commands by name. Each is imported when it is called, so that help, version and Tab don't load them all."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from actorline.cli.argument_text import TextCommand


class CommandEntry(NamedTuple):
    """The module in `actorline.cli.usage` that declares a command, and its help, or as much as fits a line."""

    module: str
    help: str


COMMANDS: Final[Mapping[str, CommandEntry]] = {
    "demo": CommandEntry("demo", "Run three jobs against a local emulator, and check the results."),
    "run": CommandEntry("ordering.run", "Run an Actor, wait for it, and deliver its rows and records."),
    "batch": CommandEntry("ordering.batch", "Run many inputs as one order; deliver their rows and records."),
    "jobs": CommandEntry("jobs", "List jobs, newest first."),
    "show": CommandEntry("jobs", "Show a job: its result so far, its timeline and its cost."),
    "cancel": CommandEntry("jobs", "Stop jobs: abort their runs, and wait until that is done."),
    "retry": CommandEntry("retry", "Retry ended jobs from the cheapest stage."),
    "forget": CommandEntry("forget", "Remove ended jobs for good: rows, records, manifest, results."),
    "items": CommandEntry("rows", "Write the delivered rows to standard output."),
    "changes": CommandEntry("rows", "Count what changed since an earlier delivery."),
    "records": CommandEntry("rows", "List the delivered records, or write one to standard output."),
    "guard": CommandEntry("guard", "Learn the contract for rows (guard) from past deliveries."),
    "verify": CommandEntry("verify", "Read a delivery again and check it against its manifest."),
    "submit": CommandEntry("ordering.submit", "Order many jobs, and print their keys."),
    "watch": CommandEntry("watch", "Show a job or batch, or all unfinished ones, until they end."),
    "pause": CommandEntry("administration.pause", "Start no new paid runs; running ones continue."),
    "resume": CommandEntry("administration.pause", "Start paid runs again; waiting jobs begin."),
    "budgets": CommandEntry("administration.budgets", "Show what is spent, reserved and left of each budget."),
    "accounts": CommandEntry("administration.accounts", "Show which user each account alias belongs to."),
    "doctor": CommandEntry("administration.doctor", "Check settings, Redis, tokens, quotas, clock and sink."),
    "orphans": CommandEntry("administration.orphans", "List our running runs that no job wants."),
    "up": CommandEntry("processes", "Run Valkey, workers, beat, Flower and the HTTP gateway."),
    "worker": CommandEntry("processes", "Run one worker process, for containers."),
    "beat": CommandEntry("processes", "Run celery beat on schedules.toml."),
    "flower": CommandEntry("processes", "Run Flower, the dashboard."),
    "gateway": CommandEntry("gateway", "Run the HTTP gateway. It needs the extra `gateway`."),
    "emulator": CommandEntry(
        "processes", "Run a local Apify API to try Actorline against. It needs the extra `emulator`."
    ),
    "audit": CommandEntry("administration.audit", "List who changed pauses, API keys and webhooks; newest first."),
    "ledger": CommandEntry("administration.ledger", "Measure, export, import and purge what is stored of ended jobs."),
    "keys": CommandEntry("administration.keys", "Create, list and revoke API keys for the HTTP gateway."),
    "schedules": CommandEntry("schedules", "Check schedules.toml, list its schedules and their due times."),
    "webhooks": CommandEntry("webhooks", "Collect the runs of an Actor, whoever starts them."),
}


class QuickGroup(TyperGroup):
    """A group whose flags are False when they aren't given: Typer loads pydantic to convert None."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters with the defaults of their flags set."""
        params = super().get_params(ctx)
        for param in params:
            if getattr(param, "is_flag", False) and param.default is None:
                param.default = False
        return params


Function = TypeVar("Function", bound=Callable[..., Any])


class TextApp(typer.Typer):
    """An app whose commands take text only."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Return a decorator that makes a function a command."""
        return super().command(name, cls=TextCommand, **options)


def make_app(text: str | None = None, *, alone_is_help: bool = True, **options: Any) -> TextApp:
    """Return an app whose help is plain text: loading Rich would take longer than the rest of `--help`."""
    return TextApp(
        help=text,
        no_args_is_help=text is not None and alone_is_help,
        add_completion=bool(options),
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **{"cls": QuickGroup, **options},
    )


class DeferredCommand(TyperCommand):
    """A command's entry in lists; the command itself is loaded when its arguments are read."""

    def __init__(self, name: str, entry: CommandEntry) -> None:
        super().__init__(name, help=entry.help)
        self._name, self._module = name, entry.module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the loaded command with its arguments. Raises `typer.BadParameter`, in plain words."""
        from actorline.cli.terminal.quiet_log import quiet_logs

        quiet_logs()
        try:
            return self.load().make_context(info_name, args, parent=parent, **extra)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # as pydantic begins it
            raise

    def load(self) -> Any:
        """Import the command and return it as Typer builds it."""
        target = getattr(import_module(f"actorline.cli.usage.{self._module}"), self._name)
        if isinstance(target, typer.Typer):
            group = typer.main.get_group(target)
            group.name = self._name
            return group
        single = make_app()
        single.command(self._name)(target)
        return typer.main.get_command(single)


class CommandTable(QuickGroup):
    """The group `actorline` with the commands of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: DeferredCommand(name, entry) for name, entry in COMMANDS.items()}
