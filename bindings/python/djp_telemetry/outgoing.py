"""Injects trace context and baggage into outgoing requests of httpx, urllib3 (and so requests) and
aiohttp, if the application enables it. The code per library is in djp_telemetry.integrations."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any, Callable, Optional

from ._outgoing_call import Options, Origins

__all__ = ["instrument_outgoing"]


class _AtImport:
    """Import hook that instruments a library when it is imported later."""

    def __init__(self, install: Callable[[str, Any], None], names: set[str]) -> None:
        self._install = install
        self._names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if name not in self._names:
            return None
        self._names.discard(name)
        spec = find_spec(name)
        loader: Any = spec.loader if spec is not None else None
        if loader is None or not hasattr(loader, "exec_module"):
            return spec
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            self._install(name, module)

        loader.exec_module = exec_module
        return spec


def instrument_outgoing(
    *,
    httpx: bool = True,
    urllib3: bool = True,
    aiohttp: bool = True,
    origins: Origins = None,
    spans: bool = False,
) -> Callable[[], None]:
    """Adds trace context and baggage to outgoing HTTP requests. Headers that a request
    already has are not changed, and no request fails because of it. Libraries that are
    imported later are instrumented as well.

    Args:
        httpx: Whether requests of httpx are instrumented.
        urllib3: Whether requests of urllib3, which requests uses, are instrumented.
        aiohttp: Whether requests of aiohttp are instrumented.
        origins: Only requests to these origins carry context: an origin
            (scheme://host:port), a pattern, a function, or a list of these; all by
            default. Context must not go to untrusted hosts.
        spans: Whether each request is recorded: a client span, and its duration in
            http_client_request_duration_seconds.

    Returns:
        A function that ends the instrumentation.
    """
    options = Options(origins, spans is True)
    undo: list[Callable[[], None]] = []

    def install(name: str, module: Any) -> None:
        if not options.active:
            return
        try:
            integration = import_module(f"djp_telemetry.integrations.{name}")
            undo.extend(integration.instrument(module, options))
        except Exception as error:
            from ._runtime import warn_once

            warn_once(
                f"Requests of {name} carry no trace context: this version of {name} is not "
                f"supported ({type(error).__name__}: {error})."
            )

    wanted = {"httpx": httpx, "urllib3": urllib3, "aiohttp": aiohttp}
    later = {name for name, on in wanted.items() if on and name not in sys.modules}
    finder = _AtImport(install, later)
    if later:
        sys.meta_path.insert(0, finder)
    for name, on in wanted.items():
        if on and name in sys.modules:
            install(name, sys.modules[name])

    def end() -> None:
        options.active = False
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        while undo:
            undo.pop()()

    return end
