"""The pipeline: one Celery task per module, each a thin shell around the domain. Names on the wire are frozen."""

MODULES = (
    "tasks.run",
    "tasks.batch",
    "tasks.advance_batch",
    "tasks.start_run",
    "tasks.poll_run",
    "tasks.look_at_fleet",
    "tasks.fetch_ahead",
    "tasks.fetch_pages",
    "tasks.fetch_page",
    "tasks.finish_job",
    "tasks.answer",
    "tasks.cancel",
    "tasks.retry",
    "tasks.status",
    "tasks.upkeep",
    "tasks.sweep",
    "tasks.abort_stray",
    "tasks.settle",
    "tasks.notify",
    "tasks.hook",
)
