"""Two accounts on one stack: nothing that one of them plants reads, moves or removes what isn't its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_process import Gateway, running_gateway
from real_parts import TOKEN, Line, delivery_of, make_line, running_workers, wait_for
from terminal import actorline

from actorline.api_keys import create_key
from actorline.client import Client
from actorline.delivery.read_back import DamagedDelivery
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL

QUICK = {"poll_interval_secs": 1}


@pytest.fixture(scope="module")
def line(valkey, emulator, tmp_path_factory) -> Iterator[Line]:
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("line"), "planted", accounts__b=TOKEN)
    with running_workers(line, "control", "fetch"):
        yield line
    line.client.close()


@pytest.fixture(scope="module")
def gateway(line: Line) -> Iterator[Gateway]:
    """The client sends the attacker's key, which is good for one account."""
    rights = Rights(scopes=frozenset(map(Scope, ("submit", "read", "cancel"))), accounts=frozenset({"default"}))
    with running_gateway(line, token=create_key(line.ledger, "attacker", rights, FROM_TERMINAL)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def victim(line: Line) -> dict[str, Any]:
    """A delivery of the account b, with rows."""
    actor = line.emulator.actor("victim", items=30, duration_secs=0.2)
    return line.submit({"key": "victim", "actor": actor, "account": "b", **QUICK}).get(timeout=120)


@pytest.fixture(scope="module")
def secret(line: Line) -> Path:
    """A file of the host's, outside of everything."""
    path = line.home / "host-secret"
    path.write_text("root:canary".ljust(48_611))  # a size that stands in no path
    return path


def planted(line: Line, secret: Path, **fields: Any) -> dict[str, Any]:
    """The manifest of a job that lists a file of the host as a record and as rows, and rows of the victim."""
    names = [str(secret), "../victim/part-00000.jsonl.gz", "../../host-secret"]
    size = {"bytes": secret.stat().st_size, "sha256": ""}
    parts = [{"name": name, "offset": 0, "limit": 1, "scanned": 1, "items": 1, **size} for name in names]
    records = [{"key": f"stolen-{no}", "name": name, "content_type": "", **size} for no, name in enumerate(names)]
    manifest = json.loads((line.home / "rows" / "thief" / "manifest.json").read_text())
    return {**manifest, "parts": parts, "records": records, **fields}


@pytest.fixture(scope="module")
def thief(line: Line, gateway: Gateway, victim, secret) -> dict[str, Any]:
    """The attacker's own delivery: its Actor wrote records that are called as a delivery's own files."""
    records = {name: {"body": {"planted": name}} for name in ("manifest.json", "_actorline.json", "_SUCCESS")}
    actor = line.emulator.actor("thief", items=3, duration_secs=0.2, records=records)
    return gateway.delivered("thief", actor=actor, collect={"records": list(records)})


@pytest.mark.thorough
def test_no_record_becomes_a_file_that_means_something(gateway, thief):
    assert (thief["state"], thief["records"]) == ("DELIVERED", 3)
    for name in ("manifest.json", "_actorline.json", "_SUCCESS"):
        assert name not in {Path(file).name for file in delivery_of(thief).files if file.startswith("records/")}
        assert gateway.http.get(f"/v1/jobs/thief/records/{name}").json() == {"planted": name}


@pytest.mark.thorough
@pytest.mark.parametrize("folder", ["thief/records/", "victim/records/", "victim/x/y/", "victim/"])
def test_no_sink_lies_in_a_folder_that_a_job_has_claimed(line, gateway, thief, folder):
    before = delivery_of(line.ledger.load("victim").model_dump()).files
    key = folder.replace("/", "-") + "sink"
    actor = line.emulator.actor(f"in-{key}", items=3, duration_secs=0)
    document = {"key": key, "actor": actor, "sink": {"url": f"{(line.home / 'rows').as_uri()}/{folder}"}, **QUICK}
    response = gateway.order(**document)
    assert (response.status_code, response.json()["code"]) == (422, "sink-refused")
    (line.home / "order.json").write_text(json.dumps(document))
    done = actorline(line, "run", "--json", "--document", "order.json")  # whom the door trusts meets the claim
    assert done.json["reason"]["code"] == "sink-refused", done.err
    assert line.emulator.starts(actor) == []
    assert delivery_of(line.ledger.load("victim").model_dump()).files == before


@pytest.mark.thorough
@pytest.mark.parametrize("folder", ["rows/", "", "../"])
def test_no_sink_is_a_folder_in_which_the_others_lie(line, gateway, folder):
    response = gateway.order(key="above", actor="demo/any", sink={"url": f"{line.home.as_uri()}/{folder}"})
    assert (response.status_code, response.json()["code"]) == (422, "sink-refused")


@pytest.mark.thorough
def test_a_planted_manifest_reads_no_other_file_at_any_door(line, gateway, thief, secret):
    path = Path(delivery_of(thief).folder, "manifest.json")
    kept = path.read_bytes()
    try:
        path.write_text(json.dumps(planted(line, secret)))
        for route in ("items", "records/stolen-0", "records/stolen-1"):
            response = gateway.http.get(f"/v1/jobs/thief/{route}")
            assert response.status_code >= 400
            assert "canary" not in response.text
            assert str(secret.stat().st_size) not in response.json()["detail"]
        for command in (["items", "thief"], ["records", "thief", "stolen-0"], ["verify", thief["manifest"], "--json"]):
            done = actorline(line, *command)
            assert done.code != 0
            assert "canary" not in done.out + done.err
        with Client(line.broker, line.results, queue=line.namespace) as client, pytest.raises(DamagedDelivery):
            client.open_record("thief", "stolen-0")
    finally:
        path.write_bytes(kept)


@pytest.mark.thorough
def test_a_planted_manifest_moves_nothing_and_ends_nothing(line, thief, secret, victim):
    """It lies in the attacker's folder before the job's end, and says that it is this end's."""
    folder = line.home / "rows" / "next"
    folder.mkdir()
    manifest = planted(line, secret, job="next", records=[], queued_at=None)
    manifest["parts"] = [manifest["parts"][0] | {"name": "part-00000.jsonl.gz"}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    before = delivery_of(victim).files
    actor = line.emulator.actor("next", items=3, duration_secs=0.2)
    result = line.submit({"key": "next", "actor": actor, "collect": {"records": []}, **QUICK}).get(timeout=120)
    assert (result["state"], result["items"], len(delivery_of(result).lines.splitlines())) == ("DELIVERED", 3, 3)
    assert (secret.read_text().rstrip(), delivery_of(victim).files) == ("root:canary", before)


@pytest.mark.thorough
def test_a_planted_manifest_of_a_batch_reads_no_other_delivery(line, gateway, victim):
    """It names the victim's delivery as a member's; then the member's folder is a link to the victim's."""
    actor = line.emulator.actor("thieves", items=2, duration_secs=0.2)
    order = {"key": "thieves", "template": {"actor": actor, **QUICK}, "inputs": [{}]}
    assert gateway.http.post("/v1/batches", json=order).status_code == 202
    path = "/v1/batches/thieves"
    batch = wait_for(
        lambda: next((found for found in [gateway.http.get(path).json()] if found["manifest"]), None),
        what="the batch's delivery",
    )
    own, folder = gateway.http.get(f"{path}/items").text, Path(delivery_of(batch).folder)
    head, opens, line_of_member, *rest = (folder / "manifest.json").read_text().splitlines(keepends=True)
    member = {**json.loads(line_of_member), "manifest": victim["manifest"]}
    del member["manifest_sha256"]
    head = head.replace(batch["sink"], victim["sink"])
    (folder / "manifest.json").write_text("".join([head, opens, json.dumps(member) + "\n", *rest]))
    for params in ({}, {"limit": 2}):
        assert gateway.http.get(f"{path}/items", params=params).text == own

    (folder / "000000").rename(line.home / "aside")
    (folder / "000000").symlink_to(delivery_of(victim).folder)
    for params in ({}, {"limit": 2}):
        assert gateway.http.get(f"{path}/items", params=params).status_code >= 400
    done = actorline(line, "verify", "thieves", "--json")
    assert "000000/manifest.json isn't the one that the job delivered" in done.out + done.err
