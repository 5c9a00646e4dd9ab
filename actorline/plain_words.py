"""What is wrong with a value, without the words of pydantic and Python."""

from collections.abc import Mapping
from typing import Final

IN_A_FILE: Final[Mapping[str, str]] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table of names and values",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be a table of names and values",
    "string_type": "must be text",
}
"""Of a setting or a schedule, by pydantic's type of an error."""


def in_plain_words(kind: str, message: str, words: Mapping[str, str] = IN_A_FILE) -> str:
    """Return what an error of that type and message says."""
    return words.get(kind) or message.removeprefix("Value error, ").replace("Input should be", "must be")
