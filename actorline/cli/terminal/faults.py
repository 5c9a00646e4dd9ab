"""How a fault that ends a command is shown, and its exit code."""

import sys
import traceback

import redis

from actorline.cli.terminal.exits import Exit, exit_of_reason
from actorline.cli.terminal.output import print_refusal, say
from actorline.cli.terminal.streams import OutputFailed, drop_output
from actorline.errors import Code, Reason, Refused, SettingsError, Unavailable
from actorline.ledger.durability import NotDurable
from actorline.ledger.faults import describe_fault
from actorline.visible import visible


def exit_code_of(error: Exception, *, as_json: bool) -> Exit:
    """Print what the fault means and return its exit code. An unforeseen one is ours, and has its traceback."""
    from kombu.exceptions import OperationalError

    match error:
        case OutputFailed():
            drop_output()
            say(f"Standard output can't be written: {error.strerror}. What the command did is done.")
            return Exit.UNAVAILABLE
        case SettingsError():
            say(str(error))
            return Exit.USAGE
        case Refused() | Unavailable():
            print_refusal(error.reason, key=error.key if isinstance(error, Refused) else None, as_json=as_json)
            return exit_of_reason(error.reason)
        case redis.RedisError() | OperationalError():
            message = f"Redis can't be used: {describe_fault(error)}. Is it running? Check it with `actorline doctor`."
            print_refusal(Reason(code=Code.REDIS_UNAVAILABLE, message=message, billed=False), as_json=as_json)
            return Exit.UNAVAILABLE
        case NotDurable():
            message = (
                f"{error}. The command may have been carried out, and may be lost again: check with `actorline jobs`. "
                "`actorline doctor` says what to fix."
            )
            print_refusal(Reason(code=Code.LEDGER_NOT_DURABLE, message=message, billed=False), as_json=as_json)
            return Exit.UNAVAILABLE
        case _:
            message = (
                f"A fault of Actorline's own: {type(error).__name__}. The command has not done all that it should; "
                "`actorline jobs` shows what it ordered. Please report this in the repository, with the traceback."
            )
            print_refusal(Reason(code=Code.INTERNAL, message=message, billed=False), as_json=as_json)
            sys.stderr.write(visible("".join(traceback.format_exception(error))))
            return Exit.INTERNAL
