import pytest

from actorline.setting_names import misspelt_settings


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("ACTORLINE_REDISURL", "ACTORLINE_REDIS_URL"),
        ("ACTORLINE_APIFY_TOKEN", "APIFY_TOKEN"),
        ("ACTORLINE_ACOUNTS__TEAM", "ACTORLINE_ACCOUNTS__TEAM"),
        ("actorline_log_levl", "ACTORLINE_LOG_LEVEL"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_right_one(wrong, meant):
    assert list(misspelt_settings({wrong: "x"})) == [(wrong, meant)]


@pytest.mark.parametrize(
    "right",
    [
        "ACTORLINE_REDIS_URL", "actorline_redis_url", "ACTORLINE_ACCOUNTS__TEAM", "ACTORLINE_SETTINGS", "APIFY_TOKEN",
        "APIFY_DEFAULT_DATASET_ID", "ACTORLINE_PORT", "ACTORLINE_SERVICE_HOST", "ACTORLINE_PORT_8470_TCP_ADDR",
        "ACTORLINE_GATEWAY_SERVICE_PORT", "ACTORLINE_FLOWER_PORT", "ACTORLINE_IMAGE", "HOME",
    ],
)  # fmt: skip
def test_settings_and_what_others_set_are_not_misspelt(right):
    assert list(misspelt_settings({right: "x"})) == []
