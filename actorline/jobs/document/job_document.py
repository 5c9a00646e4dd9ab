"""The job document, version 1: one order, as every entrance accepts it.

Each section is in a module of its own; `parse.py` checks what was given, `problems.py` says what is wrong with it.
"""

import hashlib
from functools import cached_property
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlencode

from pydantic import ConfigDict, Field, ValidationInfo, model_validator

from actorline.identifiers import AccountName, JobKey
from actorline.jobs.document.canonical_json import canonical_json
from actorline.jobs.document.collect import Collect
from actorline.jobs.document.delta import COMPARED, LAST, Delta
from actorline.jobs.document.guard import Guard, StopWhen
from actorline.jobs.document.guard_rules import guard_problem, lost_path
from actorline.jobs.document.lengths import AtMost, is_stored
from actorline.jobs.document.notify import Notify
from actorline.jobs.document.on_failure import OnFailure
from actorline.jobs.document.options import Options
from actorline.jobs.document.section import Section
from actorline.jobs.document.sink import Sink
from actorline.jobs.document.values import Account, DatasetName, Id, Label, MediaType, Name, Seconds
from actorline.jobs.job_key import KEY_PATTERN, KEY_RULE, is_key

MAX_QUERY_CHARS: Final = 8_000  # of `collect` in a URL: many servers limit a request's first line to 8 kB
Target = Literal["actor", "actor_task", "run_id", "dataset_id"]
TARGETS: Final[tuple[Target, ...]] = get_args(Target)


class JobDocument(Section):
    """One order. Exactly one of `actor`, `actor_task`, `run_id` and `dataset_id` says what is run or collected."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"properties": {name: {"type": "string"}}, "required": [name]} for name in TARGETS],
        }
    )

    version: Literal[1] = Field(1, description="Of the document")
    key: JobKey | None = Field(
        None, pattern=KEY_PATTERN, description="The key is the job; default: a new one for the order"
    )
    actor: Name | None = Field(None, description="The Actor to run: `user/name`, `user~name` or an ID")
    actor_task: Name | None = Field(None, description="The Actor task to run, by name or ID")
    run_id: Id | None = Field(None, description="Take over an existing run")
    dataset_id: DatasetName | None = Field(None, description="Only collect")
    input: Any = Field(
        None, description="Input of the run, any JSON, up to 9,437,184 bytes; none: the default of the Actor or task"
    )
    input_url: str | None = Field(
        None, min_length=1, max_length=2_000, description="Where the input is, of any type, instead of `input`"
    )
    input_type: MediaType | None = Field(None, description="Its Content-Type; default: the one that its server sends")
    options: Options = Options()
    mode: Literal["async", "sync"] = Field("async", description="`sync` uses the platform's synchronous endpoints")
    collect: Collect = Collect()
    sink: Sink = Sink()
    account: Account = Field(AccountName("default"), description="Alias of the account that pays; case-insensitive")
    poll_interval_secs: float = Field(
        5, ge=1, le=3600, allow_inf_nan=False, description="Seconds between two looks at the run"
    )
    deadline_secs: Seconds | None = Field(
        None,
        description="Counted from queued_at or the last retry: then the run is aborted, or the collecting of rows ends "
        "with what is stored, and the job is EXPIRED. A run's time-out is never longer than that",
    )
    on_deadline: Literal["abort"] = Field("abort", description="Reserved")
    reuse_secs: Seconds | None = Field(
        None,
        description="Reuse the delivery of an equal job, without a run, if it is no older than this",
    )
    on_failure: OnFailure = OnFailure()
    guard: Guard | None = Field(None, description="The contract for the rows")
    stop_when: StopWhen | None = Field(None, description="When there are enough rows: the run is stopped")
    own: bool = Field(default=False, description="Whether we may abort a run that was taken over")
    delta: Delta | None = Field(None, description="What changed since an earlier delivery")
    notify: Notify = Notify()
    priority: int = Field(5, ge=0, le=9, description="0 starts first, 9 last")
    labels: Annotated[dict[Label, Annotated[str, Field(max_length=200)]], AtMost(64)] = Field(
        {}, description="Names and values of your own; lists of jobs can be filtered by them"
    )

    @model_validator(mode="after")
    def _one_target(self) -> "JobDocument":
        given = [name for name in TARGETS if getattr(self, name) is not None]
        if len(given) != 1:
            found = "none is given" if not given else f"{' and '.join(given)} are given"
            raise ValueError(f"give exactly one of {', '.join(TARGETS)}; {found}")
        return self

    @model_validator(mode="after")
    def _sync_starts_a_run(self) -> "JobDocument":
        if self.mode == "sync" and not self.starts_run:
            raise ValueError('mode "sync" starts a run: give actor or actor_task, or leave mode out')
        if self.mode == "sync" and self.options.force_permission_level:
            raise ValueError('options.force_permission_level needs mode "async": synchronous endpoints lack it')
        return self

    @model_validator(mode="after")
    def _one_input(self) -> "JobDocument":
        if self.input_url and self.input is not None:
            raise ValueError("input and input_url are both given: the run takes only one of them")
        if self.input_url and not self.starts_run:
            raise ValueError("input_url needs a run to start: give actor or actor_task, or leave it out")
        if self.input_type and not self.input_url:
            raise ValueError("input_type is the type of input_url; input itself is JSON")
        return self

    @model_validator(mode="after")
    def _can_be_guarded(self, info: ValidationInfo) -> "JobDocument":
        if not is_stored(info) and (problem := guard_problem(self)):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _is_collected_by_a_url(self, info: ValidationInfo) -> "JobDocument":
        """Refuse a query that is too long for servers: the first page would fail, after the run was paid for."""
        if not is_stored(info) and (length := len(urlencode(self.collect.query()))) > MAX_QUERY_CHARS:
            raise ValueError(f"collect makes a URL with {length:,} characters; at most {MAX_QUERY_CHARS:,} are allowed")
        return self

    @model_validator(mode="after")
    def _has_rows_to_compare(self, info: ValidationInfo) -> "JobDocument":
        delta = self.delta
        if delta is None:
            return self
        if delta.base != LAST and not is_key(delta.base):
            raise ValueError(f'delta.base is neither "last" nor a key ({KEY_RULE})')
        if not self.collect.dataset or self.collect.format not in COMPARED:
            found = self.collect.format if self.collect.dataset else "collect.dataset false"
            raise ValueError(f"delta needs rows of jsonl or json, whose values come back as they were, not {found}")
        if not is_stored(info) and (lost := lost_path(self.collect, delta.key)):
            raise ValueError(f"delta.key: {lost}")
        if self.reuse_secs is not None:
            raise ValueError("delta compares new rows, and reuse_secs may bring those of an earlier job: give only one")
        return self

    @property
    def target(self) -> tuple[Target, str]:
        """Return the field that names what is run or collected, and its value."""
        return next((name, value) for name in TARGETS if (value := getattr(self, name)) is not None)

    @property
    def starts_run(self) -> bool:
        return self.actor is not None or self.actor_task is not None

    @property
    def may_abort(self) -> bool:
        """Return whether we may abort the run: one taken over by `run_id` is not ours unless the document says so."""
        return self.starts_run or self.own

    @cached_property
    def body_hash(self) -> str:
        """Return the sha256 of the document without key, notify and labels: two orders with the same hash are the same.

        A missing field and one with its default are the same. Defaults aren't hashed, so that a field that a later
        version adds doesn't change the hash of old orders.
        """
        return _sha256_of(self, _HASHED)

    def hash_as_spelled(self, account: AccountName) -> str:
        """Return the hash that an earlier version gave the order, when accounts were case-sensitive."""
        copy = self.model_copy(update={"account": account})  # with the cached hash of this one
        return _sha256_of(copy, _HASHED)

    def differing_fields(self, other: "JobDocument") -> list[str]:
        """Return the fields, such as `options.build`, for which the orders aren't the same one; never their values.
        Inputs aren't compared.
        """
        one, another = _by_path(self), _by_path(other)
        return sorted(path for path in one.keys() | another.keys() if one.get(path) != another.get(path))

    @cached_property
    def likeness(self) -> str:
        """Return the sha256 of what decides the rows and their sink: equal for orders that can share a delivery."""
        return _sha256_of(self, _OF_THE_ROWS)

    @cached_property
    def input_body(self) -> bytes:
        """Return the request body of the start. The API requires one, so no input is the empty object."""
        return canonical_json({} if self.input is None else self.input, sort=False)

    def query(self) -> dict[str, str]:
        """Return the query parameters of the start; `force_permission_level` exists for Actors only."""
        query = self.options.query()
        if self.actor_task:
            query.pop("forcePermissionLevel", None)
        return query


_UNHASHED: Final = {"key", "notify", "labels"}
_HASHED: Final = set(JobDocument.model_fields) - _UNHASHED
_OF_THE_ROWS: Final = {
    *TARGETS,
    "input",
    "input_url",
    "input_type",
    "options",
    "collect",
    "sink",
    "account",
    "guard",
    "stop_when",
}


def _sha256_of(document: JobDocument, fields: set[str]) -> str:
    body = document.model_dump(mode="json", include=fields - {"input"}, exclude_defaults=True)
    if document.input is not None:
        body["input"] = document.input  # not copied: three million values take 240 MB
    return hashlib.sha256(canonical_json(body)).hexdigest()


def _by_path(document: JobDocument) -> dict[str, Any]:
    """Return the given fields, those of sections by their paths."""
    given = document.model_dump(mode="json", exclude=_UNHASHED | {"input"}, exclude_defaults=True)
    paths: dict[str, Any] = {}
    for name, value in given.items():
        is_section = isinstance(value, dict)
        paths |= {f"{name}.{field}": each for field, each in value.items()} if is_section else {name: value}
    return paths
