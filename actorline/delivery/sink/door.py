"""What a sink is: a place that the job claims before money is spent, in which each file is published once.

Files are written under cover and published create-if-absent, so that of two executions one wins. A loser looks at
what lies there.
"""

import json
import os
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final, Protocol

CLAIM: Final = "_actorline.json"
SUCCESS: Final = "_SUCCESS"
MANIFEST: Final = "manifest.json"
RECORDS: Final = "records"


class SinkError(Exception):
    """The sink can't be used; the message says why and what to do."""


class SinkTakenError(SinkError):
    """The folder is another job's."""


class MissingFileError(SinkError):
    """There is no file of this name."""


class Sink(Protocol):
    """A folder, by its URL with a slash at the end. Names are relative: `manifest.json`, `records/OUTPUT`.

    Every method raises SinkError if the sink refuses or can't be reached; each is safe to repeat.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    @abstractmethod
    def check(self) -> None:
        """Whether the folder can be written and keeps what lies there; what that took is removed again."""

    @abstractmethod
    def staging(self, name: str, execution: str) -> AbstractContextManager[BinaryIO]:
        """A file to write `name` into, which nobody sees; it is gone at the end of the block, published or not."""

    @abstractmethod
    def publish(self, file: BinaryIO, name: str) -> bool:
        """Give a staged file its name. False: somebody else's lies there already, and stays."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Read a file; seekable, and no more than some MB of it are held in memory. Raises MissingFileError."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """A file's bytes; None if there is none."""

    @abstractmethod
    def files(self) -> Mapping[str, int]:
        """Name -> bytes of every file that lies here, also in folders; staged ones aside."""

    @abstractmethod
    def move(self, name: str, to: str) -> None:
        """Give a file another name, if it is there; what has that name already is replaced."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def clear_staging(self) -> None:
        """Remove what executions that were killed left staged, for a job that has ended: one that still writes takes
        the loss of its file for a refusal.
        """

    def claim(self, installation: str, key: str) -> bool:
        """Make the folder this job's; answers whether it wasn't yet. Raises SinkTakenError if it is another's."""
        owner = _owner(installation, key)
        if self.write_once(CLAIM, json.dumps(owner).encode() + b"\n"):
            return True
        found = self._found_owner()
        if found != owner:
            by = f"the job {found.get('key')}" if isinstance(found, dict) else "somebody else"
            message = f"The sink {self} is taken by {by}. Choose another folder; {{key}} in the URL makes one a job."
            raise SinkTakenError(message)
        return False

    def sweep(self, installation: str, key: str) -> None:
        """Clear the staging of an ended job. Another job's folder is left alone."""
        if self.exists(CLAIM) and self._found_owner() == _owner(installation, key):
            self.clear_staging()

    def write_once(self, name: str, content: bytes) -> bool:
        """Create a small file whole. False: it was there already, and stays."""
        with self.staging(name, os.urandom(6).hex()) as file:
            file.write(content)
            return self.publish(file, name)

    def publish_instead(self, file: BinaryIO, name: str, aside: str) -> None:
        """Give a staged file a name that another file has, which is moved to `aside`."""
        self.move(name, aside)
        if not self.publish(file, name):
            message = f"Somebody else writes {self.file_url(name)} at this moment."
            raise SinkError(message)

    def exists(self, name: str) -> bool:
        return self.size(name) is not None

    def file_url(self, name: str) -> str:
        return self.url + name

    def _found_owner(self) -> Any:
        with self.open(CLAIM) as file:
            try:
                return json.loads(file.read())
            except ValueError:
                return None


def missing(sink: Sink, name: str) -> str:
    return f"There is no {sink.file_url(name)}. Is the URL right, and is the sink the one that was written?"


def _owner(installation: str, key: str) -> dict[str, str]:
    return {"installation": installation, "key": key}
