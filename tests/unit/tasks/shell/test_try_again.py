"""An entrance that is tried again keeps its caller waiting, also while the broker takes no message."""

from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Reject, Retry
from kombu.exceptions import OperationalError

from tasks.shell.try_again import try_again


def tried_again(*, sending: Exception | None) -> Exception:
    """Return what a task raises that is tried again, where sending a message raises `sending`."""
    app: Any = Celery("tried", set_as_current=False, broker="memory://", backend="cache+memory://")

    def send(*_: object, **__: object) -> None:
        if sending:
            raise sending

    app.amqp.send_task_message = send

    @app.task(bind=True, shared=False, max_retries=None)  # type: ignore[untyped-decorator]
    def entrance(self: Any) -> None:
        self.push_request(id="1", called_directly=False, is_eager=False)
        try:
            try_again(self, ValueError("not yet"), seconds=5)
        finally:
            self.pop_request()

    with pytest.raises((Retry, Reject)) as raised:
        entrance.run()
    app.close()
    return raised.value


def test_the_message_comes_again():
    assert isinstance(tried_again(sending=None), Retry)


def test_a_message_that_cannot_be_sent_goes_back():
    rejected = tried_again(sending=OperationalError("gone"))
    assert (type(rejected), rejected.requeue) == (Reject, True)
