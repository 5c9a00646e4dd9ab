"""A person's data are removed on request: nothing of the job is left in Redis or in the sink, and the audit says so."""

import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from real_parts import wait_for
from terminal import ACTORLINE

from actorline.ledger.audit import read_audit
from actorline.ledger.store import connect

QUICK = {"poll_interval_secs": 1}


def forget(line, *arguments):
    command = [ACTORLINE, "forget", *arguments]
    return subprocess.run(command, env=line.environment, capture_output=True, text=True, check=False)


def names_in_redis(line, text):
    """Keys, members and values of all three databases that hold the text."""
    found = []
    for database in (0, 1, 2):
        client = connect(f"{line.broker}?virtual_host={database}")
        for name in client.scan_iter(count=1000):
            match client.type(name):
                case "hash":
                    held = client.hgetall(name)
                case "zset":
                    held = client.zrange(name, 0, -1)
                case "set":
                    held = client.smembers(name)
                case "stream":
                    held = client.xrange(name)
                case "list":
                    held = client.lrange(name, 0, -1)
                case _:
                    held = client.get(name)
            if text in name or text in str(held):
                found.append(name)
        client.close()
    return found


def folder_of(job):
    return Path(urlsplit(job.sink_url).path)


def test_forgotten_job_is_nowhere_but_in_the_audit(line):
    record = {"OUTPUT": {"content_type": "text/plain", "body": "about a person"}}
    actor = line.emulator.actor("person", items=30, duration_secs=0.2, records=record)
    document = {"key": "person-4711", "actor": actor, "input": {"name": "person-4711"}, **QUICK}
    assert line.submit(document).get(timeout=120)["state"] == "DELIVERED"
    job = line.ledger.load("person-4711")
    assert (folder_of(job) / "records" / "OUTPUT").exists()
    wait_for(lambda: not line.ledger.callers.of("person-4711"), what="the caller to be answered")

    refused = forget(line, "person-4711")
    assert (refused.returncode, "add --yes" in refused.stderr) == (5, True)
    assert line.state("person-4711") == "DELIVERED"

    done = forget(line, "person-4711", "--yes", "--json")

    assert (done.returncode, json.loads(done.stdout)["forgotten"]) == (0, True), done.stderr
    assert not folder_of(job).exists()
    # a message that a worker has done with is struck off a moment later
    wait_for(lambda: names_in_redis(line, "person-4711") == [line.ledger.name("audit")], what="nothing but the audit")
    (latest,) = read_audit(line.ledger, 1)
    assert (latest.event, latest.data["key"]) == ("forgotten", "person-4711")


@pytest.mark.thorough
def test_running_job_is_not_forgotten(line):
    actor = line.emulator.actor("not-yet", items=3, duration_secs=600)
    line.submit({"key": "not-yet", "actor": actor, **QUICK})
    wait_for(lambda: line.state("not-yet") == "RUNNING", what="the run")
    refused = forget(line, "not-yet", "--yes")
    assert (refused.returncode, "actorline cancel not-yet" in refused.stderr) == (5, True)
    line.cancel("not-yet").get(timeout=60)
    wait_for(lambda: line.state("not-yet") == "CANCELLED", what="the end")


@pytest.mark.thorough
def test_forgotten_batch_takes_members_and_inputs_along(line):
    actor = line.emulator.actor("people", items=5, duration_secs=0.2)
    batch = {"key": "people", "template": {"actor": actor, **QUICK}, "inputs": [{"who": "a"}, {"who": "b"}]}
    assert line.send("actorline.batch", batch).get(timeout=120)["state"] == "DELIVERED"
    sink = Path(urlsplit(line.ledger.batches.read("people", ["sink", "state"])[0]["sink"]).path)
    assert (sink / "manifest.json").exists()
    wait_for(lambda: not line.ledger.callers.of("people"), what="the caller to be answered")
    member = forget(line, "people.000001", "--yes")
    assert (member.returncode, "actorline forget people" in member.stderr) == (5, True)

    assert forget(line, "people", "--yes").returncode == 0

    assert not sink.exists()
    wait_for(lambda: not names_in_redis(line, "people."), what="nothing of the batch")
