"""What the sender of an order may do. Decisions only: the sender is already authenticated."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from actorline.budgets.limits import account_id
from actorline.errors import Code, Refused
from actorline.identifiers import AccountName
from actorline.jobs.actor_name import spelling
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.job import Job


class Scope(StrEnum):
    SUBMIT = "submit"  # order jobs of Actors and Actor tasks, and retry those that it ordered
    READ = "read"
    CANCEL = "cancel"  # jobs that it ordered
    METRICS = "metrics"  # the figures of all jobs, whatever accounts the key has
    COLLECT = "collect"  # take over any run and read any dataset of the account
    CANCEL_ANY = "cancel-any"  # also jobs that others ordered
    RETRY_ANY = "retry-any"  # also jobs that others ordered; may start another paid run
    FULL_PERMISSIONS = "full-permissions"  # let a run have the platform's full permissions


class Rights(BaseModel):
    """The default is everything. `accounts`: aliases whose jobs it can see; `actors` and `actor_tasks`: ids and
    `user~name`; None: all.
    """

    model_config = ConfigDict(frozen=True)

    scopes: frozenset[Scope] = frozenset(Scope)
    accounts: frozenset[AccountName] | None = None
    actors: frozenset[str] | None = None
    actor_tasks: frozenset[str] | None = None
    max_usd_per_run: float | None = Field(None, gt=0, allow_inf_nan=False)
    max_usd_per_day: float | None = Field(None, gt=0, allow_inf_nan=False)

    def sees(self, account: AccountName) -> bool:
        return self.accounts is None or account.lower() in self.accounts

    def may_read(self, job: Job) -> bool:
        return Scope.READ in self.scopes and self.sees(job.document.account)

    def sees_budget(self, budget: str) -> bool:
        """Return whether it sees a budget: of its accounts, or any; those of labels count the jobs of all accounts."""
        return self.accounts is None or budget in {account_id(alias) for alias in self.accounts}

    def has(self, scope: Scope) -> bool:
        return scope in self.scopes

    @property
    def is_bounded(self) -> bool:
        """Return whether Actors or dollars are limited."""
        limits = (self.actors, self.actor_tasks, self.max_usd_per_run, self.max_usd_per_day)
        return any(limit is not None for limit in limits)

    def described(self) -> dict[str, object]:
        """Return the rights for lists and logs: names sorted, None for no limit."""
        values = {name: getattr(self, name) for name in Rights.model_fields}
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}

    def check(self, document: JobDocument) -> None:
        """Refuse an order that the sender must not place. Raises Refused (forbidden)."""
        self._check_target(document)
        self._check_permissions(document)
        if document.starts_run and (self.max_usd_per_run is not None or self.max_usd_per_day is not None):
            self._check_charge(document.options.max_total_charge_usd)

    def _check_target(self, document: JobDocument) -> None:
        kind, name = document.target
        if not document.starts_run:
            if not self.has(Scope.COLLECT):
                _refuse(
                    f"needs the scope collect for {kind}: without it, it can't take over runs or read other datasets"
                )
            return
        if not self.has(Scope.SUBMIT):
            _refuse("needs the scope submit to run anything")
        allowed = self.actors if kind == "actor" else self.actor_tasks
        if allowed is not None and spelling(name) not in allowed:
            which = ", ".join(sorted(allowed)) or f"no {kind} at all"
            _refuse(f"does not cover the {kind} {name[:100]}: it may run {which[:300]}")

    def _check_permissions(self, document: JobDocument) -> None:
        level = document.options.force_permission_level
        if level == "FULL_PERMISSIONS" and not self.has(Scope.FULL_PERMISSIONS):
            _refuse("needs the scope full-permissions for options.force_permission_level")
        if document.own and (self.is_bounded or not self.has(Scope.CANCEL_ANY)):
            _refuse('needs the scope cancel-any, and no limit of Actors or dollars, for "own": true')

    def _check_charge(self, charge_usd: float | None) -> None:
        most = min(limit for limit in (self.max_usd_per_run, self.max_usd_per_day) if limit is not None)
        if charge_usd is None:
            _refuse(f"needs options.max_total_charge_usd in each order: at most {most:g}")
        elif charge_usd > most:
            _refuse(f"allows options.max_total_charge_usd up to {most:g}, not {charge_usd:g}")


EVERYTHING = Rights()


def _refuse(why: str) -> None:
    raise Refused(Code.FORBIDDEN, f"The API key {why}. Nothing was started.")
