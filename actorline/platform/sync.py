"""The synchronous endpoints: one POST that starts a run and returns what it left, within 300 s.

Its body has no run id, so who sends it finds the run by the marker: `docs/platform-facts.md#synchronous-endpoints`.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import requests

from actorline.identifiers import RunId
from actorline.outbound.http_status import is_success
from actorline.platform.client import Platform
from actorline.platform.datasets import ItemsPage
from actorline.platform.errors import NO_COLUMNS, PlatformUnavailable
from actorline.platform.start import SendBy, StartRefused, StartRequest, StartUnclear, post_start, read_run_id, refusal

SYNC_SILENCE_SECS: Final = 330.0  # the platform responds after 300 s at the latest; the margin is for the way
RUN_FAILED: Final = "run-failed"
_RUN_ID: Final = re.compile(r"run ID: ([^\s,;)]*[^\s,;.)])")  # in the message of `run-failed`


def run_sync(
    platform: Platform, request: StartRequest, *, wants_items: bool, send_by: SendBy, announce: Callable[[], None]
) -> ItemsPage | RunId | None:
    """Run to the end: the items, open for reading; or the id of a run that is still running or has failed; or None:
    it has succeeded, and its id is not known yet. With `wants_items` false the response's body is not read.

    Raises what `start_run` raises; StartUnclear also when the 300 s have passed: the run is still running then.
    """
    response = post_start(
        platform,
        "run-sync-get-dataset-items" if wants_items else "run-sync",
        request,
        send_by=send_by,
        announce=announce,
        silence_s=SYNC_SILENCE_SECS,
        headers={"Accept": "*/*"},
    )
    if not is_success(response.status_code) or response.status_code == HTTPStatus.PARTIAL_CONTENT:
        with response:
            return _run_of(response)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if wants_items and media_type == "application/json":  # older servers: the run, still RUNNING
        with response:
            return read_run_id(response)
    if not wants_items:
        response.close()
        return None
    try:
        return ItemsPage(response)
    except PlatformUnavailable as error:
        raise StartUnclear(str(error)) from error


def _run_of(response: requests.Response) -> RunId | None:
    """Return the run that an error names: it was started and has not succeeded. None: it has, and no row of it has a
    column. Raises what else the error means.
    """
    error = refusal(response)
    if isinstance(error, StartRefused) and error.error.type == NO_COLUMNS:
        return None
    if isinstance(error, StartRefused) and error.error.type == RUN_FAILED:
        named = _RUN_ID.search(error.error.message)
        if named:
            return RunId(named[1])
        raise StartUnclear("the run did not succeed, and the platform doesn't say which one it was")
    raise error
