"""The records of a run's key-value store: fetched side by side, each stored as the platform gave it."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from actorline.delivery.execution import Execution
from actorline.delivery.formats.gzip_members import StoredFile
from actorline.delivery.manifest import StoredRecord
from actorline.delivery.publish_over import publish_over
from actorline.delivery.sink import RECORDS, Sink, SinkError
from actorline.delivery.sink.names import record_file
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.key_value_stores import get_keys, open_record

BLOCK_BYTES: Final = 256 * 1024
RECORD_THREADS: Final = 8  # eight round trips at a time stay below a store's rate: docs/platform-facts.md#rate-limits
TRIES: Final = 3  # the client repeats a request until its response begins; one that breaks off later is asked for again
PAUSE_SECS: Final = 2.0  # between two tries, unless the platform asks for a longer one
LOOK_SECS: Final = 1.0  # so often it is seen that nobody wants the records any more


@dataclass(frozen=True)
class RecordFailure:
    """A record that exists, as far as is known, and isn't stored; `message` names it and says why, `platform_type` is
    the platform's own word for that.
    """

    message: str
    platform_type: str | None = None


@dataclass(frozen=True)
class RecordKeeper:
    """`folder`: where in the sink the attempt's files lie. `superseded`: where to put what an older job left there.
    `gives_up`: a sink that refuses a record isn't waited for any longer. `allowed`: the keys of those records that may
    be delivered.
    """

    platform: Platform
    store_id: str
    sink: Sink
    folder: str
    superseded: str
    execution: Execution
    gives_up: bool = False
    allowed: Callable[[Iterable[str]], list[str]] = list
    sleep: Callable[[float], object] = time.sleep

    def store(
        self, record_keys: Iterable[str], *, are_listed: bool = False
    ) -> tuple[list[StoredRecord], list[RecordFailure]]:
        """Store those that exist; one that the run didn't write isn't missed, unless the store lists it. `are_listed`:
        it lists all of them.

        The execution is kept alive after each, and while one is waited for. Raises SinkError if the sink takes no other
        files either, or may take this one later.
        """
        stored: list[StoredRecord] = []
        failed: list[RecordFailure] = []
        with ThreadPoolExecutor(RECORD_THREADS) as threads:
            store = partial(self._store, is_listed=are_listed)
            for outcome in threads.map(store, self.allowed(record_keys)):
                if isinstance(outcome, StoredRecord):
                    stored.append(outcome)
                elif outcome is not None:
                    failed.append(outcome)
                self.execution.keep_alive()
        return stored, failed

    def _store(self, record_key: str, *, is_listed: bool) -> StoredRecord | RecordFailure | None:
        try:
            return self._read(record_key, is_listed=is_listed)
        except SinkError as error:
            if not self.gives_up:
                raise
            self.sink.check()
            return RecordFailure(f"The record {record_key} can't be stored: {error}")

    def _read(self, record_key: str, *, is_listed: bool) -> StoredRecord | RecordFailure | None:
        failure: platform_errors.PlatformError | None = None
        for _ in range(TRIES):
            if failure:
                self._wait(max(platform_errors.asked_wait_s(failure), PAUSE_SECS))
            try:
                return self._fetch(record_key)
            except platform_errors.NotFound as error:
                if error.status == HTTPStatus.GONE:
                    return RecordFailure(f"The record {record_key} is gone: {error}", error.type)
                if not (is_listed or self._may_be_listed(record_key)):
                    return None
                failure = error
            except platform_errors.PlatformError as error:
                failure = error
                if not isinstance(error, platform_errors.PlatformUnavailable):
                    break
        return RecordFailure(f"The record {record_key} can't be read: {failure}", failure.type if failure else None)

    def _may_be_listed(self, record_key: str) -> bool:
        """Return whether the store's list has a key, unless the list is refused. One 404 alone is no proof: a record
        can be read as soon as it has been written, and the run has ended (docs/platform-facts.md#records).

        A second GET some seconds later would say less, and hold a thread at every job whose run wrote no such record.
        """
        try:
            keys = get_keys(self.platform, self.store_id, prefix=record_key)
        except platform_errors.PlatformUnavailable:
            return True
        except platform_errors.PlatformError:
            return False
        return any(found.key == record_key for found in keys.items)

    def _wait(self, seconds: float) -> None:
        for passed in range(math.ceil(seconds / LOOK_SECS)):
            self.execution.keep_alive()
            self.sleep(min(seconds - passed * LOOK_SECS, LOOK_SECS))

    def _fetch(self, record_key: str) -> StoredRecord:
        name = f"{self.folder}{RECORDS}/{record_file(record_key)}"
        with (
            open_record(self.platform, self.store_id, record_key) as record,
            self.sink.staging(name, self.execution.token) as file,
        ):
            written = StoredFile(file, compress=False)
            for block in record.blocks(BLOCK_BYTES):
                written.write(block)
            if not record.is_framed and self._digest(record_key) != written.sha256:
                raise platform_errors.PlatformUnavailable("it comes without a length, and was not the same twice")
            publish_over(self.sink, file, name, written.size, written.sha256, aside=self.superseded + name)
        return StoredRecord(
            key=record_key, name=name, content_type=record.content_type, bytes=written.size, sha256=written.sha256
        )

    def _digest(self, record_key: str) -> str:
        """Read a record once more: where it has no length a cut looks like its end."""
        digest = hashlib.sha256()
        with open_record(self.platform, self.store_id, record_key) as record:
            for block in record.blocks(BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()
