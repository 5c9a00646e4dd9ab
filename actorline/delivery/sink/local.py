"""A local folder as a sink: files are staged in a folder of their own and published by a hard link.

Names are walked folder by folder from the sink's own, and no link below it is followed, whoever planted it.
"""

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from actorline.delivery.sink.names import CLAIM, STAGING, is_name
from actorline.delivery.sink.protocol import LOOK_MOST, MissingFile, Sink, SinkError, crowded, missing, outside
from actorline.identifiers import ExecutionToken

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a planted pipe must not block


class LocalSink(Sink):
    def __init__(self, url: str) -> None:
        self.folder = local_path(url)
        self.url = folder_url(self.folder)

    def check(self) -> None:
        self.refuse_overlap()
        with self._refusals():
            existing = next(path for path in (self.folder, *self.folder.parents) if os.path.lexists(path))
            # in a folder of its own name: two checks at once, and one beside a job, don't remove each other's folders
            with tempfile.TemporaryDirectory(prefix=f"{STAGING}-", dir=existing) as trial:
                folder = Path(trial, self.folder.relative_to(existing))
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "check").write_bytes(b"1")  # an empty file can be made on a full disk

    @contextmanager
    def staging(self, name: str, execution: ExecutionToken) -> Iterator[BinaryIO]:
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
        staged = f"{STAGING}/.{digest[:16]}.{execution}.tmp"  # short, however long the name is
        with self._refusals(), self._within(staged, make=True) as (folder, file_name):
            try:
                with open(file_name, "wb", opener=_opener(folder)) as file:
                    yield file
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(file_name, dir_fd=folder)

    def publish(self, file: BinaryIO, name: str) -> bool:
        with self._refusals():
            file.flush()
            os.fsync(file.fileno())
            with (
                self._within(f"{STAGING}/{file.name}") as (staging, staged),
                self._within(name, make=True) as (folder, file_name),
            ):
                try:
                    os.link(staged, file_name, src_dir_fd=staging, dst_dir_fd=folder, follow_symlinks=False)
                except FileExistsError:
                    return False
                _sync_folder(folder)
            return True

    def open(self, name: str) -> BinaryIO:
        with self._refusals():
            try:
                with self._within(name) as (folder, file_name):
                    file = os.fdopen(os.open(file_name, _FILE, dir_fd=folder), "rb")
            except FileNotFoundError:
                raise MissingFile(missing(self, name)) from None
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                file.close()
                raise outside(self, name)
            return file

    def size(self, name: str) -> int | None:
        with self._refusals():
            try:
                with self._within(name) as (folder, file_name):
                    found = os.stat(file_name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return None
            return found.st_size if stat.S_ISREG(found.st_mode) else None

    def files_in(self, folder: str) -> Mapping[str, int]:
        with (
            self._refusals(),
            contextlib.suppress(FileNotFoundError),
            self._within(f"{folder}*") as (descriptor, _),
            os.scandir(descriptor) as entries,
        ):
            files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
            return {folder + entry.name: entry.stat(follow_symlinks=False).st_size for entry in files}
        return {}

    def names(self) -> Iterator[str]:
        with self._refusals(), contextlib.suppress(FileNotFoundError), self._within("*") as (descriptor, _):
            yield from _walk(descriptor, "")

    def move(self, name: str, to: str) -> None:
        with self._refusals(), contextlib.suppress(FileNotFoundError), self._within(name) as (folder, file_name):
            os.stat(file_name, dir_fd=folder, follow_symlinks=False)
            with self._within(to, make=True) as (new_folder, new_name):
                os.replace(file_name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder)

    def remove(self, name: str) -> None:
        with self._refusals(), contextlib.suppress(FileNotFoundError), self._within(name) as (folder, file_name):
            os.unlink(file_name, dir_fd=folder)
        self._remove_empty(name.rpartition("/")[0])  # an object store has no empty folders either

    def clear_staging(self) -> None:
        with (
            self._refusals(),
            contextlib.suppress(FileNotFoundError),
            self._within(f"{STAGING}/*") as (folder, _),
            os.scandir(folder) as entries,
        ):
            for entry in entries:
                os.unlink(entry.name, dir_fd=folder)
        self._remove_empty(STAGING)

    def remove_empty_folders(self) -> None:
        for folder, _, _ in os.walk(self.folder, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()

    def overlapping_claim(self) -> str | None:
        if above := self.claim_above():
            return above
        with self._refusals():
            found = self._claim_below(Path(os.path.realpath(self.folder)))
            return folder_url(found) if found else None

    def claim_above(self) -> str | None:
        with self._refusals():
            parents = Path(os.path.realpath(self.folder)).parents
            found = next((folder for folder in parents if os.path.lexists(folder / CLAIM)), None)
            return folder_url(found) if found else None

    def _claim_below(self, folder: Path) -> Path | None:
        waiting, seen = deque([folder]), 0
        while waiting:
            with contextlib.suppress(FileNotFoundError, PermissionError), os.scandir(waiting.popleft()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > LOOK_MOST:
                        raise crowded(self)
                    if entry.is_dir(follow_symlinks=False):
                        if os.path.lexists(Path(entry.path, CLAIM)):
                            return Path(entry.path)
                        waiting.append(Path(entry.path))
        return None

    @contextmanager
    def _within(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder of a name; yield it and the file's own name there. No other code leads from names to files.

        Raises SinkError for a name that leads elsewhere, and OSError for a folder that is missing, or is a link.
        """
        if not is_name(name):
            raise outside(self, name)
        *folders, file_name = name.split("/")
        if make:
            self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder, _FOLDER)  # the sink's own folder may be a link: the sender chose it
        try:
            for folder in folders:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=descriptor)
                outer, descriptor = descriptor, os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(outer)
            yield descriptor, file_name
        finally:
            os.close(descriptor)

    def _remove_empty(self, folder: str) -> None:
        if folder:
            with contextlib.suppress(OSError), self._within(folder) as (outer, name):
                os.rmdir(name, dir_fd=outer)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or str(error)
            raise SinkError(
                f"The sink {self} can't be written: {why}. What is already stored is kept. {_advice(error.errno)}",
                why=why,
            ) from error


def _advice(number: int | None) -> str:
    """Return what a person can do about an error of the operating system."""
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return "Free some space on its disk, or choose a folder on another one."
        case errno.EACCES | errno.EPERM:
            return "Give the user that runs Actorline permission to write there, or choose another folder."
        case errno.EROFS:
            return "Its file system is mounted read-only: mount it writable, or choose a folder on another one."
        case errno.EIO | errno.ESTALE | errno.ENODEV | errno.ENOTCONN:
            return "Check its disk and its mount, or choose a folder on another one."
        case _:
            return "Make its path a writable folder, or choose another one."


def local_path(url: str) -> Path:
    """Return the absolute, normalised path of a `file:` URL. Raises SinkError if it is anything else, also a query."""
    parts = urlsplit(url)
    path = unquote(parts.path, errors="surrogateescape")  # a name may have any bytes
    is_plain = parts.scheme == "file" and parts.netloc in {"", "localhost"} and not (parts.query or parts.fragment)
    if not is_plain or not path.startswith("/") or "\0" in path:
        raise SinkError("A local sink is file:///an/absolute/folder/; a ? or # in its name is written %3F or %23.")
    return Path(os.path.normpath("/" + path.lstrip("/")))  # two slashes in front would stay two


def folder_url(folder: Path) -> str:
    uri = folder.as_uri()
    return uri if uri.endswith("/") else uri + "/"


def _opener(folder: int) -> Callable[[str, int], int]:
    """Open files in a folder; a link is not followed."""
    return lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=folder)


def _walk(folder: int, prefix: str) -> Iterator[str]:
    """Yield names below an open folder; not staged ones, and not those in a folder that another job has claimed."""
    if prefix and _is_claimed(folder):
        return
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield prefix + entry.name
            elif entry.is_dir(follow_symlinks=False) and not (prefix + entry.name).startswith(STAGING):
                folders.append(entry.name)
    for name in folders:
        inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        try:
            yield from _walk(inner, f"{prefix}{name}/")
        finally:
            os.close(inner)


def _is_claimed(folder: int) -> bool:
    try:
        os.stat(CLAIM, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _sync_folder(descriptor: int) -> None:
    """Bring a new name in a folder to the disk; some network file systems have no such call."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
