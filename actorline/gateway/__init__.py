"""The HTTP door: orders, results, timelines and rows for services that have no Celery."""
