"""The names of Actors and Actor tasks: `user/name`, `user~name` or an ID."""

from actorline.jobs.job import Job


def spelling(name: str) -> str:
    """Return the spelling in which names of Actors are compared: `user/name` and `user~name` are the same."""
    return name.replace("/", "~")


def indexed_actor(name: str | None) -> str | None:
    """Return the spelling of an Actor's, or Actor task's, name by which its jobs are indexed.

    None: it is an ID. Its jobs may have been ordered by its name as well, so no index has them all.
    """
    spelled = spelling(name or "")
    return spelled if "~" in spelled else None


def is_of_actor(job: Job, name: str) -> bool:
    """Return whether the job is of the Actor or Actor task of this name or ID."""
    names = (job.document.actor, job.document.actor_task, job.run.actor_id)
    return spelling(name) in {spelling(each) for each in names if each}
