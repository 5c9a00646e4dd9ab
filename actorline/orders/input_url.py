"""The check of the URL that an order's input comes from."""

from actorline.errors import Code, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.outbound.web_address import address_problem
from actorline.settings import Settings


def check_input_url(document: JobDocument, settings: Settings) -> None:
    """Refuse a URL from which no input may be read. The addresses of its host are checked when it is read."""
    problem = address_problem(document.input_url, settings.input_hosts) if document.input_url else None
    if problem:
        raise Refused(
            Code.INPUT_UNREADABLE,
            f"input_url {problem}. Nothing was started. ACTORLINE_INPUT_HOSTS lists the allowed hosts.",
        )
