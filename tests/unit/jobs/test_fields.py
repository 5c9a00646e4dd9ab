from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job

OF_POLLS = {"poll_no", "poll_by", "poll_until"}  # read by scripts only


def test_what_a_change_writes_are_fields_of_a_job():
    assert set(JobFields.__annotations__) - OF_POLLS <= set(Job.model_fields)
