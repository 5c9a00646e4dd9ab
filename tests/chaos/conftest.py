"""Cases run side by side, each on a line of its own; the tests look at their outcomes one by one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest
from cases import Case, Outcome, run_case
from real_parts import Emulator, make_line, running_service

SIDE_BY_SIDE: Final = 10  # a case waits most of its time
seen: list[tuple[Case, Outcome]] = []


@pytest.fixture(scope="session")
def outcome_of(request, valkey, emulator, tmp_path_factory) -> Iterator[Callable[[Case], Outcome]]:
    """Returns a case's outcome; all cases of the session's tests are under way from the first question on."""
    home = tmp_path_factory.mktemp("chaos")
    cases = [item.callspec.params["case"] for item in request.session.items if "outcome_of" in item.fixturenames]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool, _service(valkey, emulator, home):
        coming = {case.name: pool.submit(run_case, case, valkey, emulator, home / case.name) for case in cases}

        def outcome_of_case(case: Case) -> Outcome:
            outcome = coming[case.name].result()
            seen.append((case, outcome))
            return outcome

        yield outcome_of_case
        for future in coming.values():
            future.cancel()


@contextmanager
def _service(valkey: str, emulator: Emulator, home: Path) -> Iterator[None]:
    """The callers' own worker, one for all lines: it knows nothing of them but the two addresses."""
    line = make_line(valkey, emulator, home / "service", "service")
    with running_service(line, line.home):
        yield
    line.client.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The figures that docs/promises.md holds."""
    if not seen:
        return
    terminalreporter.section("figures")
    for group in dict.fromkeys(case.group for case, _ in seen):
        terminalreporter.write_line(describe(group, [outcome for case, outcome in seen if case.group == group]))
    terminalreporter.write_line("the longest, from the order to its answer:")
    for case, outcome in sorted(seen, key=lambda row: -row[1].total_s)[:8]:
        terminalreporter.write_line(f"  {case.group}, {case.name}: {outcome.total_s:.1f} s")


def describe(group: str, outcomes: list[Outcome]) -> str:
    taken = [outcome.take_over_s for outcome in outcomes if outcome.take_over_s is not None]
    ended = [outcome.total_s for outcome in outcomes]
    rows = sum(outcome.result["items"] for outcome in outcomes if outcome.result)
    parts = [
        f"{group}: {len(outcomes)} jobs, {sum(len(outcome.runs) for outcome in outcomes)} runs paid, {rows:,} rows",
        f"answered after median {median(ended):.1f} s, at most {max(ended):.1f} s",
    ]
    if taken:
        parts.append(f"taken over {median(taken):.1f} s after the kill (median), at most {max(taken):.1f} s")
    return "; ".join(parts)
