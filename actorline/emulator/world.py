"""The emulated platform: accounts, Actors, Actor tasks, the runs started so far, and webhooks."""

from typing import TypeVar
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from actorline.emulator.dispatches import Dispatcher
from actorline.emulator.profile import Actor, ActorTask, Profile
from actorline.emulator.runs import RunBook
from actorline.emulator.webhooks import WebhookBook

Named = TypeVar("Named", Actor, ActorTask)


class World:
    def __init__(self, profile: Profile) -> None:
        self._accounts = profile.accounts
        self.profile = profile
        self._actors = {actor.full_name: actor for actor in profile.actors}
        self._actor_tasks = {task.full_name: task for task in profile.actor_tasks}
        self.runs = RunBook()
        self.webhooks = WebhookBook()
        self.dispatcher = Dispatcher(self.webhooks)

    def account(self, token: str | None) -> str | None:
        """Return the username that a token belongs to."""
        return self._accounts.get(token) if token else None

    def put_actor(self, actor: Actor) -> None:
        self._actors[actor.full_name] = actor

    def put_actor_task(self, actor_task: ActorTask) -> None:
        self._actor_tasks[actor_task.full_name] = actor_task

    def actor(self, reference: str, username: str) -> Actor | None:
        """Return an Actor by id, `username~name` or `~name`: `docs/platform-facts.md#names`."""
        return _referred(self._actors, reference, username)

    def actor_task(self, reference: str, username: str) -> ActorTask | None:
        task = _referred(self._actor_tasks, reference, username)
        return task if task and task.username == username else None

    def counts(self, username: str) -> tuple[int, int]:
        """Return how many Actors and Actor tasks the account owns."""
        actors = sum(actor.username == username for actor in self._actors.values())
        return actors, sum(task.username == username for task in self._actor_tasks.values())


def token_of(scope: Scope) -> str | None:
    """Return a request's token: `Authorization: Bearer`, or the parameter `token` (`docs/platform-facts.md#token`)."""
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return given[0] if given else None


def _referred(known: dict[str, Named], reference: str, username: str) -> Named | None:
    if reference.startswith("~"):
        return known.get(username + reference)
    if "~" in reference:
        return known.get(reference)
    return next((one for one in known.values() if one.id == reference), None)
