"""Actors and Actor tasks: does it exist, and what is it called."""

from pydantic import Field

from actorline.platform.client import Platform
from actorline.platform.resource import Resource, safe_id

__all__ = ["Actor", "ActorTask", "get_actor", "get_actor_task", "safe_id"]


class RunDefaults(Resource):
    """What a start doesn't say (OpenAPI, components/schemas/defaultRunOptions and TaskOptions)."""

    timeout_secs: int | None = None
    memory_mbytes: int | None = None


class Actor(Resource):
    """OpenAPI, components/schemas/Actor."""

    id: str
    name: str
    username: str
    default_run_options: RunDefaults = Field(default_factory=RunDefaults)


class ActorTask(Resource):
    """OpenAPI, components/schemas/Task."""

    id: str
    act_id: str
    name: str
    username: str | None = None
    options: RunDefaults = Field(default_factory=RunDefaults)


def get_actor(platform: Platform, actor: str) -> Actor:
    """Return the Actor by id, `user/name` or `user~name`; raises NotFound. Source: OpenAPI, /v2/actors/{actorId}."""
    return Actor.from_platform(platform.get_data(f"actors/{safe_id(actor)}"))


def get_actor_task(platform: Platform, actor_task: str) -> ActorTask:
    """Return the Actor task by id or name; raises NotFound. Source: OpenAPI, /v2/actor-tasks/{actorTaskId}."""
    return ActorTask.from_platform(platform.get_data(f"actor-tasks/{safe_id(actor_task)}"))
