"""What an account's limits leave for a start, and what a job says that has no room."""

import pytest

from actorline.ledger.admission.account_room import Claim, RoomLeft, noted_room
from actorline.platform.users import AccountLimits
from actorline.stages.start.limits import account_use
from actorline.stages.start.room import no_room


def limits(*, runs=(256, 250), gbytes=(64.0, 62.5)):
    return AccountLimits.from_platform(
        {
            "limits": {"maxConcurrentActorJobs": runs[0], "maxActorMemoryGbytes": gbytes[0]},
            "current": {"activeActorJobCount": runs[1], "actorMemoryGbytes": gbytes[1]},
        }
    )


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (limits(), RoomLeft(6, 1536, 65_536)),
        (limits(runs=(None, 3)), RoomLeft(None, 1536, 65_536)),
        (limits(gbytes=(64, None)), RoomLeft(6, None, 65_536)),
        (limits(runs=(25, 26), gbytes=(16, 17)), RoomLeft(-1, -1024, 16_384)),
    ],
)
def test_limits_leave_what_is_not_used(found, left):
    assert account_use(found, at=0).left == left


@pytest.mark.parametrize(
    ("left", "needs", "starts"),
    [
        (RoomLeft(6, 4096), 1024, 4),
        (RoomLeft(3, 4096), 1024, 3),
        (RoomLeft(3, 4096), 0, 3),
        (RoomLeft(None, 512), 1024, 0),
        (RoomLeft(-1, None), 1024, 0),
        (RoomLeft(None, None), 1024, None),
    ],
)
def test_runs_and_memory_bound_how_many_start(left, needs, starts):
    assert left.starts(needs) == starts


def test_job_says_which_of_both_is_missing():
    by_runs, by_memory = no_room(Claim("full", 1, 0, 9_000, 128)), no_room(Claim("full", 1, 5, 900, 4096))
    assert "as many runs as it may have" in by_runs.message
    assert "needs 4,096 MB of memory, and its account has 900 MB left" in by_memory.message
    assert [(each.is_full, each.was_refused, each.needs_less) for each in (by_runs, by_memory)] == [
        (True, False, False),
        (True, False, True),
    ]


def test_room_is_unknown_until_it_is_read():
    assert noted_room({"asked_at": "5"}, 10) is None
    stored = {"read_at": "4", "runs": "3", "memory_mbytes": "", "most_memory_mbytes": ""}
    assert noted_room(stored, 10) == (RoomLeft(3, None), 6)
