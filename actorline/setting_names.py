"""Variables of the environment that are meant as settings, but that nothing reads."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from actorline.settings import Settings

PREFIX: Final = "ACTORLINE_"
ALIKE: Final = 0.85  # Kubernetes sets variables such as ACTORLINE_PORT and ACTORLINE_SERVICE_HOST, which mean nothing
OTHERS: Final = ("ACTORLINE_SETTINGS",)


def misspelt_settings(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Yield each variable that is probably a misspelt setting, and the setting's own variable."""
    variables = {name.upper(): _variable(name) for name in Settings.model_fields}
    for name in environment:
        if not name.upper().startswith(PREFIX) or name.upper() in {*variables.values(), *OTHERS}:
            continue
        outer, _, inner = name.upper().removeprefix(PREFIX).partition("__")
        similar = get_close_matches(outer, variables, n=1, cutoff=ALIKE)
        meant = variables[similar[0]] + (f"__{inner}" if inner else "") if similar else name.upper()
        if meant != name.upper():
            yield name, meant


def _variable(field: str) -> str:
    return field.upper() if field.startswith("apify") else PREFIX + field.upper()
