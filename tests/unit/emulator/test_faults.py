import pytest
from pydantic import ValidationError

from actorline.emulator.faults import FAULTS, FaultPlan


def hits(fault, requests):
    plan = FaultPlan()
    plan.add(FAULTS.validate_python([{"action": "reset_before", **fault}]))
    return [plan.next_fault(method, path) is not None for method, path in requests]


@pytest.mark.parametrize(
    ("fault", "met"),
    [
        ({}, [1, 1, 1, 1, 1]),
        ({"times": 2}, [1, 1, 0, 0, 0]),
        ({"nth": 2}, [0, 1, 0, 0, 0]),
        ({"nth": 2, "times": 3}, [0, 1, 1, 1, 0]),
    ],
)
def test_a_fault_meets_the_requests_asked_for(fault, met):
    assert hits(fault, [("GET", "/v2/x")] * 5) == [bool(one) for one in met]


def test_only_matching_requests_are_counted():
    requests = [
        ("GET", "/v2/actor-runs"),
        ("POST", "/v2/acts/a/runs"),
        ("POST", "/v2/datasets/d"),
        ("POST", "/v2/b/runs"),
    ]
    assert hits({"method": "POST", "path_regex": "/runs$", "nth": 2}, requests) == [False, False, False, True]


def test_the_first_fault_that_is_due_acts_and_all_of_them_count():
    plan = FaultPlan()
    plan.add(FAULTS.validate_python([{"action": "reset_before", "nth": 1}, {"action": "reset_after", "nth": 2}]))
    assert [fault and fault.action for fault in (plan.next_fault("GET", "/") for _ in range(3))] == [
        "reset_before",
        "reset_after",
        None,
    ]


def test_cleared_faults_are_gone():
    plan = FaultPlan()
    plan.add(FAULTS.validate_python([{"action": "reset_before"}]))
    plan.clear()
    assert plan.next_fault("GET", "/") is None


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "explode"},
        {"action": "status"},
        {"action": "cut_body"},
        {"action": "delay"},
        {"action": "reset_before", "path_regex": "("},
        {"action": "reset_before", "nth": 0},
        {"action": "reset_before", "secs": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fault):
    with pytest.raises(ValidationError):
        FAULTS.validate_python([fault])
