"""Samplers to put together: which traces the head keeps, by their first span's name, kind,
attributes and parent. Each call gives a value for init_telemetry(sampler=...), whose str() is the
text that DJP_TELEMETRY_SAMPLER takes, too. The native core reads that text: a mistake costs one
warning there and raises nothing here. See docs/samplers.md.

    from djp_telemetry import init_telemetry
    from djp_telemetry.sampling import always_on, anything, attribute, drop, name
    from djp_telemetry.sampling import parent_threshold, probability, rule_based

    init_telemetry(sampler=parent_threshold(rule_based([
        (name("GET /health*"), drop()),
        (attribute("user.tier", "gold"), always_on()),
        (anything(), probability(0.05)),
    ])))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Union

from ._types import SpanKind

__all__ = [
    "Predicate",
    "Sampler",
    "always_off",
    "always_on",
    "annotating",
    "anything",
    "at_least",
    "attribute",
    "drop",
    "has_remote_parent",
    "is_root",
    "kind",
    "name",
    "parent_sampled",
    "parent_threshold",
    "probability",
    "rate_limited",
    "rule_based",
]


class _Text:
    """Immutable; equal if the type and the text are equal."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} does not change")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._text}>"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self._text)


class Sampler(_Text):
    """Decides about local traces."""

    __slots__ = ()


class Predicate(_Text):
    """The condition of a rule. `a & b` matches if both match (at most eight), `~a` if `a` does not
    match."""

    __slots__ = ()

    def __and__(self, other: Predicate) -> Predicate:
        return Predicate(f"{self} & {other}")

    def __invert__(self) -> Predicate:
        if " & " in _outside_quotes(str(self)):
            raise ValueError(
                "only a single condition can be turned round: write ~a & ~b, or two rules"
            )
        text = str(self)
        return Predicate(text[1:] if text.startswith("!") else f"!{text}")


def _outside_quotes(text: str) -> str:
    kept, quoted, escaped = [], False, False
    for character in text:
        if not quoted:
            kept.append(character)
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = character == "\\" and not escaped
    return "".join(kept)


def _quoted(text: object) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return _quoted(value)


def _pattern(value: object, exact: bool) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if exact and text.endswith("*"):
        return '"' + _quoted(text[:-1])[1:-1] + '\\*"'
    return _quoted(text)


def always_on() -> Sampler:
    """Samples all traces."""
    return Sampler("always_on")


def always_off() -> Sampler:
    """Samples no trace at its start. As the whole sampler it exports nothing; in a rule,
    errors, slow traces and tail-sampling rules can still sample the trace.
    """
    return Sampler("always_off")


def drop() -> Sampler:
    """Does not record the trace, whatever happens in it. For health checks."""
    return Sampler("drop")


def probability(ratio: float) -> Sampler:
    """Samples a share of the traces by their trace id (OpenTelemetry consistent probability
    sampling).

    Args:
        ratio: 0 to 1.
    """
    return Sampler(f"probability({ratio})")


def rate_limited(per_second: float) -> Sampler:
    """Samples at most a number of traces per second. Their adjusted count is unknown.

    Args:
        per_second: Traces per second.
    """
    return Sampler(f"rate_limited({per_second})")


def at_least(per_second: float, delegate: Sampler) -> Sampler:
    """Samples what another sampler samples, and at least a number of traces per second.

    Args:
        per_second: Traces per second.
        delegate: The other sampler.
    """
    return Sampler(f"at_least({per_second}, {delegate})")


def parent_threshold(root: Sampler) -> Sampler:
    """Follows the decision of the parent.

    Args:
        root: The sampler of spans without a parent.
    """
    return Sampler(f"parent_threshold({root})")


def rule_based(rules: Iterable[tuple[Predicate, Sampler]]) -> Sampler:
    """Uses the sampler of the first rule that matches. Without a match nothing is sampled.

    Args:
        rules: Pairs of a predicate and a sampler.
    """
    return Sampler(
        "rule_based(" + ", ".join(f"{predicate} => {sampler}" for predicate, sampler in rules) + ")"
    )


def annotating(
    attributes: Mapping[str, Union[str, bool, int, float]], delegate: Sampler
) -> Sampler:
    """Adds attributes to the first span of the local trace. Another sampler decides.

    Args:
        attributes: The attributes.
        delegate: The other sampler.
    """
    items = ", ".join(f"{_quoted(key)}={_value(value)}" for key, value in attributes.items())
    return Sampler(f"annotating({{{items}}}, {delegate})")


def anything() -> Predicate:
    """Matches always."""
    return Predicate("any")


def is_root() -> Predicate:
    """Matches if the span has no parent."""
    return Predicate("root")


def has_remote_parent() -> Predicate:
    """Matches if the parent belongs to another process."""
    return Predicate("remote_parent")


def parent_sampled() -> Predicate:
    """Matches if there is a parent and it is sampled."""
    return Predicate("parent_sampled")


def kind(kind: Union[SpanKind, str]) -> Predicate:
    """Matches the kind of the span.

    Args:
        kind: internal, server, client, producer or consumer, as a word or a SpanKind.
    """
    word = kind.name if isinstance(kind, SpanKind) else str(kind)
    return Predicate(f"kind({word.lower()})")


def name(pattern: str, *, exact: bool = False) -> Predicate:
    """Matches the name of the span.

    Args:
        pattern: The name; a star at the end matches any ending.
        exact: Whether a star is an ordinary character.
    """
    return Predicate(f"name({_pattern(pattern, exact)})")


def attribute(key: str, value: Union[str, bool, int] = "*", *, exact: bool = False) -> Predicate:
    """Matches an attribute that is given at the start of the span.

    Args:
        key: Name of the attribute.
        value: The value; a star at the end matches any ending. Any value by default.
        exact: Whether a star is an ordinary character.
    """
    return Predicate(f"attribute({_quoted(key)}={_pattern(value, exact)})")
