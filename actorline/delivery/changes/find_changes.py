"""What changed between two deliveries: compared in a process of its own, and stored in the later one's sink."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Final

import orjson

from actorline.delivery.changes.compare import NO_COMPARISON, SEPARATOR
from actorline.delivery.changes.work_folder import work_folder
from actorline.delivery.execution import Execution
from actorline.delivery.formats.child import ChildFailed, run_child
from actorline.delivery.formats.gzip_members import BLOCK_BYTES
from actorline.delivery.manifest import ChangeCounts, ChangedFile
from actorline.delivery.publish_over import publish_over
from actorline.delivery.read_back import DamagedDelivery, Delivery
from actorline.delivery.sink import Sink
from actorline.delivery.sink.names import STAGED_PAGES

MODULE: Final = "actorline.delivery.changes.compare"


class ComparisonFailed(Exception):
    """The deliveries can't be compared; the message says why."""


@dataclass(frozen=True)
class ChangesFinder:
    """Compares deliveries, and stores what changed in `folder` of the sink."""

    sink: Sink
    folder: str
    compression: str
    execution: Execution

    def find(self, before: Delivery | None, after: Delivery, key: Sequence[str]) -> ChangeCounts:
        """Return what changed; with nothing before, every row was added. Safe to repeat: the same rows make the same
        files.

        Raises ComparisonFailed; SinkError; what the execution's calls raise.
        """
        sides = [before, after, before, after]  # compared, and read again for the rows that differ
        rows = chain.from_iterable(chain(_ended(side.blocks() if side else ()), [SEPARATOR, b"\n"]) for side in sides)
        with work_folder() as work:
            made: list[bytes] = []
            try:
                arguments = [str(work), orjson.dumps(list(key)).decode(), self.compression]
                run_child(MODULE, *arguments, source=rows, take=made.append, keep_alive=self.execution.keep_alive)
            except ChildFailed as error:
                why = str(error) if error.status == NO_COMPARISON else f"it broke (exit code {error.status}: {error})"
                raise ComparisonFailed(why) from None
            found = ChangeCounts.model_validate_json(b"".join(made))
            _check_rows(found, before, after)
            return found.model_copy(update={"files": [self._store(work, file) for file in found.files]})

    def _store(self, work: Path, made: ChangedFile) -> ChangedFile:
        """Publish a file; return it under its name in the sink."""
        name = self.folder + made.name
        with (work / made.name).open("rb") as source, self.sink.staging(name, self.execution.token) as file:
            while block := source.read(BLOCK_BYTES):
                self.execution.keep_alive()
                file.write(block)
            aside = f"{self.folder}{STAGED_PAGES}/{self.execution.token}-{made.name.rpartition('/')[2]}"
            confirm = self.execution.confirm
            if publish_over(self.sink, file, name, made.bytes, made.sha256, aside=aside, confirm=confirm):
                self.sink.remove(aside)
        return made.model_copy(update={"name": name})


def has_comparison() -> bool:
    """Return whether the library is there: the extra `delta`."""
    return find_spec("duckdb") is not None


def _ended(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a text that ends with a newline, if it isn't empty."""
    last = b"\n"
    for block in blocks:
        yield block
        last = block
    if not last.endswith(b"\n"):
        yield b"\n"


def _check_rows(found: ChangeCounts, before: Delivery | None, after: Delivery) -> None:
    """Raise DamagedDelivery unless every row was read."""
    same = found.changed + found.unchanged
    sides = (
        (before, same + found.removed + found.repeated_before + found.without_key_before),
        (after, same + found.added + found.repeated_after + found.without_key_after),
    )
    for delivery, rows in sides:
        if delivery and rows != delivery.manifest.totals.items:
            raise DamagedDelivery(
                f"{delivery.sink} holds {rows:,} rows, but its manifest says {delivery.manifest.totals.items:,}. "
                "Restore it, or order again under another key."
            )
