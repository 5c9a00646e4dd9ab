"""How much is left on the disks of this machine that an installation writes to."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from actorline.checks.finding import Finding
from actorline.delivery.sink import SinkError, local_path, split_root
from actorline.settings import Settings

LITTLE_BYTES: Final = 1_000_000_000


def check_disks(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each disk on which this machine stores jobs or rows."""
    places: list[tuple[Path, str]] = [] if settings.redis_url else [(settings.home, "Redis"), (settings.home, "logs")]
    if settings.default_sink.startswith("file:"):
        with suppress(SinkError):  # the check of the sink tells it
            places.append((local_path(split_root(settings.default_sink)[0]), "rows"))
    disks: dict[int, tuple[Path, list[str]]] = {}
    for folder, what in places:
        there = next(parent for parent in (folder, *folder.parents) if os.path.exists(parent))  # noqa: PTH110 - no error if it is closed to us
        disks.setdefault(there.stat().st_dev, (there, []))[1].append(what)
    for folder, stored in disks.values():
        usage = shutil.disk_usage(folder)
        if usage.total:  # a kernel's folder has none
            yield _judge(usage.free, f"at {folder} for {', '.join(stored)}")


def _judge(left: int, where: str) -> Finding:
    text = f"{left / 1e9:,.1f} GB left {where}"
    if left >= LITTLE_BYTES:
        return Finding("disk", is_good=True, text=text)
    fix = "Free some space there: a full disk stops orders, or ends deliveries PARTIAL."
    return Finding("disk", is_good=False, text=text, fix=fix)
