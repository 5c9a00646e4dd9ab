"""How does a job move? One module a stage, named like the Celery task that runs it."""
