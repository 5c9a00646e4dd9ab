"""The types of values of settings, with what is refused: addresses, paths, lists, keys."""

import base64
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from actorline.api_token import is_token
from actorline.redis_connection.address import checked_address

API_URL = "https://api.apify.com"


def _base_url(url: str, example: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in url:
        raise ValueError(f"must look like {example}, without user, query or fragment")
    if not _is_port(parts) or re.search(r"\s", url):
        raise ValueError(f"must look like {example}: a port is 1 to 65535, and there are no blanks")
    return url


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _api_url(url: str) -> str:
    return _base_url(url.strip(), API_URL)


def _public_url(url: str) -> str | None:
    return _base_url(url.strip(), "https://jobs.example.com").rstrip("/") if url.strip() else None


def _redis_address(url: str) -> str | None:
    return checked_address(url) if url else None


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _comma_separated(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _small_letters(hosts: list[str]) -> list[str]:
    return [host.lower() for host in hosts]


def _tasks_at_queues(items: list[str]) -> list[str]:
    if wrong := [item for item in items if not re.fullmatch(r"[A-Za-z_][\w.]*@[\w.\-]+", item)]:
        raise ValueError(f"each item must look like shop.job_ended@shop; {wrong[0][:100]!a} doesn't")
    return items


def _can_sign(secret: SecretStr) -> SecretStr:
    try:
        base64.b64decode(secret.get_secret_value().removeprefix("whsec_") + "==", validate=False)
    except ValueError:
        raise ValueError("must be Base64, with or without whsec_ before it") from None
    return secret


def _unguessable(secret: SecretStr) -> SecretStr:
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{32,200}", secret.get_secret_value()):
        raise ValueError("must be 32 to 200 of A-Z a-z 0-9 _ -; use `openssl rand -hex 32`")
    return secret


def checked_token(token: SecretStr) -> SecretStr:
    """Return a token without blanks around it. Raises ValueError, which never shows it, for what no token can be."""
    value = token.get_secret_value().strip()
    if value and not is_token(value):
        raise ValueError(
            "has a blank, a line break or another character inside that no token has. Copy it again: Apify Console, "
            "Settings, API & Integrations"
        )
    return SecretStr(value)


ApiToken = Annotated[SecretStr, AfterValidator(checked_token)]
ApiUrl = Annotated[str, AfterValidator(_api_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
RedisAddress = Annotated[str, AfterValidator(_redis_address)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)]
Hosts = Annotated[CommaSeparated, AfterValidator(_small_letters)]
TasksAtQueues = Annotated[CommaSeparated, AfterValidator(_tasks_at_queues)]
SigningSecret = Annotated[SecretStr, AfterValidator(_can_sign)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_unguessable)]
