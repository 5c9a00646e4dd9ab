"""The log of a command: warnings only, as the command's own messages say the rest."""

import logging
import sys
from functools import partial

from actorline.logs import before_the_first_line, text_renderer


def quiet_logs(lowest: int = logging.WARNING) -> None:
    """Show only warnings of the log, or only from another level on, on standard error.

    Retries of platform calls are not shown; their outcome is.
    """
    logging.getLogger("actorline.platform.client").setLevel(logging.ERROR)
    before_the_first_line(partial(_log, lowest))


def _log(lowest: int) -> None:
    import structlog

    structlog.configure(
        processors=[*structlog.get_config()["processors"][:-1], text_renderer()],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
