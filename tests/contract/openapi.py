"""The platform's own OpenAPI document: where it is, and which query parameters it names."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from real_parts import ROOT

DOCUMENT = Path(os.environ.get("APIFY_OPENAPI") or ROOT.parent / "shared" / "apify-openapi" / "openapi.json")
MISSING = (
    f"The platform's OpenAPI document is not at {DOCUMENT}: take it from https://docs.apify.com/api/openapi.json "
    "and name the file in $APIFY_OPENAPI. These tests are never skipped."
)


class OpenApi:
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    @classmethod
    def read(cls) -> "OpenApi":
        return cls(json.loads(DOCUMENT.read_bytes()))

    def unknown_parameters(self, requests: Iterable[dict[str, Any]]) -> Iterator[str]:
        """What the requests of an emulator's log asked for in parameters that the document doesn't name: Prism lets
        them pass.
        """
        for request in requests:
            known = self._parameters(request["method"].lower(), request["path"])
            for name in request["query"].keys() - known:
                yield f"{request['method']} {request['path']}: {name}"

    def _parameters(self, method: str, path: str) -> set[str]:
        """The query parameters of an operation; of two paths that match, the one with fewer placeholders is meant."""
        templates = [t for t in self._document["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", t), path)]
        item = self._document["paths"][min(templates, key=lambda template: template.count("{"))]
        listed = [self._resolved(one) for one in (*item.get("parameters", []), *item[method].get("parameters", []))]
        return {parameter["name"] for parameter in listed if parameter["in"] == "query"}

    def _resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            name = value["$ref"].removeprefix("#/components/parameters/")
            value = self._document["components"]["parameters"][name]
        return value
