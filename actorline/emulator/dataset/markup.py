"""Items as elements: xml and rss (OpenAPI, `/v2/datasets/{datasetId}/items`, "XML format extension")."""

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import orjson

_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NO_NAME: Final = re.compile(r"[^\w.-]|^(?=[^A-Za-z_])")


def xml_text(blocks: Iterator[bytes], *, root: str, row: str) -> Iterator[bytes]:
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>'.encode()
    yield from _elements(blocks, row)
    yield f"</{root}>".encode()


def rss_text(blocks: Iterator[bytes], *, title: str, description: str) -> Iterator[bytes]:
    about = element("title", title) + element("description", description)
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel>{about}'.encode()
    yield from _elements(blocks, "item")
    yield b"</channel></rss>"


def element(name: str, value: Any) -> str:
    """Return a property: a list repeats it, `@` holds its attributes, `#` its text if it has no children."""
    tag = _NO_NAME.sub("_", name)
    match value:
        case list():
            return "".join(element(name, one) for one in value)
        case dict():
            attributes, inner = _attributes(value.get("@")), _inner(value)
            return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"
        case None | "":
            return f"<{tag}/>"
        case _:
            return f"<{tag}>{_text(value)}</{tag}>"


def _elements(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    for block in blocks:
        items = (orjson.loads(line) for line in block.split(b"\n") if line)
        yield "".join(element(name, item) for item in items).encode()


def _inner(value: dict[str, Any]) -> str:
    children = "".join(element(name, one) for name, one in value.items() if name not in {"@", "#"})
    return children or _text(value.get("#", ""))


def _attributes(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    return "".join(f" {_NO_NAME.sub('_', name)}={quoteattr(_plain(one))}" for name, one in value.items())


def _text(value: Any) -> str:
    return escape(_plain(value), {"\r": "&#13;"})


def _plain(value: Any) -> str:
    return _NO_XML.sub("", value if isinstance(value, str) else orjson.dumps(value).decode())
