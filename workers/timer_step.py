"""What a worker does every few seconds besides its tasks, on its consumer's own timer."""

from typing import Any

from celery import bootsteps


class TimerStep(bootsteps.StartStopStep):
    """Calls `tick` every `every_s` seconds while the consumer runs; a frozen worker doesn't."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    every_s: float

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(self.every_s, self.tick, (consumer,))

    def stop(self, consumer: Any) -> None:
        del consumer
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def tick(self, consumer: Any) -> None:
        raise NotImplementedError
