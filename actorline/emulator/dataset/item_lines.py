"""One generated item as a line of JSON, put together from precomputed fragments in under a microsecond."""

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import orjson

from actorline.emulator.profile import ItemKind

LineMaker = Callable[[int], bytes]
"""The item of an index, without the line's end."""

EMPTY_EVERY: Final = 997
"""Of the nasty items every so many-th is `{}`: prime, so that it meets every place of a page."""

_HEADS: Final = 251
_TAILS: Final = 509
"""Primes, so that head and tail meet anew for 127,759 items."""


@lru_cache(maxsize=64)
def line_maker(
    kind: ItemKind, size_bytes: int, seed: int, drift_from: int | None = None, url_count: int | None = None
) -> LineMaker:
    """Return what makes the items of a dataset; only plain items have a size, and change on the way."""
    match kind:
        case "nasty":
            return _nasty(seed)
        case "plain":
            return _plain(seed, size_bytes, drift_from, url_count)
        case "tiny":
            return lambda index: b'{"index":%d}' % index


def _nasty(seed: int) -> LineMaker:
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    heads = [_fragment(_nasty_head(chance, n)) for n in range(_HEADS)]
    tails = [_fragment(_nasty_tail(chance, n)) for n in range(_TAILS)]

    def line(index: int) -> bytes:
        if index % EMPTY_EVERY == EMPTY_EVERY - 1:
            return b"{}"
        return b'{"index":%d%b%b}' % (index, heads[index % _HEADS], tails[index * 31 % _TAILS])

    return line


def _plain(seed: int, size_bytes: int, drift_from: int | None, url_count: int | None) -> LineMaker:
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    fields = [_plain_tail(chance, size_bytes) for _ in range(_TAILS)]
    tails = [_fragment(each) for each in fields]
    drifted = [_fragment({**each, "price": None}) for each in fields]

    def line(index: int) -> bytes:
        tail = (tails if drift_from is None or index < drift_from else drifted)[index * 31 % _TAILS]
        product = index if url_count is None else index % url_count
        return b'{"index":%d,"url":"https://shop.example/products/%d"%b}' % (index, product, tail)

    return line


def _fragment(fields: dict[str, Any]) -> bytes:
    """Return the inside of a JSON object, with a comma before it, to go after other fields."""
    return b"," + orjson.dumps(fields)[1:-1] if fields else b""


_STRINGS: Final = (
    "",
    " ",
    "plain ASCII",
    "quotes \" and ' and ` and \\ backslash",
    "line\nbreak, carriage\r\nreturn, tab\tand form\ffeed",
    "separators \u2028 and \u2029 and \u0085 and \u000b end lines only for the careless",
    "controls \x00 \x01 \x1b[31m \x7f",
    "naïve café, Müllerstraße, Łódź",
    "e\u0301 is not \u00e9; a\u0308\u0323 stacks",
    "עברית וְ־English مختلط \u202eback\u202c",
    "日本語の説明、한국어, ภาษาไทย",
    "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 \U0001d518\U0001d52b\U0001d526\U0001d520\U0001d52c\U0001d521\U0001d522 🇨🇭",
    "zero\u200bwidth\ufeffmarks",
    "=1+1;@SUM(A1),-cmd|'/c calc'!A0",
    "<b>&amp;</b><![CDATA[x]]></b>",
    "a,b;c|d",
    "null",
    "2024-02-29T23:59:60Z",
)
_NUMBERS: Final = (
    0,
    -1,
    9007199254740991,
    -9007199254740991,
    18446744073709551615,
    0.1,
    -0.0,
    1e21,
    5e-324,
    1.7976931348623157e308,
    123456.789,
)


def _nasty_head(chance: random.Random, number: int) -> dict[str, Any]:
    """Return fields of up to a few hundred bytes; some items have none of them."""
    if number % 5 == 0:
        return {}
    fields = {
        "title": chance.choice(_STRINGS),
        "price": chance.choice(_NUMBERS),
        "inStock": chance.choice([True, False, None]),
        "a.b": chance.choice(_STRINGS),
        "with space": chance.choice(_NUMBERS),
        "#debug": {"requestId": f"{chance.getrandbits(60):015x}", "retries": chance.randrange(3)},
        "ключ": chance.choice(_STRINGS),
    }
    return {name: fields[name] for name in chance.sample(list(fields), chance.randrange(1, len(fields)))}


def _nasty_tail(chance: random.Random, number: int) -> dict[str, Any]:
    """Nested fields; one in forty is several kB, which draws the mean to about 300 B."""
    if number % 7 == 0:
        return {}
    fields: dict[str, Any] = {
        "nothing": {},
        "none": None,
        "list": [],
        "mixed": [1, "2", None, [3, [4, []]], {"deep": {"er": {}}}],
        "address": {"city": chance.choice(_STRINGS), "geo": {"lat": 47.37, "lng": chance.uniform(-180, 180)}},
        "offers": [
            {"shop": chance.choice(_STRINGS), "price": chance.choice(_NUMBERS)} for _ in range(chance.randrange(4))
        ],
        "tags": chance.sample(_STRINGS, chance.randrange(3)),
    }
    kept = {name: fields[name] for name in chance.sample(list(fields), chance.randrange(1, len(fields)))}
    if number % 40 == 1:
        kept["text"] = "\n".join(chance.choices(_STRINGS, k=chance.randrange(50, 150)))
    return kept


def _plain_tail(chance: random.Random, size_bytes: int) -> dict[str, Any]:
    words = ("small", "red", "solid", "cheap", "rare", "light", "blue", "fine", "round", "old")
    fields = {
        "title": " ".join(chance.choices(words, k=3)),
        "price": round(chance.uniform(1, 500), 2),
        "currency": "EUR",
        "inStock": chance.random() < 0.8,  # noqa: PLR2004 - four of five
    }
    missing = (
        size_bytes - len(orjson.dumps(fields)) - len('{"index":123456,"url":"https://shop.example/products/123456"')
    )
    text = " ".join(chance.choices(words, k=missing // 5 + 3))
    return {**fields, "description": text[: max(0, missing - len(',"description":""'))]}
