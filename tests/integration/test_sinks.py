"""Sinks: rows in an object store (an S3 server) and on disks, whatever they refuse."""

import contextlib
import gzip
import hashlib
import json
import resource
import threading
from collections.abc import Iterator

import impatient_worker
import pytest
from object_store import Fault, ObjectStore, running_object_store
from real_parts import ROOT, Line, delivery_of, make_line, reason_of, running_workers, wait_for
from terminal import actorline

from actorline.client import Client
from actorline.delivery.sink import SinkError, open_sink
from actorline.delivery.sink.names import record_file
from actorline.delivery.sink.objects import _connect

pytestmark = pytest.mark.thorough

QUICK = {"poll_interval_secs": 1}
LARGE = {"item_kind": "plain", "item_bytes": 9_000}  # a thousand of them are more than one piece of an upload


@pytest.fixture(scope="module")
def running_store() -> Iterator[ObjectStore]:
    with running_object_store() as store:
        store.make_bucket("bucket")
        yield store


@pytest.fixture
def store(running_store: ObjectStore) -> Iterator[ObjectStore]:
    yield running_store
    running_store.faults.clear()
    running_store.demand_known_keys(demanded=False)


@pytest.fixture
def here(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """The store's variables in this process, as a service that reads rows has them."""
    for name, value in store.environment().items():
        monkeypatch.setenv(name, value)
    _connect.cache_clear()
    yield store
    _connect.cache_clear()


@pytest.fixture(scope="module")
def cloud(running_store: ObjectStore, valkey, emulator, tmp_path_factory) -> Iterator[Line]:
    """A line whose workers know the store, and whose services may write into its bucket."""
    line = make_line(
        valkey,
        emulator,
        tmp_path_factory.mktemp("cloud"),
        "cloud",
        sink_url="s3://bucket/rows/{key}/",
        sink_roots="s3://bucket,s3://nowhere",
    )
    line.environment.update(running_store.environment())
    with running_workers(line, "control", "fetch"):
        yield line
    line.client.close()


@pytest.fixture(scope="module")
def impatient(running_store: ObjectStore, valkey, emulator, tmp_path_factory) -> Iterator[tuple[Line, int]]:
    """A line that gives up soon, and the process id of its fetch worker."""
    roots = f"s3://bucket,{tmp_path_factory.getbasetemp().as_uri()}"
    line = make_line(
        valkey,
        emulator,
        tmp_path_factory.mktemp("impatient"),
        "impatient",
        sink_roots=roots,
        visibility_timeout_secs="600",  # no message comes twice, for however long a busy machine stops a worker
    )
    line.environment.update(running_store.environment() | {"PYTHONPATH": str(ROOT)})
    program = (str(ROOT / "tests" / "integration" / "impatient_worker.py"),)
    with running_workers(line, "control", "fetch", program=program) as (_, fetch):
        yield line, fetch.pid
    line.client.close()


def refused(order) -> dict:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a service can't import our classes: it sees their names
        order.get(timeout=120)
    return {"name": type(raised.value).__name__, **reason_of(raised.value)}


def plain(files: dict[str, bytes]) -> bytes:
    return b"".join(gzip.decompress(files[name]) for name in sorted(files) if name.startswith("part-"))


# -- a whole job


@pytest.fixture(scope="module")
def delivered(cloud: Line) -> dict:
    """A job with rows and records, delivered to the default sink of the line, whose manifest isn't rewritten any more:
    moto's server, unlike a store, may return nothing for a read of what is just being replaced.
    """
    records = {"OUTPUT": {"body": {"title": "café"}}}
    actor = cloud.emulator.actor("to-s3", items=1200, duration_secs=0.3, records=records)
    collect = {"page_items": 250, "records": ["OUTPUT"]}
    result = cloud.submit({"key": "to-s3", "actor": actor, "collect": collect, **QUICK}).get(timeout=120)
    wait_for(lambda: cloud.ledger.load("to-s3").figures_settled, within=120, what="figures that stand")
    return result


def test_job_to_an_object_store_leaves_all_rows_nothing_else(store, cloud, delivered):
    assert (delivered["state"], delivered["sink"]) == ("DELIVERED", "s3://bucket/rows/to-s3/")
    assert delivered["manifest"] == "s3://bucket/rows/to-s3/manifest.json"
    files = store.files(delivered["sink"])
    assert sorted(files) == [
        "_SUCCESS", "_actorline.json", "manifest.json", *(f"part-{number:05}.jsonl.gz" for number in range(5)),
        "records/OUTPUT",
    ]  # fmt: skip
    assert hashlib.sha256(plain(files)).hexdigest() == cloud.emulator.expected(delivered["dataset_id"])["sha256"]
    manifest = json.loads(files["manifest.json"])
    assert (manifest["complete"], manifest["totals"]["items"], manifest["totals"]["records"]) == (True, 1200, 1)


def test_delivery_in_an_object_store_is_read_by_every_door(here, cloud, delivered):
    expected = cloud.emulator.item_lines(delivered["dataset_id"])
    items = actorline(cloud, "items", "to-s3")
    assert (items.code, items.out.encode()) == (0, expected)
    assert json.loads(actorline(cloud, "records", "to-s3", "OUTPUT").out) == {"title": "café"}
    with Client(cloud.broker, cloud.results, queue=cloud.namespace) as client:
        assert [json.dumps(item) for item in client.iter_items("to-s3")][:2] == [
            json.dumps(json.loads(line)) for line in expected.splitlines()[:2]
        ]
        with client.open_record("to-s3", "OUTPUT") as record:
            assert json.load(record) == {"title": "café"}


@pytest.mark.parametrize("target", ["to-s3", "s3://bucket/rows/to-s3/manifest.json"])
def test_verify_finds_a_whole_delivery_whole(store, cloud, delivered, target):
    done = actorline(cloud, "verify", target, "--json")
    assert done.code == 0
    assert (done.json["verdict"], done.json["problems"], done.json["totals"]["items"]) == ("whole", 0, 1200)


def test_no_key_of_the_store_is_in_what_workers_and_redis_keep(store, cloud, delivered):
    logs = b"".join(path.read_bytes() for path in cloud.home.glob("*.log"))
    kept = json.dumps(
        [
            cloud.ledger.redis.hgetall(cloud.ledger.name("job", "to-s3")),
            [entry.data for entry in cloud.ledger.timeline.entries("to-s3")],
        ]
    )
    assert b"hidden-in-the-environment" not in logs
    assert "hidden-in-the-environment" not in kept


def test_large_files_are_published_whole_and_leave_no_upload(store, cloud):
    """Beyond 8 MB a file is a multipart upload."""
    body = "0123456789" * 1_200_000
    actor = cloud.emulator.actor(
        "large-to-s3",
        items=1000,
        **LARGE,
        duration_secs=0.3,
        records={"OUTPUT": {"content_type": "text/plain", "body": body}},
    )
    sink = {"url": "s3://bucket/large/", "compression": "none"}
    result = cloud.submit({"actor": actor, "sink": sink, "collect": {"page_items": 1000}, **QUICK}).get(timeout=120)
    files = store.files(result["sink"])
    assert sorted(files) == ["_SUCCESS", "_actorline.json", "manifest.json", "part-00000.jsonl", "records/OUTPUT"]
    assert (len(files["part-00000.jsonl"]) > 8 * 1024 * 1024, files["records/OUTPUT"]) == (True, body.encode())
    expected = cloud.emulator.expected(result["dataset_id"])["sha256"]
    assert hashlib.sha256(files["part-00000.jsonl"]).hexdigest() == expected
    assert store.uploads("bucket") == 0


# -- conditional writes


def test_of_many_writers_of_one_name_exactly_one_wins(here):
    sink = open_sink("s3://bucket/race/")
    contents = [bytes([number]) * size for number, size in enumerate([10, 9_000_000] * 3)]
    barrier, won = threading.Barrier(len(contents)), []

    def publish(number: int) -> None:
        with sink.staging("part-00000", str(number)) as file:
            file.write(contents[number])
            barrier.wait()
            if sink.publish(file, "part-00000"):
                won.append(number)

    threads = [threading.Thread(target=publish, args=[number]) for number in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert here.files("s3://bucket/race/") == {"part-00000": contents[won[0]]}
    assert here.uploads("bucket") == 0


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_folder_of_another_job_is_refused_before_money_is_spent(store, cloud, line, kind, tmp_path):
    at = cloud if kind == "s3" else line
    url = f"s3://bucket/one-for-two-{kind}/" if kind == "s3" else f"{(at.home / 'rows' / '_one-for-two').as_uri()}/"
    actor = at.emulator.actor(f"one-for-two-{kind}", items=10, duration_secs=0)
    first = at.submit({"key": f"first-{kind}", "actor": actor, "sink": {"url": url}, **QUICK}).get(timeout=120)
    reason = refused(at.submit({"key": f"second-{kind}", "actor": actor, "sink": {"url": url}, **QUICK}))
    assert (first["state"], reason["name"], reason["code"]) == ("DELIVERED", "JobRefused", "sink-refused")
    assert "belongs to another job" in reason["message"]
    assert (reason["billed"], len(at.emulator.starts(actor))) == (False, 1)


@pytest.mark.parametrize("name", ["../secret", "/secret", "a/../../secret", "..", "a//b", "a\\..\\b", "%2e%2e/secret"])
def test_no_name_leads_out_of_a_prefix_of_a_store(here, name):
    outside, sink = open_sink("s3://bucket/around/"), open_sink("s3://bucket/around/sink/")
    outside.write_once("secret", b"secret")
    for use in (
        sink.read,
        lambda name: sink.move(name, "taken"),
        lambda name: sink.write_once(name, b"x"),
        sink.remove,
    ):
        with contextlib.suppress(SinkError):
            assert use(name) != b"secret"
    files = here.files("s3://bucket/around/")
    assert {name: content for name, content in files.items() if not name.startswith("sink/")} == {"secret": b"secret"}


def test_rights_for_a_prefix_are_enough_to_claim_in_it(here):
    here.faults.append(Fault(r"^HEAD /bucket/_actorline\.json", status=403))
    assert open_sink("s3://bucket/limited/a/").claim("al-1", "first")
    with pytest.raises(SinkError, match="overlaps with the folder of another job"):
        open_sink("s3://bucket/limited/a/records/").claim("al-1", "second")


def test_a_record_of_any_key_is_stored_and_read_in_a_store(here):
    sink = open_sink("s3://bucket/names/")
    for key in (*"!'().-_", "..", "manifest.json", "_actorline.json", "r" * 256, "../x", "%41", "ü", "a b"):
        sink.write_once(f"records/{record_file(key)}", key.encode())
        assert sink.read(f"records/{record_file(key)}") == key.encode()


# -- refused before money is spent


def test_missing_bucket_is_refused_before_money_is_spent(store, cloud):
    actor = cloud.emulator.actor("no-bucket", items=10, duration_secs=0)
    reason = refused(cloud.submit({"actor": actor, "sink": {"url": "s3://nowhere/rows/"}, **QUICK}))
    assert (reason["name"], reason["code"], reason["billed"]) == ("JobRefused", "sink-refused", False)
    assert "there is no s3://nowhere (404 NoSuchBucket). Create it" in reason["message"]
    assert cloud.emulator.starts(actor) == []


def test_bad_credentials_are_refused_before_money_is_spent(store, cloud):
    actor = cloud.emulator.actor("bad-keys", items=10, duration_secs=0)
    store.demand_known_keys(demanded=True)
    reason = refused(cloud.submit({"actor": actor, "sink": {"url": "s3://bucket/bad-keys/"}, **QUICK}))
    assert (reason["name"], reason["code"], reason["billed"]) == ("JobRefused", "sink-refused", False)
    assert "refuses these credentials (403 InvalidAccessKeyId). Check AWS_ACCESS_KEY_ID" in reason["message"]
    assert "AKIAACTORLINE" not in reason["message"]
    assert cloud.emulator.starts(actor) == []


@pytest.mark.parametrize("right", [r"^GET /bucket\?list-type", r"^POST /bucket\?delete"], ids=["list", "delete"])
def test_missing_rights_are_refused_before_money_is_spent(store, cloud, right):
    actor = cloud.emulator.actor("no-rights", items=10, duration_secs=0)
    store.faults.append(Fault(right, status=403))
    reason = refused(cloud.submit({"actor": actor, **QUICK}))
    assert (reason["name"], reason["code"], reason["billed"]) == ("JobRefused", "sink-refused", False)
    assert "and their rights" in reason["message"]
    assert cloud.emulator.starts(actor) == []


def test_bucket_outside_the_roots_is_refused_at_the_door(store, cloud):
    reason = refused(cloud.submit({"actor": "demo/any", "sink": {"url": "s3://elsewhere/rows/"}}))
    assert (reason["name"], reason["code"]) == ("JobRefused", "sink-refused")
    assert "outside the allowed roots" in reason["message"]


# -- what happens meanwhile


def test_slow_store_only_slows(store, impatient):
    """Each part takes longer than a page's lease lasts."""
    line, _ = impatient
    store.faults.append(Fault(r"^PUT /bucket/slow/part", delay_secs=1.5 * impatient_worker.LEASE_SECS, times=2))
    actor = line.emulator.actor("slow-store", items=500, duration_secs=0.3)
    order = {"key": "slow-store", "actor": actor, "sink": {"url": "s3://bucket/slow/"}, **QUICK}
    result = line.submit({**order, "collect": {"page_items": 250}}).get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 500)
    assert len([asked for asked in store.seen if asked.startswith("PUT /bucket/slow/part")]) == 2
    assert "page-failed" not in line.events("slow-store")


def test_store_that_is_away_for_a_while_is_waited_for(store, cloud):
    """Its parts, its manifest and its claim are refused for longer than the library itself repeats a request."""
    store.faults.append(Fault(r"^PUT /bucket/away/part", status=503, times=6))
    store.faults.append(Fault(r"^PUT /bucket/away/manifest", status=0, times=6))
    actor = cloud.emulator.actor("store-away", items=500, duration_secs=0.3)
    order = {"key": "store-away", "actor": actor, "sink": {"url": "s3://bucket/away/"}, **QUICK}
    result = cloud.submit({**order, "collect": {"page_items": 500}}).get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 500)
    assert len(cloud.emulator.starts(actor)) == 1
    assert {"page-failed", "stage-failed"} <= set(cloud.events("store-away"))
    assert plain(store.files(result["sink"])) == cloud.emulator.item_lines(result["dataset_id"])


# -- what doesn't pass


def test_store_that_refuses_some_parts_keeps_the_others(store, impatient):
    line, _ = impatient
    store.faults.append(Fault(r"^PUT /bucket/half/.*part-00001", status=403))
    actor = line.emulator.actor("half-refused", items=2010, **LARGE, duration_secs=0.3)
    sink = {"url": "s3://bucket/half/", "compression": "none"}
    order = {"key": "half-refused", "actor": actor, "sink": sink, "collect": {"page_items": 1000}, **QUICK}
    result = line.submit(order).get(timeout=120)
    assert (result["state"], result["reason"]["code"], result["reason"]["billed"]) == ("PARTIAL", "sink-failed", True)
    assert "refuses these credentials (403 SlowDown)" in result["reason"]["message"]
    files = store.files(result["sink"])
    assert sorted(files) == ["_actorline.json", "manifest.json", "part-00000.jsonl", "part-00002.jsonl"]
    assert store.uploads("bucket") == 0
    verified = actorline(line, "verify", "half-refused", "--json")
    assert (verified.code, verified.json["verdict"]) == (6, "partial")


def test_store_gone_midway_ends_the_job_and_retry_gets_the_rest(store, impatient):
    line, _ = impatient
    actor = line.emulator.actor("store-gone", items=500, duration_secs=600)
    order = line.submit({"key": "store-gone", "actor": actor, "sink": {"url": "s3://bucket/gone/"}, **QUICK})
    wait_for(lambda: line.state("store-gone") == "RUNNING", what="the run")
    store.faults.append(Fault(r" /bucket/gone/", status=503))
    line.emulator.finish_runs_of(actor)
    reason = refused(order)
    assert (reason["name"], reason["code"], reason["billed"]) == ("JobFailed", "sink-failed", True)
    assert "s3://bucket/gone/ refuses (503 SlowDown)" in reason["message"]
    store.faults.clear()
    assert sorted(store.files("s3://bucket/gone/")) == ["_actorline.json"]
    line.send("actorline.retry", "store-gone").get(timeout=120)
    job = wait_for(
        lambda: (job := line.ledger.load("store-gone")) and job.state == "DELIVERED" and job, what="the rows"
    )
    assert plain(store.files("s3://bucket/gone/")) == line.emulator.item_lines(job.run.dataset_id)
    assert (job.attempt, len(line.emulator.starts(actor))) == (1, 1)


def test_full_disk_keeps_what_is_stored_for_a_retry(impatient, tmp_path):
    """A real refusal by the kernel: the fetch worker may write no file beyond 1 MB."""
    line, fetch = impatient
    folder = tmp_path / "rows"
    actor = line.emulator.actor("disk-full", items=260, **LARGE, duration_secs=0.3)
    sink = {"url": folder.as_uri(), "compression": "none"}
    order = {"key": "disk-full", "actor": actor, "sink": sink, "collect": {"page_items": 250}, **QUICK}
    unlimited = resource.prlimit(fetch, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    try:
        result = line.submit(order).get(timeout=120)
    finally:
        resource.prlimit(fetch, resource.RLIMIT_FSIZE, unlimited)
    assert (result["state"], result["reason"]["code"], result["reason"]["billed"]) == ("PARTIAL", "sink-failed", True)
    assert "File too large" in result["reason"]["message"]
    stored = {path.name for path in folder.rglob("*")}
    assert stored == {"_actorline.json", "manifest.json", "part-00001.jsonl"}
    before = (folder / "part-00001.jsonl").stat()
    line.send("actorline.retry", "disk-full").get(timeout=120)
    job = wait_for(lambda: (job := line.ledger.load("disk-full")) and job.state == "DELIVERED" and job, what="the rows")
    assert (folder / "part-00001.jsonl").stat().st_mtime_ns == before.st_mtime_ns
    assert delivery_of({"sink": job.sink_url}).lines == line.emulator.item_lines(job.run.dataset_id)
    assert (job.attempt, len(line.emulator.starts(actor))) == (1, 1)
    superseded = json.loads((folder / "superseded-1" / "manifest.json").read_bytes())
    assert ([part["name"] for part in superseded["parts"]], superseded["retries"]) == (["part-00001.jsonl"], 0)
    assert actorline(line, "verify", "disk-full").code == 0


# -- attempts


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_second_attempt_is_apart_the_first_is_set_aside(store, cloud, line, kind):
    at, key = (cloud, "twice-s3") if kind == "s3" else (line, "twice-file")
    script = {"duration_secs": 0.3, "records": {"OUTPUT": {"body": {"n": 1}}}}
    actor = at.emulator.actor(key, items=300, final_status="FAILED", **script)
    assert at.submit({"key": key, "actor": actor, **QUICK}).get(timeout=120)["state"] == "PARTIAL"
    at.emulator.actor(key, items=200, seed=3, **script)
    at.send("actorline.retry", key).get(timeout=120)
    job = wait_for(lambda: (job := at.ledger.load(key)) and job.state == "DELIVERED" and job, what="the second rows")
    url = job.sink_url
    files = sorted(store.files(url)) if kind == "s3" else sorted(delivery_of({"sink": url}).files)
    assert files == [
        "_SUCCESS", "_actorline.json", "attempt-2/part-00000.jsonl.gz", "attempt-2/records/OUTPUT", "manifest.json",
        "superseded-1/manifest.json", "superseded-1/part-00000.jsonl.gz", "superseded-1/records/OUTPUT",
    ]  # fmt: skip
    assert actorline(at, "items", key).out.encode() == at.emulator.item_lines(job.run.dataset_id)
    assert [actorline(at, "verify", target).code for target in (key, f"{url}superseded-1/")] == [0, 6]


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_rows_of_an_earlier_job_with_the_key_are_set_aside(store, cloud, line, kind):
    """The ledger forgets a job after its retention; what it delivered stays."""
    at, key = (cloud, "again-s3") if kind == "s3" else (line, "again-file")
    datasets = []
    for seed in (1, 2):
        actor = at.emulator.actor(f"{key}-{seed}", items=300, duration_secs=0, seed=seed)
        datasets.append(at.submit({"actor": actor, **QUICK}).get(timeout=120)["dataset_id"])
    at.submit({"key": key, "dataset_id": datasets[0]}).get(timeout=120)
    at.ledger.retention.forget(at.ledger.load(key))
    result = at.submit({"key": key, "dataset_id": datasets[1]}).get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 300)
    assert actorline(at, "items", key).out.encode() == at.emulator.item_lines(datasets[1])
    assert actorline(at, "verify", key).code == 0
    assert actorline(at, "verify", f"{result['sink']}superseded-0/").code == 0


# -- the command line


def test_verify_tells_damage_and_what_is_no_delivery_apart(line):
    actor = line.emulator.actor("damaged", items=500, duration_secs=0.3)
    order = {"key": "damaged", "actor": actor, "collect": {"page_items": 250}, **QUICK}
    folder = delivery_of(line.submit(order).get(timeout=120)).folder
    (folder / "part-00001.jsonl.gz").write_bytes(b"")
    (folder / "_SUCCESS").unlink()
    done = actorline(line, "verify", "damaged")
    assert done.code == 1
    assert [line.partition(":")[0] for line in done.out.splitlines()[:2]] == ["_SUCCESS", "part-00001.jsonl.gz"]
    verdict, advice = done.out.splitlines()[2:]
    assert verdict.endswith("2 problems")
    assert "actorline run --dataset-id" in advice
    rows = actorline(line, "items", "damaged")
    assert (rows.code, rows.out, len(rows.err.splitlines())) == (7, "", 1)
    assert rows.err.endswith(f"{advice.strip()}\n")
    (folder / "manifest.json").write_text("{}")
    assert actorline(line, "verify", folder.as_uri(), "--json").code == 1
    for target, code in (("nobody", 5), (f"{folder.as_uri()}/superseded-1/", 5), ("ftp://host/rows/", 7)):
        refusal = actorline(line, "verify", target, "--json")
        assert (refusal.code, "Traceback" in refusal.err) == (code, False)


def test_run_with_out_takes_the_stack_it_brings_up_to_the_store(store, terminal):
    actor = terminal.emulator.actor("out-to-s3", items=100, duration_secs=0.3)
    command = ("run", actor, "--key", "out", "--out", "s3://bucket/out/{key}", "--json")
    refusal = terminal(*command)
    assert (refusal.code, refusal.json["reason"]["code"], terminal.emulator.starts(actor)) == (5, "sink-refused", [])
    assert "Set AWS_ACCESS_KEY_ID" in refusal.json["reason"]["message"]
    done = terminal(*command, **store.environment())
    assert (done.code, done.json["sink"]) == (0, "s3://bucket/out/out/")
    assert "part-00000.jsonl.gz" in store.files("s3://bucket/out/out/")
    default = {"ACTORLINE_SINK_URL": "s3://bucket/rows/{key}/"}
    (finding,) = [
        each
        for each in terminal("doctor", "--json", **store.environment(), **default).lines
        if each["subject"] == "sink"
    ]
    assert (finding["is_good"], finding["text"]) == (True, "s3://bucket/rows/{key}/ is writable")
