"""Whatever happens to jobs, in any order and twice: their budgets say what their runs say, and are never exceeded."""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from actorline.budgets.limits import Budgets
from actorline.budgets.reservation import Entry, batch_budget, nano
from actorline.identifiers import RunId
from actorline.jobs.attempt import next_attempt
from actorline.jobs.cost import assumed_cost, cost_fields
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Intent, Job
from actorline.jobs.job_reservation import reservation_of
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import TERMINAL, Event, State
from actorline.ledger.admission.budgets import OverBudget
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import NewJob
from actorline.ledger.store import connect
from actorline.orders.retry import retry_job
from actorline.stages.ending import end_job
from actorline.upkeep.abort_stray import book_stray

BUDGETS = Budgets.model_validate(
    {
        "account": {"default": {"daily_usd": 10, "monthly_usd": 25, "timezone": "Pacific/Kiritimati"}},
        "label": {"team": {"search": {"daily_usd": 6}}},
        "assumed_run_usd": 2,
    }
)
LIMITS = {"account:default": {10: 10, 7: 25}, "label:team=search": {10: 6}, "batch:b": {3: 12}}
"""Dollars by the length of the period's name: 2025-11-28, 2025-11, all."""

MOST_JOBS = 5
EVE = 1_764_496_800.0  # 2025-11-30 10:00 UTC: the day and the month turn at that moment in Kiritimati
ORDERS: tuple[dict[str, Any], ...] = (
    {},
    {"labels": {"team": "search"}},
    {"options": {"max_total_charge_usd": 3.333333333}},
    {"labels": {"team": "search"}, "options": {"max_total_charge_usd": 0.000000001}},
)


NEXT: dict[State, tuple[str, ...]] = {
    State.QUEUED: ("start", "start", "start", "job_ends"),
    State.WAITING: ("start", "start", "start", "job_ends"),
    State.STARTING: ("run_becomes_known", "run_becomes_known", "start_made_no_run", "job_ends"),
    State.RUNNING: (
        "run_costs",
        "run_costs",
        "rows_are_collected",
        "another_run_follows",
        "second_run_has_ended",
        "last_cost_is_told",
        "job_ends",
    ),
    State.COLLECTING: ("run_costs", "job_ends"),
    **dict.fromkeys(
        TERMINAL, ("figures_settle", "figures_settle", "job_is_retried", "second_run_has_ended", "last_cost_is_told")
    ),
}


def costs_up_to(most: int) -> st.SearchStrategy[int | None]:
    """Nano-dollars as the platform tells them, or doesn't."""
    return st.none() | st.integers(0, most)


def usd(nano_usd: int | None) -> float | None:
    return None if nano_usd is None else nano_usd / 1e9


@dataclass
class Attempt:
    """What the platform knows of one attempt. `where`: where it counts. `held`: what it may still cost. `is_told`:
    whether its cost was ever told; if not, it counts with what it reserved once that is no longer awaited.
    """

    reserved: int
    where: list[tuple[str, str]]
    held: int
    cost: int = 0
    strays: int = 0
    is_told: bool = False

    def costs(self, nano_usd: int) -> None:
        """Let it cost so much by now. The platform may correct it later, in either direction."""
        self.cost, self.held, self.is_told = nano_usd, self.reserved - nano_usd, True

    def is_over(self) -> None:
        """Let nothing more be told of its cost for now."""
        self.held = 0
        if not self.is_told:
            self.cost = self.reserved


@dataclass
class Model:
    """A job as the test knows it. `counted`: its attempts, the last one last."""

    key: str
    counted: list[Attempt] = field(default_factory=list)
    runs: int = 0
    attempts: dict[RunId, Attempt] = field(default_factory=dict)

    @property
    def last(self) -> Attempt:
        return self.counted[-1]


class Histories(RuleBasedStateMachine):
    """Jobs of one account, most of them in one batch, over the turn of a day and a month."""

    def __init__(self, redis: Any) -> None:
        super().__init__()
        self.ledger = Ledger(redis, f"h{secrets.token_hex(4)}")
        self.jobs: list[Model] = []
        self.now = EVE - 100

    # -- what may happen

    @initialize(first=st.sampled_from(ORDERS))
    def begin(self, first: dict[str, Any]) -> None:
        self.order(first, in_batch=True)

    @precondition(lambda self: len(self.jobs) < MOST_JOBS)
    @rule(order=st.sampled_from(ORDERS), in_batch=st.booleans())
    def order(self, order: dict[str, Any], *, in_batch: bool) -> None:
        key = f"j{len(self.jobs)}"
        budget = batch_budget("b", 12) if in_batch else None
        document = parse_document({"actor": "apify/x", **order})
        self.ledger.register([NewJob(key, document, "file:///rows/", fresh=False, budget=budget)], due_in_s=10)
        self.jobs.append(Model(key))

    @precondition(lambda self: self.now < EVE)
    @rule()
    def the_day_turns(self) -> None:
        self.now = EVE + 100

    @rule(data=st.data(), job_no=st.integers(0, MOST_JOBS - 1), twice=st.booleans())
    def step(self, data: st.DataObject, job_no: int, *, twice: bool) -> None:
        """Let a job do one of the things that may come next."""
        model = self.jobs[job_no % len(self.jobs)]
        job = self.ledger.load(model.key)
        assert job
        steps = NEXT[State.RUNNING if job.run.id and job.state in {State.QUEUED, State.WAITING} else job.state]
        name = steps[data.draw(st.integers(0, len(steps) - 1))]
        self._late_execution(job)
        getattr(self, f"_{name}")(model, job, data, twice)

    def _start(self, model: Model, job: Job, _: st.DataObject, twice: bool) -> None:
        wanted = reservation_of(job, BUDGETS, self.now)
        assert wanted
        fields: Any = {"intent": Intent(attempt=job.attempt, marker="m", at=self.now), "reservation": wanted}
        announced = Change(guards={"intent": None}, on_disk=True, fields=fields)
        is_over = bool(self.ledger.budgets.without_room(wanted))
        try:
            moved = self.sent(lambda: self.ledger.move(job, Event.START, announced), twice=twice)
        except OverBudget:
            assert is_over
            return
        assert moved
        assert not is_over
        where = [(entry.budget, entry.period) for entry in wanted.entries]
        model.counted.append(Attempt(wanted.nano_usd, where, held=wanted.nano_usd))

    def _run_becomes_known(self, model: Model, job: Job, _: st.DataObject, twice: bool) -> None:
        model.runs += 1
        run_id, states = RunId(f"{job.key}-{model.runs}"), {State.STARTING}
        model.attempts[run_id] = model.last
        for _ in range(1 + twice):
            self.ledger.runs.record(job.key, job.attempt, job.epoch, run_id, states=states, due_in_s=5, found=twice)

    def _start_made_no_run(self, model: Model, job: Job, _: st.DataObject, twice: bool) -> None:
        assert self.sent(lambda: self.ledger.move(job, Event.HOLD, Change(fields={"intent": None})), twice=twice)
        model.last.held = 0

    def _run_costs(self, model: Model, job: Job, data: st.DataObject, twice: bool) -> None:
        cost = data.draw(costs_up_to(model.last.reserved))  # up or down: the platform corrects its figures
        written = Change(fields=cost_fields(job, usd(cost)))
        assert self.sent(lambda: self.ledger.change(job.key, written, epoch=job.epoch), twice=twice)
        if cost is not None:
            model.last.costs(cost)

    def _second_run_has_ended(self, model: Model, job: Job, data: st.DataObject, twice: bool) -> None:
        if not model.counted:
            return
        model.runs += 1
        cost, run_id = data.draw(st.integers(0, 10**9)), RunId(f"{job.key}-stray-{model.runs}")
        assert self.sent(lambda: book_stray(self.ledger, job, run_id, cost / 1e9), twice=twice)
        assert book_stray(self.ledger, self.ledger.load(job.key), run_id, cost / 1e9)
        model.last.strays += cost

    def _last_cost_is_told(self, model: Model, job: Job, data: st.DataObject, twice: bool) -> None:
        """Let the cost of a run that counts with an assumed one be known."""
        if not job.assumed_costs:
            return
        run_id = data.draw(st.sampled_from(sorted(job.assumed_costs)))
        attempt = model.attempts[run_id]
        cost = data.draw(st.integers(0, attempt.reserved))
        assert self.sent(lambda: book_stray(self.ledger, job, run_id, cost / 1e9), twice=twice)
        attempt.is_told, attempt.cost = True, cost if run_id == job.run.id else 0
        model.last.strays += cost - attempt.cost

    def _rows_are_collected(self, _: Model, job: Job, __: st.DataObject, twice: bool) -> None:
        assert self.sent(lambda: self.ledger.move(job, Event.COLLECT, Change()), twice=twice)

    def _another_run_follows(self, model: Model, job: Job, _: st.DataObject, twice: bool) -> None:
        assert self.sent(lambda: self.ledger.move(job, Event.NEW_RUN, Change(fields=next_attempt(job))), twice=twice)
        model.last.is_over()

    def _job_ends(self, model: Model, job: Job, data: st.DataObject, twice: bool) -> None:
        event = data.draw(st.sampled_from([Event.FAIL, Event.CANCEL, Event.EXPIRE]))
        self.sent(lambda: end_job(self.ledger, job, event, None), twice=twice)
        if not job.run.id and model.counted:
            model.last.held = 0

    def _figures_settle(self, model: Model, job: Job, data: st.DataObject, twice: bool) -> None:
        if not job.run.id or job.figures_settled:
            return
        cost = data.draw(costs_up_to(model.last.reserved))
        known = cost_fields(job, usd(cost)) or assumed_cost(job)
        settled = Change(guards={"run_id": job.run.id}, fields={**known, "figures_settled": True})
        assert self.sent(lambda: self.ledger.change(job.key, settled, states=TERMINAL, epoch=job.epoch), twice=twice)
        if cost is not None:
            model.last.costs(cost)
        model.last.is_over()

    def _job_is_retried(self, model: Model, job: Job, _: st.DataObject, __: bool) -> None:
        retry_job(self.ledger, job.key, sender=FROM_TERMINAL)
        if job.run.id:
            model.last.is_over()
        elif model.counted:
            model.last.held = 0

    def _late_execution(self, job: Job) -> None:
        """Let an execution that lost the job try to change it."""
        late = Change(fields={"cost_usd": 1.0, "intent": None, "figures_settled": True})
        assert self.ledger.change(job.key, late, states=State, epoch=job.epoch + 1) is None

    # -- what always holds

    @invariant()
    def budgets_say_what_the_runs_say(self) -> None:
        spent, reserved, unasked = (Counter[tuple[str, str]]() for _ in range(3))
        for attempt in (attempt for model in self.jobs for attempt in model.counted):
            for place in attempt.where:
                spent[place] += attempt.cost + attempt.strays
                unasked[place] += attempt.strays
                reserved[place] += attempt.held
        places = list(spent)
        counts = self.ledger.budgets.read(Entry(budget=budget, period=period) for budget, period in places)
        for place, count in zip(places, counts, strict=True):
            assert (count.spent, count.reserved) == (spent[place], reserved[place])
            limit = LIMITS[place[0]].get(len(place[1]))
            assert limit is None or count.taken - unasked[place] <= nano(limit)

    # -- how it is done

    def sent(self, change: Callable[[], Any], *, twice: bool) -> Any:
        """Make a change; `twice`: its reply is lost, so that Redis gets the same script again."""
        with patch("actorline.ledger.ledger.call_token", return_value=secrets.token_hex(8)):
            outcome = change()
            return change() if twice else outcome


@pytest.mark.thorough
def test_budgets_say_what_the_runs_say_in_any_history(valkey):
    redis = connect(f"{valkey}?virtual_host=3")
    try:
        run_state_machine_as_test(
            lambda: Histories(redis),
            settings=settings(
                max_examples=20,
                stateful_step_count=60,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],  # shrinking thousands of scripts would take minutes
            ),
        )
    finally:
        redis.close()
