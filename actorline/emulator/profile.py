"""What the emulated platform holds: accounts, Actors, Actor tasks, and how their runs go."""

import base64
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from actorline.emulator.ids import stable_id

DEFAULT_TOKEN = "apify_api_emulator"  # noqa: S105 - opens nothing but the emulator
JSON_TYPE = "application/json; charset=utf-8"

ItemKind = Literal["nasty", "plain", "tiny"]
FinalStatus = Literal["SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
BuildNumber = Annotated[str, Field(pattern=r"^\d{1,2}\.\d{1,2}\.[1-9]\d{0,4}$")]
Seconds = Annotated[float, Field(ge=0)]


class Shape(BaseModel):
    """A part of a profile: fields that it doesn't know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScriptedRecord(Shape):
    """A record that a run leaves in its key-value store."""

    content_type: str = Field(JSON_TYPE, description="Its Content-Type; for JSON the body is written as JSON")
    body: JsonValue = Field(None, description="JSON, or text if the content type isn't JSON")
    base64: str | None = Field(None, description="The body's bytes in Base64, instead of `body`")

    @model_validator(mode="after")
    def _has_one_readable_body(self) -> Self:
        if self.base64 is not None and self.body is not None:
            raise ValueError("give body or base64, not both")
        self.content()
        return self

    def content(self) -> bytes:
        """Return the body's bytes.

        Raises `ValueError`: the Base64 is broken, or the body isn't text though its content type isn't JSON.
        """
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        if self.content_type.startswith("application/json"):
            return orjson.dumps(self.body)
        if isinstance(self.body, str):
            return self.body.encode()
        raise ValueError("a body that isn't JSON is text; give other bytes as base64")


class View(Shape):
    """How a view of the dataset schema changes items (its `transformation`)."""

    fields: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    unwind: tuple[str, ...] = ()
    flatten: tuple[str, ...] = ()


class Script(Shape):
    """How a run goes. A run's own input may override any field with its property `emulate`."""

    ready_secs: Seconds = Field(0.0, description="Time in READY before the run is RUNNING")
    duration_secs: Seconds = Field(1.0, description="Time in RUNNING, if nothing stops it before")
    items: int = Field(100, ge=0, description="Items produced by a run that isn't stopped")
    item_rate: float | None = Field(
        None, gt=0, description="Items a second while RUNNING; null: evenly over the duration"
    )
    item_kind: ItemKind = Field("nasty", description="nasty: all that JSON allows; plain: shop rows; tiny: an index")
    item_bytes: int = Field(300, ge=150, le=1_000_000, description="About the size of a plain item, as JSON")
    drift_from: int | None = Field(
        None, ge=0, description="Plain items from this index on have no price, as after a change of the shop's pages"
    )
    url_count: int | None = Field(None, ge=1, description="Plain items have so many different urls; null: each its own")
    seed: int = Field(1, ge=0, description="Items are a function of kind, size, seed and index")
    views: dict[str, View] = Field(default_factory=dict, description="Views of the dataset, by name")
    final_status: FinalStatus = Field("SUCCEEDED", description="The status at the end of the duration")
    status_message: str | None = Field(None, description="statusMessage at the end")
    exit_code: int | None = Field(None, description="exitCode at the end; null: 0 for SUCCEEDED, 1 for FAILED")
    abort_secs: Seconds = Field(0.3, description="Time in ABORTING or TIMING-OUT before ABORTED or TIMED-OUT")
    records: dict[str, ScriptedRecord] = Field(
        default_factory=dict, description="Records by key; they are there once the run has ended, however it ended"
    )
    record_count: int = Field(0, ge=0, le=99_999, description="Further records KEY-00001, KEY-00002, ...")
    usage_usd: float = Field(0.01, ge=0, description="usageTotalUsd of the whole duration; a part costs its share")
    figures_lag_secs: Seconds = Field(0.0, description="usageTotalUsd lags by so much, also after the end")
    list_lag_secs: Seconds = Field(0.0, description="A new run is missing from lists for so long")
    get_lag_secs: Seconds = Field(0.0, description="Seconds for which a new run is 404 under its id")
    counter_lag_secs: Seconds = Field(
        0.0, description="itemCount, cleanItemCount and X-Apify-Pagination-Total lag by so much; items don't"
    )
    initial_total: int | None = Field(
        None, ge=0, description="The counters say no more than this until the lag has passed after the run's end"
    )
    sync_limit_secs: Seconds = Field(300.0, description="How long the synchronous endpoints wait for a run")
    sync_tells_running: bool = Field(
        default=False, description="After that they return the run, as older servers did, not with 408"
    )
    hide_user_agent_in_lists: bool = Field(default=False, description="meta.userAgent is missing in lists only")
    hide_user_agent: bool = Field(default=False, description="meta.userAgent is missing everywhere")
    secret_fields: tuple[str, ...] = Field((), description="Fields of the input that are stored encrypted")

    resurrected: dict[str, JsonValue] = Field(
        default_factory=dict, description="Fields of the script that are different after a resurrection"
    )

    def overridden(self, fields: dict[str, Any]) -> "Script":
        """Return the same script with other values for some fields.

        Raises `pydantic.ValidationError`: a field is unknown or its value is wrong.
        """
        return Script.model_validate({**self.model_dump(exclude_unset=True), **fields})


class StartError(Shape):
    """Every start of the Actor is refused so, for instance because its permissions need an approval."""

    status: int = Field(ge=400, le=599, description="HTTP status")
    type: str = Field(description="The platform's error type")
    message: str = Field("The Actor cannot be started", description="The platform's message")


class Actor(Shape):
    """An Actor, for every account to see and to run."""

    username: Name = Field(description="Its owner")
    name: Name = Field(description="Its name, unique for its owner")
    id: str = Field("", description="Default: made from the name, the same in every process")
    title: str | None = Field(None, description="Its name for people")
    builds: dict[str, BuildNumber] = Field(
        default_factory=lambda: {"latest": "0.0.1"}, description="Build tag -> build number such as 1.2.34"
    )
    build: str = Field("latest", description="Default build: a tag or a number")
    memory_mbytes: int = Field(1024, description="Default memory")
    timeout_secs: int = Field(3600, ge=0, description="Default timeout of its runs; 0: none")
    start_error: StartError | None = Field(None, description="Refuses every start")
    script: Script = Field(default_factory=Script, description="How its runs go")

    @model_validator(mode="before")
    @classmethod
    def _id_from_name(cls, values: Any) -> Any:
        return _with_stable_id("actor", values)

    @property
    def full_name(self) -> str:
        return f"{self.username}~{self.name}"


class TaskOptions(Shape):
    """Options that an Actor task keeps for its runs; null: the Actor's."""

    build: str | None = None
    timeout_secs: int | None = Field(None, ge=0)
    memory_mbytes: int | None = None
    max_items: int | None = Field(None, gt=0)
    max_total_charge_usd: float | None = Field(None, gt=0)
    restart_on_error: bool | None = None


class ActorTask(Shape):
    """A saved configuration of an Actor; only its owner's account sees it."""

    username: Name = Field(description="Its owner")
    name: Name = Field(description="Its name, unique for its owner")
    id: str = Field("", description="Default: made from the name, the same in every process")
    title: str | None = Field(None, description="Its name for people")
    actor: str = Field(description="The Actor: `username~name` or its id")
    input: dict[str, JsonValue] = Field(default_factory=dict, description="Its input, which a start may override")
    options: TaskOptions = Field(default_factory=TaskOptions, description="Options of its runs")

    @model_validator(mode="before")
    @classmethod
    def _id_from_name(cls, values: Any) -> Any:
        return _with_stable_id("actor-task", values)

    @property
    def full_name(self) -> str:
        return f"{self.username}~{self.name}"


def _with_stable_id(kind: str, values: Any) -> Any:
    if isinstance(values, dict) and not values.get("id"):
        return {**values, "id": stable_id(kind, f"{values.get('username')}~{values.get('name')}")}
    return values


def _default_actors() -> list[Actor]:
    return [
        Actor(username="demo", name="rows", title="Rows of every kind", script=Script(duration_secs=3, items=1000)),
        Actor(
            username="demo",
            name="failing",
            title="Fails half way",
            script=Script(items=50, final_status="FAILED", status_message="The target site answered 403"),
        ),
        Actor(
            username="apify",
            name="website-content-crawler",
            title="The Actor of the documents: made-up rows, whatever its input",
            script=Script(duration_secs=3, items=3, item_kind="plain"),
        ),
    ]


def _default_actor_tasks() -> list[ActorTask]:
    return [ActorTask(username="demo", name="rows-task", actor="demo~rows", input={"startUrls": []})]


class Profile(Shape):
    """The whole platform at the start; the file given as `--profile` holds it as JSON."""

    accounts: dict[str, Name] = Field(
        default_factory=lambda: {DEFAULT_TOKEN: "demo"}, description="Token -> username; every other token is refused"
    )
    concurrent_runs: int | None = Field(
        None, ge=1, description="Runs that an account may have at once; null: any number"
    )
    memory_gbytes: int | None = Field(
        None, ge=1, description="Memory that an account's runs may have together; null: any number"
    )
    actors: list[Actor] = Field(default_factory=_default_actors, description="Actors there are")
    actor_tasks: list[ActorTask] = Field(default_factory=_default_actor_tasks, description="Actor tasks there are")


def mistakes(error: ValidationError) -> str:
    """Return what is wrong with a profile, field by field, without the values given."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(": ".join(filter(None, [".".join(map(str, one["loc"])), one["msg"]])) for one in found)
