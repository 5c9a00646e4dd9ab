"""A sweep: everything that is due, checked once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from actorline.identifiers import JobKey
from actorline.ledger.admission.budgets import LINE_LOOK_SECS
from actorline.ledger.admission.capacity_line import CapacityLine, waiting_accounts
from actorline.ledger.admission.outside_places import OutsidePlaces
from actorline.ledger.continuity import write_beat
from actorline.ledger.ledger import Ledger
from actorline.ledger.parking import Parking
from actorline.ledger.queries.queue_ages import note_ages
from actorline.ledger.queries.tally import note_empty, note_lengths, note_sweep
from actorline.settings import Settings
from actorline.stages.watch.look_at_fleet import MISSED_SECS
from actorline.upkeep.budget_line import call_for_room
from actorline.upkeep.care import Care
from actorline.upkeep.deadlines import expire_late_jobs
from actorline.upkeep.hard_budgets import stop_spent_out
from actorline.upkeep.old_jobs import DAY_SECS, SETS_BY_AGE, forget_old_jobs
from actorline.upkeep.outbox import Outbox
from actorline.webhooks.hooks import Hooks

BATCH: Final = 200  # jobs per sweep: limits how long one upkeep task holds its slot
BATCH_AGAIN_SECS: Final = 5.0  # a wave follows each end of a member at once; this is for messages that are lost
STRAY_AGAIN_SECS: Final = 60.0  # longer than the time-out of platform calls
SWEEP_SECS: Final = 5.0  # after a worker died during a sweep


@dataclass(frozen=True)
class Upkeep:
    ledger: Ledger
    settings: Settings
    care: Care
    outbox: Outbox

    def sweep(self) -> None:
        """Check everything, unless another worker is doing that now."""
        sweeping = self.ledger.lease("upkeep", seconds=SWEEP_SECS)
        if sweeping.acquire():
            try:
                self._check_all()
            finally:
                sweeping.release()

    def _check_all(self) -> None:
        write_beat(self.ledger, unknown_s=self.settings.start_lookback_secs)
        self._note_queues()
        checks, retention_s = self._checks(), self.settings.retention_days * DAY_SECS
        due = self.ledger.agenda.due_sets({**dict.fromkeys(checks, 0), **dict.fromkeys(SETS_BY_AGE, retention_s)})
        self.care.for_all(stop_spent_out(self.ledger, self.settings.budgets))
        for kind, check in checks.items():
            if kind in due:
                check()
        OutsidePlaces.of(self.ledger, self.settings, wake=self.care.for_all).call()
        self._send_each("abort_stray", self.ledger.runs.take_strays(STRAY_AGAIN_SECS))
        if not due.isdisjoint(SETS_BY_AGE):
            forget_old_jobs(self.ledger, retention_days=self.settings.retention_days, limit=BATCH)
        note_sweep(self.ledger)

    def _checks(self) -> Mapping[str, Callable[[], None]]:
        """Return what is done when a set of the agenda has members that are due. The last four ask the platform; a lost
        message is replaced minutes later.
        """
        ledger, agenda = self.ledger, self.ledger.agenda
        return {
            "deadlines": lambda: self.care.for_all(expire_late_jobs(ledger)),
            "due": lambda: self.care.for_all(Parking(ledger).without_watched(agenda.due(BATCH))),
            "batch_due": self._care_for_batches,
            "lines": self._look_at_lines,
            "budget_lines": self._call_for_budgets,
            "fleets": lambda: self._send_each("look_at_fleet", agenda.take("fleets", again_s=MISSED_SECS)),
            "sweeps": lambda: self._send_each("sweep", agenda.take_sweeps()),
            "second_looks": lambda: self._send_each("look_again", agenda.take_second_searches()),
            "hook_runs": lambda: self._send_each("hook", Hooks(ledger).take_runs()),
        }

    def _care_for_batches(self) -> None:
        due = self.ledger.agenda.take("batch_due", again_s=BATCH_AGAIN_SECS)
        self.care.for_batches(map(JobKey, due))

    def _look_at_lines(self) -> None:
        for account in waiting_accounts(self.ledger):
            self.care.for_all(CapacityLine(self.ledger, account).look())

    def _call_for_budgets(self) -> None:
        for budget in self.ledger.agenda.take("budget_lines", again_s=LINE_LOOK_SECS):
            self.care.for_all(call_for_room(self.ledger, self.settings, budget))

    def _send_each(self, task: str, arguments: Iterable[str | tuple[object, ...]]) -> None:
        for each in arguments:
            self.outbox.send(task, *((each,) if isinstance(each, str) else each))

    def _note_queues(self) -> None:
        """Record each queue's length, and when it was seen empty: messages sent before that are no longer queued."""
        lengths = self.outbox.queue_lengths()
        note_lengths(self.ledger, lengths)
        note_empty(self.ledger, [kind for kind, length in lengths.items() if length == 0])
        note_ages(self.ledger, lengths)
