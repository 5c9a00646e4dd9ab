"""A secret in a file of its own, as containers get theirs."""

from pathlib import Path

from actorline.errors import SettingsError


def read_secret(file: Path, variable: str) -> str:
    """Return the text of a file. Raises SettingsError that names the variable, never what the file has."""
    try:
        secret = file.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"{variable} can't be read: {why}. Name a file that has it.") from None
    if not secret:
        raise SettingsError(f"{variable} is empty. Name a file that has it.")
    return secret
