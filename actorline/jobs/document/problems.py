"""What is wrong with a document, a line each: the field, the reason and the nearest name."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import ValidationError

from actorline.jobs.document.collect import COLLECT_PARAMETERS
from actorline.jobs.document.json_faults import shown_name
from actorline.jobs.document.options import OPTION_PARAMETERS
from actorline.jobs.document.section import Section
from actorline.jobs.job_key import KEY_RULE
from actorline.plain_words import in_plain_words

MOST_PROBLEMS: Final = 10
PLATFORM_WORDS: Final[Mapping[str, str]] = {
    **{platform: ours for ours, platform in {**COLLECT_PARAMETERS, **OPTION_PARAMETERS}.items()},
    "actId": "actor",
    "actorId": "actor",
    "actorTaskId": "actor_task",
    "taskId": "actor_task",
}
"""Names that the API and its clients use for our fields."""

RULES: Final[Mapping[str, str]] = {
    "key": KEY_RULE,
    "actor": "user/name, user~name or an ID, not an address",
    "actor_task": "its name or an ID, not an address",
}
"""What a field may hold, where a pattern refuses it."""

IN_JSON: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
"""What is wrong, by pydantic's type of an error, where its own words speak of Python."""


def problems_of(error: ValidationError, root: type[Section]) -> Iterator[str]:
    """Yield what is wrong with a document whose model is `root`, a line each."""
    for problem in error.errors(include_url=False, include_input=False)[:MOST_PROBLEMS]:
        place = _place(problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield _unknown(problem["loc"], root)
        elif problem["type"] == "string_pattern_mismatch":
            allowed = f"; use {RULES[place]}" if place in RULES else ""
            yield f"{place}: has characters or a length that are not allowed{allowed}"
        else:
            text = in_plain_words(problem["type"], problem["msg"], IN_JSON)
            yield f"{place}: {text}" if place else text


def unknown_fields(raw: Mapping[Any, Any], root: type[Section]) -> Iterator[str]:
    """Yield the problems of unknown names, one by one: of thousands only the first are shown."""
    for name, value in raw.items():
        field = root.model_fields.get(name)
        if field is None:
            yield _unknown((name,), root)
        elif isinstance(value, Mapping) and (known := _fields_of(field.annotation)):
            yield from (_unknown((name, part), root) for part in value if part not in known)


def _unknown(location: tuple[int | str, ...], root: type[Section]) -> str:
    return f"{_place(location)}: is not known{_nearest(location, root)}"


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(shown_name(part) for part in location)


def _nearest(location: tuple[int | str, ...], root: type[Section]) -> str:
    """Return a hint for an unknown field: our word for the platform's, the same word elsewhere, or a similar one."""
    fields: Mapping[str, Any] = root.model_fields
    for part in location[:-1]:
        fields = _fields_of(fields[str(part)].annotation)
    wrong = str(location[-1])[:60]
    name = PLATFORM_WORDS.get(wrong) or re.sub(r"(?<!^)(?=[A-Z])", "_", wrong).lower()
    if name in fields:
        return f' (did you mean "{name}"?)'
    if name in root.model_fields:
        return f' (did you mean "{name}", outside of "{location[0]}"?)'
    inside = [part for part, field in root.model_fields.items() if name in _fields_of(field.annotation)]
    if inside:
        return f' (did you mean "{inside[0]}.{name}"?)'
    similar = get_close_matches(name, fields, n=1, cutoff=0.6)
    return f' (did you mean "{similar[0]}"?)' if similar else ""


def _fields_of(annotation: Any) -> Mapping[str, Any]:
    section = _section_of(annotation)
    return section.model_fields if section else {}


def _section_of(annotation: Any) -> type[Section] | None:
    """Return the section that a field holds, also one that may be left out."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, Section):
            return each
    return None


def json_type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)
