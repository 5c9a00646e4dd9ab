"""A Celery app that is configured only by its code, not by the environment that it runs in.

Celery prefers `CELERY_BROKER_URL` and `CELERY_RESULT_BACKEND` to the addresses that a program gave it, reads a module
named by `CELERY_CONFIG_MODULE`, and imports a Django project named by `DJANGO_SETTINGS_MODULE`. A service sets these
for its own app: orders would go to its Redis, and no worker would receive them.
"""

from typing import Any, Final

from celery import Celery

from actorline.redis_address import checked_address, tls_parameters

LOADER: Final = "celery.loaders.app:AppLoader"


class IsolatedCelery(Celery):
    """Celery at the two given addresses. Raises ValueError if one can't be used."""

    def __init__(self, name: str, *, broker: str, backend: str, settings: dict[str, Any], **options: Any) -> None:
        self._broker, results = checked_address(broker), checked_address(backend)
        tls = tls_parameters(self._broker)  # also in the address; Flower's page of the broker only reads this
        given = {**settings, "broker_url": self._broker, "result_backend": results, "broker_use_ssl": tls}
        super().__init__(name, loader=LOADER, fixups=[], config_source=given, **options)
        self.backend_cls = results

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_read(url or self._broker, **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_write(url or self._broker, **options)

    def connection(self, hostname: str | None = None, *args: Any, **options: Any) -> Any:
        return super().connection(hostname or self._broker, *args, **options)
