"""Checks with the platform before an order is stored, while a wrong token or name costs nothing."""

from collections.abc import Callable, Mapping
from typing import Any

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
NOT_FOUND_CODES = {
    "actor": Code.ACTOR_NOT_FOUND,
    "actor_task": Code.ACTOR_NOT_FOUND,
    "run_id": Code.RUN_NOT_FOUND,
    "dataset_id": Code.DATASET_NOT_FOUND,
}
_LOOK_UPS: Mapping[str, Callable[[Platform, Any], object]] = {
    "actor": get_actor,
    "actor_task": get_actor_task,
    "run_id": get_run,
    "dataset_id": get_dataset,
}
_NOUNS: Mapping[str, str] = {"actor": "Actor", "actor_task": "Actor task", "run_id": "run", "dataset_id": "dataset"}
NOT_FOUND_TYPES = {"record-not-found", "record-or-token-not-found", "actor-not-found"}


def check_order(document: JobDocument, settings: Settings) -> None:
    """Refuse a missing or wrong token and a target that doesn't exist. Any other response is left to the start itself:
    a scoped token may run what it can't read.
    """
    token = settings.token_of(document.account)
    if token is None:
        if settings.redis_url is not None:
            return  # the workers there have it
        variable = token_variable(document.account)
        raise Refused(
            Code.AUTH,
            f"No token is set. Nothing was started. Set {variable} (the platform's console has it under Settings).",
        )
    platform = Platform(settings.api_url, token, read_timeout_s=PLATFORM_SILENCE_SECS)
    name, value = document.target
    try:
        _LOOK_UPS[name](platform, value)
    except platform_errors.AuthFailed as error:
        raise Refused(
            Code.AUTH,
            f"The platform refuses the token: {error}. Nothing was started. Is APIFY_TOKEN right?",
            platform_type=error.type,
        ) from error
    except platform_errors.NotFound as error:
        if error.type in NOT_FOUND_TYPES:
            raise Refused(
                NOT_FOUND_CODES[name],
                f"The platform has no {_NOUNS[name]} {value}: {error}. Nothing was started. Is the name right?",
                platform_type=error.type,
            ) from error
    except platform_errors.MissingLibrary as error:
        raise Unavailable(Code.PLATFORM_UNAVAILABLE, f"{error}. Nothing was started.") from error
    except platform_errors.PlatformUnavailable as error:
        say(f"The platform can't be reached: {error}. The job is ordered anyway, and waits for it.")
    except platform_errors.PlatformError:
        return
