"""The page of the default registry. The native core writes its families, without the interpreter
lock; what only Python has follows. A family that both have appears once."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional

from .metrics_core import Metric
from .registry import REGISTRY

_ACCEPT = {True: "application/openmetrics-text;version=1.0.0", False: None}
_END = b"# EOF\n"


def _heads(text: bytes) -> Iterator[tuple[str, int]]:
    """The name of each family of a page, and where its first line begins."""
    at, last = 0, None
    while at >= 0:
        if text.startswith((b"# HELP ", b"# TYPE ", b"# UNIT "), at):
            name = text[at + 7 : text.find(b"\n", at)].split(b" ", 1)[0].decode("utf-8", "replace")
            if name != last:
                last = name
                yield name, at
        next_line = text.find(b"\n# ", at)
        at = next_line + 1 if next_line >= 0 else -1


def _is_written(metric: Any, names: set[str]) -> bool:
    """Whether a family is among these names; text 0.0.4 has a counter under its sample's name."""
    return metric.name in names or (metric.type == "counter" and f"{metric.name}_total" in names)


def _families(text: bytes) -> Iterator[tuple[str, bytes]]:
    heads = [*_heads(text), ("", len(text))]
    for (name, start), (_, end) in zip(heads, heads[1:]):
        yield name, text[start:end]


class CorePage:
    """The families of the native core, as a part of the default registry."""

    def __init__(self) -> None:
        self._hidden: set[str] = set()

    def show(self, names: list[str]) -> None:
        """After the registration of a collector.

        Args:
            names: Its names.
        """
        self._hidden.difference_update(names)

    def hide(self, names: list[str]) -> None:
        """After its removal.

        Args:
            names: Its names.
        """
        self._hidden.update(names)

    def text(self, is_openmetrics: bool) -> Optional[tuple[bytes, set[str]]]:
        """The page of the core and the names of its families, or None while metrics are off.

        Args:
            is_openmetrics: OpenMetrics instead of text 0.0.4.
        """
        body, _, _ = _declared.expose_core(_ACCEPT[is_openmetrics])
        return None if body is None else self.part(body, is_openmetrics)

    def part(self, body: bytes, is_openmetrics: bool) -> tuple[bytes, set[str]]:
        """What the core writes of a page, and the names of these families.

        Args:
            body: The page.
            is_openmetrics: OpenMetrics instead of text 0.0.4.
        """
        body = body[: -len(_END)] if is_openmetrics and body.endswith(_END) else body
        own = self._own_exemplars() if is_openmetrics else set()
        names = {name for name, _ in _heads(body)}
        left_out = names.intersection(self._hidden | own)
        if left_out:
            body = b"".join(part for name, part in _families(body) if name not in left_out)
        return body, names - own

    def _own_exemplars(self) -> set[str]:
        """Names of families with exemplars that the application gave: Python writes these."""
        names = set()
        for collector in list(REGISTRY._collector_to_names):
            children = getattr(collector, "_metrics", None)
            children = children if isinstance(children, dict) else {}
            for metric in (collector, *children.values()):
                if getattr(metric, "_exemplars", None):
                    names.add(collector._name)
        return names

    def collect(self) -> Iterator[Metric]:
        """Yields the families that are not registered: those of the SDK, and those that other
        processes or djp_telemetry.metrics declared."""
        known = REGISTRY._names_to_collectors
        for metric in self.all_families():
            if metric.name not in known:
                yield metric

    def all_families(self) -> Iterator[Metric]:
        """Yields all families of the core."""
        from .parser import text_string_to_metric_families

        page = self.text(False)
        if page is not None:
            yield from text_string_to_metric_families(page[0].decode("utf-8", "replace"))


Part = Optional[tuple[bytes, set[str]]]


def _join(
    part: Part,
    metrics: Iterable[Metric],
    family_text: Callable[[Any], str],
    is_openmetrics: bool,
    is_strict: bool,
) -> bytes:
    body, written = part if part is not None else (b"", set())
    texts = []
    for metric in metrics:
        if _is_written(metric, written):
            continue
        try:
            texts.append(family_text(metric))
        except Exception as error:
            if is_strict:
                error.args = (*(error.args or ("",)), metric)
                raise
    end = _END if is_openmetrics else b""
    return body + "".join(texts).encode("utf-8") + end


def write(registry: Any, family_text: Callable[[Any], str], is_openmetrics: bool) -> bytes:
    """The exposition of a registry.

    Args:
        registry: The registry.
        family_text: Writes a family.
        is_openmetrics: The page ends as OpenMetrics does.
    """
    part = registry._core.text(is_openmetrics) if registry is REGISTRY else None
    if part is None:
        metrics = registry.collect()
    else:
        metrics = registry._collect_registered(frozenset(part[1]))
    return _join(part, metrics, family_text, is_openmetrics, is_strict=True)


def complete(body: bytes, content_type: str) -> bytes:
    """A page of the SDK with what only Python has.

    Args:
        body: The page.
        content_type: Its type.
    """
    from . import exposition
    from .openmetrics import exposition as openmetrics

    is_openmetrics = content_type.startswith("application/openmetrics-text")
    if not is_openmetrics and not content_type.startswith("text/plain"):
        return body  # protobuf
    family_text = openmetrics.family_text if is_openmetrics else exposition.family_text
    part = REGISTRY._core.part(body, is_openmetrics)
    registered = REGISTRY._collect_registered(frozenset(part[1]))
    return _join(part, registered, family_text, is_openmetrics, is_strict=False)


_declared: Any = importlib.import_module("djp_telemetry.metrics")
REGISTRY._core = CorePage()
_declared._complete = complete
