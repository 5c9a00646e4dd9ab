"""What is kept for the platform's webhooks: hooks, their secret, and what events said."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

from actorline.identifiers import JobKey, RunId
from actorline.ledger.store import Store

DISPATCH_SECS: Final = 3 * 86_400  # longer than the platform repeats one: docs/platform-facts.md#dispatches
HINTED_RUN_SECS: Final = 86_400  # an unclear start is settled within minutes


class EventFacts(NamedTuple):
    """What is known of an event: whether it was handled, its run's job, and whether there is such a hook."""

    is_taken: bool
    key: JobKey | None
    has_hook: bool


class Webhooks:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.redis
        self._hooks = store.name("hooks")

    # -- hooks, as JSON by their id

    def hook(self, hook_id: str) -> str | None:
        return cast("str | None", self._redis.hget(self._hooks, hook_id))

    def hooks(self) -> list[str]:
        return cast("list[str]", self._redis.hvals(self._hooks))

    def put_hook(self, hook_id: str, text: str) -> None:
        self._redis.hset(self._hooks, hook_id, text)

    def forget_hook(self, hook_id: str) -> None:
        self._redis.hdel(self._hooks, hook_id)

    # -- events

    def look_up(self, events: Sequence[tuple[str, str, str]]) -> list[EventFacts]:
        """Return what is known of each dispatch, run and hook id, in one round trip."""
        with self._redis.pipeline(transaction=False) as pipe:
            for dispatch_id, run_id, hook_id in events:
                pipe.exists(self._store.name("dispatch", dispatch_id))
                pipe.hget(self._store.name("run_keys"), run_id)
                pipe.hexists(self._hooks, hook_id)
            found = pipe.execute()
        facts = zip(found[::3], found[1::3], found[2::3], strict=True)
        return [EventFacts(bool(handled), key, bool(has_hook)) for handled, key, has_hook in facts]

    def note_handled(self, dispatch_ids: Iterable[str]) -> None:
        with self._redis.pipeline(transaction=False) as pipe:
            for dispatch_id in dispatch_ids:
                pipe.set(self._store.name("dispatch", dispatch_id), "", ex=DISPATCH_SECS)
            pipe.execute()

    def hinted_run(self, key: JobKey) -> RunId | None:
        """Return the run that an event named as the job's while its start was unclear."""
        return cast("RunId | None", self._redis.get(self._store.name("hinted_run", key)))

    def note_hinted_run(self, key: JobKey, run_id: RunId) -> None:
        self._redis.set(self._store.name("hinted_run", key), run_id, ex=HINTED_RUN_SECS)

    # -- the secret that authenticates them

    def secret(self, made: str) -> str:
        """Return the secret, which is `made` if there is none yet."""
        name = self._store.name("webhook_secret")
        stored = cast("str | None", self._redis.get(name))
        if stored is None:
            self._redis.set(name, made, nx=True)
            stored = cast("str", self._redis.get(name))
        return stored

    def replace_secret(self, made: str, *, before: str, grace_s: int) -> None:
        """Keep a new secret, and for `grace_s` the digest of the one before."""
        with self._redis.pipeline() as pipe:
            pipe.delete(self._store.name("webhook_secret_before"))
            if grace_s:
                pipe.set(self._store.name("webhook_secret_before"), before, ex=grace_s)
            pipe.set(self._store.name("webhook_secret"), made)
            pipe.execute()

    def digest_before(self) -> str | None:
        return cast("str | None", self._redis.get(self._store.name("webhook_secret_before")))
