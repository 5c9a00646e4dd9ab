"""The endpoints of the platform's API that are used here, with `{id}` for whatever names one thing.

Names and ids of Actors, runs and datasets are without number, so figures by endpoint must not hold them.
"""

from typing import Final

ENDPOINTS: Final = (
    "GET users/me",
    "GET users/me/limits",
    "GET actors/{id}",
    "GET actor-tasks/{id}",
    "POST actors/{id}/runs",
    "POST actors/{id}/run-sync",
    "POST actors/{id}/run-sync-get-dataset-items",
    "POST actor-tasks/{id}/runs",
    "POST actor-tasks/{id}/run-sync",
    "POST actor-tasks/{id}/run-sync-get-dataset-items",
    "GET actor-runs",
    "GET actor-runs/{id}",
    "POST actor-runs/{id}/abort",
    "POST actor-runs/{id}/resurrect",
    "GET logs/{id}",
    "GET datasets/{id}",
    "GET datasets/{id}/items",
    "HEAD datasets/{id}/items",
    "GET key-value-stores/{id}/keys",
    "GET key-value-stores/{id}/records/{id}",
    "POST webhooks",
    "GET webhooks/{id}",
    "DELETE webhooks/{id}",
)
OTHER: Final = "other"
"""The storage that a record's download is redirected to, for example."""


def endpoint_of(method: str, path: str) -> str:
    """Return which of the endpoints a request to `/v2/...` asked, or `other`."""
    _, _, below = path.partition("?")[0].partition("/v2/")
    first, *rest = below.split("/")
    shown = rest if first == "users" else ["{id}" if place % 2 == 0 else part for place, part in enumerate(rest)]
    endpoint = f"{method} {'/'.join([first, *shown])}"
    return endpoint if endpoint in ENDPOINTS else OTHER
