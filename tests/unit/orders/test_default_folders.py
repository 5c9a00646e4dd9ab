"""Whose default folder a sink would take."""

import pytest

from actorline.orders.default_folders import is_of_another_key

PLAIN = "file:///srv/rows/{key}/"
DATED = "s3://bucket/rows/{date}/{key}/data/"
STEM = "file:///srv/rows-{key}/"
RUN = "file:///srv/{key}-{run_id}/"


@pytest.mark.parametrize(
    ("template", "sink", "expected"),
    [
        (PLAIN, "file:///srv/rows/mine/", False),
        (PLAIN, "file:///srv/rows/mine/deep/", False),
        (PLAIN, "file:///srv/rows/other/", True),
        (PLAIN, "file:///srv/rows/other/deep/", True),
        (PLAIN, "file:///srv/rows/a%40b/", True),
        (PLAIN, "file:///srv/rows/x/../other/", True),
        (PLAIN, "file:///srv/rows/", True),
        (PLAIN, "file:///srv/rows/_shared/", False),
        (PLAIN, "file:///srv/rows/ä/", False),
        (PLAIN, "file:///srv/else/other/", False),
        (PLAIN, "s3://bucket/rows/other/", False),
        (DATED, "s3://bucket/rows/2026-11-23/mine/data/", False),
        (DATED, "s3://bucket/rows/2026-11-23/other/", True),
        (DATED, "s3://bucket/rows/2026-11-23/", True),
        (DATED, "s3://bucket/rows/latest/other/", False),
        (STEM, "file:///srv/rows-mine/", False),
        (STEM, "file:///srv/rows-other/", True),
        (STEM, "file:///srv/backups/", False),
        (RUN, "file:///srv/mine-{run_id}/", False),
        (RUN, "file:///srv/other-{run_id}/", True),
        ("file:///srv/rows/all/", "file:///srv/rows/all/other/", False),
    ],
)
def test_a_default_folder_is_for_the_job_whose_key_it_bears(template, sink, expected):
    assert is_of_another_key(sink, template, "mine") is expected
