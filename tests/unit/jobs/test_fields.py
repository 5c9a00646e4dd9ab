from actorline.jobs.fields import STORED_AS, JobFields
from actorline.jobs.job import FIELDS

OF_POLLS = {"poll_no", "poll_by", "poll_until"}  # read by scripts only


def test_what_a_change_writes_are_fields_of_a_job():
    assert {STORED_AS.get(name, name) for name in JobFields.__annotations__.keys() - OF_POLLS} <= set(FIELDS)
