"""Two deliveries compared in a process of its own: Python parses each row, and DuckDB joins them out of core.

    python -m actorline.delivery.changes.compare FOLDER PATHS COMPRESSION    < rows, separator, rows > counts (JSON)

The first rows are the earlier delivery's, as JSON lines. FOLDER takes the database while it works, and the made files.
Of rows with the same key in one delivery the last one counts.

Exit codes: 0; 3 the rows can't be compared, with the reason on standard error; 1 our fault, with its class alone, for
an error's text may hold a row.
"""

import hashlib
import os
import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import orjson

from actorline.delivery.changes.rows import changed_row, key_of, read_row
from actorline.delivery.formats.gzip_members import BLOCK_BYTES, StoredFile
from actorline.delivery.formats.rows import text_lines
from actorline.delivery.formats.text import ROW_BYTES_MAX, UnreadablePage
from actorline.delivery.manifest import ChangeCounts, ChangedFile, ChangeKind
from actorline.delivery.sink.names import changes_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NO_COMPARISON: Final = 3
SEPARATOR: Final = b"\x1e"  # a line that no JSON is
DATABASE_MBYTES: Final = 450  # beside it: one block of rows, and what DuckDB holds outside of its own count
MEMORY_BYTES: Final = 2 * 1024**3  # so that this process, and nothing else on the machine, runs out of memory
THREADS_MAX: Final = 4
LOAD_BYTES: Final = 16_000_000  # of rows, put aside for one statement
FILE_BYTES: Final = 256_000_000  # then the next file begins
FETCH_ROWS: Final = 500
LEVELS_MAX: Final = 10_000

_LOAD: Final = """
INSERT INTO {table} SELECT * FROM read_csv(?, delim='\x1f', quote='', escape='', header=false, auto_detect=false,
    new_line='\\n', max_line_size={max_bytes},
    columns={{'key': 'UUID', 'row': 'BIGINT', 'number': 'BIGINT', 'line': 'VARCHAR'}})
"""
"""A row of JSON holds no control characters, which its strings must escape: any of them can separate columns."""
_LAST: Final = """
CREATE TABLE last_{table} AS SELECT key, max(number) AS number, arg_max(row, number) AS row FROM {table} GROUP BY key
"""
_DIFFERENT: Final = """
CREATE TABLE different AS SELECT b.number AS old, a.number AS new FROM last_before b FULL JOIN last_after a USING (key)
WHERE b.row IS DISTINCT FROM a.row
"""
_ADDED: Final = "SELECT line FROM after JOIN different ON number = new WHERE old IS NULL ORDER BY number"
_REMOVED: Final = "SELECT line FROM before JOIN different ON number = old WHERE new IS NULL ORDER BY number"
_CHANGED: Final = """
SELECT before.line, after.line FROM different JOIN before ON before.number = old JOIN after ON after.number = new
ORDER BY new
"""


class NotComparable(Exception):
    """The rows can't be compared; the message says why."""


def main(folder: str, paths: str, compression: str) -> int:
    import duckdb

    bound_memory()
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


def bound_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def compare(source: BinaryIO, paths: Sequence[str], folder: Path, compression: str) -> ChangeCounts:
    """Write the files of changes into the folder, in the order of the rows, and return what they hold.

    Raises NotComparable, UnreadablePage, and what DuckDB raises.
    """
    lines = text_lines(iter(lambda: source.read(BLOCK_BYTES), b""))
    with closing(_open(folder)) as database:
        before = Side.load(database, "before", takewhile(lambda line: line != SEPARATOR, lines), paths, folder)
        after = Side.load(database, "after", lines, paths, folder)
        database.execute(_DIFFERENT)
        writer = ChangesWriter(folder, compression)
        added = writer.write("added", _lines(database, _ADDED))
        removed = writer.write("removed", _lines(database, _REMOVED))
        changed = writer.write("changed", _changed(database, paths))
    return ChangeCounts(
        added=added,
        removed=removed,
        changed=changed,
        unchanged=after.keys - added - changed,
        repeated_before=before.rows - before.keys,
        repeated_after=after.rows - after.keys,
        without_key_before=before.without_key,
        without_key_after=after.without_key,
        files=writer.files,
    )


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


class Side:
    """The rows of one delivery in the database. `rows`: those with a key; `keys`: different ones."""

    def __init__(self, database: "DuckDBPyConnection", table: str, folder: Path) -> None:
        self.rows = self.keys = self.without_key = 0
        self._database = database
        self._table = table
        self._aside = folder / f"{table}.rows"

    @classmethod
    def load(
        cls,
        database: "DuckDBPyConnection",
        table: str,
        lines: Iterable[bytes],
        paths: Sequence[str],
        folder: Path,
    ) -> "Side":
        side = cls(database, table, folder)
        database.execute(f"CREATE TABLE {table} (key UUID, row BIGINT, number BIGINT, line VARCHAR)")
        side._load(lines, paths)
        database.execute(_LAST.format(table=table))
        side.keys = _count(database, f"last_{table}")
        return side

    def _load(self, lines: Iterable[bytes], paths: Sequence[str]) -> None:
        held: list[bytes] = []
        held_bytes = 0
        for number, line in enumerate(lines, 1):
            try:
                key = key_of(read_row(line), paths)
            except ValueError:
                raise NotComparable(f"row {number:,} {self._whose} is not JSON") from None
            if key is None:
                self.without_key += 1
                continue
            digest = hashlib.blake2b(key, digest_size=16).hexdigest()
            # `hash` is SipHash under a secret of this process: 64 bits are enough to compare two rows of one key
            held.append(b"%b\x1f%d\x1f%d\x1f%b\n" % (digest.encode(), hash(line), number, line.replace(b"\r", b" ")))
            held_bytes += len(line)
            self.rows += 1
            if held_bytes > LOAD_BYTES:
                self._insert(held)
                held, held_bytes = [], 0
        self._insert(held)

    @property
    def _whose(self) -> str:
        return "of the earlier delivery" if self._table == "before" else "of this delivery"

    def _insert(self, held: list[bytes]) -> None:
        if not held:
            return
        with self._aside.open("wb") as file:
            file.writelines(held)
        self._database.execute(_LOAD.format(table=self._table, max_bytes=ROW_BYTES_MAX + 100), [str(self._aside)])
        self._aside.unlink()


class ChangesWriter:
    """Writes the rows of each kind into files of their own, the next one when one is large. There is always a first."""

    def __init__(self, folder: Path, compression: str) -> None:
        self.files: list[ChangedFile] = []
        self._folder = folder
        self._compression = compression

    def write(self, kind: ChangeKind, lines: Iterator[bytes]) -> int:
        """Return the number of lines."""
        first = len(self.files)
        while len(self.files) == first or self.files[-1].bytes >= FILE_BYTES:
            self.files.append(self._write_one(kind, len(self.files) - first, lines))
        return sum(file.rows for file in self.files[first:])

    def _write_one(self, kind: ChangeKind, number: int, lines: Iterator[bytes]) -> ChangedFile:
        name, rows = changes_file(kind, number, self._compression), 0
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            out = StoredFile(file, compress=self._compression == "gzip")
            for line in lines:
                out.write(line + b"\n")
                rows += 1
                if out.size >= FILE_BYTES:
                    break
            out.close()
        return ChangedFile(kind=kind, name=name, rows=rows, bytes=out.size, sha256=out.sha256)


def _lines(database: "DuckDBPyConnection", query: str) -> Iterator[bytes]:
    return (line.encode() for (line,) in _fetched(database, query))


def _changed(database: "DuckDBPyConnection", paths: Sequence[str]) -> Iterator[bytes]:
    rows = (changed_row(old.encode(), new.encode(), paths) for old, new in _fetched(database, _CHANGED))
    return (row for row in rows if row is not None)


def _fetched(database: "DuckDBPyConnection", query: str) -> Iterator[tuple[str, ...]]:
    result = database.execute(query)
    while block := result.fetchmany(FETCH_ROWS):
        yield from block


def _count(database: "DuckDBPyConnection", table: str) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)  # noqa: S608 - our own names
    return int(count)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
