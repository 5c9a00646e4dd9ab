"""A local folder as a sink: files are staged beside their place and published by a hard link."""

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from actorline.delivery.sink.door import MissingFileError, Sink, SinkError, missing


class LocalSink(Sink):
    def __init__(self, url: str) -> None:
        self.folder = local_path(url)
        self.url = folder_url(self.folder)

    def check(self) -> None:
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
        folder, _, file_name = name.rpartition("/")
        path = self.folder / folder / f".{file_name}.{execution}.tmp"
        with self._refusals():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("wb") as file:
                    yield file
            finally:
                path.unlink(missing_ok=True)

    def publish(self, file: BinaryIO, name: str) -> bool:
        path = self.folder / name
        with self._refusals():
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(file.name, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
            return True

    def open(self, name: str) -> BinaryIO:
        with self._refusals():
            try:
                return (self.folder / name).open("rb")
            except FileNotFoundError:
                raise MissingFileError(missing(self, name)) from None

    def size(self, name: str) -> int | None:
        path = self.folder / name
        with self._refusals():
            return path.stat().st_size if path.is_file() else None

    def files(self) -> Mapping[str, int]:
        with self._refusals():
            files = [path for path in self.folder.rglob("*") if path.is_file() and not _is_staged(path)]
            return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}

    def move(self, name: str, to: str) -> None:
        with self._refusals():
            (self.folder / to).parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                (self.folder / name).replace(self.folder / to)

    def remove(self, name: str) -> None:
        path = self.folder / name
        with self._refusals():
            path.unlink(missing_ok=True)
            if path.parent != self.folder:
                with contextlib.suppress(OSError):
                    path.parent.rmdir()  # an object store has no empty folders either

    def clear_staging(self) -> None:
        with self._refusals():
            for path in self.folder.rglob("*"):
                if _is_staged(path):
                    path.unlink(missing_ok=True)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or error
            message = f"The sink {self} refuses: {why}. What is stored stays; mend it or choose another."
            raise SinkError(message) from error


def local_path(url: str) -> Path:
    """The absolute, normalised path of a `file:` URL. Raises SinkError if it is anything else, also a query."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    is_plain = parts.scheme == "file" and parts.netloc in {"", "localhost"} and not (parts.query or parts.fragment)
    if not is_plain or not path.startswith("/") or "\0" in path:
        message = "A local sink is file:///an/absolute/folder/; a ? or # in its name is written %3F or %23."
        raise SinkError(message)
    return Path(os.path.normpath("/" + path.lstrip("/")))  # two slashes in front would stay two


def folder_url(folder: Path) -> str:
    uri = folder.as_uri()
    return uri if uri.endswith("/") else uri + "/"


def _is_staged(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix == ".tmp"


def _sync_folder(folder: Path) -> None:
    """Bring a new name in a folder to the disk; some network file systems have no such call."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)
