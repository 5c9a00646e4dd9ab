import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from actorline.errors import Code, Refused
from actorline.jobs.document.parse import parse_document
from actorline.jobs.document.secret import (
    Holder,
    check_input_records,
    fill_secrets,
    hide_secrets,
    names_secret,
    withheld_records,
)
from actorline.setting_groups import Secret
from actorline.settings import load_settings

IDS = {
    ("actor", "apify~x"): "id-x",
    ("actor", "id-x"): "id-x",
    ("actor_task", "mine~task"): "id-t",
    ("actor_task", "id-t"): "id-t",
}
SECRETS = {
    "shop": Secret(value=SecretStr("hush"), actors=["apify/x"], actor_tasks=["mine~task"]),
    "team": Secret(value=SecretStr("ours"), actors=["apify/x"], accounts=["Team"]),
    "nobody": Secret(value=SecretStr("mute"), actors=[]),
}
HOLE = {"$secret": "SHOP"}


def holder(name, kind="actor", account="default"):
    return Holder(kind, name, account, lambda name: IDS.get((kind, name.replace("/", "~"))))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("actor", "apify/x"),
        ("actor", "apify~x"),
        ("actor", "id-x"),
        ("actor_task", "mine/task"),
        ("actor_task", "id-t"),
    ],
)
def test_a_secret_is_filled_in_anywhere_for_its_holder(kind, name):
    order = {"login": HOLE, "deep": [{"a": [HOLE, 1]}], "plain": "$secret"}
    filled = {"login": "hush", "deep": [{"a": ["hush", 1]}], "plain": "$secret"}
    assert names_secret(order)
    assert fill_secrets(order, holder(name, kind), SECRETS) == filled
    assert order["login"] is HOLE


@pytest.mark.parametrize("name", ["shop", "SHOP", "Shop"])
def test_names_are_the_environments_so_case_makes_no_difference(name):
    assert fill_secrets({"$secret": name}, holder("apify/x"), SECRETS) == "hush"


@pytest.mark.parametrize(
    ("value", "asking"),
    [
        (HOLE, holder("other/x")),
        (HOLE, holder("apify/x2")),
        (HOLE, holder("x")),
        (HOLE, holder("apify/x", "actor_task")),  # an Actor task may have any name, that of an Actor too
        (HOLE, holder("mine/task", "actor")),
        (HOLE, holder("apify/x", account="b")),
        ({"$secret": "TEAM"}, holder("apify/x")),
        ({"$secret": "NOBODY"}, holder("apify/x")),
        ({"$secret": "OTHER"}, holder("apify/x")),
        ({"$secret": 5}, holder("apify/x")),
        ({"$secret": None}, holder("apify/x")),
        ({"$secret": HOLE}, holder("apify/x")),
        ({"$secret": "SHOP", "more": 1}, holder("apify/x")),
    ],
)
def test_any_other_use_is_refused_without_the_value(value, asking):
    with pytest.raises(Refused) as caught:
        fill_secrets({"deep": [value]}, asking, SECRETS)
    assert caught.value.reason.code is Code.SECRET_REFUSED
    assert "Nothing was started." in caught.value.reason.message
    assert "hush" not in caught.value.reason.message


def test_an_account_is_named_in_any_case():
    assert fill_secrets({"$secret": "TEAM"}, holder("apify/x", account="TEAM"), SECRETS) == "ours"


RECORDS = ["OUTPUT", "INPUT", "INPUT-METAMORPH-2", "INPUTS"]
INPUTS = ["INPUT", "INPUT-METAMORPH-2"]


@pytest.mark.parametrize(
    ("document", "trusted", "is_refused"),
    [
        ({"actor": "a/b", "input": {"x": HOLE}}, True, True),
        ({"actor": "a/b", "input": {"x": HOLE}}, False, True),
        ({"actor": "a/b", "input": {"x": 1}}, False, False),
        ({"run_id": "abcdefghijklmnopq"}, False, True),
        ({"run_id": "abcdefghijklmnopq"}, True, False),
    ],
)
@pytest.mark.parametrize("record", INPUTS)
def test_an_input_with_a_secret_is_no_record_to_order(document, trusted, is_refused, record):
    ordered = parse_document({**document, "collect": {"records": ["OUTPUT", record]}})
    if is_refused:
        with pytest.raises(Refused, match=f"The record {record} can't be delivered"):
            check_input_records(ordered, trusted=trusted)
    else:
        check_input_records(ordered, trusted=trusted)
    check_input_records(parse_document({**document, "collect": {"records": ["INPUTS", "OUTPUT"]}}), trusted=False)


@pytest.mark.parametrize(
    ("document", "withheld"),
    [
        ({"actor": "a/b", "input": {"x": [HOLE]}}, INPUTS),
        ({"actor": "a/b", "input": {"x": 1}}, []),
        ({"run_id": "abcdefghijklmnopq"}, INPUTS),
        ({"run_id": "abcdefghijklmnopq", "collect": {"records": ["INPUT"]}}, ["INPUT-METAMORPH-2"]),
    ],
)
def test_all_records_leave_out_an_input_that_may_hold_a_secret(document, withheld):
    assert withheld_records(RECORDS, parse_document(document), document.get("input")) == withheld


def test_words_from_outside_are_shown_without_secrets_and_tokens():
    settings = load_settings(secrets=SECRETS, apify_token="apify_api_t", accounts={"b": "apify_api_t2"})
    words = "hush apify_api_t2 apify_api_t ours"
    assert hide_secrets(words, settings) == " ".join(["**********"] * 4)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$", max_size=4), inner, max_size=3),
        max_leaves=9,
    )
)
def test_an_input_without_secrets_stays_as_it_is(value):
    assert fill_secrets(value, holder("apify/x"), SECRETS) == value
