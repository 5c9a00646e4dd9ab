"""Flower: what it shows, and to whom. A password is never on the command line, where other users could read it.

It is `FLOWER_BASIC_AUTH=user:password`, or the content of the file that `FLOWER_BASIC_AUTH_FILE` names. On loopback,
which every local user and every page in a browser can reach, one is created if none is set, and stored in the home.
"""

import os
import re
import secrets
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from actorline.errors import SettingsError
from actorline.host.loopback import is_loopback
from actorline.host.private_folder import make_private, private_opener
from actorline.identifiers import JobKey
from actorline.jobs.job_key import is_key
from actorline.settings import Settings

COLUMNS: Final = "name,args,state,received,runtime,worker,uuid"
MAX_TASKS: Final = 10_000
LOGIN: Final = "FLOWER_BASIC_AUTH"
LOGIN_FILE: Final = "FLOWER_BASIC_AUTH_FILE"
OAUTH: Final = "FLOWER_AUTH"
USER: Final = "actorline"
SHOWN_KEY: Final = re.compile(r"[( ]key=([^,)]+)[,)]")  # as our tasks' arguments are shown: (key=nightly, epoch=3)
ONE_KEY: Final = re.compile(r"[\[(]'([^']+)',?[\])]")  # as Celery shows those of a task that is only given a key
TASKS_OF_A_KEY: Final = frozenset({
    "actorline.cancel", "actorline.retry", "actorline.status", "actorline.settle", "actorline.notify",
    "actorline.advance_batch", "actorline.store_batch",
})  # fmt: skip


def flower_arguments(address: str, port: int) -> list[str]:
    return [
        f"--address={address}",
        f"--port={port}",
        f"--conf={os.devnull}",  # otherwise it would run a flowerconfig.py in the working directory
        f"--tasks_columns={COLUMNS}",
        f"--max_tasks={MAX_TASKS}",
        "--natural_time=true",
        "--purge_offline_workers=60",
    ]


def set_login(address: str, settings: Settings, environment: MutableMapping[str, str]) -> None:
    """Pass Flower its password in the environment. Raises SettingsError if it would be open to others without one."""
    if environment.get(LOGIN) or environment.get(OAUTH):
        return
    if file := environment.get(LOGIN_FILE):
        environment[LOGIN] = _read(Path(file))
    elif is_loopback(address):
        environment[LOGIN] = _kept_login(login_file(settings))
    else:
        raise SettingsError(
            f"Flower would be open to everyone at {address}. Nothing was started. Set {LOGIN}=user:password or "
            f"{LOGIN_FILE}, or let it listen on 127.0.0.1."
        )


def drop_variables(arguments: list[str], environment: MutableMapping[str, str]) -> None:
    """Remove variables that our arguments override: Kubernetes sets FLOWER_PORT for a service named flower."""
    for argument in arguments:
        environment.pop(f"FLOWER_{argument.lstrip('-').partition('=')[0].upper()}", None)


def job_of(task_name: str | None, shown_arguments: str | None) -> JobKey | None:
    """Return the job that a task is for, by what Flower shows of it; None if it isn't one of our tasks of a job."""
    if not (task_name or "").startswith("actorline."):
        return None
    found = SHOWN_KEY.search(shown_arguments or "")
    if found is None and task_name in TASKS_OF_A_KEY:
        found = ONE_KEY.fullmatch(shown_arguments or "")
    return found[1] if found and is_key(found[1]) else None


def login_file(settings: Settings) -> Path:
    return settings.home / "flower.login"


def has_own_login(environment: MutableMapping[str, str]) -> bool:
    """Return whether the operator has configured Flower's login."""
    return any(environment.get(name) for name in (LOGIN, LOGIN_FILE, OAUTH))


def _kept_login(file: Path) -> str:
    """Return the login in the file, which is created once."""
    try:
        make_private(file.parent)
        if not file.exists():
            with open(file, "x", opener=private_opener) as made:
                made.write(f"{USER}:{secrets.token_urlsafe(24)}\n")
    except FileExistsError:
        pass  # another Flower of this home has just made it
    except OSError as error:
        raise SettingsError(
            f"Flower's password can't be stored in {file}: {error.strerror}. Set {LOGIN}=user:password."
        ) from error
    return _read(file)


def _read(file: Path) -> str:
    try:
        login = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        login = ""
    if not all(login.partition(":")):
        raise SettingsError(f"{file} has no login for Flower: it must be one line, user:password.")
    return login
