import asyncio
import time
from itertools import count

from actorline.gateway.pages import pulse
from actorline.gateway.pages.pulse import Pulse

PAGES = 40


def test_pages_opened_at_once_arent_all_told_at_once(monkeypatch):
    """They would all be read again within a second, and whoever else asks the gateway would wait behind them."""
    for name, seconds in (("LOOK_SECS", 0.002), ("EACH_SECS", 0.01), ("PAGE_SECS", 0.01)):
        monkeypatch.setattr(pulse, name, seconds)
    opened, changes = Pulse(None, is_stopping=lambda: len(told) == PAGES), count()
    told: dict[int, float] = {}

    async def state() -> object:
        return next(changes)

    async def follow(page: int) -> None:
        async for _ in opened.of(state):
            told.setdefault(page, time.monotonic())

    async def all_together() -> None:
        await asyncio.gather(*map(follow, range(PAGES)))

    asyncio.run(all_together())
    assert max(told.values()) - min(told.values()) > PAGES * 0.01 / 2
