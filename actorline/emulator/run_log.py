"""What a run says: a few lines, each with the time at which it was said."""

from actorline.emulator.clock import iso
from actorline.emulator.life import Life

_SAID = {
    "READY": "ACTOR: Pulling Docker image of build.",
    "RUNNING": "ACTOR: Starting Docker container.",
    "TIMING-OUT": "ACTOR: The run is timing out.",
    "ABORTING": "ACTOR: The run is being aborted.",
}


def log_lines(life: Life, now: float) -> list[str]:
    """Return one entry a status so far; each begins with an ISO time and ends with a newline."""
    return [
        f"{iso(change.at)} {_SAID.get(change.status, f'ACTOR: The run ended as {change.status}.')}\n"
        for change in life.changes
        if change.at <= now
    ]
