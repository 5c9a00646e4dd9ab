"""`notify`: who is told that a document's job has ended."""

from pydantic import Field

from actorline.jobs.document.section import Section


class Notify(Section):
    """Who is notified of the job's end."""

    url: str | None = Field(None, min_length=1, max_length=2_000, description="Receives a POST, Standard Webhooks")
    # `\w{0,199}` would compile the letters of all languages 199 times: 0.1 s at each process start
    task: str | None = Field(
        None, max_length=200, pattern=r"^[A-Za-z_][\w.]*$", description="A Celery task, by its name"
    )
    queue: str | None = Field(None, max_length=100, pattern=r"^[\w.\-]+$", description="Its queue; default: celery")
