import re
from pathlib import Path

from actorline.jobs.timeline_event import TimelineEvent

LUA = Path(__file__).parents[3] / "actorline" / "ledger" / "lua"


def test_scripts_write_only_events_that_python_knows():
    written = {event for file in LUA.glob("*.lua") for event in re.findall(r"'event', '([^']+)'", file.read_text())}
    assert written == {TimelineEvent.QUEUED, TimelineEvent.RUN_KNOWN, TimelineEvent.STRAY_RUN}
