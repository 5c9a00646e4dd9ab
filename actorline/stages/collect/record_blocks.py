"""All records of a store, whatever its size: block by block, each with a receipt, so that a stopped execution continues
where it was and nobody holds more than one block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from actorline.delivery.manifest import RecordIndex, StoredRecord
from actorline.delivery.record_index import RecordBlock, index_name, index_of, index_text
from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger
from actorline.platform.errors import PlatformUnavailable
from actorline.platform.key_value_stores import KeysPage, get_keys
from actorline.stages.collect.records import RecordFailure, RecordKeeper

CIRCLE_BLOCKS: Final = 10  # the last ones, in which a list that goes round in a circle is noticed


@dataclass(frozen=True)
class Records:
    """What is stored of a store's records: listed one by one, or in indexes. `failed`: how many that exist aren't;
    `failure`: why the first isn't.
    """

    listed: Sequence[StoredRecord] = ()
    indexes: Sequence[RecordIndex] = ()
    failed: int = 0
    failure: RecordFailure | None = None

    @classmethod
    def of(cls, stored: Sequence[StoredRecord], failed: Sequence[RecordFailure]) -> Self:
        return cls(listed=stored, failed=len(failed), failure=failed[0] if failed else None)


@dataclass(frozen=True)
class StoreKeeper:
    """`job` is an attempt whose run has ended: its store doesn't change any more. `is_stopped`: nobody wants more than
    what is stored, and the rest of a large store isn't fetched.
    """

    keeper: RecordKeeper
    ledger: Ledger
    job: Job
    is_stopped: bool = False

    def store_all(self) -> Records:
        """Store what isn't stored yet. A store of one block is listed record by record.

        Raises PlatformError if the keys can't be listed, SinkError, and what the execution's `keep_alive` raises.
        """
        known = self.ledger.pages.record_blocks(self.job.key, self.job.attempt)
        page = None if known else self._page(None)
        if page and not page.next_key:
            return Records.of(*self._store(page))
        there = self.keeper.sink.files_in(self.keeper.folder)
        blocks: list[RecordBlock] = []
        while not (blocks and blocks[-1].is_last):
            no, after = len(blocks), blocks[-1].last_key if blocks else None
            block = known.get(no)
            if block is None or not self._is_stored(block, after, there):
                if self.is_stopped:
                    break
                block = self._store_block(no, after, page or self._page(after))
            page = None
            if block.last_key in {before.last_key for before in blocks[-CIRCLE_BLOCKS:]}:
                raise PlatformUnavailable("The list of keys goes round in a circle")
            blocks.append(block)
        return Records(
            indexes=[block.index for block in blocks if block.index],
            failed=sum(block.failed for block in blocks),
            failure=next((RecordFailure(b.failure, b.platform_type) for b in blocks if b.failure), None),
        )

    def _is_stored(self, block: RecordBlock, after: str | None, there: Mapping[str, int]) -> bool:
        lies_there = block.index is None or there.get(block.index.name) == block.index.bytes
        return lies_there and block.is_good(after, self.job.retries)

    def _store_block(self, no: int, after: str | None, page: KeysPage) -> RecordBlock:
        stored, failed = self._store(page)
        block = RecordBlock(
            after=after,
            last_key=page.next_key,
            index=self._write_index(no, sorted(stored, key=lambda record: record.key)) if stored else None,
            failed=len(failed),
            failure=failed[0].message if failed else None,
            platform_type=failed[0].platform_type if failed else None,
            retries=self.job.retries,
            is_last=not page.next_key,
        )
        self.ledger.pages.keep_record_block(self.job.key, self.job.attempt, no, block)
        return block

    def _write_index(self, no: int, records: Sequence[StoredRecord]) -> RecordIndex:
        keeper, name, text = self.keeper, index_name(self.keeper.folder, no), index_text(records)
        with keeper.sink.staging(name, keeper.execution.token) as file:
            file.write(text)
            if not keeper.sink.publish(file, name) and keeper.sink.read(name) != text:
                keeper.sink.publish_instead(file, name, keeper.superseded + name)
        return index_of(name, records, text)

    def _store(self, page: KeysPage) -> tuple[list[StoredRecord], list[RecordFailure]]:
        """Store the records of a page; two threads must not write one file, if a key is in it twice."""
        keys = dict.fromkeys(found.key for found in page.items)
        return self.keeper.store(keys, are_listed=True)

    def _page(self, after: str | None) -> KeysPage:
        return get_keys(self.keeper.platform, self.keeper.store_id, after=after)
