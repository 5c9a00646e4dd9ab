"""What an Actor or Actor task sets for its runs, where the document doesn't."""

from actorline.jobs.document.job_document import JobDocument
from actorline.platform.actors import RunDefaults, get_actor, get_actor_task
from actorline.platform.client import Platform


def run_defaults(platform: Platform, document: JobDocument) -> RunDefaults:
    """Return them, those of an Actor task before those of its Actor. Raises PlatformError."""
    if not document.actor_task:
        return get_actor(platform, document.actor or "").default_run_options
    actor_task = get_actor_task(platform, document.actor_task)
    of_the_actor = get_actor(platform, actor_task.act_id).default_run_options
    own = {name: value for name, value in actor_task.options if value is not None}
    return of_the_actor.model_copy(update=own)
