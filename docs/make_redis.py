"""Writes docs/redis.md, the list of Actorline's keys in Redis, from actorline/ledger/keys.py."""

from pathlib import Path
from typing import Final

from actorline.ledger.keys import GROUPS

TARGET: Final = Path(__file__).with_name("redis.md")

HEAD: Final = """<!-- Made by docs/make_redis.py from actorline/ledger/keys.py (`make docs`). -->
# Keys in Redis

Every key begins with the namespace (`ACTORLINE_NAMESPACE`, `actorline` by default) and a colon. `{key}` is a job's key,
`{account}` an account's alias in small letters. Times are unix seconds by Redis's clock. Celery's own keys, its queues
and results, are not listed. How Redis is used: [architecture](architecture.md#how-redis-is-used).

Keys of an ended job are removed when its retention is over (`ACTORLINE_RETENTION_DAYS`); until then nothing but
Actorline should write any of these.
"""


def redis_text() -> str:
    """Return the page."""
    lines = [HEAD]
    for title, keys in GROUPS.items():
        lines.append(f"\n## {title}\n\n| Key | Type | Holds | Lives |\n|---|---|---|---|\n")
        lines += [f"| `{key.pattern}` | {key.type} | {key.holds} | {key.life} |\n" for key in keys]
    return "".join(lines)


if __name__ == "__main__":
    TARGET.write_text(redis_text())
