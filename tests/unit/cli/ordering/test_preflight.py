import pytest
import responses

from actorline.cli.ordering.preflight import check_order
from actorline.errors import Refused
from actorline.jobs.document.parse import parse_document
from actorline.settings import Settings


@responses.activate
@pytest.mark.parametrize(("account", "variable"), [("default", "APIFY_TOKEN"), ("team", "ACTORLINE_ACCOUNTS__TEAM")])
def test_a_refused_token_is_named_by_its_own_variable(account, variable):
    refusal = {"error": {"type": "user-or-token-not-found", "message": "no"}}
    responses.get("https://api.example.test/v2/actors/user~name", status=401, json=refusal)
    settings = Settings(api_url="https://api.example.test", apify_token="a", accounts={"team": "b"})
    with pytest.raises(Refused, match=f"Is {variable} right"):
        check_order(parse_document({"actor": "user/name", "account": account}), settings)
