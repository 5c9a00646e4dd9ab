"""The HTTP gateway: orders, results, timelines and rows for services that have no Celery."""
