"""The account behind the token."""

from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.account_documents import limits_document, user_document
from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import now
from actorline.emulator.responses import data_response


async def get_user(call: Call) -> Response:
    return data_response(user_document(call.username))


async def get_limits(call: Call) -> Response:
    at = now()
    runs = list(call.world.runs.listed(call.username, at))
    active = call.world.runs.active(call.username, at)
    spent_usd = sum(run.life.usage_usd(at) for run in runs)
    counts = call.world.counts(call.username)
    return data_response(limits_document(active, at, spent_usd, counts, call.world.profile))


def routes() -> list[Route]:
    return [
        Route("/v2/users/me", endpoint(get_user), methods=["GET"]),
        Route("/v2/users/me/limits", endpoint(get_limits), methods=["GET"]),
    ]
