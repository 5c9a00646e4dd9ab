from actorline.cli.terminal.room_text import left_text
from actorline.ledger.admission.account_room import RoomLeft


def test_what_is_left_is_said_in_runs_and_gigabytes():
    assert left_text(RoomLeft(6, 1536, 65_536)) == "6 runs and 1.5 GB of memory left"
    assert left_text(RoomLeft(1_000_000, 2_000_000 * 1024)) == "1,000,000 runs and 2,000,000 GB of memory left"
    assert left_text(RoomLeft(1, None)) == "1 run left"
    assert left_text(RoomLeft(-1, 0)) == "0 runs and 0 GB of memory left"
    assert left_text(RoomLeft(None, None)) == ""
