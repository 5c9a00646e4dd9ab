"""The job document, version 1: one order, as every entrance accepts it.

Unknown fields, two targets, bad names and oversized inputs are refused with the field, the reason and the nearest
name. Parameters: `docs/platform-facts.md#start-parameters`, `docs/platform-facts.md#item-parameters`.
"""

import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Final, Literal, TypeGuard, get_args
from urllib.parse import urlencode

from pydantic import (
    AfterValidator,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import to_json

from actorline.delivery.formats.rules import contradiction
from actorline.errors import Code, Refused
from actorline.identifiers import AccountName, DatasetId, JobKey, RunId, TaskId
from actorline.jobs.document.delta import COMPARED, LAST, Delta
from actorline.jobs.document.guard import Guard, StopWhen
from actorline.jobs.document.guard_rules import guard_problem
from actorline.jobs.document.json_faults import find_fault
from actorline.jobs.document.lengths import AtMost, is_stored, outgrows, size_bytes
from actorline.jobs.document.section import Section

KEY_MAX_CHARS: Final = 200
KEY_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._\-@:+]{0,199}$"
KEY_RULE: Final = "1 to 200 of A-Z a-z 0-9 . _ - @ : +, the first a letter or digit"
SCHEDULE_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""`nightly@2026-11-23T03:00:00Z`: only beat creates jobs with such keys, which are predictable."""
MAX_INPUT_BYTES: Final = 9_437_184  # docs/platform-facts.md#body-size
_TASKS: Final = uuid.UUID("6f1d3c0e-2a57-5b0c-9d55-4b1c9a2f7e10")  # the namespace of keys made of task ids
MAX_DOCUMENT_BYTES: Final = 65_536  # without the input: it is read again at every step of its job
MAX_QUERY_CHARS: Final = 8_000  # of `collect` in a URL: many servers limit a request's first line to 8 kB
MOST_PROBLEMS: Final = 10
PLACEHOLDERS: Final = frozenset({"key", "date", "run_id"})
Target = Literal["actor", "actor_task", "run_id", "dataset_id"]
TARGETS: Final[tuple[Target, ...]] = get_args(Target)

_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_OWNER = r"[A-Za-z0-9_.-]{3,100}"  # accounts from before the platform's stricter rule begin with any of these
_NAME = Field(pattern=rf"^(({_PLAIN}|{_OWNER})[/~])?{_PLAIN}$|^~{_PLAIN}$")
Name = Annotated[str, _NAME]
DatasetName = Annotated[DatasetId, _NAME]
Id = Annotated[RunId, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
RecordKey = Annotated[str, Field(pattern=r"^[a-zA-Z0-9!\-_.'()]{1,256}$")]  # docs/platform-facts.md#record-keys
Filled = Annotated[str, Field(min_length=1)]
FieldName = Annotated[
    str, Field(min_length=1, pattern=r"^[^,]*$", description="No comma: lists are comma-joined"), AtMost(500)
]
FieldNames = Annotated[list[FieldName], FailFast(), AtMost(1_000)]
XmlName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")]
_WORD = "[A-Za-z0-9_.+-]{1,100}"
MEDIA_TYPE_PATTERN: Final = re.compile(rf"{_WORD}/{_WORD}( *; *{_WORD}={_WORD})*")
MediaType = Annotated[str, Field(max_length=300, pattern=f"^{MEDIA_TYPE_PATTERN.pattern}$")]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


Account = Annotated[
    AccountName,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="An alias; case-insensitive"),
    AfterValidator(str.lower),
]


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        raise ValueError(f"must be a power of 2: use {below} or {min(below * 2, 32768)}")
    return value


Memory = Annotated[int, Field(ge=128, le=32768, description="A power of 2"), AfterValidator(_power_of_two)]


class Options(Section):
    """How the run is started. What isn't set is as the Actor or the Actor task has it."""

    memory_mbytes: Memory | None = Field(None, description="Memory of the run; a power of 2")
    timeout_secs: int | None = Field(None, ge=0, description="The run's own time-out; 0: none")
    build: Annotated[Filled, AtMost(100)] | None = Field(None, description="Tag or number")
    max_items: int | None = Field(None, ge=1, description="Limits what is charged, not what is fetched")
    max_total_charge_usd: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Most that the run may cost"
    )
    restart_on_error: bool = Field(default=False, description="Whether the platform restarts the run when it fails")
    force_permission_level: Literal["LIMITED_PERMISSIONS", "FULL_PERMISSIONS"] | None = Field(
        None, description="What the Actor may do in the account; asynchronous starts only"
    )

    def query(self) -> dict[str, str]:
        return _query(self, OPTION_PARAMETERS)


class Collect(Section):
    """What is fetched from the run's dataset and key-value store."""

    dataset: bool = Field(default=True, description="Whether rows are fetched")
    format: Literal["jsonl", "json", "csv", "xml", "xlsx", "html", "rss", "parquet"] = Field(
        "jsonl", description="See docs/formats.md"
    )
    limit: int | None = Field(None, ge=1, description="Most items to fetch")
    offset: int = Field(0, ge=0, description="Items to leave out at the beginning")
    desc: bool = Field(default=False, description="Newest items first")
    clean: bool = Field(default=False, description="Neither empty items nor fields that begin with #")
    fields: FieldNames = Field([], description="Fields to keep, in this order")
    output_fields: FieldNames = Field([], description="New names for them, by position")
    omit: FieldNames = Field([], description="Fields to leave out")
    unwind: FieldNames = Field(
        [], description="Fields whose elements become rows of their own, or are merged into the row"
    )
    flatten: FieldNames = Field([], description="Fields whose own fields become `field.inner`")
    view: Annotated[str, AtMost(200)] | None = Field(None, description="A view of the dataset's schema")
    skip_empty: bool = Field(default=False, description="Leave out empty items")
    skip_hidden: bool = Field(default=False, description="Leave out fields that begin with #")
    bom: bool | None = Field(None, description="csv: begin with a byte order mark; default: the platform's")
    delimiter: Annotated[Filled, AtMost(20)] | None = Field(
        None, description="csv: between the cells; default: a comma"
    )
    skip_header_row: bool = Field(default=False, description="csv: no header")
    xml_root: XmlName | None = Field(None, description="xml: name of the outer element; default: items")
    xml_row: XmlName | None = Field(None, description="xml: name of a row's element; default: item")
    page_items: int | None = Field(None, ge=1, lt=250_000, description="Items per page; default: by bytes")
    records: Annotated[list[RecordKey], FailFast(), AtMost(1_000)] = Field(
        ["OUTPUT"], description="Keys to fetch from the run's key-value store; missing ones are skipped"
    )
    all_records: bool = Field(default=False, description="Fetch all of them")
    while_running: bool = Field(default=True, description="Fetch full pages while the run is still running")

    @model_validator(mode="after")
    def _renames_match(self) -> "Collect":
        if self.output_fields and len(self.output_fields) != len(self.fields):
            raise ValueError("output_fields renames fields by position: give both, of the same length")
        return self

    @model_validator(mode="after")
    def _goes_with_the_format(self) -> "Collect":
        problem = contradiction(self.format, self.model_dump(exclude_defaults=True))
        if problem:
            raise ValueError(problem)
        return self

    def query(self) -> dict[str, str]:
        return _query(self, COLLECT_PARAMETERS)

    @property
    def stop(self) -> int | None:
        """Return the first item beyond those that were ordered; None: all are."""
        return None if self.limit is None else self.offset + self.limit

    @property
    def keeps_count(self) -> bool:
        """Return whether each scanned item is exactly one row: nothing skips or unwinds."""
        return not (self.clean or self.skip_empty or self.unwind or self.view)


class Sink(Section):
    url: Annotated[Filled, AtMost(2_000)] | None = Field(
        None,
        description="file:///folder/, s3://bucket/folder/, gs://, az:// or abfss://; {key}, {date} and {run_id} are "
        "filled in once",
    )
    compression: Literal["gzip", "none"] = Field(
        "gzip", description="Of the rows; a format that is compressed itself stays as it is"
    )
    single_file: bool = Field(default=False, description="One file instead of a part for each page")

    @field_validator("url")
    @classmethod
    def _placeholders(cls, url: str | None) -> str | None:
        for name in re.findall(r"{([^{}]*)}", url or ""):
            if name not in PLACEHOLDERS:
                raise ValueError(f"{{{_shown(name)}}} is not known; there are {{key}}, {{date}} and {{run_id}}")
        return url


class OnFailure(Section):
    deliver_partial: bool = Field(
        default=True, description="Deliver the rows of a failed run, as PARTIAL; otherwise the job is FAILED"
    )
    resurrect: int = Field(0, ge=0, le=10, description="How often a run that failed or timed out is resurrected")
    resurrect_timeout_secs: int | None = Field(
        None, ge=0, description="Time-out from the resurrection on; default: the run's own"
    )
    resurrect_memory_mbytes: Memory | None = Field(None, description="Default: the run's own")
    new_runs: int = Field(0, ge=0, le=10, description="Further paid runs after that")

    def resurrect_query(self) -> dict[str, str]:
        given = {"timeout": self.resurrect_timeout_secs, "memory": self.resurrect_memory_mbytes}
        return {name: str(value) for name, value in given.items() if value is not None}


class Notify(Section):
    """Who is notified of the job's end."""

    url: str | None = Field(None, min_length=1, max_length=2_000, description="Receives a POST, Standard Webhooks")
    # `\w{0,199}` would compile the letters of all languages 199 times: 0.1 s at each process start
    task: str | None = Field(
        None, max_length=200, pattern=r"^[A-Za-z_][\w.]*$", description="A Celery task, by its name"
    )
    queue: str | None = Field(None, max_length=100, pattern=r"^[\w.\-]+$", description="Its queue; default: celery")


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
    deadline_secs: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Counted from queued_at or the last retry: then the run is aborted, or the collecting of rows ends "
        "with what is stored, and the job is EXPIRED. A run's time-out is never longer than that",
    )
    on_deadline: Literal["abort"] = Field("abort", description="Reserved")
    reuse_secs: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
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
    def _has_rows_to_compare(self) -> "JobDocument":
        delta = self.delta
        if delta is None:
            return self
        if delta.base != LAST and not is_key(delta.base):
            raise ValueError(f'delta.base is neither "last" nor a key ({KEY_RULE})')
        if not self.collect.dataset or self.collect.format not in COMPARED:
            found = self.collect.format if self.collect.dataset else "collect.dataset false"
            raise ValueError(f"delta compares rows as jsonl and json keep them; {found} has none")
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

    def body_hash(self) -> str:
        """Return the sha256 of the document without key, notify and labels: two orders with the same hash are the same.

        A missing field and one with its default are the same. Defaults aren't hashed, so that a field that a later
        version adds doesn't change the hash of old orders.
        """
        return self._body_hash

    @cached_property
    def _body_hash(self) -> str:
        return self._sha256_of(set(type(self).model_fields) - {"key", "notify", "labels"})

    def hash_as_spelled(self, account: AccountName) -> str:
        """Return the hash that an earlier version gave the order, when accounts were case-sensitive."""
        return self.model_copy(update={"account": account}).body_hash()

    def likeness(self) -> str:
        """Return the sha256 of what decides the rows and their sink: equal for orders that can share a delivery."""
        return self._likeness

    @cached_property
    def _likeness(self) -> str:
        return self._sha256_of(_OF_THE_ROWS)

    def _sha256_of(self, fields: set[str]) -> str:
        body = self.model_dump(mode="json", include=fields - {"input"}, exclude_defaults=True)
        if self.input is not None:
            body["input"] = self.input  # not copied: three million values take 240 MB
        return hashlib.sha256(canonical_json(body)).hexdigest()

    def input_body(self) -> bytes:
        """Return the request body of the start. The API requires one, so no input is the empty object."""
        return self._input_body

    @cached_property
    def _input_body(self) -> bytes:
        return canonical_json({} if self.input is None else self.input, sort=False)

    def query(self) -> dict[str, str]:
        """Return the query parameters of the start; `force_permission_level` exists for Actors only."""
        query = self.options.query()
        if self.actor_task:
            query.pop("forcePermissionLevel", None)
        return query


_OF_THE_ROWS: Final = {
    *TARGETS, "input", "input_url", "input_type", "options", "collect", "sink", "account", "guard", "stop_when",
}  # fmt: skip

OPTION_PARAMETERS: Final[Mapping[str, str]] = {
    "memory_mbytes": "memory",
    "timeout_secs": "timeout",
    "build": "build",
    "max_items": "maxItems",
    "max_total_charge_usd": "maxTotalChargeUsd",
    "restart_on_error": "restartOnError",
    "force_permission_level": "forcePermissionLevel",
}
COLLECT_PARAMETERS: Final[Mapping[str, str]] = {
    "format": "format",
    "desc": "desc",
    "clean": "clean",
    "fields": "fields",
    "output_fields": "outputFields",
    "omit": "omit",
    "unwind": "unwind",
    "flatten": "flatten",
    "view": "view",
    "skip_empty": "skipEmpty",
    "skip_hidden": "skipHidden",
    "bom": "bom",
    "delimiter": "delimiter",
    "skip_header_row": "skipHeaderRow",
    "xml_root": "xmlRoot",
    "xml_row": "xmlRow",
}
PLATFORM_WORDS: Final[Mapping[str, str]] = {
    **{platform: ours for ours, platform in {**COLLECT_PARAMETERS, **OPTION_PARAMETERS}.items()},
    "actId": "actor",
    "actorId": "actor",
    "actorTaskId": "actor_task",
    "taskId": "actor_task",
}
"""Names that the API and its clients use for our fields."""


def is_key(key: Any) -> TypeGuard[JobKey]:
    """Return whether a job can have this key."""
    return isinstance(key, str) and re.fullmatch(KEY_PATTERN, key) is not None


def fresh_key() -> JobKey:
    """Return a new UUIDv7: unique, and sortable by time."""
    moment = int(time.time() * 1000).to_bytes(6, "big")
    number = int.from_bytes(moment + os.urandom(10), "big")
    number = number & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)
    return JobKey(str(uuid.UUID(int=number)))


def key_of_task(task_id: TaskId) -> JobKey:
    """Return the key of an order without one from a Celery task: the same if its message comes twice."""
    return JobKey(str(uuid.uuid5(_TASKS, task_id)))


def shown_key(key: Any) -> JobKey:
    """Return whatever was given as a key in a form that a message may quote: short, in ASCII."""
    return JobKey(key[:200].encode("unicode_escape").decode()[:200] if isinstance(key, str) else "")


def parse_document(raw: Any) -> JobDocument:
    """Check an order. Raises Refused with each bad field, why, and the nearest name, and nothing else."""
    checked = _check(raw)
    if isinstance(checked, JobDocument):
        return checked
    raise Refused(Code.DOCUMENT_INVALID, f"The job document is refused: {'; '.join(checked)}. Nothing was started.")


def document_problems(raw: Any) -> list[str]:
    """Return what `parse_document` would refuse an order for, a line each; none: it is valid."""
    checked = _check(raw)
    return [] if isinstance(checked, JobDocument) else checked


def _check(raw: Any) -> JobDocument | list[str]:
    """Return the document, or what is wrong with it."""
    if problems := _rough_problems(raw):
        return problems
    try:
        document = JobDocument.model_validate(dict(raw))
        to_json(document.input)  # raises at a depth of about 250: workers walk through the input
        body = document.input_body()
        document.body_hash(), document.likeness()  # both are cached: they take a second for a large input
    except ValidationError as error:
        return list(problems_of(error, JobDocument))
    except (ValueError, TypeError, RecursionError):  # NaN, half surrogates, values that aren't JSON
        return [find_fault(raw["input"], "input") or "input: is nested too deeply"]
    if len(body) > MAX_INPUT_BYTES:
        return [f"input: has {len(body):,} bytes; the platform accepts at most {MAX_INPUT_BYTES:,}"]
    return document


def _rough_problems(raw: Any) -> list[str]:
    """Return problems found before anything is built from the order, so that megabytes of nonsense cost little."""
    if not isinstance(raw, Mapping):
        return [f"the document must be a JSON object, not {json_type(raw)}"]
    if problem := rough_problem(_without_input(raw), "its input"):
        return [problem]
    unknown = list(islice(_unknown_fields(raw), MOST_PROBLEMS))
    return unknown if len(unknown) == MOST_PROBLEMS else []


def rough_problem(rest: Mapping[Any, Any], without: str) -> str:
    """Return what is wrong with the size and the JSON of a document `without` what has its own limit; "": nothing."""
    try:
        if outgrows(rest, MAX_DOCUMENT_BYTES) or size_bytes(rest) > MAX_DOCUMENT_BYTES:
            return f"the document has more than {MAX_DOCUMENT_BYTES:,} bytes without {without}"
    except (RecursionError, ValueError):
        return "the document is nested too deeply"
    return (find_fault(rest, "") or "").removeprefix(".")


def input_text(value: Any) -> bytes:
    """Return an input as the request body that sends it. Raises ValueError that says what is wrong with it."""
    try:
        to_json(value)  # raises at a depth of about 250: workers walk through the input
        body = canonical_json(value, sort=False)
    except (ValueError, TypeError, RecursionError):  # NaN, half surrogates, values that aren't JSON
        raise ValueError(find_fault(value, "input") or "input: is nested too deeply") from None
    if len(body) > MAX_INPUT_BYTES:
        raise ValueError(f"input: has {len(body):,} bytes; the platform accepts at most {MAX_INPUT_BYTES:,}")
    return body


def _without_input(raw: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in raw.items() if name != "input"}


def _unknown_fields(raw: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the problems of unknown names, one by one: of thousands only the first are shown."""
    for name, value in raw.items():
        field = JobDocument.model_fields.get(name)
        if field is None:
            yield _unknown((name,))
        elif isinstance(value, Mapping) and (known := _fields_of(field.annotation)):
            yield from (_unknown((name, part)) for part in value if part not in known)


def _unknown(location: tuple[int | str, ...], root: type[Section] | None = None) -> str:
    return f"{_place(location)}: is not known{_nearest(location, root or JobDocument)}"


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(_shown(part) for part in location)


def problems_of(error: ValidationError, root: type[Section]) -> Iterator[str]:
    """Yield what is wrong with a document whose model is `root`, a line each."""
    for problem in error.errors(include_url=False, include_input=False)[:MOST_PROBLEMS]:
        place = _place(problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield _unknown(problem["loc"], root)
        elif problem["type"] == "string_pattern_mismatch":
            allowed = f"; use {KEY_RULE}" if place == "key" else ""
            yield f"{place}: has characters or a length that are not allowed{allowed}"
        else:
            text = problem["msg"].removeprefix("Value error, ")
            yield f"{place}: {text}" if place else text


def _shown(part: int | str) -> str:
    return str(part)[:60].encode("ascii", "backslashreplace").decode()


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


def _query(section: Section, parameters: Mapping[str, str]) -> dict[str, str]:
    defaults = type(section).model_fields
    values = {ours: getattr(section, ours) for ours in parameters}
    return {
        parameters[ours]: _parameter(value)
        for ours, value in values.items()
        if ours == "format" or value != defaults[ours].default
    }


def _parameter(value: Any) -> str:
    """Return a value as written in a query: `docs/platform-facts.md#query-parameters`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, list) else str(value)


def canonical_json(value: Any, *, sort: bool = True) -> bytes:
    text = json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def json_type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)
