"""A message whose acknowledgement failed is not held any more: it comes back after the visibility timeout.

kombu would hold it for as long as the channel lives. Our heartbeat would renew it, so that nobody else got it, either;
and each one takes a place of the prefetch count: a worker whose acknowledgements failed often enough, because Redis was
frozen or full for a moment, would take no more messages.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workers.broker import redis_time


class QoS(redis_time.QoS):
    def ack(self, delivery_tag: str) -> None:
        with self._let_go_if_it_fails(delivery_tag):
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        with self._let_go_if_it_fails(delivery_tag):
            super().reject(delivery_tag, requeue)

    @contextmanager
    def _let_go_if_it_fails(self, delivery_tag: str) -> Iterator[None]:
        try:
            yield
        except Exception:
            self._dirty: Any
            self._dirty.add(delivery_tag)  # kombu's mark for what is no longer held
            raise
