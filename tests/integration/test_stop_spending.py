"""Stopping all spending: what bills is aborted at once, and at the same time, also where no worker is alive."""

import pytest
from real_parts import TOKEN, captured_commands, running_workers, wait_for

from actorline.cli.abort_runs import abort_runs
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import State
from actorline.orders.cancel import cancel_jobs
from actorline.settings import Settings

pytestmark = pytest.mark.thorough
JOBS = 6
UNKNOWN = {"type": "user-or-token-not-found", "message": "The token is unknown"}


@pytest.fixture
def billing(own_line, emulator):
    """Keys of jobs whose runs go on while no worker is alive; one run is somebody else's."""
    line = own_line("stop-spending")
    actor = emulator.actor("stop-spending", items=1, duration_secs=600)
    theirs = emulator.start(actor)["id"]
    keys = [f"billing-{number}" for number in range(JOBS)]
    with running_workers(line, "all"):
        for key in keys:
            line.submit({"key": key, "actor": actor}, ignore_result=True)
        line.submit({"key": "theirs", "run_id": theirs}, ignore_result=True)
        wait_for(lambda: {line.state(key) for key in [*keys, "theirs"]} == {"RUNNING"}, what="all runs under way")
    return line, [*keys, "theirs"], theirs


def test_spending_stops_while_no_worker_is_alive(billing, emulator, faults, valkey, capsys):
    line, keys, theirs = billing
    with captured_commands(valkey) as commands:
        assert cancel_jobs(line.ledger, keys, sender=FROM_TERMINAL) == keys
    ours = {each["client_port"] for each in commands if keys[0] in each["command"]}
    waits = [each for each in commands if each["command"].startswith("WAITAOF") and each["client_port"] in ours]
    assert len(waits) == 1  # of half a hundred milliseconds, or of two seconds before Redis 7.2
    settings = Settings(apify_token=TOKEN, api_url=emulator.url, api_allow_http=True, redis_url=line.broker)
    jobs = [job for job in line.ledger.load_many(keys) if job]
    faults({"method": "POST", "path_regex": "abort$", "times": JOBS, "action": "status", "status": 401, **UNKNOWN})
    abort_runs(settings, jobs)
    told = capsys.readouterr().err
    assert f"{JOBS} runs could not be aborted from here, and may be billing: POST" in told
    assert ("The token is unknown" in told, "runs aborted" in told) == (True, False)
    abort_runs(settings, jobs)
    assert f"{JOBS} runs aborted at the platform" in capsys.readouterr().err
    runs = [job.run.id for job in line.ledger.load_many(keys) if job]
    statuses = {run_id: emulator.run(run_id)["status"] for run_id in runs}
    ended = emulator.start(emulator.actor("stop-ended", items=1, duration_secs=0))["id"]
    wait_for(lambda: emulator.run(ended)["status"] == "SUCCEEDED", what="a run's end by itself")
    abort_runs(settings, [jobs[0].model_copy(update={"run": jobs[0].run.after({"run_id": ended})})])
    assert capsys.readouterr().err.startswith("1 run had already ended at the platform: nothing was stopped there.")
    assert statuses.pop(theirs) == "RUNNING"
    assert set(statuses.values()) <= {"ABORTING", "ABORTED"}
    with running_workers(line, "all"):
        wait_for(lambda: {line.state(key) for key in keys} == {State.CANCELLED}, what="the end of all jobs")
    assert len(emulator.starts("demo/stop-spending")) == JOBS + 1
    assert cancel_jobs(line.ledger, keys, sender=FROM_TERMINAL) == []  # they have ended
