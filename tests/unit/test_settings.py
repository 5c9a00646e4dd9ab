from pathlib import Path

import pytest
from pydantic import SecretStr

from actorline.errors import SettingsError
from actorline.redis_connection.address import next_database
from actorline.settings import Settings, load_settings
from actorline.settings_file import default_home, find_settings_file

HUSH = "apify_api_hush"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory below one that holds no settings either."""
    (tmp_path / "work" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "deep")
    return tmp_path / "work"


def test_without_any_setting_there_is_a_default_for_each(folder):
    settings = load_settings()
    assert settings.api_url == "https://api.apify.com"
    assert settings.broker == f"redis+socket://{settings.home}/valkey.sock"
    assert settings.results == f"{settings.broker}?virtual_host=1"
    assert settings.ledger == f"{settings.broker}?virtual_host=2"
    assert settings.tokens == {}
    assert settings.home == default_home()
    assert folder not in settings.home.parents


@pytest.mark.parametrize(
    "name",
    ["APIFY_TOKEN", "APIFY_TOKEN_FILE", "ACTORLINE_SETTINGS", "ACTORLINE_ACCOUNTS__SHOP"]
    + [f"ACTORLINE_{field.upper()}" for field in Settings.model_fields if not field.startswith("apify_")],
)
def test_an_empty_variable_counts_as_unset(monkeypatch, name):
    unset = load_settings()
    monkeypatch.setenv(name, "")
    assert load_settings() == unset
    assert load_settings().tokens == {}


def test_the_environment_goes_before_the_file(folder, monkeypatch):
    (folder / "actorline.toml").write_text('namespace = "filed"\nretention_days = 7\n')
    monkeypatch.setenv("ACTORLINE_NAMESPACE", "said")
    settings = load_settings()
    assert (settings.namespace, settings.retention_days) == ("said", 7)


def test_the_nearest_file_above_counts_with_its_home_beside_it(folder):
    (folder.parent / "actorline.toml").write_text('namespace = "far"\n')
    (folder / "actorline.toml").write_text('namespace = "near"\n')
    settings = load_settings()
    assert settings.namespace == "near"
    assert settings.home == folder / ".actorline"
    assert find_settings_file(folder.parent) == folder.parent / "actorline.toml"


def test_a_named_file_counts_wherever_it_lies(folder, monkeypatch):
    (folder / "actorline.toml").write_text('namespace = "near"\n')
    (folder / "other.toml").write_text('namespace = "named"\n')
    monkeypatch.setenv("ACTORLINE_SETTINGS", str(folder / "other.toml"))
    assert load_settings().namespace == "named"
    monkeypatch.setenv("ACTORLINE_SETTINGS", str(folder / "missing.toml"))
    with pytest.raises(SettingsError, match=r"ACTORLINE_SETTINGS names .*missing\.toml, which is not a file"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ACTORLINE_NAMESPACE", "Not This", "ACTORLINE_NAMESPACE: "),
        ("ACTORLINE_RETENTION_DAYS", "0", "ACTORLINE_RETENTION_DAYS: must be greater than or equal to 1"),
        ("ACTORLINE_FETCH_CONCURRENCY", "many", "ACTORLINE_FETCH_CONCURRENCY: must be a whole number"),
        ("ACTORLINE_LOG_LEVEL", "LOUD", "ACTORLINE_LOG_LEVEL: must be 'DEBUG'"),
        (
            "ACTORLINE_REDIS_URL",
            f"amqp://user:{HUSH}@host",
            "ACTORLINE_REDIS_URL: must begin with redis://",
        ),
        (
            "ACTORLINE_REDIS_URL",
            f"redis://:{HUSH}@host/zero",
            "ACTORLINE_REDIS_URL: the database at its end",
        ),
        (
            "ACTORLINE_LEDGER_URL",
            f"redis+socket:///s?virtual_host={HUSH}",
            "ACTORLINE_LEDGER_URL: the data",
        ),
        ("ACTORLINE_SECRETS__SHOP__VALUE", HUSH, "ACTORLINE_SECRETS__SHOP: name the Actors or Actor tasks"),
        ("ACTORLINE_ACCOUNTS", HUSH, "ACTORLINE_ACCOUNTS must be JSON"),
        ("APIFY_TOKEN", f"{HUSH}…", "APIFY_TOKEN: has a blank, a line break or another"),
        ("APIFY_TOKEN", f"{HUSH}\n{HUSH}", "APIFY_TOKEN: has a blank, a line break or another"),
        ("ACTORLINE_ACCOUNTS__SHOP", f"{HUSH} b", "ACTORLINE_ACCOUNTS__SHOP: has a blank, a line"),
        ("ACTORLINE_PUBLIC_URL", f"https://user:{HUSH}@host", "ACTORLINE_PUBLIC_URL: must look like"),
        ("ACTORLINE_API_URL", "http://proxy.example", "ACTORLINE_API_URL: is http:// beyond this machine"),
        ("ACTORLINE_NOTIFY_TASKS", "shop.job_ended", "ACTORLINE_NOTIFY_TASKS: each item must look like"),
        ("ACTORLINE_PUBLIC_URL", "jobs.example.com", "ACTORLINE_PUBLIC_URL: must look like"),
        (
            "ACTORLINE_API_URL",
            "http://localhost:84800",
            "ACTORLINE_API_URL: must look like https://api.apify.com: a port",
        ),
        ("ACTORLINE_FLOWER_URL", "http://localhost:x", "ACTORLINE_FLOWER_URL: must look like"),
        ("ACTORLINE_GATEWAY_URL", "https://jobs. example.com", "ACTORLINE_GATEWAY_URL: must look like"),
        ("ACTORLINE_WEBHOOK_SECRET", HUSH, "ACTORLINE_WEBHOOK_SECRET: must be 32 to 200"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert message in str(caught.value)
    assert HUSH not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retenton_days = 7", 'ACTORLINE_RETENTON_DAYS: is not known (did you mean "retention_days"?)'),
        ("[schedules.nightly]\nevery_secs = 5", "schedules have a file of their own, schedules.toml"),
        ("retention_days = 0", "ACTORLINE_RETENTION_DAYS: "),
        ("apify_token = 5", "APIFY_TOKEN: "),
        ("retention_days =", "Settings can't be read: "),
        ('[accounts]\na = "b"\na = "c"', "Settings can't be read: "),
    ],
)
def test_a_wrong_or_misspelt_setting_stops_the_process(folder, text, message):
    (folder / "actorline.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert message in str(caught.value)


def test_a_file_that_is_no_text_stops_the_process(folder):
    (folder / "actorline.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="Settings can't be read"):
        load_settings()


@pytest.mark.parametrize("name", ["actorline.toml", "other.toml"])
def test_a_file_that_is_no_toml_is_named(folder, monkeypatch, name):
    (folder / name).write_text("retention_days =")
    monkeypatch.setenv("ACTORLINE_SETTINGS", str(folder / name))
    with pytest.raises(SettingsError, match=f"Settings can't be read: {folder / name}: Invalid value"):
        load_settings()


def test_a_file_that_cant_be_read_is_named_once(folder, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda file: (folder / "not-there" / file.name).open("rb").read())
    (folder / "actorline.toml").touch()
    with pytest.raises(SettingsError, match=r"not-there/actorline.toml can't be read: No such file or directory\.$"):
        load_settings()


@pytest.mark.parametrize(
    "url", ["https://proxy.example", "http://localhost:8480", "http://127.0.0.1:1", "http://[::1]"]
)
def test_platform_is_reached_by_tls_or_on_this_machine(monkeypatch, url):
    monkeypatch.setenv("ACTORLINE_API_URL", url)
    assert load_settings().api_url == url


def test_line_end_after_a_url_is_no_part_of_it(monkeypatch):
    for name in ("api_url", "public_url", "flower_url", "gateway_url"):
        monkeypatch.setenv(f"ACTORLINE_{name.upper()}", "https://jobs.example.com\n")
        assert getattr(load_settings(), name) == "https://jobs.example.com"


def test_operator_may_allow_plain_http_to_an_inner_proxy(monkeypatch):
    monkeypatch.setenv("ACTORLINE_API_URL", "http://proxy.example")
    monkeypatch.setenv("ACTORLINE_API_ALLOW_HTTP", "true")
    assert load_settings().api_url == "http://proxy.example"


def tokens_of(settings):
    return {alias: token.get_secret_value() for alias, token in settings.tokens.items()}


def test_the_token_comes_from_the_environment_or_its_file(folder, monkeypatch):
    (folder / "token").write_text(f" {HUSH}-filed\n")
    monkeypatch.setenv("APIFY_TOKEN_FILE", str(folder / "token"))
    assert tokens_of(load_settings()) == {"default": f"{HUSH}-filed"}
    monkeypatch.setenv("APIFY_TOKEN", f"{HUSH}\n")
    assert tokens_of(load_settings()) == {"default": HUSH}
    monkeypatch.setenv("APIFY_TOKEN", " ")
    assert tokens_of(load_settings()) == {"default": f"{HUSH}-filed"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"\xff\xfe", "it is not text"),
        (b" \n", "APIFY_TOKEN_FILE is empty"),
        (b"a b\n", "APIFY_TOKEN_FILE: has a blank"),
    ],
)
def test_a_token_file_without_a_token_is_told(folder, content, message):
    if content is not None:
        (folder / "token").write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        _ = load_settings(apify_token_file=folder / "token").tokens


def test_account_named_twice_in_other_case_is_refused(folder):
    (folder / "actorline.toml").write_text(f'[accounts]\nTeam = "{HUSH}-1"\nTEAM = "{HUSH}-2"\n')
    with pytest.raises(SettingsError, match="named twice") as raised:
        load_settings()
    assert HUSH not in str(raised.value)


def test_accounts_in_environment_and_documents_ignore_case(folder, monkeypatch):
    (folder / "actorline.toml").write_text(f'[accounts]\nMy-Team = "{HUSH}-team"\n')
    monkeypatch.setenv("ACTORLINE_ACCOUNTS__SHOP", f"{HUSH}-shop ")
    settings = load_settings()
    for account, token in {"Shop": "shop", "SHOP": "shop", "my-team": "team", "My-Team": "team"}.items():
        assert settings.token_of(account) == SecretStr(f"{HUSH}-{token}")
    assert settings.token_of("default") is None


def test_blank_token_of_an_account_counts_as_unset(monkeypatch):
    monkeypatch.setenv("ACTORLINE_ACCOUNTS__SHOP", " ")
    assert load_settings().tokens == {}


def test_the_password_of_redis_may_lie_in_a_file(folder):
    (folder / "password").write_text("pass/word\n")
    settings = load_settings(redis_url="redis://redis:6379/0", redis_password_file=folder / "password")
    assert settings.broker == "redis://:pass%2Fword@redis:6379/0"
    assert (settings.results, settings.ledger) == (f"{settings.broker[:-1]}1", f"{settings.broker[:-1]}2")
    with pytest.raises(SettingsError, match="ACTORLINE_REDIS_PASSWORD_FILE can't be read"):
        _ = load_settings(redis_url="redis://h", redis_password_file=folder / "none").broker


def test_a_secret_names_its_actors(monkeypatch):
    monkeypatch.setenv("ACTORLINE_SECRETS__SHOP__VALUE", HUSH)
    monkeypatch.setenv("ACTORLINE_SECRETS__SHOP__ACTORS", '["apify/x"]')
    (secret,) = load_settings().secrets.values()
    assert (secret.value.get_secret_value(), secret.actors) == (HUSH, ["apify/x"])


@pytest.mark.parametrize(("value", "said"), [("a/b", "must be JSON"), ('"a/b"', "must be a JSON list")])
def test_a_list_that_is_no_json_is_named_with_its_form(monkeypatch, value, said):
    monkeypatch.setenv("ACTORLINE_SECRETS__SHOP__VALUE", HUSH)
    monkeypatch.setenv("ACTORLINE_SECRETS__SHOP__ACTORS", value)
    with pytest.raises(SettingsError, match=f"ACTORLINE_SECRETS__SHOP__ACTORS:? {said}") as refused:
        load_settings()
    assert '["a' in str(refused.value)
    assert HUSH not in str(refused.value)


def test_no_secret_is_shown(folder, monkeypatch):
    monkeypatch.setenv("APIFY_TOKEN", HUSH)
    monkeypatch.setenv("ACTORLINE_ACCOUNTS__SHOP", HUSH)
    monkeypatch.setenv("ACTORLINE_SECRETS__SHOP__VALUE", HUSH)
    monkeypatch.setenv("ACTORLINE_SECRETS__SHOP__ACTORS", "[]")
    settings = load_settings()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.tokens)):
        assert HUSH not in shown


@pytest.mark.parametrize(
    ("url", "following"),
    [
        ("redis://host", "redis://host/1"),
        ("redis://host/", "redis://host/1"),
        ("redis://host:6380/0", "redis://host:6380/1"),
        ("rediss://user:pass@host/9", "rediss://user:pass@host/10"),
        ("redis://host/3?ssl_cert_reqs=none", "redis://host/4?ssl_cert_reqs=none"),
        ("redis+socket:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=1"),
        ("redis+socket:///run/valkey.sock?virtual_host=4", "redis+socket:///run/valkey.sock?virtual_host=5"),
    ],
)
def test_results_and_ledger_are_the_next_databases(url, following):
    assert next_database(url) == following


def test_each_of_the_three_addresses_may_be_given():
    settings = load_settings(redis_url="redis://a/3")
    assert (settings.broker, settings.results, settings.ledger) == ("redis://a/3", "redis://a/4", "redis://a/5")
    settings = load_settings(redis_url="redis://a", results_url="redis://b/7")
    assert (settings.results, settings.ledger) == ("redis://b/7", "redis://b/8")
    assert load_settings(redis_url="redis://a", ledger_url="redis://a").ledger == "redis://a"


def test_the_socket_of_a_deep_home_has_a_short_path(tmp_path):
    assert load_settings(home=Path("/srv/line")).socket == Path("/srv/line/valkey.sock")
    deep = load_settings(home=tmp_path / ("x" * 120))
    assert len(str(deep.socket)) < 100
    assert deep.socket != load_settings(home=tmp_path / ("y" * 120)).socket


def test_sink_roots_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("ACTORLINE_SINK_ROOTS", "file:///a/, file:///b/ ,")
    assert load_settings().sink_roots == ["file:///a/", "file:///b/"]


def test_paths_are_absolute_wherever_the_process_goes(folder, monkeypatch):
    monkeypatch.setenv("ACTORLINE_HOME", "state")
    assert load_settings().home == folder / "deep" / "state"


@pytest.mark.parametrize("url", ["api.apify.com", "ftp://x", "https://x?y=1", "https://user:pw@x", "https://", "x\ny"])
def test_address_of_the_platform_that_is_none_is_refused_by_name(monkeypatch, url):
    monkeypatch.setenv("ACTORLINE_API_URL", url)
    with pytest.raises(SettingsError, match="ACTORLINE_API_URL: must look like https:") as refused:
        load_settings()
    assert "pw" not in str(refused.value)
    assert str(refused.value).count("ACTORLINE_") == 1, "no other setting is wrong"


def test_line_ends_and_byte_order_marks_are_no_part_of_settings(monkeypatch, tmp_path):
    token, file = tmp_path / "token", tmp_path / "actorline.toml"
    token.write_bytes(b"\xef\xbb\xbfapify_api_1\r\n")
    file.write_bytes(b"\xef\xbb\xbfnamespace = 'marked'\n")
    monkeypatch.setenv("APIFY_TOKEN_FILE", str(token))
    monkeypatch.setenv("ACTORLINE_SETTINGS", str(file))
    monkeypatch.setenv("ACTORLINE_API_URL", "http://127.0.0.1:1\n")
    settings = load_settings()
    assert (settings.namespace, settings.api_url) == ("marked", "http://127.0.0.1:1")
    assert settings.tokens["default"].get_secret_value() == "apify_api_1"


def test_user_without_a_home_is_told_to_name_one(monkeypatch, tmp_path):
    def nowhere(*_: object) -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_state_path", nowhere)
    with pytest.raises(SettingsError, match="Set ACTORLINE_HOME"):
        load_settings()
