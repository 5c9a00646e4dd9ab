"""Messages in any order, twice or never, workers that die at any call, a platform that responds late or not at all:
whatever an adversary does to a line, it keeps its promises, and comes to its end once the adversary lets it.

ANY_ORDER_LIVES says how many lives of a line are lived; `make adversary` lives thousands.
"""

import itertools
import os
import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import hypothesis.strategies as st
import pytest
import structlog
from held_execution import Blow, Blows, Fate
from held_line import Ground, HeldLine, held_line
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from promises import LONG_ROUND_SECS, ROUND_SECS, Promises
from small_platform import UNCLEAR, Start, StartReply

from actorline.errors import Code

LIVES: Final = int(os.environ.get("ANY_ORDER_LIVES", "30"))
STEPS: Final = 20
STRIDE: Final = 1 if LIVES > 100 else 50
KEYS: Final = ("a", "b")
UPKEEP: Final = "actorline.upkeep"

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.timeout(0),  # it takes as long as there are lives to be lived
    pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning"),  # Celery's own
]

indexes = st.integers(0, 7)
fates = st.sampled_from([*Fate, Fate.HOLD])
blows = st.builds(Blow, st.integers(0, 40), fates)
many_blows = st.lists(blows, min_size=2, max_size=6).map(lambda coming: Blows(*coming))
few_blows = st.lists(blows, max_size=2).map(lambda coming: Blows(*coming))
orders = st.fixed_dictionaries(
    {
        "key": st.sampled_from(KEYS),
        "on_failure": st.sampled_from(
            [{}, {"new_runs": 1}, {"resurrect": 1}, {"resurrect": 1, "new_runs": 1}, {"deliver_partial": False}]
        ),
        "deadline_secs": st.sampled_from([None, None, None, 40]),
    },
)
goings = st.tuples(
    st.sampled_from(["SUCCEEDED", "SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"]), st.sampled_from([1.0, 20.0, 90.0])
)
starts = st.builds(
    Start,
    reply=st.sampled_from([*UNCLEAR, *StartReply]),
    made=st.booleans(),
    late_secs=st.sampled_from([0, 20, 50]),
    unlisted_secs=st.sampled_from([0, 5, 65]),
    unknown_secs=st.sampled_from([0, 2]),
)


class AnyOrder(RuleBasedStateMachine):
    """The adversary."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.exits = ExitStack()

    @initialize(
        is_young=st.booleans(),
        shows_agents=st.booleans(),
        first=st.lists(orders, min_size=1, max_size=2),
        coming=st.lists(starts, max_size=3),
        going=goings,
    )
    def begin(
        self,
        is_young: bool,
        shows_agents: bool,
        first: list[dict[str, Any]],
        coming: list[Start],
        going: tuple[str, float],
    ) -> None:
        self.line: HeldLine = self.exits.enter_context(held_line(self.ground, is_young=is_young))
        self.promises = Promises(self.line, KEYS)
        self.line.platform.shows_agents = shows_agents
        self.line.platform.coming.extend(coming)
        self.let_runs_go(going)
        for order in first:
            self.order(order, continues=False)

    # -- people and services

    @rule(order=orders, continues=st.booleans())
    def order(self, order: dict[str, Any], continues: bool) -> None:
        self.line.order(**order, continues=continues)

    @rule(wish=st.sampled_from(["cancel", "retry"]), key=st.sampled_from(KEYS))
    def ask(self, wish: str, key: str) -> None:
        self.line.send(f"actorline.{wish}", key)

    # -- messages and workers

    @rule(
        rounds=st.integers(1, 6),
        seconds=st.sampled_from([ROUND_SECS, ROUND_SECS, 45.0]),
        coming=many_blows,
        backwards=st.booleans(),
        upkeep_too=st.booleans(),
    )
    def work(self, rounds: int, seconds: float, coming: Blows, backwards: bool, upkeep_too: bool) -> None:
        for _ in range(rounds):
            self.line.work(
                seconds, coming, meets=lambda message: upkeep_too or message.task != UPKEEP, backwards=backwards
            )

    @precondition(lambda self: self.line.bag)
    @rule(index=indexes, coming=few_blows, is_lost=st.booleans())
    def deliver(self, index: int, coming: Blows, is_lost: bool) -> None:
        self.line.deliver(take(self.line.bag, index), coming, is_lost=is_lost)

    @precondition(lambda self: self.line.held)
    @rule(index=indexes, coming=few_blows, is_lost=st.booleans())
    def wake(self, index: int, coming: Blows, is_lost: bool) -> None:
        self.line.go_on(take(self.line.held, index), coming, is_lost=is_lost)

    @precondition(lambda self: self.line.bag)
    @rule(index=indexes, times=st.sampled_from([0, 2]))
    def lose_or_double(self, index: int, times: int) -> None:
        self.line.bag.extend([take(self.line.bag, index)] * times)

    @precondition(lambda self: self.line.held)
    @rule(index=indexes)
    def take_for_dead(self, index: int) -> None:
        """The broker hands on what a frozen worker holds."""
        frozen = take(self.line.held, index)
        self.line.held.append(frozen)
        self.line.bag.append(frozen.about)

    # -- the platform, and time

    @rule(start=starts)
    def prepare_start(self, start: Start) -> None:
        self.line.platform.coming.append(start)

    @rule(going=goings)
    def let_runs_go(self, going: tuple[str, float]) -> None:
        self.line.platform.final, self.line.platform.secs = going

    @rule()
    def turn_platform_off_or_on(self) -> None:
        self.line.platform.is_down = not self.line.platform.is_down

    @rule(seconds=st.sampled_from([0.5, 3.0, 8.0, 16.0, 45.0, 131.0, 310.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.line.clock.advance(seconds)

    # -- what holds all the time, and at the end

    @invariant()
    def promises_are_kept(self) -> None:
        self.promises.check()

    def teardown(self) -> None:
        with self.exits:
            if sys.exc_info()[0] is None:
                self.promises.check_end()


def take(things: list[Any], index: int) -> Any:
    return things.pop(index % len(things))


@pytest.fixture
def ground(valkey: str, tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(valkey, tmp_path / "home")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield ground
    structlog.reset_defaults()
    ground.close()


def test_promises_are_kept_in_any_order_of_events(ground):
    class OnGround(AnyOrder):
        pass

    OnGround.ground = ground
    run_state_machine_as_test(
        OnGround,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("fate", [fate for fate in Fate if fate is not Fate.HOLD])
def test_job_is_delivered_whichever_of_its_calls_is_struck(ground, fate):
    """One job, one blow, at one of its calls after the other; where there is little time, at some of them."""
    for after in itertools.count(random.randrange(STRIDE), STRIDE):
        with held_line(ground) as line:
            promises = Promises(line, ("a",))
            coming = Blows(Blow(after, fate))
            line.order(key="a")
            while not promises.is_over():
                line.work(ROUND_SECS, coming)
                promises.check()
            promises.check_end()
            (job,) = promises.jobs()
            came = (job.state, job.reason and job.reason.code, job.collection.items, len(line.platform.runs))
            refused = ("FAILED", Code.SINK_REFUSED, 0, 0)
            assert came in {("DELIVERED", None, 7, 1), refused}, f"{fate} after {after} calls: {came}"
            if not coming.are_over:
                return


def test_worker_that_wakes_after_a_takeover_changes_nothing(ground):
    """The same with a worker that stands still at one of its calls until its job is in other hands."""
    for after in itertools.count(random.randrange(STRIDE // 4 + 1), STRIDE // 4 + 1):
        with held_line(ground) as line:
            promises = Promises(line, ("a",))
            coming = Blows(Blow(after, Fate.HOLD))
            line.order(key="a")
            while not (line.held or promises.is_over()):
                line.work(ROUND_SECS, coming)
            for frozen in list(line.held):
                epoch = line.epoch("a")
                while line.epoch("a") == epoch and not promises.is_over():
                    line.work(LONG_ROUND_SECS)
                line.held.remove(frozen)
                line.go_on(frozen)
            promises.check_end()
            (job,) = promises.jobs()
            assert (job.state, job.collection.items, len(line.platform.runs)) == ("DELIVERED", 7, 1), (
                f"held after {after} calls"
            )
            if not coming.are_over:
                return


@pytest.mark.parametrize("task", ["actorline.run", "actorline.start_run", "actorline.answer"])
@pytest.mark.parametrize("fate", [Fate.HOLD, Fate.FAIL_BEFORE, Fate.FAIL_AFTER])
def test_caller_gets_the_end_whatever_strikes_order_or_answer(ground, fate, task):
    """`start_run` ends the cancelled job, and answers the caller itself unless a message has to follow."""
    for after in itertools.count():
        with held_line(ground) as line:
            promises = Promises(line, ("a",))
            coming = Blows(Blow(after, fate))
            line.order(key="a", continues=task == "actorline.answer")
            line.deliver(line.bag.pop(), coming if task == "actorline.run" else None)
            line.send("actorline.cancel", "a")
            while not promises.is_over():
                line.work(ROUND_SECS, coming, meets=lambda message: message.task == task)
                promises.check()
            promises.check_end()
            if not coming.are_over:
                return


@pytest.mark.parametrize("fate", [Fate.FAIL_BEFORE, Fate.DIE_BEFORE])
def test_second_answer_that_is_struck_leaves_the_first(ground, fate):
    for after in itertools.count():
        with held_line(ground) as line:
            promises = Promises(line, ("a",))
            line.order(key="a", continues=True)
            line.send("actorline.cancel", "a")
            while not (answers := [message for message in line.bag if message.task == "actorline.answer"]):
                line.work(ROUND_SECS)
            line.deliver(answers[0])
            line.work(ROUND_SECS)  # upkeep sees the result, and forgets the caller
            coming = Blows(Blow(after, fate))
            line.deliver(answers[0], coming, is_lost=True)
            promises.check_end()
            if not coming.are_over:
                return
