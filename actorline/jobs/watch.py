"""How long upkeep leaves a job alone before it asks whether its message is lost."""

from actorline.settings import Settings


def watch_secs(settings: Settings) -> float:
    """Twice the visibility timeout and a margin: by then a dead worker's messages have been handed on."""
    return 2 * settings.visibility_timeout_secs + 10.0
