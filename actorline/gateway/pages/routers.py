"""All routes of the pages."""

from typing import Final

from fastapi import APIRouter

from actorline.gateway.pages import (
    bulk_pages,
    delivery_pages,
    document_page,
    job_page,
    jobs_page,
    live,
    order_pages,
    session_pages,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    jobs_page.router, job_page.router, delivery_pages.router, document_page.router, order_pages.router,
    bulk_pages.router, live.router, session_pages.router,
)  # fmt: skip
