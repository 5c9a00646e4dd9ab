"""What `verify` says of a batch that is partly delivered."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actorline.batches.manifest import BatchHead, BatchTail, Member, write_manifest, write_tail
from actorline.cli.app import app
from actorline.delivery.manifest import Manifest, fingerprint, totals_of
from actorline.delivery.sink import MANIFEST, SUCCESS
from actorline.errors import Code, Reason

STATES = ["DELIVERED", "PARTIAL", "PARTIAL", "FAILED"]
INPUT = b"{}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def member(folder: Path, number: int, state: str) -> Member:
    """A member that delivered no rows, or nothing if it is FAILED."""
    key, digest = f"verified.{number:06}", None
    if state != "FAILED":
        manifest = Manifest(
            job=key, installation="i", attempt=1, target={"actor": "a/b"}, run=None, dataset_id="d", query={},
            format="jsonl", compression="gzip", parts=[], records=[], totals=totals_of([], []), state=state,
            complete=state == "DELIVERED", reason=None,
        )  # fmt: skip
        own = folder / f"{number:06}"
        own.mkdir()
        (own / MANIFEST).write_text(manifest.model_dump_json())
        if manifest.complete:
            (own / SUCCESS).touch()
        digest = fingerprint(manifest)
    place = None if digest is None else f"{folder.as_uri()}/{number:06}/{MANIFEST}"
    return Member(
        number=number, key=key, state=state, manifest=place, manifest_sha256=digest, input_sha256=sha256(INPUT)
    )


@pytest.fixture
def partly_delivered(tmp_path) -> Path:
    """A batch of which three of four members have delivered something, one of them all."""
    (tmp_path / "_inputs").mkdir()
    (tmp_path / "_inputs" / "inputs.jsonl").write_bytes((INPUT + b"\n") * len(STATES))
    sink = f"{tmp_path.as_uri()}/"
    head = BatchHead(batch="verified", installation="i", queued_at=None, retries=0, sink=sink)
    reason = Reason(code=Code.RUN_FAILED, message="1 of 4 inputs were delivered.", billed=True)
    members = [member(tmp_path, number, state) for number, state in enumerate(STATES)]
    with (tmp_path / MANIFEST).open("wb") as file:
        totals = write_manifest(file, head, members)
        write_tail(file, BatchTail(totals=totals, state="PARTIAL", complete=False, reason=reason))
    return tmp_path


def test_members_with_a_part_of_their_rows_are_counted(partly_delivered):
    spoken = CliRunner().invoke(app, ["verify", str(partly_delivered)])
    written = CliRunner().invoke(app, ["verify", str(partly_delivered), "--json"])
    assert (spoken.exit_code, written.exit_code) == (6, 6), spoken.output
    assert "0 rows in 3 members, 0 records; all listed files are intact" in spoken.output
    result = json.loads(written.stdout)
    assert (result["deliveries"], result["totals"]["delivered"]) == (3, 1)


def test_line_that_is_no_member_is_told_as_damage(partly_delivered):
    manifest = partly_delivered / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b'"number":2', b'"numbre":2'))
    done = CliRunner().invoke(app, ["verify", str(partly_delivered), "--json"])
    assert done.exit_code == 1
    problem, verdict = map(json.loads, done.stdout.splitlines())
    assert "is not the manifest of a batch" in problem["text"]
    assert (verdict["verdict"], verdict["problems"]) == ("damaged", 1)
