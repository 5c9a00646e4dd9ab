"""What jobs cost together is what their runs cost."""

from actorline.jobs.cost import cost_usd


def test_run_that_two_jobs_collected_costs_once(make_job):
    started, collected, other, waiting = (
        make_job(key="a", run_id="r", cost_usd=0.02),
        make_job(key="b", run_id="r", cost_usd=0.02),
        make_job(key="c", run_id="s", cost_usd=0.01),
        make_job(key="d"),
    )
    assert cost_usd([started, collected, other, waiting]) == 0.03
