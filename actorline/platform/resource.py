"""How the platform names and describes its things: ids in paths, camelCase objects that may grow."""

from datetime import UTC, datetime
from typing import Any, Final, Self
from urllib.parse import quote

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from actorline.platform.errors import InvalidRequest, UnusableResponse

_LARGEST_NUMBER: Final = 2**53  # up to it JavaScript counts
_FIRST_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_TIME: Final = datetime(9000, 1, 1, tzinfo=UTC)


class Resource(BaseModel):
    """A thing the platform describes. Fields it adds are accepted and dropped: some hold secrets (a dataset's
    `urlSigningSecretKey`, a user's proxy password) that must not show in a `repr`.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """Return the fields that aren't null: the platform doesn't promise which of null and absent it sends."""
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data

    @field_validator("*", mode="wrap")
    @classmethod
    def _tolerant(cls, value: Any, parse: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Take a field that isn't needed for absent if it has another type, or a value that can't be reckoned with: a
        paid run isn't lost over it.
        """
        try:
            return _in_range(parse(value))
        except ValueError:
            field = cls.model_fields[str(info.field_name)]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True)

    @classmethod
    def from_platform(cls, data: Any) -> Self:
        """Return the model of a `data` object; raises UnusableResponse, without the values, if it isn't one."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            fields = sorted({".".join(map(str, detail["loc"])) or "(all)" for detail in error.errors()})
            raise UnusableResponse(
                f"The response is not a {cls.__name__} as the platform documents it: {', '.join(fields)}"
            ) from None  # the cause would show the values


def _in_range(value: Any) -> Any:
    """Return the value if sums and dates can be made of it. A time without a zone is in UTC, as all of the platform's
    are. Raises ValueError if it is outside all sensible ranges.
    """
    if isinstance(value, int | float) and not abs(value) <= _LARGEST_NUMBER:  # `not`: for NaN
        raise ValueError("beyond all numbers of the platform")
    if not isinstance(value, datetime):
        return value
    time = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not _FIRST_TIME <= time <= _LAST_TIME:
        raise ValueError("beyond all times of the platform")
    return time


def path_segment(name: str) -> str:
    """Return `name` percent-encoded as one segment of a path; raise InvalidRequest where no path can hold it.

    A dot segment would be resolved away before sending (RFC 3986, section 5.2.4), and so address another resource.
    """
    if name in {"", ".", ".."}:
        raise InvalidRequest(f"{name!r} can't be a name in a path of the API")
    return quote(name, safe="~!'()")


def safe_id(name_or_id: str) -> str:
    """Return the path segment of an id, `user/name` or `user~name`; a `/` is sent as `~`:
    `docs/platform-facts.md#names`.
    """
    return path_segment(name_or_id.replace("/", "~"))
