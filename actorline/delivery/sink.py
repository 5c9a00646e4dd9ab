"""Where rows go: a folder that the job claims before money is spent, in which each file is published once.

A delivery is `part-00000.jsonl.gz ...`, `records/<name>`, `manifest.json` and last `_SUCCESS`. Files are staged under
names that hold the execution's token and published create-if-absent, so that of two executions one wins.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import SplitResult, unquote, urlsplit

CLAIM: Final = "_actorline.json"
SUCCESS: Final = "_SUCCESS"
MANIFEST: Final = "manifest.json"
RECORDS: Final = "records"


class SinkError(Exception):
    """The sink can't be used; the message says why and what to do."""


class SinkTakenError(SinkError):
    """The folder is another job's."""


class LocalSink:
    """A local folder. Raises SinkError from every method if the file system refuses."""

    def __init__(self, url: str) -> None:
        self.folder = local_path(url)
        self.url = folder_url(self.folder)

    def __str__(self) -> str:
        return self.url

    def claim(self, installation: str, key: str) -> None:
        """Make the folder this job's. Safe to repeat. Raises SinkTakenError if it is another's."""
        owner = {"installation": installation, "key": key}
        with self._refusals():
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.write_once(CLAIM, json.dumps(owner).encode() + b"\n"):
                return
            found = self._owner()
        if found != owner:
            by = f"the job {found.get('key')}" if isinstance(found, dict) else "somebody else"
            message = (
                f"The sink {self.url} is taken by {by}. Choose another folder; {{key}} in the URL makes one a job."
            )
            raise SinkTakenError(message)

    def sweep(self, installation: str, key: str) -> None:
        """Remove what executions that were killed left staged. For a job that has ended: nothing staged counts any
        more, and one that still writes takes the loss of its file for a refusal. Another job's folder is left alone.
        """
        with self._refusals():
            if not self.exists(CLAIM) or self._owner() != {"installation": installation, "key": key}:
                return
            for folder in (self.folder, self.folder / RECORDS):
                for path in folder.glob(".*.tmp"):
                    path.unlink(missing_ok=True)

    def check(self) -> None:
        """Whether the folder can be made and written; what that took is removed again."""
        with self._refusals():
            missing = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with self.staging("check", os.urandom(6).hex()):
                    pass
            finally:
                for path in missing:
                    with contextlib.suppress(OSError):
                        path.rmdir()

    @contextmanager
    def staging(self, name: str, execution: str) -> Iterator[BinaryIO]:
        """A file to write `name` into; it is removed at the end of the block, published or not."""
        path = self._staged(name, execution)
        with self._refusals():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("wb") as file:
                    yield file
            finally:
                path.unlink(missing_ok=True)

    def publish(self, file: BinaryIO, name: str) -> bool:
        """Give a staged file its name. False: somebody else's lies there already, and stays."""
        with self._refusals():
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(file.name, self.folder / name)
            except FileExistsError:
                return False
            return True

    def write_once(self, name: str, content: bytes) -> bool:
        """Create a small file whole. False: it was there already, and stays."""
        with self.staging(name, os.urandom(6).hex()) as file:
            file.write(content)
            return self.publish(file, name)

    def open(self, name: str) -> BinaryIO:
        """Read a file. Raises SinkError if there is none."""
        with self._refusals():
            return (self.folder / name).open("rb")

    def exists(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def file_url(self, name: str) -> str:
        return self.url + name

    def _owner(self) -> Any:
        try:
            return json.loads((self.folder / CLAIM).read_bytes())
        except ValueError:
            return None

    def _staged(self, name: str, execution: str) -> Path:
        folder, _, file = name.rpartition("/")
        return self.folder / folder / f".{file}.{execution}.tmp"

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or error
            message = f"The sink {self.url} refuses: {why}. What is stored stays; mend it or choose another."
            raise SinkError(message) from error


def open_sink(url: str) -> LocalSink:
    """The sink at a filled URL. Raises SinkError for a kind that isn't known."""
    kind = _split(url).scheme
    if kind != "file":
        kind = kind or "no scheme"
        message = f"A sink with {kind} is not built yet; take file:///a/folder/."
        raise SinkError(message)
    return LocalSink(url)


def local_path(url: str) -> Path:
    """The absolute, normalised path of a `file:` URL. Raises SinkError if it is anything else, also a query."""
    parts = _split(url)
    path = unquote(parts.path)
    is_plain = parts.scheme == "file" and parts.netloc in {"", "localhost"} and not (parts.query or parts.fragment)
    if not is_plain or not path.startswith("/") or "\0" in path:
        message = "A local sink is file:///an/absolute/folder/; a ? or # in its name is written %3F or %23."
        raise SinkError(message)
    return Path(os.path.normpath("/" + path.lstrip("/")))  # two slashes in front would stay two


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # a bracket that isn't closed
        message = "The sink is not a URL; take file:///a/folder/."
        raise SinkError(message) from error


def folder_url(folder: Path) -> str:
    uri = folder.as_uri()
    return uri if uri.endswith("/") else uri + "/"


def is_below(url: str, root: str) -> bool:
    """Whether a sink lies in a root, with `..` and symbolic links resolved."""
    try:
        return local_path(url).resolve().is_relative_to(local_path(root).resolve())
    except (SinkError, OSError, RuntimeError):  # RuntimeError: Python before 3.13 on a loop of links
        return False
