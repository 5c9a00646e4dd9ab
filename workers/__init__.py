"""The processes: Celery workers, beat, Flower, and the embedded stack that holds them together on one machine."""
