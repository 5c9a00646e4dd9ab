"""Actorline runs Apify Actors as Celery jobs for other services.

Paid once; you stop paying when you stop caring; every row once. A *job* is one order placed with us, a *run* is one
paid execution on the platform.
"""

__version__ = "0.1.0"
