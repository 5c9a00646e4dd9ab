"""Random small jobs, each on an Actor of its own, and what must have become of each."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from real_parts import Emulator, Line, delivery_of

ROWS_MAX: Final = 600
ENDLESS_SECS: Final = 7_200

KINDS: Final = {  # kind -> how many of a hundred
    "plain": 38,
    "records": 12,
    "failed-with-rows": 8,
    "failed": 5,
    "reply-lost": 12,
    "request-lost": 5,
    "made-and-500": 8,
    "no-room": 4,
    "cancelled": 8,
}
FAULTS: Final[dict[str, dict[str, Any]]] = {
    "reply-lost": {"action": "reset_after"},
    "request-lost": {"action": "reset_before"},
    "made-and-500": {"action": "status_after", "status": 500},
    "no-room": {"action": "status", "status": 402, "type": "actor-memory-limit-exceeded"},
}
ENDS: Final = {"failed-with-rows": "PARTIAL", "failed": "FAILED", "cancelled": "CANCELLED"}


@dataclass(frozen=True)
class Order:
    """`cancel_after`: seconds from its order to the wish to stop it."""

    kind: str
    document: dict[str, Any]
    items: int
    cancel_after: float | None = None

    @property
    def key(self) -> str:
        return str(self.document["key"])

    @property
    def actor(self) -> str:
        return str(self.document["actor"])

    @property
    def end(self) -> str:
        return ENDS.get(self.kind, "DELIVERED")


def make_order(number: int, rng: Random, emulator: Emulator) -> Order:
    """An Actor at the emulator, with its trouble if there is to be one, and the order for it."""
    kind = rng.choices([*KINDS], [*KINDS.values()])[0]
    name = f"storm-{number}"
    items = 0 if kind == "failed" else rng.randint(1, ROWS_MAX)
    script = {
        "items": items,
        "duration_secs": ENDLESS_SECS if kind == "cancelled" else rng.choice([0, 0, rng.uniform(0, 8)]),
        "final_status": "FAILED" if kind.startswith("failed") else "SUCCEEDED",
        "records": {"OUTPUT": {"body": {"number": number}}} if kind == "records" else {},
        "record_count": rng.randint(0, 20) if kind == "records" else 0,
    }
    actor = emulator.actor(name, **script)
    if kind in FAULTS:
        emulator.faults({"method": "POST", "path_regex": f"demo~{name}/runs$", "nth": 1, **FAULTS[kind]})
    collect = {"page_items": rng.randint(100, 300), "all_records": kind == "records"}
    document = {"key": name, "actor": actor, "poll_interval_secs": rng.choice([1, 2, 5]), "collect": collect}
    return Order(kind, document, items, rng.uniform(1, 20) if kind == "cancelled" else None)


@dataclass
class Faults:
    """What isn't as it must be, in words."""

    said: list[str] = field(default_factory=list)

    def hold(self, order: Order, is_right: bool, words: str) -> None:
        if not is_right:
            self.said.append(f"{order.key} ({order.kind}): {words}")


def judge(order: Order, line: Line, answer: Any, faults: Faults) -> list[dict[str, Any]]:
    """Hold a job's end to what must have become of it; `answer`: what its caller got. Answers its runs."""
    job = line.ledger.load(order.key)
    runs = line.emulator.runs_of(order.actor)
    faults.hold(order, job is not None and job.state == order.end, f"ended {job and job.state}, not {order.end}")
    faults.hold(order, len(runs) <= 1 or order.kind == "cancelled", f"{len(runs)} runs were paid")
    faults.hold(order, len(runs) == 1 or order.kind == "cancelled", f"{len(runs)} runs were started")
    billing = [f"{run['id']} of {run['startedAt']}: {run['status']}" for run in runs if not run["finishedAt"]]
    faults.hold(order, not billing, f"{', '.join(billing)} goes on, and bills; the job had {job and job.run.id}")
    faults.hold(order, line.events(order.key).count("ended") == 1, "it ended more than once, or never")
    if order.end in {"DELIVERED", "PARTIAL"}:
        faults.hold(order, isinstance(answer, dict) and answer["items"] == order.items, f"its caller got {answer!r}")
        if isinstance(answer, dict):
            expected = line.emulator.expected(answer["dataset_id"])
            faults.hold(order, delivery_of(answer).sha256 == expected["sha256"], "its rows are not the dataset's")
    else:
        faults.hold(order, isinstance(answer, BaseException), f"its caller got {answer!r}")
    return runs
