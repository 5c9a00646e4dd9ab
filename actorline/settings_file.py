"""The settings file: where it is found, and what one that was only found may say."""

import logging
import os
import tomllib
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic_settings import TomlConfigSettingsSource

from actorline.errors import SettingsError
from actorline.host.loopback import is_loopback
from actorline.host.trusted_file import distrust, searched_folders
from actorline.setting_values import API_URL

SETTINGS_FILE = "actorline.toml"
SETTINGS_FILE_VARIABLE = "ACTORLINE_SETTINGS"
API_URL_VARIABLE = "ACTORLINE_API_URL"

log = logging.getLogger(__name__)


class SettingsFile(TomlConfigSettingsSource):
    """The settings file, which some editors begin with a byte order mark."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        try:
            return tomllib.loads(file_path.read_bytes().decode("utf-8-sig"))
        except ValueError as error:  # it doesn't name its file
            raise ValueError(f"{file_path}: {error}") from None


def find_settings_file(start: Path) -> Path | None:
    """Return the file that `ACTORLINE_SETTINGS` names, else the nearest `actorline.toml` at or above `start`, not above
    the user's home or a mount point; one that other users could have written is ignored, and reported.

    Raises SettingsError if the named one doesn't exist.
    """
    if named := os.environ.get(SETTINGS_FILE_VARIABLE):
        if not Path(named).is_file():
            raise SettingsError(f"{SETTINGS_FILE_VARIABLE} names {named}, which is not a file.")
        return Path(named).absolute()
    found = (file for folder in searched_folders(start) if (file := folder / SETTINGS_FILE).is_file())
    return next((file for file in found if not _is_ignored(file)), None)


@cache
def _is_ignored(file: Path) -> bool:
    """Return whether others could have written the file, and log that once per process."""
    why = distrust(file)
    if why:
        log.warning("%s is ignored: %s. If it is right, name it: %s=%s", file, why, SETTINGS_FILE_VARIABLE, file)
    return why is not None


class FoundFile(SettingsFile):
    """A settings file found by its location: it may have come with a project that was cloned or unpacked.

    So it may name the platform or this machine (an emulator), but it can't send tokens anywhere else.
    Raises SettingsError.
    """

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        host = urlsplit(str(values.get("api_url", API_URL))).hostname
        is_known = host == urlsplit(API_URL).hostname or is_loopback(host)
        if not is_known and not os.environ.get(API_URL_VARIABLE):
            raise SettingsError(
                f"{self.toml_file_path} would send the Apify token to {host}, and was only found by its location. "
                f"Nothing was sent. If it is yours, name it: {SETTINGS_FILE_VARIABLE}={self.toml_file_path}, "
                f"or set {API_URL_VARIABLE}."
            )
        return values


def default_home() -> Path:
    """Return `.actorline` beside the nearest `actorline.toml`, else the user's state folder."""
    if file := find_settings_file(Path.cwd()):
        return file.parent / ".actorline"
    import platformdirs  # takes as long as all other settings

    return platformdirs.user_state_path("actorline")
