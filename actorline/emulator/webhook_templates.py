"""The templates of a webhook: JSON with variables in it (`docs/platform-facts.md#webhook-templates`)."""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

VARIABLES: Final = ("userId", "createdAt", "eventType", "eventData", "resource", "globals")
DEFAULT_PAYLOAD: Final = (
    '{"userId": {{userId}}, "createdAt": {{createdAt}}, "eventType": {{eventType}}, "eventData": {{eventData}}, '
    '"resource": {{resource}}}'
)

_VARIABLE: Final = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_STRING_OR_VARIABLE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\{\{[^{}]*\}\}')


def render(template: str, values: Mapping[str, Any], *, in_strings: bool) -> Any:
    """Return the JSON that a template makes; what a path doesn't lead to is null.

    Raises `ValueError`: an unknown variable, or no JSON.
    """

    def replaced(found: re.Match[str]) -> str:
        text = found[0]
        if not text.startswith('"'):
            return orjson.dumps(_value(text, values)).decode()
        inner = orjson.loads(text)
        if not in_strings:
            return text
        if _VARIABLE.fullmatch(inner):
            return orjson.dumps(_value(inner, values)).decode()
        return orjson.dumps(_VARIABLE.sub(lambda each: _text(_value(each[0], values)), inner)).decode()

    return orjson.loads(_STRING_OR_VARIABLE.sub(replaced, template))


def check_payload(template: str | None) -> str | None:
    """Check the template; raises `ValueError`."""
    if template:
        render(template, {}, in_strings=True)
    return template


def check_headers(template: str | None) -> str | None:
    """Check the template; raises `ValueError`: headers must be an object of strings."""
    if template:
        headers = render(template, {}, in_strings=False)
        if not isinstance(headers, dict) or not all(isinstance(value, str | None) for value in headers.values()):
            raise ValueError("must be a JSON object whose values are strings")
    return template


def _value(variable: str, values: Mapping[str, Any]) -> Any:
    found = _VARIABLE.fullmatch(variable)
    root, *path = found[1].split(".") if found else [variable]
    if root not in VARIABLES:
        raise ValueError(f"has the unknown variable {variable}")
    value: Any = values.get(root)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
