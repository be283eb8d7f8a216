"""The view."""

from __future__ import annotations

import os
from typing import Any

from django.http import HttpResponse  # type: ignore[import-untyped]
from django.views import View  # type: ignore[import-untyped]

from .. import REGISTRY, CollectorRegistry, multiprocess
from .. import exposition as _exposition


class PrometheusDjangoView(View):
    """Serves a registry, by default REGISTRY or the metrics of all processes."""

    multiprocess_mode: bool = (
        "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ
    )
    registry: Any = None

    def _source(self) -> Any:
        if self.registry is None and self.multiprocess_mode:
            self.registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(self.registry)
        return REGISTRY if self.registry is None else self.registry

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Responds to a GET request.

        Args:
            request: The request.
            args: Ignored.
            kwargs: Ignored.
        """
        status, headers, output = _exposition._bake_output(
            self._source(),
            request.headers.get("Accept"),
            request.headers.get("Accept-Encoding"),
            request.GET,
            False,
        )
        return HttpResponse(output, status=int(status.split(" ")[0]), headers=dict(headers))

    def options(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Responds to an OPTIONS request.

        Args:
            request: The request.
            args: Ignored.
            kwargs: Ignored.
        """
        return HttpResponse(status=200, headers={"Allow": "OPTIONS,GET"})
