"""Executions that stand still at every call that leaves their process, so that an adversary decides what comes of it.

Each runs in a thread of its own, and only one thread runs at a time: what happens is decided by the blows alone, and
the same blows do the same again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, TypeVar

T = TypeVar("T")

HANGS_AFTER_SECS: Final = 240


class Killed(BaseException):
    """The process is gone: nothing that its code would still do happens."""


class Fate(Enum):
    """What becomes of a call."""

    HOLD = auto()  # not yet: the process is slow or frozen, and others go on
    DIE_BEFORE = auto()
    DIE_AFTER = auto()
    FAIL_BEFORE = auto()  # it doesn't get through
    FAIL_AFTER = auto()  # it is carried out, and its reply is lost
    REPEAT = auto()  # the same, and the client's own retry sends it once more


ANY: Final = frozenset(Fate)
ANY_BUT_FAILING: Final = ANY - {Fate.FAIL_BEFORE, Fate.FAIL_AFTER}
"""Of a call that is repeated for as long as it takes."""
SENT_ONCE: Final = ANY - {Fate.REPEAT}
"""Of a call that is never repeated by itself."""
SENT_AT_ONCE: Final = SENT_ONCE - {Fate.HOLD}
"""The same, when nothing can come before it any more."""


@dataclass(frozen=True)
class Blow:
    """What becomes of a call after so many others that it lets pass."""

    after: int
    fate: Fate


class Blows:
    """Blows that strike one after the other, whoever makes the calls; the next one counts from the last one's call."""

    def __init__(self, *blows: Blow) -> None:
        self._coming = list(blows)

    def __repr__(self) -> str:
        return f"Blows(*{self._coming})"

    def strike(self, possible: frozenset[Fate]) -> Fate | None:
        """The fate of a call, if one is due; it waits for a call of which that can become."""
        if not self._coming:
            return None
        first = self._coming[0]
        if first.after:
            self._coming[0] = Blow(first.after - 1, first.fate)
            return None
        return self._coming.pop(0).fate if first.fate in possible else None

    @property
    def are_over(self) -> bool:
        return not self._coming


@dataclass
class Execution:
    """One running of one message."""

    work: Callable[[], None]
    about: Any
    epoch: int | None = None
    is_over: bool = False
    is_dead: bool = False
    _blows: Blows = field(default_factory=Blows)
    _error: BaseException | None = None
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _back: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        threading.Thread(target=self._run, name=f"execution of {self.about}", daemon=True).start()

    def go_on(self, blows: Blows) -> None:
        """Let it run until it is over, or held by a blow. Raises what its code must not raise."""
        self._blows = blows
        self._go.release()
        assert self._back.acquire(timeout=HANGS_AFTER_SECS), f"{self.about} hangs"
        if self._error:
            raise self._error

    def kill(self) -> None:
        """End one that is held."""
        self.go_on(Blows(Blow(0, Fate.DIE_BEFORE)))

    def pass_through(self, call: Callable[[], T], lost: Callable[[], Exception], possible: frozenset[Fate]) -> T:
        """Make a call that leaves the process, or what becomes of it; `lost`: what its client raises then."""
        if self.is_dead:
            raise Killed
        match self._blows.strike(possible):
            case None:
                return call()
            case Fate.HOLD:
                self._hand_back()
                return self.pass_through(call, lost, possible)
            case Fate.REPEAT:
                call()
                return self.pass_through(call, lost, possible)
            case Fate.FAIL_BEFORE:
                raise lost()
            case Fate.FAIL_AFTER:
                call()
                raise lost()
            case Fate.DIE_AFTER:
                call()
        self.is_dead = True
        raise Killed

    def _hand_back(self) -> None:
        self._back.release()
        self._go.acquire()

    def _run(self) -> None:
        _running.execution = self
        self._go.acquire()
        try:
            self.work()
        except Killed:
            self.is_dead = True
        except BaseException as error:  # noqa: BLE001 - raised again in the adversary's own thread
            self._error = error
        self.is_over = True
        self._back.release()


_running = threading.local()


def running() -> Execution | None:
    """The execution whose code calls; None: the test itself, or a thread beside an execution."""
    return getattr(_running, "execution", None)


def leave_process(call: Callable[[], T], *, lost: Callable[[], Exception], possible: frozenset[Fate] = ANY) -> T:
    """Make a call that leaves the process: as the adversary wants it, if an execution makes it.

    `lost`: what the client raises when it gets no reply. `possible`: what can become of such a call.
    """
    execution = running()
    return execution.pass_through(call, lost, possible) if execution else call()
