"""Which jobs follow each other, so that the rows of one are compared with those of the last. Pure: no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from actorline.identifiers import AccountName, JobKey
from actorline.jobs.document.job_document import JobDocument, Target
from actorline.jobs.job_key import schedule_of
from actorline.jobs.member_key import member_key, split_member_key


@dataclass(frozen=True)
class Series:
    """Jobs that follow each other: of one schedule, or of one Actor with the same labels; of batches that follow each
    other those with the same number.
    """

    schedule: str | None
    target: tuple[Target, str] | None
    labels: Mapping[str, str]
    account: AccountName
    number: int | None

    @property
    def key_text(self) -> str:
        """Return what the keys of all its jobs contain: most others are told apart by that alone."""
        return (
            f"{self.schedule}@" if self.schedule else "" if self.number is None else member_key(JobKey(""), self.number)
        )

    @classmethod
    def of(cls, key: JobKey, document: JobDocument) -> Self | None:
        """Return the series of a job; None if neither a schedule nor a label connects it with others."""
        order, number = (split_member_key(key) if "batch" in document.labels else None) or (key, None)
        account = document.account
        if schedule := schedule_of(order):
            return cls(schedule, None, {}, account, number)
        labels = {name: value for name, value in document.labels.items() if name != "batch"}
        return cls(None, document.target, labels, account, number) if labels else None
