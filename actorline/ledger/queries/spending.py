"""What jobs have cost, by account, Actor and label: read from the jobs that were ordered since a time."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger

MOST_JOBS: Final = 20_000  # reading them takes about a second
JOBS_A_BLOCK: Final = 500
FIELDS: Final = ("account", "document", "actor_id", "cost_usd", "spent_usd", "stray_costs", "state", "items")


@dataclass
class Sum:
    """How many jobs, what they have cost, and the rows that they have stored."""

    jobs: int = 0
    usd: float = 0.0
    rows: int = 0

    def add(self, usd: float, rows: int) -> None:
        self.jobs += 1
        self.usd += usd
        self.rows += rows


@dataclass(frozen=True)
class Spending:
    """`by`: `account`, `Actor` or `label` -> its name -> the sum; `days`: unix day -> dollars; `hours`: unix hour ->
    its sum; `states`: state -> how many jobs; `is_whole`: whether all jobs were looked at, not only the newest.
    """

    total: Sum = field(default_factory=Sum)
    by: Mapping[str, dict[str, Sum]] = field(default_factory=lambda: {"account": {}, "Actor": {}, "label": {}})
    days: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    hours: dict[int, Sum] = field(default_factory=lambda: defaultdict(Sum))
    states: Counter[str] = field(default_factory=Counter)
    is_whole: bool = True


def read_spending(ledger: Ledger, since: float, *, accounts: Collection[str] | None) -> Spending:
    """Return what the jobs cost that were ordered at or after `since`; `accounts`: only of these."""
    entries = _entries(ledger, since, accounts)
    found = Spending(is_whole=len(entries) <= MOST_JOBS)
    newest = sorted(entries, key=lambda entry: -entry[1])[:MOST_JOBS]
    for (_, queued_at), values in zip(newest, _facts(ledger, [key for key, _ in newest]), strict=True):
        if values["document"] is not None and (accounts is None or (values["account"] or "").lower() in accounts):
            _count(found, queued_at, values)
    return found


def _entries(ledger: Ledger, since: float, accounts: Collection[str] | None) -> list[tuple[str, float]]:
    indexes = [[account] for account in accounts] if accounts is not None else [[]]
    with ledger.redis.pipeline(transaction=False) as pipe:
        for state in State:
            for parts in indexes:
                name = ledger.name("state", state, *parts)
                pipe.zrange(name, "+inf", since, byscore=True, desc=True, offset=0, num=MOST_JOBS + 1, withscores=True)
        return [entry for reply in pipe.execute() for entry in reply]


def _facts(ledger: Ledger, keys: list[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(keys), JOBS_A_BLOCK):
        with ledger.redis.pipeline(transaction=False) as pipe:
            for key in keys[start : start + JOBS_A_BLOCK]:
                pipe.hmget(ledger.name("job", key), FIELDS)
            for values in pipe.execute():
                yield dict(zip(FIELDS, values, strict=True))


def _count(found: Spending, queued_at: float, values: Mapping[str, Any]) -> None:
    strays = json.loads(values["stray_costs"] or "{}").values()
    usd = float(values["cost_usd"] or 0) + float(values["spent_usd"] or 0) + sum(strays)
    document = json.loads(values["document"])
    target = document.get("actor") or document.get("actor_task") or values["actor_id"] or "datasets"
    names = [("account", (values["account"] or "default").lower()), ("Actor", target)]
    names += [("label", f"{name}:{value}") for name, value in document.get("labels", {}).items()]
    rows = int(values["items"] or 0)
    found.total.add(usd, rows)
    found.hours[int(queued_at // 3_600)].add(usd, rows)
    found.states[values["state"]] += 1
    found.days[int(queued_at // 86_400)] += usd
    for kind, name in names:
        found.by[kind].setdefault(name, Sum()).add(usd, rows)
