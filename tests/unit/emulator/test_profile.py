import pytest
from pydantic import ValidationError

from actorline.emulator.profile import Actor, Profile, Script


def test_an_actors_id_is_the_same_in_every_process():
    assert Actor(username="ann", name="scraper").id == "BQd8j4bBd8QgZnkQP"
    assert Actor(username="ann", name="scraper", id="given").id == "given"


@pytest.mark.parametrize(
    "profile",
    [
        {"acounts": {}},
        {"actors": [{"username": "ann", "name": "x", "script": {"itmes": 3}}]},
        {"actors": [{"username": "ann", "name": "x/y"}]},
        {"actors": [{"username": "ann", "name": "x", "builds": {"latest": "1"}}]},
        {"actors": [{"username": "a", "name": "x", "script": {"records": {"A": {"body": "x", "base64": "eA=="}}}}]},
        {"actors": [{"username": "a", "name": "x", "script": {"records": {"A": {"base64": "?"}}}}]},
        {"actors": [{"username": "a", "name": "x", "script": {"final_status": "RUNNING"}}]},
    ],
)
def test_a_profile_with_a_mistake_is_refused(profile):
    with pytest.raises(ValidationError):
        Profile.model_validate(profile)


def test_overriding_keeps_the_other_fields():
    script = Script(items=3, seed=4).overridden({"items": 9})
    assert (script.items, script.seed) == (9, 4)
