"""The log of a command: warnings only, as the command's own messages say the rest."""

import logging
import sys

from actorline.logs import before_the_first_line


def quiet_logs() -> None:
    """Show only warnings of the log, on standard error.

    Retries of platform calls are not shown; their outcome is.
    """
    logging.getLogger("actorline.platform.client").setLevel(logging.ERROR)
    before_the_first_line(_log_warnings)


def _log_warnings() -> None:
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
