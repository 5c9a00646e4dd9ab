"""What a person sees of a fault that leaves a command, and the exit code that it gets."""

import redis

from actorline.cli.exits import Exit, exit_of_reason
from actorline.cli.terminal.output import print_refusal, say
from actorline.errors import Code, Reason, Refused, Unavailable
from actorline.ledger.durability import NotDurableError
from actorline.ledger.faults import describe_fault
from actorline.settings import SettingsError


def exit_code_of(error: Exception, *, as_json: bool) -> Exit | None:
    """Print what the fault means and return its exit code; None: it isn't foreseeable, and nothing was printed."""
    from kombu.exceptions import OperationalError

    match error:
        case SettingsError():
            say(str(error))
            return Exit.USAGE
        case Refused() | Unavailable():
            print_refusal(error.reason, as_json=as_json)
            return exit_of_reason(error.reason)
        case redis.RedisError() | OperationalError():
            message = f"Redis can't be used: {describe_fault(error)}. Is it running? Check it with `actorline doctor`."
            print_refusal(Reason(code=Code.REDIS_UNAVAILABLE, message=message, billed=False), as_json=as_json)
            return Exit.UNAVAILABLE
        case NotDurableError():
            message = (
                f"{error}. What was asked may have been done, and may be forgotten again: look with `actorline jobs`. "
                "`actorline doctor` says what to mend."
            )
            print_refusal(Reason(code=Code.LEDGER_NOT_DURABLE, message=message, billed=False), as_json=as_json)
            return Exit.UNAVAILABLE
    return None
