import time
from contextlib import ExitStack

import pytest

from actorline.platform.errors import PlatformBusy
from tasks.shell import platform_slots
from tasks.shell.platform_slots import Slots


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch):
    monkeypatch.setattr(platform_slots, "SLOT_WAIT_SECS", 0.05)


def hold(stack: ExitStack, slots: Slots, account: str, count: int) -> None:
    for _ in range(count):
        stack.enter_context(slots.taken(account))


def test_one_account_leaves_slots_to_others_and_to_orders():
    slots = Slots(total=5, each=3)
    with ExitStack() as stack:
        hold(stack, slots, "silent", 3)
        with pytest.raises(PlatformBusy, match="silent"), slots.taken("silent"):
            pass
        hold(stack, slots, "other", 2)
        with pytest.raises(PlatformBusy), slots.taken("third"):
            pass
    with slots.taken("third"):
        pass


def test_behind_calls_that_hang_nobody_waits(monkeypatch):
    monkeypatch.setattr(platform_slots, "SLOT_WAIT_SECS", 60)
    monkeypatch.setattr(platform_slots, "SLOW_CALL_SECS", 0.01)
    slots = Slots(total=1, each=1)
    with slots.taken("a"):
        time.sleep(0.02)
        began = time.monotonic()
        with pytest.raises(PlatformBusy), slots.taken("a"):
            pass
        assert time.monotonic() - began < 30
