import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command that runs in this process sets up logging for itself: to what pytest takes for standard error then."""
    yield
    structlog.reset_defaults()
    logging.disable(logging.NOTSET)  # completion logs nothing
