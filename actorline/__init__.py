"""Actorline runs Apify Actors as Celery jobs for other services.

Paid once; you stop paying when you no longer want the result; every row once. The words are those of
`docs/glossary.md`, the folders those of `docs/architecture.md#the-house`.
"""

__version__ = "0.1.0"
