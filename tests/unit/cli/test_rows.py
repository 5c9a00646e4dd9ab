"""What a person and a pipe see of a delivery's records."""

from types import SimpleNamespace

import pytest

from actorline.cli import rows
from actorline.delivery.manifest import StoredRecord

RECORD = StoredRecord(key="PAGE", name="records/PAGE", content_type="text/html", bytes=12_345, sha256="")


@pytest.mark.parametrize(
    ("is_terminal", "lines"),
    [
        (True, [["key", "bytes", "type"], ["PAGE", "12,345", "text/html"]]),
        (False, [["PAGE", "text/html", "12345"]]),
    ],
)
def test_list_of_records_names_its_columns_on_a_terminal(monkeypatch, capsys, is_terminal, lines):
    monkeypatch.setattr(rows, "out", SimpleNamespace(is_terminal=is_terminal))
    rows._list("k", SimpleNamespace(records=lambda: iter([RECORD])), as_json=False)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == lines
