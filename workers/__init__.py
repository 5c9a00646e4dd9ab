"""The processes: Celery workers, beat, Flower, and the embedded stack that runs them on one machine."""
