"""Query what a job delivered, straight from its parts: python rows_into_duckdb.py FOLDER ["SELECT ... FROM items"]

FOLDER is the job's sink. Nothing of Actorline is needed: the rows are gzipped JSON lines. With pandas, if
they fit into memory:

    pandas.concat(pandas.read_json(part, lines=True) for part in sorted(Path(FOLDER).glob("part-*.jsonl.gz")))
"""

import sys
from pathlib import Path

import duckdb


def main(folder: str, query: str = "SELECT count(*) AS items FROM items") -> None:
    # the manifest comes last: without it the job is still writing
    if not Path(folder, "manifest.json").exists():
        sys.exit(f"{folder} holds no finished delivery")
    items = duckdb.read_json(f"{folder}/part-*.jsonl.gz", format="newline_delimited")
    print(items.query("items", query))


if __name__ == "__main__":
    main(*sys.argv[1:])
