"""Two deliveries compared in a process of its own: Python parses each row, and DuckDB joins their keys out of core.

    python -m actorline.delivery.changes.compare FOLDER PATHS COMPRESSION    < sections > counts (JSON)

Four sections of JSON lines, with a separator between two of them: the rows of the earlier delivery, those of the later
one, and both again. The first reading keeps of each row its key, a hash and its number; the second writes the rows that
differ. So memory and database hold no rows, however long they are, and the keys are joined one share after the other.
FOLDER takes the database while it works, and the made files. Of rows with the same key in one delivery the last one
counts.

Exit codes: 0; 3 the rows can't be compared, with the reason on standard error; 1 our fault, with its class alone, for
an error's text may hold a row.
"""

import hashlib
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import orjson

from actorline.delivery.changes.rows import changed_row, key_of, read_row
from actorline.delivery.formats.gzip_members import BLOCK_BYTES, StoredFile
from actorline.delivery.formats.rows import text_lines
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.manifest import ChangeCounts, ChangedFile, ChangeKind
from actorline.delivery.process_memory import bound_memory
from actorline.delivery.sink.names import changes_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KINDS: Final[tuple[ChangeKind, ...]] = ("added", "removed", "changed")
NO_COMPARISON: Final = 3
SEPARATOR: Final = b"\x1e"  # a line that no JSON is
DATABASE_MBYTES: Final = 200  # beside it: one block of rows, and what DuckDB holds outside of its own count
SHARES: Final = 16  # equal keys are in the same share
JOINED_ROWS: Final = 1_000_000  # of each delivery, in one join: as many shares as come to that
MEMORY_BYTES: Final = 2 * 1024**3
THREADS_MAX: Final = 2  # each holds buffers of its own
FILE_BYTES: Final = 256_000_000  # then the next file begins
FETCH_ROWS: Final = 500
LEVELS_MAX: Final = 10_000

_LOAD: Final = "INSERT INTO {table} SELECT * FROM read_csv(?, header=false, auto_detect=false, columns={columns})"
_LAST: Final = """
CREATE OR REPLACE TABLE last_{table} AS
SELECT key, max(number) AS number, arg_max(row, number) AS row FROM {table} GROUP BY key
"""
_DIFFERENT: Final = """
INSERT INTO different SELECT b.number, a.number FROM last_before b FULL JOIN last_after a USING (key)
WHERE b.row IS DISTINCT FROM a.row
"""
_OLD: Final = "SELECT old, new FROM different WHERE old IS NOT NULL ORDER BY old"
_NEW: Final = """
SELECT new, begin, size FROM different LEFT JOIN set_aside USING (new) WHERE new IS NOT NULL ORDER BY new
"""


class NotComparable(Exception):
    """The rows can't be compared; the message says why."""


def main(folder: str, paths: str, compression: str) -> int:
    import duckdb

    bound_memory(MEMORY_BYTES)
    sys.setrecursionlimit(LEVELS_MAX)
    try:
        counts = compare(sys.stdin.buffer, orjson.loads(paths), Path(folder), compression)
    except (NotComparable, UnreadablePage) as error:
        sys.stderr.write(str(error))
        return NO_COMPARISON
    except RecursionError:
        sys.stderr.write("a row is nested too deeply")
        return NO_COMPARISON
    except (MemoryError, duckdb.OutOfMemoryException):
        sys.stderr.write("their comparison takes too much memory")
        return NO_COMPARISON
    except (OSError, duckdb.IOException) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "its disk may be full"
        sys.stderr.write(f"the folder for temporary files, {Path(folder).parent}, can't be written: {why}")
        return NO_COMPARISON
    except Exception as error:  # noqa: BLE001 - the border of the process
        sys.stderr.write(type(error).__name__)
        return 1
    sys.stdout.buffer.write(counts.model_dump_json().encode())
    return 0


def compare(source: BinaryIO, paths: Sequence[str], folder: Path, compression: str) -> ChangeCounts:
    """Write the files of changes into the folder, in the order of the rows, and return what they hold.

    Raises NotComparable, UnreadablePage, and what DuckDB raises.
    """
    lines = text_lines(iter(lambda: source.read(BLOCK_BYTES), b""))
    with ExitStack() as stack:
        database = stack.enter_context(closing(_open(folder)))
        aside = stack.enter_context(closing(RowsAside(folder)))
        writers = [stack.enter_context(closing(ChangesWriter(folder, kind, compression))) for kind in KINDS]
        added, removed, changed = writers
        sides = before, after = [Side.read(name, _section(lines), paths, folder) for name in ("before", "after")]
        database.execute("CREATE TABLE different (old BIGINT, new BIGINT)")
        for shares in _joins(max(side.rows for side in sides)):
            for side in sides:
                side.load(database, shares)
            database.execute(_DIFFERENT)
        for (_, new), line in _picked(_section(lines), _fetched(database, _OLD)):
            if new is None:
                removed.add(line)
            else:
                aside.add(new, line)
        aside.load(database)
        for (_, begin, size), line in _picked(_section(lines), _fetched(database, _NEW)):
            if begin is None:
                added.add(line)
            elif row := changed_row(aside.read(begin, size), line, paths):
                changed.add(row)
    return ChangeCounts(
        added=added.rows,
        removed=removed.rows,
        changed=changed.rows,
        unchanged=after.keys - added.rows - changed.rows,
        repeated_before=before.rows - before.keys,
        repeated_after=after.rows - after.keys,
        without_key_before=before.without_key,
        without_key_after=after.without_key,
        files=[file for writer in writers for file in writer.files],
    )


def _joins(rows: int) -> Iterator[Sequence[int]]:
    """Yield the numbers of the shares that are joined together."""
    joins = min(max(rows // JOINED_ROWS, 1), SHARES)
    yield from (range(first, SHARES, joins) for first in range(joins))


def _section(lines: Iterable[bytes]) -> Iterator[bytes]:
    return takewhile(lambda line: line != SEPARATOR, lines)


def _picked(lines: Iterator[bytes], wanted: Iterator[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """Yield what is wanted, which begins with the number of a row and is in their order, with the row's line."""
    numbered = enumerate(lines, 1)
    for entry in wanted:
        line = next((line for number, line in numbered if number == entry[0]), None)
        if line is None:
            raise NotComparable("rows disappeared while they were compared")
        yield entry, line
    deque(numbered, maxlen=0)


def _open(folder: Path) -> "DuckDBPyConnection":
    import duckdb

    database = duckdb.connect(
        str(folder / "rows.duckdb"),
        config={
            "memory_limit": f"{DATABASE_MBYTES}MB",
            "threads": min(os.cpu_count() or 1, THREADS_MAX),
            "temp_directory": str(folder / "spilled"),
            "preserve_insertion_order": False,  # what needs an order asks for it
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    database.execute("SET enable_progress_bar = false")  # standard output is for the counts
    return database


def _load(database: "DuckDBPyConnection", table: str, columns: dict[str, str], files: Sequence[Path]) -> None:
    """Make a table of files with numbers and keys, and remove these."""
    columns_text = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    database.execute(f"CREATE OR REPLACE TABLE {table} ({columns_text})")
    if filled := [str(file) for file in files if file.stat().st_size]:
        database.execute(_LOAD.format(table=table, columns=columns), [filled])
    for file in files:
        file.unlink()


class Side:
    """The keys of one delivery. `rows`: those with a key; `keys`: different ones, of what is loaded so far."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.rows = self.keys = self.without_key = 0
        self._files = [folder / f"{name}-{share}.csv" for share in range(SHARES)]

    @classmethod
    def read(cls, name: str, lines: Iterable[bytes], paths: Sequence[str], folder: Path) -> "Side":
        side = cls(name, folder)
        with ExitStack() as stack:
            side._read(lines, paths, [stack.enter_context(file.open("wb")) for file in side._files])
        return side

    def load(self, database: "DuckDBPyConnection", shares: Iterable[int]) -> None:
        """Make the table `last_{name}` of some shares: each key with the last row that has it."""
        files = [self._files[share] for share in shares]
        _load(database, self.name, {"key": "UUID", "row": "BIGINT", "number": "BIGINT"}, files)
        database.execute(_LAST.format(table=self.name))
        database.execute(f"DROP TABLE {self.name}")
        self.keys += _count(database, f"last_{self.name}")

    def _read(self, lines: Iterable[bytes], paths: Sequence[str], shares: Sequence[BinaryIO]) -> None:
        for number, line in enumerate(lines, 1):
            try:
                key = key_of(read_row(line), paths)
            except ValueError:
                raise NotComparable(f"row {number:,} {self._whose} is not JSON") from None
            if key is None:
                self.without_key += 1
                continue
            digest = hashlib.blake2b(key, digest_size=16).hexdigest()
            file = shares[int(digest[0], SHARES)]
            # `hash` is SipHash under a secret of this process: 64 bits are enough to compare two rows of one key
            file.write(b"%b,%d,%d\n" % (digest.encode(), hash(line), number))
            self.rows += 1

    @property
    def _whose(self) -> str:
        return "of the earlier delivery" if self.name == "before" else "of this delivery"


class RowsAside:
    """Rows of the earlier delivery that differ, in a file until the later ones are read, which may have another order.

    They are kept by the number of the later row.
    """

    def __init__(self, folder: Path) -> None:
        self._index = folder / "set_aside.csv"
        self._entries = self._index.open("wb")
        self._rows = (folder / "set_aside.rows").open("w+b")
        self._size = 0

    def add(self, number: int, line: bytes) -> None:
        self._entries.write(b"%d,%d,%d\n" % (number, self._size, len(line)))
        self._rows.write(line)
        self._size += len(line)

    def load(self, database: "DuckDBPyConnection") -> None:
        self._entries.close()
        _load(database, "set_aside", {"new": "BIGINT", "begin": "BIGINT", "size": "BIGINT"}, [self._index])

    def read(self, begin: int, size: int) -> bytes:
        self._rows.seek(begin)
        return self._rows.read(size)

    def close(self) -> None:
        self._entries.close()
        self._rows.close()


class ChangesWriter:
    """Writes the rows of one kind into files, the next one when one is large. There is always a first."""

    def __init__(self, folder: Path, kind: ChangeKind, compression: str) -> None:
        self.rows = 0
        self._folder = folder
        self._kind = kind
        self._compression = compression
        self.files: list[ChangedFile] = []
        self._begin()

    def add(self, line: bytes) -> None:
        if self._out.size >= FILE_BYTES:
            self._end()
            self._begin()
        self._out.write(line + b"\n")
        self.rows += 1

    def close(self) -> None:
        self._end()

    def _begin(self) -> None:
        self._name = changes_file(self._kind, len(self.files), self._compression)
        path = self._folder / self._name
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("wb")
        self._out = StoredFile(self._file, compress=self._compression == "gzip")

    def _end(self) -> None:
        self._out.close()
        self._file.close()
        rows = self.rows - sum(file.rows for file in self.files)
        self.files.append(
            ChangedFile(kind=self._kind, name=self._name, rows=rows, bytes=self._out.size, sha256=self._out.sha256)
        )


def _fetched(database: "DuckDBPyConnection", query: str) -> Iterator[tuple[Any, ...]]:
    result = database.execute(query)
    while block := result.fetchmany(FETCH_ROWS):
        yield from block


def _count(database: "DuckDBPyConnection", table: str) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)  # noqa: S608 - our own names
    return int(count)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
