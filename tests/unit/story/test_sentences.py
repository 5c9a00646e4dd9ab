import pytest

from actorline.ledger.timeline import TimelineEntry
from actorline.story.sentences import sentences

LOG = ["ACTOR: Starting Docker container.", "The proxy refused the connection"]


def told(*entries: tuple[str, dict[str, object]]) -> list[str]:
    found = [TimelineEntry(str(number), float(number), event, data) for number, (event, data) in enumerate(entries)]
    return [each.text for each in sentences(found)]


def test_end_of_the_log_is_told_once():
    message = f"The run ended FAILED: No proxy. Its log ends: {' | '.join(LOG)}"
    texts = told(("run-log", {"lines": LOG}), ("ended", {"state": "FAILED", "message": message}))
    assert texts == ["The end of the run's log", "It failed: The run ended FAILED: No proxy"]


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        ("nightly", "nightly"),
        ("(local)", "a program on this machine, without a key"),
        ("(operator)", "the operator's key"),
    ],
)
def test_sender_without_a_key_is_named_in_words(holder, words):
    assert told(("queued", {"door": "http", "by": holder})) == [f"Ordered over HTTP by {words}"]


@pytest.mark.parametrize(
    ("rows", "words"), [(0, ""), (1, ", and 1 row has no key"), (500, ", and 500 rows have no key")]
)
def test_rows_without_the_key_are_counted(rows, words):
    data = {"state": "DELIVERED", "added": 3, "removed": 0, "changed": 0, **({"without_key": rows} if rows else {})}
    assert told(("ended", data)) == [f"It is delivered; 3 rows were added, 0 removed, 0 changed{words}"]


def test_failed_step_is_told_in_the_platforms_words():
    failed = {"stage": "actorline.start_run", "error": "UnusableResponse", "message": "a secret row"}
    told_so = "The step actorline.start_run failed and is tried again: UnusableResponse"
    assert told(("stage-failed", failed)) == [told_so]
    assert told(("stage-failed", {**failed, "words": "It is no Run: status"})) == [f"{told_so}: It is no Run: status"]


def test_pages_fetched_one_after_the_other_share_a_sentence():
    texts = told(*[("fetching-ahead", {"pages": 2})] * 3, ("run-status", {"run_status": "RUNNING"}),
                 ("fetching-ahead", {"pages": 1}))  # fmt: skip
    assert (texts[0], len(texts), texts[2]) == (
        "6 full pages fetched while the run is still running, in 2.0 s", 3,
        "1 full page fetched while the run is still running",
    )  # fmt: skip
