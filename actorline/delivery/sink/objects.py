"""A prefix in an object store as a sink: S3 (`s3://bucket/prefix/`), Google Cloud Storage (`gs://bucket/prefix/`),
Azure Blob Storage (`az://container/prefix/`, `abfss://container@account.dfs.core.windows.net/prefix/`).

Credentials come from the environment of the process, as the clouds' own tools name them (AWS_*, GOOGLE_*, AZURE_*).

A small file is one conditional PUT. A large one is a multipart upload, which none of our libraries can make
conditional, and Google's can't be (https://cloud.google.com/storage/docs/multipart-uploads): so it is uploaded to a
name of the execution's own and copied inside the store, which all three do conditionally.
"""

import contextlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError
from obstore.store import AzureStore, GCSStore, S3Store

from actorline.delivery.sink.names import CLAIM, STAGING, is_name
from actorline.delivery.sink.object_file import READ_BYTES, ObjectReader, ObjectUpload, open_writer
from actorline.delivery.sink.protocol import LOOK_MOST, MissingFile, Sink, SinkError, crowded, missing, outside
from actorline.delivery.sink.refusal import explain
from actorline.identifiers import JobKey

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig

_FAMILIES: Final = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE", "abfss": "AZURE"}
COPY_MAX_BYTES: Final = 5_000_000_000  # what S3 copies in one request

_TIMEOUTS: Final = {"CONNECT_TIMEOUT": "5s", "TIMEOUT": "120s"}  # a piece in 120 s: 70 kB/s
# longer outages are the job's own to wait for
_RETRY: Final["RetryConfig"] = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*")


class ObjectSink(Sink):
    def __init__(self, url: str, store: "ObjectStore | None" = None) -> None:
        self.root, self._prefix = split_object_url(url)
        self.url = f"{self.root}/{self._prefix}"
        self._given = store

    def claim(self, installation: str, key: JobKey) -> bool:
        made = super().claim(installation, key)
        if made:
            self._prove(CLAIM)
        return made

    def check(self) -> None:
        self.refuse_overlap()
        name = f"{STAGING}/check-{os.urandom(6).hex()}"
        try:
            self.write_once(name, b"")
            self._prove(name)
        finally:
            self.remove(name)

    @contextmanager
    def staging(self, name: str, execution: str) -> Iterator[BinaryIO]:
        upload = ObjectUpload(self._store, self._key(f"{STAGING}/{execution}/{name}"), self._refusals)
        try:
            yield cast("BinaryIO", upload)
        finally:
            upload.discard()

    def publish(self, file: BinaryIO, name: str) -> bool:
        upload, key = cast("ObjectUpload", file), self._key(name)
        upload.complete()
        with self._refusals():
            try:
                if upload.is_small:
                    obstore.put(self._store, key, upload.held, mode="create")
                else:
                    self._copy(upload.key, key, upload.size)
            except AlreadyExistsError:
                return False
            return True

    def open(self, name: str) -> BinaryIO:
        size = self.size(name)
        if size is None:
            raise MissingFile(missing(self, name))
        return io.BufferedReader(ObjectReader(self._store, self._key(name), size, self._refusals), READ_BYTES)

    def read(self, name: str) -> bytes:
        """Read in one request: a store says why it refuses this, but not why it refuses to tell the size."""
        with self._refusals():
            try:
                return bytes(obstore.get(self._store, self._key(name)).bytes())
            except FileNotFoundError:
                raise MissingFile(missing(self, name)) from None

    def size(self, name: str) -> int | None:
        with self._refusals():
            try:
                return obstore.head(self._store, self._key(name))["size"]
            except FileNotFoundError:
                return None

    def files_in(self, folder: str) -> Mapping[str, int]:
        prefix = self._key(f"{folder}*").removesuffix("*")
        with self._refusals():
            found = obstore.list_with_delimiter(self._store, prefix or None)["objects"]
        return {each["path"].removeprefix(self._prefix): each["size"] for each in found}

    def names(self) -> Iterator[str]:
        staged = f"{STAGING}/"
        return (name for path in self._paths("") if not (name := path.removeprefix(self._prefix)).startswith(staged))

    def move(self, name: str, to: str) -> None:
        size = self.size(name)
        if size is None:
            return
        with self._refusals():
            self._copy(self._key(name), self._key(to), size, replace=True)
        self.remove(name)

    def remove(self, name: str) -> None:
        self._delete(self._key(name))

    def clear_staging(self) -> None:
        for path in list(self._paths(STAGING)):
            self._delete(path)

    def overlapping_claim(self) -> str | None:
        if above := self.claim_above():
            return above
        for seen, path in enumerate(self._paths("")):
            if path.endswith(f"/{CLAIM}") and path != self._key(CLAIM):
                return f"{self.root}/{path.removesuffix(CLAIM)}"
            if seen > LOOK_MOST:
                raise crowded(self)
        return None

    def claim_above(self) -> str | None:
        folders = self._prefix.split("/")[:-1]
        above = ("".join(f"{folder}/" for folder in folders[:depth]) for depth in range(len(folders)))
        found = next((prefix for prefix in above if self._is_claimed(prefix)), None)
        return None if found is None else f"{self.root}/{found}"

    @property
    def _store(self) -> "ObjectStore":
        if self._given:
            return self._given
        with self._refusals():
            return _connect(self.root)

    def _key(self, name: str) -> str:
        """Return the key of a name's object; no other code builds one.

        Raises SinkError for a name that leads elsewhere.
        """
        if not is_name(name):
            raise outside(self, name)
        return self._prefix + name

    def _is_claimed(self, prefix: str) -> bool:
        """Return whether a job has claimed the folder. Where these credentials may not read, none of our jobs has
        written.
        """
        with self._refusals():
            try:
                obstore.head(self._store, prefix + CLAIM)
            except (FileNotFoundError, PermissionDeniedError):
                return False
            return True

    def _paths(self, folder: str) -> Iterator[str]:
        """Yield every object below a folder of the sink."""
        with self._refusals():
            for block in obstore.list(self._store, self._prefix + folder or None):
                yield from (found["path"] for found in block)

    def _delete(self, key: str) -> None:
        with self._refusals(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    def _copy(self, key: str, to: str, size: int, *, replace: bool = False) -> None:
        """Copy an object; raises AlreadyExistsError.

        What is too large for one request goes through this machine, and there the look whether the name is free comes
        before the copy: two executions at once then leave the last one's.
        """
        if size <= COPY_MAX_BYTES:
            obstore.copy(self._store, key, to, overwrite=replace)
            return
        if not replace and self.exists(to.removeprefix(self._prefix)):
            raise AlreadyExistsError(to)
        source = ObjectReader(self._store, key, size, self._refusals)
        with open_writer(self._store, to) as target:
            while block := source.read(READ_BYTES):
                target.write(block)

    def _prove(self, name: str) -> None:
        """Check, before money is spent, that the store never overwrites a file, and lets us list and remove."""
        if self.write_once(name, b""):
            raise SinkError(
                f"The sink {self} overwrites files although it is asked not to (If-None-Match), so two workers could "
                "mix their rows. Use a store that supports conditional writes: AWS S3, MinIO, R2, Google, Azure."
            )
        next(self._paths(STAGING), None)
        self.remove(f"{STAGING}/none")

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, NotImplementedError, ValueError) as error:  # ValueError: a path it doesn't take
            said = explain(error, self.root)
            why = f"the store {said.partition('. ')[0].rstrip('.')}"
            raise SinkError(
                f"The sink {self} {said} What is already stored is kept.", why=why
            ) from None  # the library's text holds access keys and signed requests


def split_object_url(url: str) -> tuple[str, str]:
    """Split a URL: `s3://bucket/a/b` -> `s3://bucket`, `a/b/`. Names are taken as they are: nothing in them is decoded.

    Raises SinkError, without the URL, which may hold credentials in the wrong place.
    """
    parts = urlsplit(url)
    place = _CONTAINER if parts.scheme == "abfss" else _BUCKET
    segments = [segment for segment in parts.path.split("/") if segment]
    is_plain = place.fullmatch(parts.netloc) and not (parts.query or parts.fragment)
    if not is_plain or any(segment in {".", ".."} or not _is_name(segment) for segment in segments):
        raise SinkError(
            "A sink in an object store is s3://bucket/folder/, gs://bucket/folder/, az://container/folder/ or "
            "abfss://container@account.dfs.core.windows.net/folder/, without a query, credentials, '..', '%' or '\\'. "
            "Credentials belong in the environment of the workers."
        )
    return f"{parts.scheme}://{parts.netloc}", "".join(f"{segment}/" for segment in segments)


def _is_name(segment: str) -> bool:
    return segment.isprintable() and not set(segment) & set('%\\?#"<>')


@cache
def _connect(root: str) -> "ObjectStore":
    """Connect once: one store, with its connections and credentials, for all sinks in a bucket."""
    scheme = urlsplit(root).scheme
    for name in [name for name, value in os.environ.items() if name.startswith(f"{_FAMILIES[scheme]}_") and not value]:
        del os.environ[name]  # compose hands on what is unset as empty: obstore signs with it, or panics
    for name, value in _TIMEOUTS.items():  # as arguments they would undo what else the environment says (ALLOW_HTTP)
        os.environ.setdefault(f"{_FAMILIES[scheme]}_{name}", value)
    if scheme == "s3":
        # R2 and others take a header instead of it, which their users name in the environment
        copy = os.environ.get("AWS_COPY_IF_NOT_EXISTS", "multipart")
        return S3Store.from_url(root, config={"copy_if_not_exists": copy}, retry_config=_RETRY)
    return (GCSStore if scheme == "gs" else AzureStore).from_url(root, retry_config=_RETRY)
