import stat

import pytest

from actorline.errors import SettingsError
from actorline.settings import load_settings
from config.flower import drop_variables, flower_arguments, job_of, login_file, set_login


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path / "home")


def login_of(address, settings, **environment):
    set_login(address, settings, environment)
    return environment.get("FLOWER_BASIC_AUTH")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_loopback_has_an_unguessable_password_in_the_home(settings, address):
    login = login_of(address, settings)
    user, _, password = login.partition(":")
    assert (user, len(password)) == ("actorline", 32)
    assert login_of(address, settings) == login
    assert stat.S_IMODE(login_file(settings).stat().st_mode) == 0o600


@pytest.mark.parametrize("address", ["0.0.0.0", "10.0.0.1", "example.com"])
def test_beyond_loopback_a_password_must_be_set(settings, address):
    with pytest.raises(SettingsError, match="Set FLOWER_BASIC_AUTH=user:password or FLOWER_BASIC_AUTH_FILE"):
        login_of(address, settings, FLOWER_BASIC_AUTH="")
    assert login_of(address, settings, FLOWER_BASIC_AUTH="u:p") == "u:p"


def test_a_password_may_lie_in_a_file(settings, tmp_path):
    (tmp_path / "login").write_text("u:p\n")
    assert login_of("0.0.0.0", settings, FLOWER_BASIC_AUTH_FILE=str(tmp_path / "login")) == "u:p"
    (tmp_path / "login").write_text("hush\n")
    with pytest.raises(SettingsError, match="must be one line, user:password") as caught:
        login_of("0.0.0.0", settings, FLOWER_BASIC_AUTH_FILE=str(tmp_path / "login"))
    assert "hush" not in str(caught.value)


def test_variables_of_a_service_named_flower_change_nothing():
    environment = {"FLOWER_PORT": "tcp://10.0.0.1:5555", "FLOWER_ADDRESS": "x", "FLOWER_CONF": "y", "FLOWER_DB": "z"}
    drop_variables(flower_arguments("127.0.0.1", 5555), environment)
    assert environment == {"FLOWER_DB": "z"}


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("actorline.poll_run", "(key=nightly-1, epoch=3)", "nightly-1"),
        ("actorline.run", "(key=n@2026-11-23T03:00:00Z, actor=user/name)", "n@2026-11-23T03:00:00Z"),
        ("actorline.batch", "(key=shop)", "shop"),
        ("actorline.settle", "['shop']", "shop"),
        ("actorline.cancel", "('shop',)", "shop"),
        ("actorline.settle", "['shop', 'shop-2']", None),
        ("actorline.abort_stray", "['Xa1b2c3d4e5f6g7h8']", None),
        ("actorline.cancel", "['../logout']", None),
        ("shop.job_ended", "(event=e-1, key=shop)", None),
        ("actorline.upkeep", "()", None),
        ("actorline.run", '(key="><script>, actor=user/name)', None),
        ("actorline.run", "(key=../logout, actor=user/name)", None),
        ("actorline.run", "(key=https://evil.example/, actor=user/name)", None),
        ("actorline.run", None, None),
        (None, None, None),  # its first events were lost
    ],
)
def test_task_in_flower_is_of_the_job_that_its_arguments_name(name, arguments, key):
    assert job_of(name, arguments) == key
