"""One authenticated request, with what its handler needs of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from actorline.emulator.errors import actor_not_found, record_not_found, token_not_provided, token_unknown
from actorline.emulator.params import Params
from actorline.emulator.profile import Actor, ActorTask
from actorline.emulator.world import World, token_of


@dataclass(frozen=True)
class Call:
    request: Request
    world: World
    username: str

    @cached_property
    def params(self) -> Params:
        return Params(self.request.query_params)

    def path_param(self, name: str) -> str | None:
        value = self.request.path_params.get(name)
        return None if value is None else str(value)

    def actor(self) -> Actor:
        """Return the Actor named in the path.

        Raises `ApiError`: there is none.
        """
        actor = self.world.actor(self.path_param("actor") or "", self.username)
        if actor is None:
            raise actor_not_found()
        return actor

    def actor_task(self) -> ActorTask:
        """Return the Actor task named in the path.

        Raises `ApiError`: there is none.
        """
        task = self.world.actor_task(self.path_param("actor_task") or "", self.username)
        if task is None:
            raise record_not_found("Actor task")
        return task


Handler = Callable[[Call], Awaitable[Response]]


def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a handler with the check of the token."""

    async def authenticated(request: Request) -> Response:
        world: World = request.app.state.world
        token = token_of(request.scope)
        if token is None:
            raise token_not_provided()
        username = world.account(token)
        if username is None:
            raise token_unknown()
        return await handler(Call(request, world, username))

    return authenticated
