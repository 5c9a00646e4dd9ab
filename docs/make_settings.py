"""Writes docs/settings.md, the reference of the settings, from their fields."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from value_bounds import bounds, known

from actorline.setting_groups import Tuning
from actorline.settings import Settings
from actorline.settings_file import SETTINGS_FILE, SETTINGS_FILE_VARIABLE

TARGET: Final = Path(__file__).with_name("settings.md")

HEAD: Final = f"""<!-- Made by docs/make_settings.py from actorline/settings.py (`make docs`). -->
# Settings

Each setting is an environment variable, or a line of `{SETTINGS_FILE}` under the name beside it; the environment goes
first. The file is the nearest one at or above the working directory, or the one that `{SETTINGS_FILE_VARIABLE}` names.
A setting that is wrong, or a name in the file that isn't known, stops the process with a message that names it. An
empty variable counts as unset. Celery's and Django's own variables (`CELERY_BROKER_URL`, `DJANGO_SETTINGS_MODULE` ...)
are ignored.

## Addresses of Redis

`redis://HOST:6379/0`, `rediss://HOST:6379/0` over TLS, or `redis+socket:///PATH?virtual_host=0`, each with
`USER:PASSWORD@` before the host or path where a password is wanted; percent-encode `/ ? # : @ %` in it. Over TLS the
certificate is verified, by the system's authorities or by `?ssl_ca_certs=/path/ca.pem`; `ssl_certfile` and
`ssl_keyfile` name a certificate of the client's own, and `ssl_cert_reqs=none` trusts any server. Paths are absolute.
The same addresses serve `Client(...)` and, with `?ssl_cert_reqs=required`, a service's own `Celery(...)`.

`sentinel://HOST:26379,HOST:26379/0?master=NAME` names sentinels, and the primary as they know it: broker, results and
ledger then follow a failover. `USER:PASSWORD@` is that of the servers; the sentinels' own goes into
`&sentinel_password=` (and `&sentinel_username=`) or `ACTORLINE_SENTINEL_PASSWORD_FILE`. `sentinels://` is the same
over TLS, for sentinels and servers alike, with the parameters of `rediss://`. `Client(...)` takes these addresses too;
what a service's own `Celery(...)` needs is printed by `actorline doctor`. A Redis Cluster isn't supported.

`actorline up` and `doctor` print addresses with `***` for a password; `actorline up --show-addresses` prints it.

## All settings

Requests to the platform go through the proxies that `HTTPS_PROXY` and `NO_PROXY` name, and trust the authorities in
the file that `REQUESTS_CA_BUNDLE` (or `SSL_CERT_FILE`) names, starts and downloads alike. What an order names,
`input_url` and `notify.url`, is asked without a proxy.

Object stores take their credentials from `AWS_*`, `GOOGLE_*` and `AZURE_*` where the workers run. Flower reads
variables of its own; `FLOWER_BASIC_AUTH=user:password`, or `FLOWER_BASIC_AUTH_FILE`, is its password, which
`actorline flower` needs beyond loopback.

"""

TUNING_HEAD: Final = """
## Tuning

Measured constants: leave them as they are, unless a platform or a network of your own behaves otherwise.

"""

TABLE_HEAD: Final = """\
| Variable | In the file | Default | Meaning |
|---|---|---|---|
"""


def settings_text() -> str:
    """Return the page: the settings, then those that hardly anybody needs."""
    tuning = list(Tuning.model_fields)
    settings = [name for name in Settings.model_fields if name not in tuning]
    return f"{HEAD}{_table(settings)}{TUNING_HEAD}{_table(tuning)}"


def _table(names: list[str]) -> str:
    return TABLE_HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows(names))


def _rows(names: list[str]) -> Iterator[tuple[str, str, str, str]]:
    schema = Settings.model_json_schema(by_alias=False)["properties"]
    for name in names:
        field = Settings.model_fields[name]
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows_of_section(name, field.annotation)
            continue
        meaning = f"{field.description}{_bounds(schema[name])}".replace("|", "\\|")
        variables = ", ".join(f"`{variable}`" for variable in _variables(name, field))
        yield variables, f"`{name}`", _default(field), meaning


def _rows_of_section(section: str, model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    schema = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        variable = f"`ACTORLINE_{section.upper()}__{name.upper()}`"
        yield variable, f"`{section}.{name}`", _default(field), f"{field.description}{_bounds(schema[name])}"


def _variables(name: str, field: FieldInfo) -> list[str]:
    """Return what the environment calls it; a table has a variable for each of its entries."""
    own = name.upper() if name.startswith("apify_") else f"ACTORLINE_{name.upper()}"
    if get_origin(field.annotation) is not dict:
        return [own]
    _, value = get_args(field.annotation)
    is_section = isinstance(value, type) and issubclass(value, BaseModel)
    inside = [f"__{part.upper()}" for part in value.model_fields] if is_section else [""]
    return [f"{own}__<NAME>{part}" for part in inside]


def _default(field: FieldInfo) -> str:
    """Return the default; empty where there is none, or where it is worked out: then the meaning says how."""
    return "" if field.default in (None, {}, PydanticUndefined) else f"`{field.default}`"


def _bounds(schema: Mapping[str, Any]) -> str:
    """Return the allowed values as the schema states them."""
    value = known(schema)
    if "enum" in value:
        return f": {', '.join(f'`{each}`' for each in value['enum'])}"
    return f" (`{value['pattern']}`)" if "pattern" in value else bounds(schema)


if __name__ == "__main__":
    TARGET.write_text(settings_text())
