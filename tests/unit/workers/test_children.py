"""The processes of a stack."""

import sys

import pytest
from real_parts import wait_for

from workers.children import Children

WHY = "The token of the account default belongs to other. Nothing was started."


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (f"print('ready'); print('{WHY}'); sys.exit(7)", f"control: died (exit 7): {WHY}; restarting in 0.5 s"),
        ("print('a line of its log'); sys.exit(1)", "control: died (exit 1); restarting in 0.5 s"),
    ],
)
def test_a_process_that_cannot_start_is_told_with_its_reason(tmp_path, program, said):
    told: list[str] = []
    children = Children(tmp_path, told.append, dict)
    children.start("control", [sys.executable, "-c", f"import sys; {program}"])
    wait_for(lambda: told or children.look_after() or told, what="its death")
    assert told[0] == f"{said}; see logs/control.log"
    children.stop_all()
