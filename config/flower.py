"""Flower: what it shows, and to whom. A password never stands on the command line, where other users could read it.

It is `FLOWER_BASIC_AUTH=user:password`, or the content of the file that `FLOWER_BASIC_AUTH_FILE` names. On loopback,
where every user and every page in a browser could reach it, one is made if none is set, and kept in the home.
"""

import ipaddress
import os
import secrets
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from actorline.private_folder import make_private, private_opener
from actorline.settings import Settings, SettingsError

COLUMNS: Final = "name,args,state,received,runtime,worker,uuid"
MAX_TASKS: Final = 10_000
LOGIN: Final = "FLOWER_BASIC_AUTH"
LOGIN_FILE: Final = "FLOWER_BASIC_AUTH_FILE"
OAUTH: Final = "FLOWER_AUTH"
USER: Final = "actorline"


def flower_arguments(address: str, port: int) -> list[str]:
    return [
        f"--address={address}",
        f"--port={port}",
        f"--conf={os.devnull}",  # else it would run a flowerconfig.py of the working directory
        f"--tasks_columns={COLUMNS}",
        f"--max_tasks={MAX_TASKS}",
        "--natural_time=true",
        "--purge_offline_workers=60",
    ]


def set_login(address: str, settings: Settings, environment: MutableMapping[str, str]) -> None:
    """Give Flower its password by the environment. Raises SettingsError if it would be open to others without one."""
    if environment.get(LOGIN) or environment.get(OAUTH):
        return
    if file := environment.get(LOGIN_FILE):
        environment[LOGIN] = _read(Path(file))
    elif _is_loopback(address):
        environment[LOGIN] = _kept_login(login_file(settings))
    else:
        message = (
            f"Flower would be open to everybody at {address}. Set {LOGIN}=user:password or {LOGIN_FILE}, "
            "or let it listen on 127.0.0.1."
        )
        raise SettingsError(message)


def drop_variables(arguments: list[str], environment: MutableMapping[str, str]) -> None:
    """Remove Flower's variables for what our arguments say: Kubernetes sets FLOWER_PORT for a service named flower."""
    for argument in arguments:
        environment.pop(f"FLOWER_{argument.lstrip('-').partition('=')[0].upper()}", None)


def login_file(settings: Settings) -> Path:
    return settings.home / "flower.login"


def has_own_login(environment: MutableMapping[str, str]) -> bool:
    """Return whether the operator chose who may see Flower."""
    return any(environment.get(name) for name in (LOGIN, LOGIN_FILE, OAUTH))


def _kept_login(file: Path) -> str:
    """Return the login in the file, which is made once."""
    try:
        make_private(file.parent)
        if not file.exists():
            with open(file, "x", opener=private_opener) as made:
                made.write(f"{USER}:{secrets.token_urlsafe(24)}\n")
    except FileExistsError:
        pass  # another Flower of this home has just made it
    except OSError as error:
        message = f"Flower's password can't be kept in {file}: {error.strerror}. Set {LOGIN}=user:password."
        raise SettingsError(message) from error
    return _read(file)


def _read(file: Path) -> str:
    try:
        login = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        login = ""
    if not all(login.partition(":")):
        raise SettingsError(f"{file} holds no login for Flower: it must be one line, user:password.")
    return login


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
