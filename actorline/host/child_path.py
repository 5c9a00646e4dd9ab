"""Where our own processes find Python packages."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder of our packages: `actorline`, `config`, `tasks` and `workers`."""


def inherited_environment() -> dict[str, str]:
    """Return the environment for our own processes, with a `PYTHONPATH` only if this process was found by it.

    Our folder comes first: a project's folder on it may have packages named `config` or `tasks`.
    """
    environment = dict(os.environ)
    folders = [folder for folder in environment.pop("PYTHONPATH", "").split(os.pathsep) if folder]
    if ROOT in {Path(folder).resolve() for folder in folders}:
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *folders])
    return environment
