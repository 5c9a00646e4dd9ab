"""A Celery app that is configured only by its code, not by the environment that it runs in.

Celery prefers `CELERY_BROKER_URL` and `CELERY_RESULT_BACKEND` to the addresses that a program gave it, reads a module
named by `CELERY_CONFIG_MODULE`, and imports a Django project named by `DJANGO_SETTINGS_MODULE`. A service sets these
for its own app: orders would go to its Redis, and no worker would receive them.
"""

from typing import Any, Final

from celery import Celery

from actorline.redis_connection.address import checked_address, is_sentinel, tls_parameters
from actorline.redis_connection.primary import PrimaryConnection, PrimaryTLSConnection
from actorline.redis_connection.sentinels import SentinelAddress

LOADER: Final = "celery.loaders.app:AppLoader"
BROKER_OPTIONS: Final = "broker_transport_options"
RESULT_OPTIONS: Final = "result_backend_transport_options"


class IsolatedCelery(Celery):
    """Celery at the two given addresses. Raises ValueError if one can't be used."""

    def __init__(self, name: str, *, broker: str, backend: str, settings: dict[str, Any], **options: Any) -> None:
        given = celery_addresses(broker, backend)
        for kind in (BROKER_OPTIONS, RESULT_OPTIONS):
            given[kind] = {**settings.get(kind, {}), **given.get(kind, {})}
        self._broker, results = given["broker_url"], given["result_backend"]
        self._asks_sentinels = is_sentinel(backend)
        super().__init__(name, loader=LOADER, fixups=[], config_source={**settings, **given}, **options)
        self.backend_cls = results

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_read(url or self._broker, **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_write(url or self._broker, **options)

    def connection(self, hostname: str | None = None, *args: Any, **options: Any) -> Any:
        return super().connection(hostname or self._broker, *args, **options)

    def _get_backend(self) -> Any:
        """Return Celery's back end, which follows its primary as the ledger does."""
        backend = super()._get_backend()  # type: ignore[misc]  # celery-types lacks it
        if self._asks_sentinels:
            has_tls = "connection_class" in backend.connparams
            backend.connparams["connection_class"] = PrimaryTLSConnection if has_tls else PrimaryConnection
        return backend


def celery_addresses(broker: str, backend: str) -> dict[str, Any]:
    """Return the settings by which Celery reaches the two addresses. Raises ValueError if one can't be used."""
    broker, backend = checked_address(broker), checked_address(backend)
    given: dict[str, Any] = {
        "broker_url": broker,
        "result_backend": backend,
        "broker_use_ssl": tls_parameters(broker),  # also in the address; Flower's page of the broker only reads this
    }
    if is_sentinel(broker):
        named = SentinelAddress.parse(broker)
        given |= {"broker_url": named.celery_address, BROKER_OPTIONS: named.transport_options}
    if is_sentinel(backend):
        named = SentinelAddress.parse(backend)
        given |= {"result_backend": named.celery_address, RESULT_OPTIONS: named.transport_options}
        given["redis_backend_use_ssl"] = named.tls
    return given
