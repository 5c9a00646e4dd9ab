"""What `doctor` proposes for each way in which the platform refuses a token, or doesn't respond."""

import pytest

from actorline.cli.administration.doctor import _fix
from actorline.platform.errors import AuthFailed, Forbidden, MissingLibrary, PlatformUnavailable


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PlatformUnavailable("no response"), "Is the platform reachable from here? Check ACTORLINE_API_URL"),
        (AuthFailed("no user has this token"), "Is the token right? Set ACTORLINE_ACCOUNTS__SHOP"),
        (Forbidden("not allowed"), "The token may do too little"),
        (MissingLibrary("socks"), "Install PySocks"),
    ],
)
def test_only_a_refused_token_is_doubted(error, words):
    assert _fix(error, "shop").startswith(words)
