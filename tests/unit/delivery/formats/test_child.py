import json
import os
import time

import pytest

from actorline.delivery.formats.child import ChildFailed, run_child


def no_one() -> None:
    pass


def test_input_goes_in_and_output_comes_out_in_blocks():
    items = [{"n": n, "text": "x" * 1000} for n in range(2000)]
    text, taken = json.dumps(items).encode(), []
    blocks = (text[at : at + 100_000] for at in range(0, len(text), 100_000))
    run_child("json.tool", "--compact", source=blocks, take=taken.append, keep_alive=no_one)
    assert len(taken) > 1
    assert json.loads(b"".join(taken)) == items


def test_a_process_that_ends_badly_says_why():
    with pytest.raises(ChildFailed, match="Expecting value") as failed:
        run_child("json.tool", source=[b"[,"], take=no_one, keep_alive=no_one)
    assert failed.value.status == 1


def test_a_process_that_ends_early_is_not_waited_for():
    endless = iter(lambda: b"x" * 100_000, b"")
    with pytest.raises(ChildFailed):
        run_child("json.tool", "--nonsense", source=endless, take=no_one, keep_alive=no_one)


def test_what_takes_the_output_may_fail():
    def full(block: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run_child("json.tool", source=[b"[1]"], take=full, keep_alive=no_one)


@pytest.mark.parametrize("command", ["json.tool", "http.server"])  # one waits for input, one for nothing
def test_keep_alive_stops_a_process_that_works_on(monkeypatch, command):
    class Stopped(Exception):
        pass

    began = time.monotonic()

    def stop_soon() -> None:
        if time.monotonic() - began > 0.2:
            raise Stopped

    monkeypatch.setattr("actorline.delivery.formats.child.LOOK_EVERY_SECS", 0.05)
    arguments = [] if command == "json.tool" else ["--bind", "127.0.0.1", "0"]
    with pytest.raises(Stopped):
        run_child(command, *arguments, source=iter(lambda: b"[", b"x"), take=bytes.hex, keep_alive=stop_soon)


def test_only_needed_environment_reaches_a_conversion(monkeypatch):
    monkeypatch.setenv("APIFY_TOKEN", "secret")
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "secret")
    taken: list[bytes] = []
    code = b"import os; print(sorted(os.environ.items()))"
    run_child("code", source=[code], take=taken.append, keep_alive=no_one)
    assert b"PATH" in b"".join(taken)
    assert b"secret" not in b"".join(taken)
    assert os.environ["APIFY_TOKEN"] == "secret"
