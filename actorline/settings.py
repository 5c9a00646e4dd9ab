"""All settings of an installation, read once at a process's start.

Sources, the first one wins: environment variables `ACTORLINE_*` (and `APIFY_TOKEN`, `APIFY_TOKEN_FILE`), then the
nearest `actorline.toml` at or above the working directory (or the file that `ACTORLINE_SETTINGS` names).
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from actorline.budgets.limits import Budgets
from actorline.errors import SettingsError
from actorline.host.loopback import is_loopback
from actorline.host.secret_file import read_secret
from actorline.host.stack_home import PASSWORD_FILE
from actorline.identifiers import AccountName
from actorline.nearest import nearest
from actorline.plain_words import in_plain_words
from actorline.redis_connection.address import (
    is_sentinel,
    next_database,
    socket_address,
    with_password,
    with_sentinel_password,
)
from actorline.setting_groups import Quotas, Secret, Tuning
from actorline.setting_values import (
    API_URL,
    AbsolutePath,
    ApiToken,
    ApiUrl,
    CommaSeparated,
    Hosts,
    PublicUrl,
    RedisAddress,
    SigningSecret,
    TasksAtQueues,
    WebhookSecret,
    checked_token,
)
from actorline.settings_file import (
    SETTINGS_FILE,
    SETTINGS_FILE_VARIABLE,
    FoundFile,
    SettingsFile,
    default_home,
    find_settings_file,
)

SOCKET_PATH_BYTES = 100
GATEWAY_KEY_CHARS = 32  # hexadecimal digits, 128 bits: too many to guess


class Settings(Tuning, BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="ACTORLINE_",
        env_nested_delimiter="__",
        extra="forbid",
        populate_by_name=True,
        frozen=True,
        env_ignore_empty=True,
    )

    apify_token: ApiToken | None = Field(
        None, validation_alias=AliasChoices("APIFY_TOKEN", "apify_token"), description="Token of the account `default`"
    )
    apify_token_file: AbsolutePath | None = Field(
        None,
        validation_alias=AliasChoices("APIFY_TOKEN_FILE", "apify_token_file"),
        description="File with the token of the account `default`, for container secrets",
    )
    accounts: dict[str, ApiToken] = Field(default_factory=dict, description="Tokens of further accounts, by alias")
    api_allow_http: bool = Field(
        default=False,
        description="Whether `api_url` may be http:// beyond this machine, where the token can be read on its way",
    )
    api_url: ApiUrl = Field(API_URL, description="Root of the Apify API; https://, or http:// on this machine")
    redis_url: RedisAddress | None = Field(None, description="Broker; unset: an embedded Valkey under the home")
    redis_password_file: AbsolutePath | None = Field(
        None, description="File with the password for Redis addresses that have none, for container secrets"
    )
    sentinel_password_file: AbsolutePath | None = Field(
        None, description="File with the password of the sentinels themselves, if they have one"
    )
    results_url: RedisAddress | None = Field(None, description="Celery results; default: the broker's next database")
    ledger_url: RedisAddress | None = Field(None, description="The ledger; default: the database after the results'")
    namespace: str = Field("actorline", pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="Prefix of queues and keys")
    installation: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{2,31}$",
        description="Name that marks our runs on the platform; default: made once and stored in the ledger",
    )
    home: AbsolutePath = Field(
        default_factory=default_home,
        description="Folder of the embedded stack; default: `.actorline` beside the settings file, else the user's "
        "state folder",
    )
    sink_url: str | None = Field(
        None,
        description="Where rows go if a document names no sink: `file:///`, `s3://`, `gs://`, `az://` or `abfss://`; "
        "default: `rows/{key}/` in the home",
    )
    sink_roots: CommaSeparated = Field(
        default_factory=list,
        description="Sink URLs from services must be below one of these, comma-separated; `file:///srv/rows-{key}/` "
        "allows URLs that begin with `file:///srv/rows-`, `s3://rows/{account}/` gives each account its own root; "
        "default: the default sink",
    )
    secrets: dict[str, Secret] = Field(
        default_factory=dict,
        description="Secrets for inputs: the value, the Actors and Actor tasks that may have it (JSON lists of ids or "
        "names) and the accounts whose jobs may (default: only `default`). An Actor that runs its caller's code, such "
        "as a web scraper, can always reveal its secret",
    )
    input_hosts: Hosts = Field(
        default_factory=list,
        description="The only hosts that `input_url` may name, comma-separated, also with private addresses; "
        "default: every host with a public address",
    )
    notify_hosts: Hosts = Field(
        default_factory=list,
        description="The only hosts that `notify.url` may name, comma-separated, also with private addresses; "
        "default: every host with a public address",
    )
    notify_tasks: TasksAtQueues = Field(
        default_factory=list,
        description="Celery tasks that `notify.task` and `notify.queue` of services may name, as `task@queue`, "
        "comma-separated; default: none. The command line and schedules may name any but Actorline's and Celery's own",
    )
    notify_secret: SigningSecret | None = Field(
        None, description="Signs what is sent to `notify.url` (Standard Webhooks: `whsec_` and Base64)"
    )
    retention_days: int = Field(
        30, ge=1, description="Days that an ended job stays in the ledger; data is never deleted"
    )
    schedules_file: AbsolutePath | None = Field(
        None, description="schedules.toml; default: the one in the home, if it exists"
    )
    orphans: Literal["report", "abort", "adopt"] = Field(
        "report", description="What is done with our running runs whose jobs are not in the ledger"
    )
    control_concurrency: int = Field(
        16, ge=1, le=64, description="Threads of a control worker; two always serve orders, half at most one account"
    )
    fetch_concurrency: int = Field(16, ge=1, le=64, description="Threads of a fetch worker")
    start_settle_secs: float = Field(
        120, ge=0, description="Seconds that an unclear start may take to appear in the platform's lists"
    )
    open_jobs_max: int = Field(
        100_000, ge=1, description="Jobs that haven't ended, of all accounts together; beyond, new orders are refused"
    )
    redis_max_mbytes: int | None = Field(
        None,
        ge=1,
        description="Megabytes of Redis, of which the last tenth is not for new orders; default: its `maxmemory`, or "
        "else its machine's memory",
    )
    durable_replicas: int = Field(
        default_factory=lambda data: 1 if _may_fail_over(data) else 0,
        ge=0,
        le=9,
        description="Replicas of Redis that must have each order, and each start's intent, on disk (`WAITAOF`): as "
        "many as there are, if one may be promoted; default: 1 with sentinels, where 0 is refused, else 0",
    )
    visibility_timeout_secs: int = Field(15, ge=5, description="Seconds until a dead worker's messages are taken over")
    gateway_key: SecretStr | None = Field(
        None, description="The operator's own API key, with all rights; at least 32 characters"
    )
    gateway_key_file: AbsolutePath | None = Field(None, description="File with that key, for container secrets")
    quotas: Quotas = Field(Quotas(), description="Limits for each API key")
    budgets: Budgets = Field(Budgets(), description="What accounts and labels may spend: docs/budgets.md")
    public_url: PublicUrl | None = Field(
        None,
        description="Base URL at which the platform reaches the gateway, for webhooks; default: none, polls only",
    )
    flower_url: PublicUrl | None = Field(
        None,
        description="URL at which people reach Flower: the jobs page links to each task of a job there; `actorline up` "
        "sets it",
    )
    gateway_url: PublicUrl | None = Field(
        None,
        description="URL at which people reach the gateway: Flower links each task to its job's page there; "
        "`actorline up` sets it",
    )
    webhook_secret: WebhookSecret | None = Field(
        None,
        description="Authenticates the platform's webhooks: 32 or more of `A-Z a-z 0-9 _ -`; default: made once and "
        "stored in the ledger",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_000,
        description="Port at which a worker serves its metrics to Prometheus, or the first free one of the ten from it "
        "on; default: not served",
    )
    metrics_host: str = Field("127.0.0.1", description="Address at which it does; no password is asked for there")
    task_events: bool = Field(
        default=False,
        description="Whether workers send Celery's events of tasks from their start; otherwise they begin when a "
        "monitor asks for them (`enable_events`), as Flower does every five seconds",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        file = find_settings_file(Path.cwd())
        if file is None:
            return (init_settings, env_settings)
        kind = SettingsFile if os.environ.get(SETTINGS_FILE_VARIABLE) else FoundFile
        return (init_settings, env_settings, kind(settings_cls, file))

    @field_validator("accounts")
    @classmethod
    def _one_spelling(cls, accounts: dict[str, SecretStr]) -> dict[str, SecretStr]:
        """Return the aliases in small letters: environment variables are case-insensitive, so aliases are too."""
        small = {alias.lower(): token for alias, token in accounts.items()}
        if len(small) < len(accounts):
            raise ValueError("an account is named twice: aliases are case-insensitive")
        return small

    @field_validator("durable_replicas")
    @classmethod
    def _survives_failover(cls, replicas: int, info: ValidationInfo) -> int:
        if replicas == 0 and _may_fail_over(info.data):
            raise ValueError(
                "must be at least 1 with sentinels: a promoted replica that lacks a start's intent would pay for that "
                "start again"
            )
        return replicas

    @field_validator("api_url")
    @classmethod
    def _token_is_unread(cls, url: str, info: ValidationInfo) -> str:
        parts = urlsplit(url)
        if parts.scheme == "http" and not info.data.get("api_allow_http") and not is_loopback(parts.hostname):
            raise ValueError(
                "is http:// beyond this machine, so that the token could be read on its way. Nothing was sent. Use "
                "https://, or set ACTORLINE_API_ALLOW_HTTP=true if the network in between is your own"
            )
        return url

    @property
    def broker(self) -> str:
        return self._with_password(self.redis_url) if self.redis_url else self._embedded_address

    @property
    def results(self) -> str:
        return self._with_password(self.results_url) if self.results_url else next_database(self.broker)

    @property
    def ledger(self) -> str:
        return self._with_password(self.ledger_url) if self.ledger_url else next_database(self.results)

    @property
    def _embedded_address(self) -> str:
        """Return the embedded Valkey's socket, with its password if it has ever been given a port."""
        file, address = self.home / PASSWORD_FILE, socket_address(self.socket)
        return with_password(address, read_secret(file, str(file))) if file.exists() else address

    def _with_password(self, address: str) -> str:
        if self.redis_password_file:
            address = with_password(address, self._redis_password)
        return with_sentinel_password(address, self._sentinel_password) if self.sentinel_password_file else address

    @cached_property
    def _redis_password(self) -> str:
        """Return the password in the file. Raises SettingsError if it can't be read."""
        return read_secret(self.redis_password_file or Path(), "ACTORLINE_REDIS_PASSWORD_FILE")

    @cached_property
    def _sentinel_password(self) -> str:
        """Return the password in the file. Raises SettingsError if it can't be read."""
        return read_secret(self.sentinel_password_file or Path(), "ACTORLINE_SENTINEL_PASSWORD_FILE")

    @property
    def socket(self) -> Path:
        """Return the embedded Valkey's Unix socket: file permissions keep other users out without a password.

        A socket's path has at most 104 bytes on macOS, so that of a deep home is in the temporary folder.
        """
        path = self.home / "valkey.sock"
        if len(os.fsencode(path)) < SOCKET_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"actorline-{os.getuid()}" / f"{digest}.sock"

    @property
    def lost_message_secs(self) -> float:
        """Return the seconds after which upkeep checks whether a job's message is lost.

        Twice the visibility timeout and a margin: by then a dead worker's messages have been delivered again.
        """
        return 2 * self.visibility_timeout_secs + 10.0

    @property
    def redis_max_bytes(self) -> int | None:
        return None if self.redis_max_mbytes is None else self.redis_max_mbytes * 1_000_000

    @property
    def has_console(self) -> bool:
        """Return whether runs have a page in Apify's console: an emulator's have not."""
        return urlsplit(self.api_url).hostname == urlsplit(API_URL).hostname

    @property
    def default_sink(self) -> str:
        return self.sink_url or f"{self.home.as_uri()}/rows/{{key}}/"

    def sink_roots_of(self, account: AccountName) -> list[str]:
        """Return the URLs below which an account's services may write, and read inputs."""
        return [root.replace("{account}", account) for root in self.sink_roots or [self.default_sink]]

    @cached_property
    def tokens(self) -> dict[AccountName, SecretStr]:
        """Return account alias in small letters -> token. Raises SettingsError if APIFY_TOKEN_FILE has none."""
        tokens = {AccountName(alias): token for alias, token in self.accounts.items() if token}
        if self.apify_token:
            tokens[AccountName("default")] = self.apify_token
        elif self.apify_token_file:
            tokens[AccountName("default")] = _token_in(self.apify_token_file)
        return tokens

    @property
    def bootstrap_key(self) -> SecretStr | None:
        """Return the operator's own API key. Raises SettingsError if it can't be read, or could be guessed."""
        key = self.gateway_key
        if key is None and self.gateway_key_file:
            key = SecretStr(read_secret(self.gateway_key_file, "ACTORLINE_GATEWAY_KEY_FILE"))
        if key is not None and len(key) < GATEWAY_KEY_CHARS:
            raise SettingsError(
                f"ACTORLINE_GATEWAY_KEY has fewer than {GATEWAY_KEY_CHARS} characters. Use `openssl rand -hex 32`."
            )
        return key

    def token_of(self, account: AccountName) -> SecretStr | None:
        """Return the account's token, if any. Aliases are case-insensitive, like environment variables."""
        return self.tokens.get(AccountName(account.lower()))


def _token_in(file: Path) -> SecretStr:
    token = SecretStr(read_secret(file, "APIFY_TOKEN_FILE"))
    try:
        return checked_token(token)
    except ValueError as error:
        raise SettingsError(f"APIFY_TOKEN_FILE: {error}.") from None


def _may_fail_over(data: Mapping[str, Any]) -> bool:
    """Return whether the ledger's address, by default the broker's, names sentinels."""
    ledger = data.get("ledger_url") or data.get("results_url") or data.get("redis_url")
    return ledger is not None and is_sentinel(ledger)


def token_variable(account: AccountName) -> str:
    """Return the environment variable that sets the account's token."""
    return "APIFY_TOKEN" if account == "default" else f"ACTORLINE_ACCOUNTS__{account.upper()}"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. Raises SettingsError that names each bad one, with its fix and without its value."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"{_variable(problem['loc'])}: {_wrong(problem['loc'], problem['type'], problem['msg'])}"
            for problem in error.errors(include_input=False)
            if problem["type"] != "default_factory_not_called"  # only because another setting is wrong
        ]
        if any(problem["loc"] == ("schedules",) for problem in error.errors(include_input=False)):
            lines.append("schedules have a file of their own, schedules.toml (docs/schedules.md)")
        raise SettingsError(
            "Invalid settings: " + "; ".join(lines) + ". Fix the environment or actorline.toml."
        ) from None
    except OSError as error:
        raise SettingsError(f"{error.filename or SETTINGS_FILE} can't be read: {error.strerror}.") from error
    except RuntimeError as error:  # the user has no home folder
        raise SettingsError("This user has no home folder. Set ACTORLINE_HOME to a writable folder.") from error
    except ValueError as error:  # tomllib's and the environment's JSON errors
        if variable := _undecoded(error):
            raise SettingsError(
                f'{variable} must be JSON, such as ["a", "b"] for a list. Fix the environment.'
            ) from None
        raise SettingsError(f"Settings can't be read: {error}. Fix the environment or {SETTINGS_FILE}.") from error


def _undecoded(error: ValueError) -> str | None:
    """Return the variable whose text could not be decoded; its value, which may be a secret, is not shown."""
    if not isinstance(error.__cause__, json.JSONDecodeError):
        return None
    text = error.__cause__.doc
    return next((name for name, value in os.environ.items() if value == text and name.startswith("ACTORLINE_")), None)


def _wrong(location: tuple[int | str, ...], kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"is not known{nearest(str(location[0]), Settings.model_fields) if len(location) == 1 else ''}"
    return in_plain_words(kind, message)


def _variable(location: tuple[int | str, ...]) -> str:
    name = "__".join(str(part) for part in location).upper()
    return name if name.startswith("APIFY") else f"ACTORLINE_{name}"
