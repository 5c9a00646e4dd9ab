"""Resurrecting a run that has ended: it costs from then on, so it is sent as a start is, once and under its guards.

Source: OpenAPI, /v2/actor-runs/{runId}/resurrect; there is no idempotency key for it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from actorline.identifiers import RunId
from actorline.outbound.http_status import is_success
from actorline.platform.client import Platform
from actorline.platform.resource import safe_id
from actorline.platform.start import START_TIMEOUT_SECS, SendBy, post_guarded, read_run_id, refusal

RESURRECTION: Final = "the resurrection"


def resurrect_run(
    platform: Platform,
    run_id: RunId,
    params: Mapping[str, str],
    *,
    send_by: SendBy,
    announce: Callable[[], None],
    silence_s: float = START_TIMEOUT_SECS,
) -> None:
    """Set a run that has ended going again, with its storages; `params`: `timeout`, `memory` where they change.

    `announce`, and what is raised: see `start_run`. After StartUnclear the run's `stats.resurrectCount` shows it.
    """
    with post_guarded(
        platform,
        f"/actor-runs/{safe_id(run_id)}/resurrect",
        params,
        headers={"User-Agent": platform.user_agent, "Accept": "application/json"},
        send_by=send_by,
        announce=announce,
        silence_s=silence_s,
    ) as response:
        if not is_success(response.status_code):
            raise refusal(response, to=RESURRECTION)
        read_run_id(response, to=RESURRECTION)  # by 2xx without a run a proxy may respond, too
