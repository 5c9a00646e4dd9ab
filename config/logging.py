"""Structured logs, a line for each event, JSON unless at a terminal; a stage's lines have its job's key and task id."""

import logging
import logging.config
from typing import Final

import structlog

from actorline.logs import line_renderer

OWN_FIELDS: Final = ("request", "status", "attempt", "wait_s")
"""What our own lines give the standard library as `extra`; Celery's `extra` holds arguments of tasks."""

SHARED: Final[list[structlog.typing.Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure_logging(level: str) -> None:
    """Send structlog's and the standard library's logs to standard error in the same form."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=OWN_FIELDS), *SHARED],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, line_renderer()],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    logging.getLogger("celery.worker.consumer.consumer").addFilter(hide_body)
    for noisy in ("celery.worker.strategy", "celery.app.trace", "kombu", "amqp", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def hide_body(record: logging.LogRecord) -> bool:
    """Remove body and headers, which may have an input, from Celery's log of a message that it can't use."""
    if "contents of the message body" in str(record.msg) and isinstance(record.args, tuple):
        record.msg = record.msg.partition("\n")[0]
        record.args = record.args[: record.msg.count("%s")]
        record.exc_info = None
    return True
