"""Query parameters that a path doesn't have: a misspelt filter would list everything."""

from typing import Any, Final

from fastapi import Request

from actorline.errors import Code
from actorline.gateway.problems import Fault
from actorline.nearest import nearest

SHOWN_CHARS: Final = 60


async def refuse_unknown_parameters(request: Request) -> None:
    """Raise Fault for a query parameter that `/openapi.json` doesn't name for this path."""
    if not request.query_params:
        return
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    operation = paths[request.scope["route"].path_format][request.method.lower()]
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    unknown = [f"{name[:SHOWN_CHARS]}{nearest(name, known)}" for name in request.query_params if name not in known]
    if unknown:
        has = f"This path has {', '.join(known)}" if known else "This path has none"
        raise Fault(
            422, Code.REQUEST_INVALID, f"Unknown query parameters: {', '.join(unknown)}. {has}. Nothing was done."
        )
