import json

import pytest

from actorline.api_keys import ApiKey
from actorline.jobs.rights import Rights, Scope


def stored(*scopes: str) -> ApiKey:
    """A key as the first version kept it."""
    facts = {"name": "old", "sha256": "0", "scopes": scopes, "accounts": ["Default"], "created_at": 1.0}
    return ApiKey.model_validate_json(json.dumps(facts))


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (["read"], {"read"}),
        (["metrics"], {"metrics"}),
        (["cancel"], {"cancel", "cancel-any"}),
        (["submit"], {"submit", "collect", "retry-any", "full-permissions"}),
    ],
)
def test_key_of_the_first_version_may_do_what_it_could_then(scopes, may):
    rights = stored(*scopes).rights
    assert rights == Rights(scopes=frozenset(map(Scope, may)), accounts=frozenset({"default"}))
    assert not rights.is_bounded


def test_key_of_today_may_do_what_it_says():
    key = stored("submit", "cancel").model_copy(update={"version": 2, "actors": frozenset({"a~b"})})
    assert key.rights.scopes == {Scope.SUBMIT, Scope.CANCEL}
    assert key.rights.actors == {"a~b"}
