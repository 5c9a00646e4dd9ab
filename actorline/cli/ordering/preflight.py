"""Checks with the platform before an order is stored, while a wrong token or name costs nothing."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from actorline.cli.terminal.output import say
from actorline.errors import Code, Refused, Unavailable
from actorline.jobs.document.job_document import JobDocument
from actorline.platform import errors as platform_errors
from actorline.platform.actors import get_actor, get_actor_task
from actorline.platform.client import Platform
from actorline.platform.datasets import get_dataset
from actorline.platform.runs import get_run
from actorline.settings import Settings, token_variable

PLATFORM_SILENCE_SECS = 8.0  # a user is waiting; the job itself waits longer
NOT_FOUND_TYPES = {"record-not-found", "record-or-token-not-found", "actor-not-found"}


class _Target(NamedTuple):
    """What an order may name: how it is looked up and called, and the code if there is none."""

    look_up: Callable[[Platform, Any], object]
    noun: str
    not_found: Code


_TARGETS: Mapping[str, _Target] = {
    "actor": _Target(get_actor, "Actor", Code.ACTOR_NOT_FOUND),
    "actor_task": _Target(get_actor_task, "Actor task", Code.ACTOR_NOT_FOUND),
    "run_id": _Target(get_run, "run", Code.RUN_NOT_FOUND),
    "dataset_id": _Target(get_dataset, "dataset", Code.DATASET_NOT_FOUND),
}


def check_order(document: JobDocument, settings: Settings) -> None:
    """Refuse a missing or wrong token and a target that doesn't exist. Any other response is left to the start itself:
    a scoped token may run what it can't read.
    """
    token, variable = settings.token_of(document.account), token_variable(document.account)
    if token is None:
        if settings.redis_url is not None:
            return  # the workers there have it
        raise Refused(
            Code.AUTH,
            f"No token is set. Nothing was started. Set {variable} (the platform's console has it under Settings).",
        )
    platform = Platform(settings.api_url, token, read_timeout_s=PLATFORM_SILENCE_SECS)
    kind, name = document.target
    target = _TARGETS[kind]
    try:
        target.look_up(platform, name)
    except platform_errors.AuthFailed as error:
        raise Refused(
            Code.AUTH,
            f"The platform refuses the token: {error}. Nothing was started. Is {variable} right?",
            platform_type=error.type,
        ) from error
    except platform_errors.NotFound as error:
        if error.type in NOT_FOUND_TYPES:
            raise Refused(
                target.not_found,
                f"The platform has no {target.noun} {name}: {error}. Nothing was started. Is the name right?",
                platform_type=error.type,
            ) from error
    except platform_errors.MissingLibrary as error:
        raise Unavailable(Code.PLATFORM_UNAVAILABLE, f"{error}. Nothing was started.") from error
    except platform_errors.PlatformUnavailable as error:
        say(f"The platform can't be reached: {error}. The job is ordered anyway, and waits for it.")
    except platform_errors.PlatformError:
        return
