"""The keys of all jobs as one text in this process, so that a part of a key is found without asking Redis for each."""

import time
from itertools import chain
from threading import Lock, Thread
from typing import Final

from redis.exceptions import RedisError

from actorline.identifiers import JobKey
from actorline.jobs.states import State
from actorline.ledger.faults import describe_fault
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger

SCANNED_AT_ONCE: Final = 5_000
FORGOTTEN_SHARE: Final = 5  # a text in which one key of so many is of a forgotten job is made anew
FORGOTTEN_FEW: Final = 1_000
FRESH_SECS: Final = 600.0  # then as many may have been imported as were forgotten

log = Logger(__name__)


class KeyText:
    """A line for each job: its key, a tab, and when it was queued. 45 bytes a job; jobs that are forgotten stay in it
    for a while. Any thread may use it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._names = [ledger.name("state", state) for state in State]
        self._changing, self._reading = Lock(), Lock()
        self._text, self._lines, self._newest = "\n", 0, 0.0
        self._read_at = float("-inf")

    def find(self, part: str, *, most: int) -> dict[JobKey, float] | None:
        """Return key -> queued_at of the jobs with the part in their keys; None: of more than `most`, or the keys of
        all jobs are being read, which takes a second or two.
        """
        with self._changing:
            text = self._text if self._lines and self._is_whole(self._add_newer()) else None
        if text is None:
            Thread(target=self._read_all, name="key-text", daemon=True).start()
            return None
        found: dict[JobKey, float] = {}
        at = text.find(part) if "\n" not in part and "\t" not in part else -1
        while at >= 0:
            begin, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
            key, _, queued_at = text[begin:end].partition("\t")
            if part in key:
                found[JobKey(key)] = float(queued_at)
                if len(found) > most:
                    return None
            at = text.find(part, end)
        return found

    def _is_whole(self, number: int) -> bool:
        """Return whether the text has all of so many jobs, and not too many that are forgotten."""
        is_fresh = time.monotonic() - self._read_at < FRESH_SECS
        return is_fresh and self._lines - FORGOTTEN_FEW - self._lines // FORGOTTEN_SHARE <= number <= self._lines

    def _read_all(self) -> None:
        """Read the keys of all jobs anew, unless another thread does."""
        if not self._reading.acquire(blocking=False):
            return
        try:
            scanned = (self._ledger.redis.zscan_iter(name, count=SCANNED_AT_ONCE) for name in self._names)
            found = dict(chain.from_iterable(scanned))
            with self._changing:
                self._text, self._lines, self._newest = "\n", 0, 0.0
                self._add(found)
                self._add_newer()
                self._read_at = time.monotonic()
        except RedisError as error:
            log.warning("keys_not_read", message=describe_fault(error))
        finally:
            self._reading.release()

    def _add_newer(self) -> int:
        """Add jobs that are at least as new as the newest one that is known; return how many jobs there are."""
        with self._ledger.redis.pipeline(transaction=True) as pipe:
            for name in self._names:
                pipe.zrange(name, repr(self._newest), "+inf", byscore=True, withscores=True)
                pipe.zcard(name)
            replies = pipe.execute()
        newer = dict(chain.from_iterable(replies[::2]))
        self._add({key: at for key, at in newer.items() if at > self._newest or f"\n{key}\t" not in self._text})
        return sum(replies[1::2])

    def _add(self, found: dict[str, float]) -> None:
        self._text += "".join(f"{key}\t{queued_at!r}\n" for key, queued_at in found.items())
        self._lines += len(found)
        self._newest = max([self._newest, *found.values()])
