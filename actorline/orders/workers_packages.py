"""Whether this process has the packages that the workers have, so that what they lack is refused at once."""

from actorline.jobs.sender import Sender
from actorline.settings import Settings


def has_workers_packages(settings: Settings, sender: Sender) -> bool:
    """Return whether a library that is missing here is missing where the workers run: with an embedded Redis, and in a
    worker itself. Elsewhere the workers decide.
    """
    return settings.redis_url is None or sender.entrance == "celery"
