"""How this product connects to any server: who is verified by which authorities, and how slow a response may be."""

from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from actorline.outbound.authorities import authorities_context
from actorline.outbound.timed_response import TimedResponse


class OutboundAdapter(HTTPAdapter):
    """Verifies every server with one context, since requests would read the list of authorities for each connection
    (24 ms of CPU), and bounds how long each response may take (`TimedResponse`).
    """

    def connection_class(self, base: Any) -> Any:
        """Return the class of the connections: urllib3's `base`, or one derived from it."""
        return type("Connection", (base,), {"response_class": TimedResponse})

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self._use_own_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        self._use_own_connections(manager)  # of two threads the second may get it before the first has done this
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        del verify  # the environment's, which the context already has
        host, options = super().build_connection_pool_key_attributes(request, verify=True, cert=cert)
        return host, {**options, "ssl_context": authorities_context()} if host["scheme"] == "https" else options

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the pool already has the context."""

    def _use_own_connections(self, manager: urllib3.PoolManager) -> None:
        """Derive the pools from the manager's own, which may be those of a SOCKS proxy. Safe to repeat."""
        pools: dict[str, Any] = manager.pool_classes_by_scheme
        if all(pool.ConnectionCls.response_class is TimedResponse for pool in pools.values()):
            return
        manager.pool_classes_by_scheme = {
            scheme: type("Pool", (pool,), {"ConnectionCls": self.connection_class(pool.ConnectionCls)})
            for scheme, pool in pools.items()
        }
