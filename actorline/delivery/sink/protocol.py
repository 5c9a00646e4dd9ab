"""What a sink is: a place that the job claims before money is spent, in which each file is published once.

A file is written under a hidden name and published under its own only if nothing has that name, so that of two
executions one wins. The other one looks at what the winner has stored.
"""

import json
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, BinaryIO, Final, Protocol

from actorline.delivery.sink.names import CLAIM, MANIFEST, SUCCESS
from actorline.identifiers import ExecutionToken, JobKey
from actorline.logs import Logger

log = Logger(__name__)

LOOK_MOST: Final = 100_000  # files in a folder that is claimed; a job's own folder is empty then

ERASED_AT_ONCE: Final = 1_000


class SinkError(Exception):
    """The sink can't be used; the message says why and what to do. `why`: the cause alone, in a few words."""

    def __init__(self, message: str, *, why: str = "") -> None:
        super().__init__(message)
        self.why = why or message


class SinkTaken(SinkError):
    """The folder is another job's."""


class MissingFile(SinkError):
    """There is no file of this name."""


class Sink(Protocol):
    """A folder, by its URL with a slash at the end. Names are relative: `manifest.json`, `records/OUTPUT`.

    Every method raises SinkError if the sink refuses or can't be reached, and for a name that would lead out of the
    folder; each is safe to repeat.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    @abstractmethod
    def check(self) -> None:
        """Check that the folder can be written and keeps what is stored; what the check wrote is removed again."""

    @abstractmethod
    def staging(self, name: str, execution: ExecutionToken) -> AbstractContextManager[BinaryIO]:
        """Open a hidden file to write `name` into; it is gone at the end of the block, published or not."""

    @abstractmethod
    def publish(self, file: BinaryIO, name: str) -> bool:
        """Give a staged file its name. False: another execution's is there already, and stays."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Read a file; seekable, and no more than some MB of it are held in memory. Raises MissingFile."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Return a file's bytes; None if there is none."""

    @abstractmethod
    def files_in(self, folder: str) -> Mapping[str, int]:
        """Return name -> bytes of the files in one folder of the sink (`""`, `attempt-2/`), but not in those below."""

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Yield the name of every file here, also in folders, but not of staged ones; there may be millions. Those
        of a folder come before those of the folders in it.
        """

    @abstractmethod
    def move(self, name: str, to: str) -> None:
        """Give a file another name, if it is there; what has that name already is replaced."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def clear_staging(self) -> None:
        """Remove what executions that were killed left staged, for a job that has ended: one that still writes takes
        the loss of its file for a refusal. Only files of the sink's own staging folder are looked at.
        """

    @abstractmethod
    def overlapping_claim(self) -> str | None:
        """Return the URL of a claimed folder around or inside this one."""

    @abstractmethod
    def claim_above(self) -> str | None:
        """Return the URL of a claimed folder around this one."""

    def claim(self, installation: str, key: JobKey) -> bool:
        """Make the folder this job's, and return whether it wasn't yet.

        Raises SinkTaken if it is another's, is in another's, or has another's in it: what one job stores,
        moves and removes must never be what another one reads. The second look is for two that claim at once.
        """
        owner = _owner(installation, key)
        try:
            found = self._found_owner()
        except MissingFile:
            self.refuse_overlap()
            if self.write_once(CLAIM, json.dumps(owner).encode() + b"\n"):
                try:
                    self.refuse_overlap()
                except SinkTaken:
                    self.remove(CLAIM)
                    raise
                return True
            found = self._found_owner()
        if found != owner:
            raise SinkTaken(
                f"The sink {self} belongs to another job. Choose another; with {{key}} in the URL each job has its own."
            )
        return False

    def refuse_overlap(self) -> None:
        """Raise SinkTaken if the folder is in a claimed one, or has one in it."""
        if other := self.overlapping_claim():
            log.warning("sink_overlaps", sink=str(self), with_sink=other)  # whose it is concerns no other account
            raise SinkTaken(f"The sink {self} overlaps with the folder of another job. Choose a folder beside it.")

    def sweep(self, installation: str, key: JobKey) -> None:
        """Clear the staging of an ended job, and give the folder back if nothing was stored in it. Another job's folder
        is left alone.
        """
        if self.belongs_to(installation, key):
            self.clear_staging()
            self.release(installation, key)

    def erase(self, installation: str, key: JobKey) -> int:
        """Remove every file of a job's own folder, and return how many. Another job's folder is left alone.

        Success and manifest come first, so that no reader takes what is left for a delivery; the claim comes last.
        """
        if not self.belongs_to(installation, key):
            return 0
        self.clear_staging()
        removed = 0
        for name in (SUCCESS, MANIFEST):
            removed += self.exists(name)
            self.remove(name)
        while names := [name for name in islice(self.names(), ERASED_AT_ONCE) if name != CLAIM]:
            for name in names:
                self.remove(name)
            removed += len(names)
        self.remove(CLAIM)
        self.remove_empty_folders()
        return removed

    def remove_empty_folders(self) -> None:
        """Remove this folder and those in it if they are empty; an object store has none."""
        return

    def release(self, installation: str, key: JobKey) -> None:
        """Take an ended job's claim back if nothing else is in its folder, so that another job may have it."""
        if self.belongs_to(installation, key) and set(islice(self.names(), 2)) == {CLAIM}:
            self.remove(CLAIM)

    def owner(self) -> Any:
        """Return the key of the job or batch that has claimed the folder; None if its claim can't be read.

        Raises MissingFile for a folder that nobody has claimed.
        """
        found = self._found_owner()
        return found.get("key") if isinstance(found, dict) else None

    def belongs_to(self, installation: str, key: JobKey) -> bool:
        """Return whether the job has claimed the folder."""
        return self.exists(CLAIM) and self._found_owner() == _owner(installation, key)

    def write_once(self, name: str, content: bytes) -> bool:
        """Create a small file whole. False: it was there already, and stays."""
        with self.staging(name, ExecutionToken(os.urandom(6).hex())) as file:
            file.write(content)
            return self.publish(file, name)

    def publish_instead(self, file: BinaryIO, name: str, aside: str) -> None:
        """Give a staged file a name that another file has, which is moved to `aside`."""
        self.move(name, aside)
        if not self.publish(file, name):
            raise SinkError(f"Another process is writing {self.file_url(name)} right now.")

    def exists(self, name: str) -> bool:
        return self.size(name) is not None

    def file_url(self, name: str) -> str:
        return self.url + name

    def read(self, name: str) -> bytes:
        """Return all of a small file. Raises MissingFile."""
        with self.open(name) as file:
            return file.read()

    def _found_owner(self) -> Any:
        text = self.read(CLAIM)
        try:
            return json.loads(text)
        except ValueError:
            return None


def crowded(sink: Sink) -> SinkError:
    return SinkError(
        f"The sink {sink} holds more than {LOOK_MOST:,} files already, too many to search for other jobs' folders. "
        "Choose a folder of its own; with {key} in the URL each job has one."
    )


def outside(sink: Sink, name: str) -> SinkError:
    return SinkError(f"{name[:100]!r} is not the name of a file in the sink {sink}. Nothing was read or written.")


def missing(sink: Sink, name: str) -> str:
    return f"There is no {sink.file_url(name)}. Is the URL right, and is this the sink that was written to?"


def _owner(installation: str, key: JobKey) -> dict[str, str]:
    return {"installation": installation, "key": key}
