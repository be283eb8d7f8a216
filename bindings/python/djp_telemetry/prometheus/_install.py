"""Makes `import prometheus_client` return this package."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any, Optional

_OURS = __package__ or "djp_telemetry.prometheus"
_THEIRS = "prometheus_client"


def _name_here(name: str) -> str:
    return _OURS + name[len(_THEIRS) :]


class _Loader(importlib.abc.Loader):
    def create_module(self, spec: Any) -> ModuleType:
        return importlib.import_module(_name_here(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        # The import machinery has set these on our module; it keeps its own name.
        module.__spec__ = importlib.machinery.ModuleSpec(
            _name_here(_name_there(module)), None, is_package=hasattr(module, "__path__")
        )


def _name_there(module: ModuleType) -> str:
    return _THEIRS + module.__name__[len(_OURS) :]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds each module of this package under its name in prometheus_client."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != _THEIRS and not fullname.startswith(_THEIRS + "."):
            return None
        if importlib.util.find_spec(_name_here(fullname)) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader())


class _Earlier:
    """Collects what was registered in the replaced default registry."""

    def __init__(self, registry: Any, left_out: Any) -> None:
        self._registry = registry
        self._left_out = left_out

    def describe(self) -> Any:
        return self.collect()

    def collect(self) -> Any:
        for collector in list(self._registry._collector_to_names):
            if collector not in self._left_out:
                yield from collector.collect()


_finder: Optional[_Finder] = None


def _replacements(modules: dict[str, ModuleType]) -> dict[int, Any]:
    """What this package has for each object of the replaced modules, by the object's identity."""
    found: dict[int, Any] = {}
    for name, module in modules.items():
        try:
            ours = importlib.import_module(_name_here(name))
        except ImportError:
            continue
        found[id(module)] = ours
        for attribute, value in vars(module).items():
            own = type(value).__module__ or ""
            defined = getattr(value, "__module__", None) or own
            is_theirs = str(defined).split(".")[0] == _THEIRS or own.split(".")[0] == _THEIRS
            if is_theirs and hasattr(ours, attribute):
                found.setdefault(id(value), getattr(ours, attribute))
    return found


def _rebind(replacements: dict[int, Any], but: dict[str, ModuleType]) -> None:
    """Replaces the objects in the globals of the modules that have imported them."""
    for name, module in list(sys.modules.items()):
        space = getattr(module, "__dict__", None)
        if not isinstance(space, dict) or name.startswith(_OURS) or module in but.values():
            continue
        for attribute, value in list(space.items()):
            if id(value) in replacements:
                space[attribute] = replacements[id(value)]


def _adopt(theirs: ModuleType) -> None:
    """Shows the metrics of the replaced default registry in ours, and takes over the classes for
    isinstance()."""
    from . import metrics, registry

    standard = [
        getattr(theirs, name, None)
        for name in ("PROCESS_COLLECTOR", "PLATFORM_COLLECTOR", "GC_COLLECTOR")
    ]
    earlier = _Earlier(theirs.REGISTRY, standard)
    if any(collector not in standard for collector in theirs.REGISTRY._collector_to_names):
        registry.REGISTRY.register(earlier)
    for name in ("MetricWrapperBase", "Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"):
        getattr(metrics, name).register(getattr(theirs.metrics, name))


def install() -> None:
    """Makes `import prometheus_client` and its submodules return this package. Modules that have
    imported prometheus_client before get ours in their globals. Metrics that were registered
    before stay where they are and appear on the page. May be called again."""
    global _finder
    if _finder is not None:
        return
    replaced = {
        name: module
        for name, module in list(sys.modules.items())
        if name == _THEIRS or name.startswith(_THEIRS + ".")
    }
    ours = sys.modules[_OURS]
    for name in replaced:
        del sys.modules[name]
    _finder = _Finder()
    sys.meta_path.insert(0, _finder)
    sys.modules[_THEIRS] = ours
    for name, module in list(sys.modules.items()):
        if name.startswith(_OURS + "."):
            sys.modules[_name_there(module)] = module
    if _THEIRS in replaced and hasattr(replaced[_THEIRS], "REGISTRY"):
        _rebind(_replacements(replaced), replaced)
        _adopt(replaced[_THEIRS])
