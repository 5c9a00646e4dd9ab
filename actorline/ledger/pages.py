"""The pages of a job's dataset and the blocks of its records: planned, then proven by a receipt each."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from actorline.identifiers import JobKey
from actorline.jobs.timeline_event import TimelineEvent
from actorline.logs import Logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    # who only looks at jobs doesn't wait for what their pages are made of
    from actorline.delivery.key_sample import KeySample
    from actorline.delivery.page_plan import Window
    from actorline.delivery.receipt import Receipt
    from actorline.delivery.record_index import RecordBlock
    from actorline.ledger.store import Store

log = Logger(__name__)


class Pages:
    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, key: JobKey, attempt: int) -> dict[int, Window | Receipt]:
        """Return page number -> its window, or the receipt once it is stored."""
        return read_pages(self._store.redis.hgetall(self._store.name("pages", key, attempt)))

    def fix(self, key: JobKey, attempt: int, window: Window) -> Window | Receipt:
        """Fix a page's window before it is first fetched; return the one that was fixed first: it never changes."""
        name = self._store.name("pages", key, attempt)
        if self._store.redis.hsetnx(name, str(window.page_no), window.model_dump_json()):
            return window
        return read_page(cast("str", self._store.redis.hget(name, str(window.page_no))))

    def record(self, key: JobKey, attempt: int, receipt: Receipt, *, due_in_s: float) -> Receipt:
        """Record the proof that a page is stored; return the first one, which counts."""
        from actorline.delivery.receipt import Receipt

        name = self._store.name
        keys = [name("pages", key, attempt), name("job", key), name("due"), name("tally")]
        text = receipt.model_dump_json(exclude={"stored_at"})
        args = [
            receipt.page_no,
            text,
            attempt,
            key,
            due_in_s,
            receipt.items,
            receipt.scanned,
            receipt.bytes,
            int(receipt.is_good),
        ]
        return Receipt.model_validate_json(self._store.run("record_receipt", keys, args))

    def keep_keys(self, key: JobKey, attempt: int, page_no: int, sample: KeySample) -> None:
        """Keep the sample of a page's row keys, before its receipt. Safe to repeat: the same page leaves the same."""
        self._store.redis.hset(self._store.name("row_keys", key, attempt), str(page_no), sample.text())

    def row_keys(self, key: JobKey, attempt: int) -> dict[int, KeySample]:
        """Return page number -> sample of its row keys."""
        from actorline.delivery.key_sample import KeySample

        raw = self._store.redis.hgetall(self._store.name("row_keys", key, attempt))
        return {int(no): KeySample.read(text) for no, text in raw.items()}

    def forget(self, key: JobKey, attempt: int) -> None:
        """Forget all pages of an attempt: they are planned anew."""
        name = self._store.name
        self._store.redis.delete(name("pages", key, attempt), name("row_keys", key, attempt))

    def drop_row_keys(self, key: JobKey, attempt: int) -> None:
        """Forget the row keys of a job whose rows were judged."""
        self._store.redis.delete(self._store.name("row_keys", key, attempt))

    def note_failed(self, key: JobKey, attempt: int, page_no: int, why: str) -> None:
        """Count a page that fails into its job; the log says so once for a cause, however many pages it hits."""
        kind = re.sub(r"\d+", "#", why)[:200]  # what differs from page to page
        args = [attempt, page_no, why[:300], kind]
        if self._store.run("page_failed", [self._store.name("job", key)], args):
            log.warning(TimelineEvent.PAGE_FAILED, job_key=key, page_no=page_no, message=why[:300])

    def record_blocks(self, key: JobKey, attempt: int) -> dict[int, RecordBlock]:
        """Return number -> receipt of each block of records that is stored."""
        from actorline.delivery.record_index import RecordBlock

        raw = self._store.redis.hgetall(self._store.name("records", key, attempt))
        return {int(no): RecordBlock.model_validate_json(value) for no, value in raw.items()}

    def keep_record_block(self, key: JobKey, attempt: int, block_no: int, block: RecordBlock) -> None:
        """Record the proof that a block of records is stored."""
        name = self._store.name("records", key, attempt)
        self._store.redis.hset(name, str(block_no), block.model_dump_json())


def read_pages(stored: Mapping[str, str]) -> dict[int, Window | Receipt]:
    """Return the pages of a hash, in their order."""
    return {int(no): read_page(value) for no, value in sorted(stored.items(), key=lambda item: int(item[0]))}


def read_page(raw: str) -> Window | Receipt:
    """Return a page as it is stored: its window, or its receipt."""
    from actorline.delivery.page_plan import Window
    from actorline.delivery.receipt import Receipt

    data = json.loads(raw)
    return Receipt.model_validate(data) if "scanned" in data else Window.model_validate(data)
