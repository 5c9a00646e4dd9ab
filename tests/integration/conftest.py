"""Terminals: homes of their own, in which nothing may be left running. A ledger without workers. A client of the
emulator.
"""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from real_parts import TOKEN, Emulator
from terminal import Terminal

from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.platform.client import Platform


@contextmanager
def _opened(emulator: Emulator, **settings: str) -> Iterator[Terminal]:
    folder = Path(tempfile.mkdtemp(prefix="al-"))  # short: a socket's path has at most 104 characters
    terminal = Terminal(folder, emulator, **settings)
    try:
        yield terminal
        terminal.wait_until_empty()
    finally:
        terminal.kill_everything()
        shutil.rmtree(folder)


@pytest.fixture
def terminal(emulator: Emulator) -> Iterator[Terminal]:
    with _opened(emulator) as terminal:
        yield terminal


@pytest.fixture(scope="module")
def shared_terminal(emulator: Emulator) -> Iterator[Terminal]:
    """One home for all tests of a file that don't break it."""
    with _opened(emulator) as terminal:
        yield terminal


@pytest.fixture
def ledger(valkey: str) -> Iterator[Ledger]:
    """A namespace of its own in a database that no worker uses."""
    client = connect(f"{valkey}?virtual_host=3")
    yield Ledger(client, f"t{secrets.token_hex(4)}")
    client.close()


@pytest.fixture
def platform(emulator) -> Iterator[Platform]:
    platform = Platform(emulator.url, SecretStr(TOKEN), user_agent="actorline/test", sleep=lambda _: None)
    yield platform
    platform.close()
