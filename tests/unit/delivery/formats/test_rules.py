import pytest

from actorline.delivery.formats.rules import contradiction
from actorline.delivery.formats.table import FORMATS


@pytest.mark.parametrize(
    ("format_", "given", "why"),
    [
        ("parquet", {"delimiter": ";"}, "delimiter is for csv only, and the format is parquet"),
        ("jsonl", {"skip_header_row": True}, "skip_header_row is for csv only, and the format is jsonl"),
        ("rss", {"xml_root": "x"}, "xml_root is for xml only, and the format is rss"),
        ("json", {"xml_row": "x"}, "xml_row is for xml only, and the format is json"),
        ("jsonl", {"bom": True}, "makes readers of jsonl fail"),
        ("json", {"bom": True}, "makes readers of json fail"),
        ("xlsx", {"bom": False}, "bom is for text formats, and xlsx is not one"),
        ("parquet", {"bom": True}, "bom is for text formats, and parquet is not one"),
        ("csv", {"delimiter": ";;"}, "delimiter must be one character"),
        ("csv", {"delimiter": '"'}, "delimiter must be one character"),
        ("csv", {"delimiter": "\n"}, "delimiter must be one character"),
        ("xlsx", {"page_items": 5}, "xlsx comes in one response, not in pages"),
        ("xml", {"page_items": 5}, "xml comes in one response, not in pages"),
    ],
)
def test_what_contradicts_itself_is_told(format_, given, why):
    assert why in (contradiction(format_, given) or "")


@pytest.mark.parametrize("format_", FORMATS)
def test_what_goes_with_every_format_is_taken(format_):
    assert contradiction(format_, {"fields": ["a"], "limit": 5, "desc": True, "clean": True, "view": "v"}) is None


@pytest.mark.parametrize(
    ("format_", "given"),
    [
        ("csv", {"delimiter": "\t", "bom": False, "skip_header_row": True, "page_items": 9}),
        ("xml", {"bom": True, "xml_root": "a", "xml_row": "b"}),
        ("json", {"bom": False, "page_items": 9}),
    ],
)
def test_what_goes_together_is_taken(format_, given):
    assert contradiction(format_, given) is None
