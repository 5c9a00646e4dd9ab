"""All routes of the pages."""

from typing import Final

from fastapi import APIRouter

from actorline.gateway.pages import fleet_page, live, money_page, schedules_page, session_pages
from actorline.gateway.pages.batches import batch_page, batches_page
from actorline.gateway.pages.jobs import bulk_pages, delivery_pages, document_page, job_page, jobs_page, order_pages

ROUTERS: Final[tuple[APIRouter, ...]] = (
    jobs_page.router, job_page.router, delivery_pages.router, document_page.router, order_pages.router,
    batches_page.router, batch_page.router, bulk_pages.router, schedules_page.router, money_page.router,
    fleet_page.router, live.router, session_pages.router,
)  # fmt: skip
