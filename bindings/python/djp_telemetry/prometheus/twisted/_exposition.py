"""The resource."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor  # type: ignore[import-not-found, unused-ignore]
from twisted.web.wsgi import WSGIResource  # type: ignore[import-not-found, unused-ignore]

from .. import REGISTRY, exposition


def MetricsResource(registry: Any = REGISTRY) -> Any:
    """A resource of Twisted that serves a registry.

    Args:
        registry: The registry.
    """
    pool = reactor.getThreadPool()
    return WSGIResource(reactor, pool, exposition.make_wsgi_app(registry))
