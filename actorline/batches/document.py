"""The batch document, version 1: one order of many inputs, refused as strictly as a job document."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic.config import JsonDict

from actorline.errors import Code, Refused
from actorline.identifiers import AccountName
from actorline.jobs.document.canonical_json import canonical_json
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.lengths import AtMost, is_stored
from actorline.jobs.document.notify import Notify
from actorline.jobs.document.parse import rough_problem
from actorline.jobs.document.problems import json_type, problems_of
from actorline.jobs.document.section import Section
from actorline.jobs.document.sink import Sink
from actorline.jobs.document.values import Account, Label, Number, Seconds
from actorline.jobs.job_key import KEY_PATTERN
from actorline.jobs.member_key import BATCH_KEY_MAX_CHARS

MOST_RUNNING: Final = 1_000  # a wave reads them all
MOST_LABELS: Final = 63  # one more is the member's own
OF_THE_BATCH: Final = (
    "key", "input", "input_url", "input_type", "sink", "notify", "account", "run_id", "dataset_id", "reuse_secs",
)  # fmt: skip
"""Fields of a job document that a template doesn't have: each member has its own, or all have the batch's."""
SOURCES: Final = ("inputs", "inputs_url", "split")
_WITH_LIMITS_OF_THEIR_OWN: Final = ("inputs", "split")


def _without_own_fields(schema: JsonDict) -> None:
    properties = schema["properties"]
    for name in OF_THE_BATCH:
        properties.pop(name, None)  # type: ignore[union-attr, call-arg, arg-type]  # always an object
    schema["oneOf"] = [
        {"properties": {name: {"type": "string"}}, "required": [name]} for name in ("actor", "actor_task")
    ]


class Template(JobDocument):
    """What all members have in common: a job document of an Actor or Actor task, without what each has of its own."""

    model_config = ConfigDict(json_schema_extra=_without_own_fields)

    @model_validator(mode="after")
    def _has_no_own_fields(self, info: ValidationInfo) -> "Template":
        own = [name for name in OF_THE_BATCH if name in self.model_fields_set and getattr(self, name) is not None]
        if own and not is_stored(info):
            raise ValueError(f"{own[0]} doesn't belong here: {_belongs(own[0])}")
        return self


def _belongs(name: str) -> str:
    if name in {"run_id", "dataset_id"}:
        return "each member starts a run: give actor or actor_task"
    if name.startswith("input"):
        return "the members' inputs come from inputs, inputs_url or split, outside of template"
    if name == "reuse_secs":
        return "each member is delivered to a folder of its own, so no earlier job equals it"
    return f"give {name} outside of template, for all members"


class Split(Section):
    """One input that is cut along one of its lists."""

    input: dict[str, Any] = Field(description="An input; the list is replaced by a part of it in each member")
    field: Annotated[str, Field(min_length=1), AtMost(200)] = Field(description="Name of the list in the input")
    size: Number = Field(description="Most entries of the list for each member")


class BatchDocument(Section):
    """One order of many inputs. Exactly one of `inputs`, `inputs_url` and `split` says which."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in SOURCES]})

    version: Literal[1] = Field(1, description="Of the document")
    key: str | None = Field(
        None,
        pattern=KEY_PATTERN,
        max_length=BATCH_KEY_MAX_CHARS,
        description="The key is the batch; its members' keys are `{key}.000000` and so on",
    )
    template: Template = Field(description="A job document without what is a member's own")
    inputs: list[Any] | None = Field(None, description="The inputs, each an object, in the order of their rows")
    inputs_url: str | None = Field(
        None,
        min_length=1,
        max_length=2_000,
        description="Where they are as JSON lines: file://, s3://, gs://, az://, https:// or http://",
    )
    split: Split | None = Field(None, description="One input that is cut along one of its lists")
    max_running: int = Field(20, ge=1, le=MOST_RUNNING, description="Most members that haven't ended at a time")
    stop_after_failures: Number | None = Field(
        None, description="Once this many members have failed, no more are made; those that are running continue"
    )
    budget_usd: float | None = Field(None, gt=0, allow_inf_nan=False, description="Most that all its runs may cost")
    deadline_secs: Seconds | None = Field(
        None, description="Counted from the order or the last retry: then it is stopped"
    )
    sink: Sink = Sink()
    notify: Notify = Notify()
    account: Account = Field(AccountName("default"), description="Alias of the account that pays; case-insensitive")
    priority: int = Field(5, ge=0, le=9, description="Of its members: 0 starts first, 9 last")
    labels: Annotated[dict[Label, Annotated[str, Field(max_length=200)]], AtMost(MOST_LABELS)] = Field(
        {}, description="Of the batch and its members, which have the label `batch` besides"
    )

    @model_validator(mode="after")
    def _one_source(self, info: ValidationInfo) -> "BatchDocument":
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1 and not is_stored(info):
            found = "none is given" if not given else f"{' and '.join(given)} are given"
            raise ValueError(f"give exactly one of {', '.join(SOURCES)}; {found}")
        return self

    @model_validator(mode="after")
    def _labels_are_free(self) -> "BatchDocument":
        if "batch" in {*self.labels, *self.template.labels}:
            raise ValueError("labels.batch is set by the batch itself: each member has the batch's key there")
        if len({*self.labels, *self.template.labels}) > MOST_LABELS:
            raise ValueError(f"labels and template.labels have more than {MOST_LABELS} names together")
        return self

    @model_validator(mode="after")
    def _one_folder(self) -> "BatchDocument":
        if "{run_id}" in (self.sink.url or ""):
            raise ValueError("sink.url: {run_id} is not known here: a batch has many runs")
        return self

    def stored_text(self) -> str:
        """Return it as the ledger keeps it: without its inputs, which are in the sink."""
        return self.model_dump_json(exclude=set(_WITH_LIMITS_OF_THEIR_OWN), exclude_defaults=True)

    def body_hash(self, listed: Iterable[bytes]) -> str:
        """Return the sha256 of the document without key, notify and labels: the same for equal orders.

        `listed`: the inputs that came with it, a line each.
        """
        left_out = {"key", "notify", "labels", *_WITH_LIMITS_OF_THEIR_OWN}
        digest = hashlib.sha256(canonical_json(self.model_dump(mode="json", exclude=left_out, exclude_defaults=True)))
        for line in listed:
            digest.update(b"\n" + line)
        return digest.hexdigest()


def parse_batch(raw: Any) -> BatchDocument:
    """Check an order, but for its inputs one by one. Raises Refused with each bad field and why."""
    problems = _rough_problems(raw)
    try:
        if not problems:
            return BatchDocument.model_validate(dict(raw))
    except ValidationError as error:
        problems = [_in_words(problem) for problem in problems_of(error, BatchDocument)]
    raise Refused(Code.DOCUMENT_INVALID, f"The batch document is refused: {'; '.join(problems)}. Nothing was started.")


def _in_words(problem: str) -> str:
    if problem.startswith("key: String should have at most"):
        return f"key: may have {BATCH_KEY_MAX_CHARS} characters, so that its members' keys fit ({{key}}.000000)"
    return problem


def _rough_problems(raw: Any) -> list[str]:
    """Return problems found before anything is built from the order."""
    if not isinstance(raw, Mapping):
        return [f"the document must be a JSON object, not {json_type(raw)}"]
    rest = {name: value for name, value in raw.items() if name not in _WITH_LIMITS_OF_THEIR_OWN}
    problem = rough_problem(rest, "its inputs")
    return [problem] if problem else []
