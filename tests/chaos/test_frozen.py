"""A worker is frozen by SIGSTOP for longer than its leases, another takes over, and then the first goes on: one paid
run, all rows once, and what the stale worker still writes changes nothing.
"""

import pytest
from cases import Case, assert_paid_once_and_whole

pytestmark = pytest.mark.timeout(400)  # a case may queue behind others

POINTS = {
    "between-intent-and-post": "actorline.platform.start:SendBy.is_past 1 before",
    "between-post-and-run-id": "actorline.ledger.runs:Runs.record 1 before",
    "in-a-poll": "actorline.stages.watch.poll_run:get_run 1 after",
    "while-planning": "actorline.ledger.pages:Pages.fix 1 before",
    "in-a-download": "actorline.platform.body:Body._read 1 after",
    "before-a-part": "actorline.delivery.sink:LocalSink.publish 3 before",
    "before-a-receipt": "actorline.ledger.pages:Pages.record 1 before",
    "before-the-manifest": "actorline.stages.collect.deliver:Deliverer._publish 1 before",
    "before-the-end": "actorline.stages.collect.deliver:end_job 1 before",
}
CASES = [Case(f"frozen-{name}", worker={"CHAOS_FREEZE": point}) for name, point in POINTS.items()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_frozen_worker_waking_after_a_takeover_changes_nothing(outcome_of, case):
    outcome = outcome_of(case)
    assert outcome.freezes == 1
    assert_paid_once_and_whole(outcome)
    assert outcome.late_writes == []
