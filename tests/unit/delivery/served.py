"""Responses as they come off the wire, and a window downloaded from them."""

import gzip
import io
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from actorline.delivery.formats.json_lines import JsonLines
from actorline.delivery.page_plan import Window
from actorline.delivery.part import PartFacts, download_window

JSON_LINES = "application/jsonl; charset=utf-8"

items = st.dictionaries(
    st.text("abc", max_size=2), st.none() | st.integers() | st.text(max_size=9) | st.lists(st.booleans()), max_size=3
)
rows_of = st.lists(items, max_size=12).map(lambda found: [json.dumps(item).encode() for item in found])


def text_of(rows: Sequence[bytes], *, newline: bool = True) -> bytes:
    return b"\n".join(rows) + (b"\n" if newline and rows else b"")


@dataclass
class Served:
    """One response as it comes off the wire."""

    wire: bytes
    scanned: int | None
    total: int | None = None
    is_gzip: bool = False
    content_type: str = JSON_LINES
    cuts: Sequence[int] = ()
    is_framed: bool = True
    lacks_columns: bool = False
    is_closed: bool = False

    def blocks(self, size: int) -> Iterator[bytes]:
        bounds = [0, *sorted(min(cut, len(self.wire)) for cut in self.cuts), len(self.wire)]
        for begin, end in itertools.pairwise(bounds):
            for at in range(begin, end, size):
                yield self.wire[at : min(at + size, end)]

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Platform:
    """Responses one after the other, and keeps what was asked for."""

    responses: list[Served]
    asked: list[tuple[int, int]] = field(default_factory=list)

    def open(self, offset: int, limit: int) -> Served:
        self.asked.append((offset, limit))
        return self.responses[len(self.asked) - 1]


def download(*responses: Served, **options: Any) -> tuple[PartFacts, bytes, Platform]:
    platform, file = Platform(list(responses)), io.BytesIO()
    window = Window(page_no=0, offset=options.pop("offset", 0), limit=options.pop("limit", 1000))
    asked = {
        "text": JsonLines(),
        "expected": 0,
        "compress": True,
        "keeps_count": True,
        "keep_alive": lambda: None,
        **options,
    }
    facts = download_window(platform.open, window, file, **asked)
    assert all(response.is_closed for response in responses[: len(platform.asked)])
    return facts, file.getvalue(), platform


def plain(rows: Sequence[bytes], **more: Any) -> Served:
    return Served(text_of(rows), len(rows), **more)


def squeezed(rows: Sequence[bytes], **more: Any) -> Served:
    return Served(gzip.compress(text_of(rows)), len(rows), is_gzip=True, **more)


@st.composite
def served(draw: st.DrawFn, rows: Sequence[bytes], total: int) -> Served:
    """Rows as one response: plain or gzip, in any members, cut into any blocks, with or without a last newline."""
    text = text_of(rows, newline=draw(st.booleans()))
    is_gzip = draw(st.booleans())
    wire = text
    if is_gzip:
        bounds = [0, *sorted(draw(st.lists(st.integers(0, len(text)), max_size=3))), len(text)]
        members = [text[begin:end] for begin, end in itertools.pairwise(bounds)]
        wire = b"".join(gzip.compress(member, draw(st.sampled_from([0, 1, 9]))) for member in members)
    cuts = draw(st.lists(st.integers(0, len(wire)), max_size=6))
    said = draw(st.sampled_from([len(rows), len(rows), None]))
    return Served(wire, said, total, is_gzip=is_gzip, cuts=cuts)
