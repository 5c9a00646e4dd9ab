import pytest

from actorline.platform.actors import get_actor, get_actor_task, safe_id
from actorline.platform.errors import InvalidRequest

API = "https://api.example.test/v2"


@pytest.mark.parametrize(
    ("name_or_id", "expected"),
    [
        ("iKkPcIgVvwmztduf8", "iKkPcIgVvwmztduf8"),
        ("apify/web-scraper", "apify~web-scraper"),
        ("apify~web-scraper", "apify~web-scraper"),
        ("~mine", "~mine"),
        ("a b?c#d%", "a%20b%3Fc%23d%25"),
        ("../users/me", "..~users~me"),
    ],
)
def test_a_name_becomes_one_path_segment(name_or_id, expected):
    assert safe_id(name_or_id) == expected


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_leave_the_path_is_refused(name):
    with pytest.raises(InvalidRequest):
        safe_id(name)


def test_an_actor_and_a_task_are_read_by_name(platform, api):
    api.get(f"{API}/actors/apify~web-scraper", json={"data": {"id": "a1", "name": "web-scraper", "username": "apify"}})
    api.get(f"{API}/actor-tasks/me~nightly", json={"data": {"id": "t1", "actId": "a1", "name": "nightly"}})

    actor = get_actor(platform, "apify/web-scraper")
    actor_task = get_actor_task(platform, "me/nightly")

    assert (actor.id, actor.name, actor.username) == ("a1", "web-scraper", "apify")
    assert (actor_task.id, actor_task.act_id, actor_task.name, actor_task.username) == ("t1", "a1", "nightly", None)
