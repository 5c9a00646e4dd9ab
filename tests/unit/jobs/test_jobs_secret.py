import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from actorline.errors import Code, Refused
from actorline.jobs.secret import fill_secrets
from actorline.settings import Secret

SECRETS = {"shop": Secret(value=SecretStr("hush"), actors=["apify/x", "mine~task"])}
HOLE = {"$secret": "SHOP"}


@pytest.mark.parametrize("target", ["apify/x", "apify~x", "mine/task", "mine~task"])
def test_a_secret_is_filled_in_wherever_it_stands_for_an_actor_that_may_have_it(target):
    order = {"login": HOLE, "deep": [{"a": [HOLE, 1]}], "plain": "$secret"}
    filled = {"login": "hush", "deep": [{"a": ["hush", 1]}], "plain": "$secret"}
    assert fill_secrets(order, target, SECRETS) == filled
    assert order["login"] is HOLE


@pytest.mark.parametrize("name", ["shop", "SHOP", "Shop"])
def test_names_are_the_environments_so_case_makes_no_difference(name):
    assert fill_secrets({"$secret": name}, "apify/x", SECRETS) == "hush"


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (HOLE, "other/x"),
        (HOLE, "apify/x2"),
        (HOLE, "x"),
        ({"$secret": "OTHER"}, "apify/x"),
        ({"$secret": 5}, "apify/x"),
        ({"$secret": None}, "apify/x"),
        ({"$secret": HOLE}, "apify/x"),
        ({"$secret": "SHOP", "more": 1}, "apify/x"),
    ],
)
def test_any_other_use_is_refused_without_the_value(value, target):
    with pytest.raises(Refused) as caught:
        fill_secrets({"deep": [value]}, target, SECRETS)
    assert caught.value.reason.code is Code.SECRET_REFUSED
    assert "Nothing was started." in caught.value.reason.message
    assert "hush" not in caught.value.reason.message


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$", max_size=4), inner, max_size=3),
        max_leaves=9,
    )
)
def test_an_input_without_secrets_stays_as_it_is(value):
    assert fill_secrets(value, "apify/x", SECRETS) == value
