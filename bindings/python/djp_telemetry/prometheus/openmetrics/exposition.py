"""The exposition of a registry as OpenMetrics, and the escaping of names."""

from __future__ import annotations

from typing import Any, Callable

from ..utils import floatToGoString, parse_version
from ..validation import _is_valid_legacy_labelname, _is_valid_legacy_metric_name

CONTENT_TYPE_LATEST = "application/openmetrics-text; version=1.0.0; charset=utf-8"
CONTENT_TYPE_LATEST_2_0 = "application/openmetrics-text; version=2.0.0; charset=utf-8"
ESCAPING_HEADER_TAG = "escaping"
ALLOWUTF8 = "allow-utf-8"
UNDERSCORES = "underscores"
DOTS = "dots"
VALUES = "values"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")


def _is_legacy_labelname_rune(b: str, i: int) -> bool:
    if len(b) != 1:
        raise ValueError("Input 'b' must be a single character.")
    return b in _LETTERS or (i > 0 and b in _DIGITS)


def _is_legacy_metric_rune(b: str, i: int) -> bool:
    return _is_legacy_labelname_rune(b, i) or b == ":"


def _is_valid_utf8(s: str) -> bool:
    return not "\ud800" <= s <= "\udfff"


def _in_quotes(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _dotted(character: str, legal: bool) -> str:
    if character in "_.":
        return "__" if character == "_" else "_dot_"
    return character if legal else "__"


def _by_value(character: str, legal: bool) -> str:
    if character == "_":
        return "__"
    if legal:
        return character
    return f"_{ord(character):x}_" if _is_valid_utf8(character) else "_FFFD_"


def _escape(s: str, escaping: str, valid_rune_fn: Callable[[str, int], bool]) -> str:
    """The text under an escaping scheme. valid_rune_fn: whether a character at an index stays."""
    if escaping == ALLOWUTF8:
        return _in_quotes(s)
    legal = [(character, valid_rune_fn(character, i)) for i, character in enumerate(s)]
    if escaping == UNDERSCORES:
        return "".join(character if ok else "_" for character, ok in legal)
    if escaping == DOTS:
        return "".join(_dotted(character, ok) for character, ok in legal)
    if escaping == VALUES:
        return "U__" + "".join(_by_value(character, ok) for character, ok in legal)
    return s


def _escape_name(s: str, escaping: str, is_legacy: bool, rune: Callable[[str, int], bool]) -> str:
    if not s or (is_legacy and escaping in (UNDERSCORES, VALUES)):
        return s
    escaped = _escape(s, escaping, rune)
    return f'"{escaped}"' if escaping == ALLOWUTF8 and not is_legacy else escaped


def escape_metric_name(s: str, escaping: str = UNDERSCORES) -> str:
    """A name under an escaping scheme, in quotes if it has other characters than legacy ones.

    Args:
        s: The name.
        escaping: allow-utf-8, underscores, dots or values.
    """
    return _escape_name(s, escaping, _is_valid_legacy_metric_name(s), _is_legacy_metric_rune)


def escape_label_name(s: str, escaping: str = UNDERSCORES) -> str:
    """The name of a label under an escaping scheme, in quotes as in escape_metric_name().

    Args:
        s: The name.
        escaping: allow-utf-8, underscores, dots or values.
    """
    return _escape_name(s, escaping, _is_valid_legacy_labelname(s), _is_legacy_labelname_rune)


def label_text(labels: dict[str, str], escaping: str) -> str:
    """Labels as an exposition writes them between braces, in order of their names.

    Args:
        labels: Labels.
        escaping: As for escape_metric_name().
    """
    return ",".join(
        f'{escape_label_name(name, escaping)}="{_in_quotes(labels[name])}"'
        for name in sorted(labels)
    )


def sample_name(name: str, labels: dict[str, str], escaping: str) -> str:
    """Name and labels of a sample. A name that is not a legacy one stands between the braces.

    Args:
        name: The name.
        labels: Labels.
        escaping: As for escape_metric_name().
    """
    text = label_text(labels, escaping) if labels else ""
    escaped = escape_metric_name(name, escaping)
    if escaping != ALLOWUTF8 or _is_valid_legacy_metric_name(name):
        return f"{escaped}{{{text}}}" if text else escaped
    return f"{{{escaped},{text}}}" if text else f"{{{escaped}}}"


def _is_valid_exemplar_metric(metric: Any, sample: Any) -> bool:
    name = sample.name
    return {
        "counter": name.endswith("_total"),
        "gaugehistogram": name.endswith("_bucket"),
        "histogram": name.endswith("_bucket") or name == metric.name,
    }.get(metric.type, False)


def _compose_exemplar_string(metric: Any, sample: Any, exemplar: Any) -> str:
    if not _is_valid_exemplar_metric(metric, sample):
        raise ValueError(
            f"Metric {metric.name} has exemplars, but is not a histogram bucket or counter"
        )
    labels = ",".join(f'{k}="{_in_quotes(v)}"' for k, v in sorted(exemplar.labels.items()))
    time = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
    return f" # {{{labels}}} {floatToGoString(exemplar.value)}{time}"


def _native_histogram(value: Any) -> str:
    parts = [
        f"count:{value.count_value}",
        f"sum:{value.sum_value}",
        f"schema:{value.schema}",
        f"zero_threshold:{value.zero_threshold}",
        f"zero_count:{value.zero_count}",
    ]
    for sign, spans, deltas in (
        ("negative", value.neg_spans, value.neg_deltas),
        ("positive", value.pos_spans, value.pos_deltas),
    ):
        if spans:
            text = ",".join(f"{offset}:{length}" for offset, length in spans)
            parts.append(f"{sign}_spans:[{text}]")
            parts.append(f"{sign}_deltas:[{','.join(map(str, deltas))}]")
    return "{" + ",".join(parts) + "}"


def _sample_line(metric: Any, sample: Any, escaping: str) -> str:
    native = sample.native_histogram
    exemplars = [sample.exemplar] if sample.exemplar else []
    value = ""
    if native:
        value = _native_histogram(native)
        exemplars.extend(native.nh_exemplars or ())
    elif sample.value is not None:
        value = floatToGoString(sample.value)
    time = "" if sample.timestamp is None else f" {sample.timestamp}"
    marks = "".join(_compose_exemplar_string(metric, sample, mark) for mark in exemplars)
    return f"{sample_name(sample.name, sample.labels, escaping)} {value}{time}{marks}\n"


def family_text(metric: Any, escaping: str = UNDERSCORES, version: str = "1.0.0") -> str:
    """The lines of one family.

    Args:
        metric: The family.
        escaping: As for escape_metric_name().
        version: Version of OpenMetrics; native histograms need 2.0.0.
    """
    name = escape_metric_name(metric.name, escaping)
    lines = [
        f"# HELP {name} {_in_quotes(metric.documentation)}\n",
        f"# TYPE {name} {metric.type}\n",
    ]
    if metric.unit:
        lines.append(f"# UNIT {name} {metric.unit}\n")
    with_native = parse_version(version) >= (2, 0, 0)
    lines.extend(
        _sample_line(metric, sample, escaping)
        for sample in metric.samples
        if with_native or not sample.native_histogram
    )
    return "".join(lines)


def generate_latest(registry: Any, escaping: str = UNDERSCORES, version: str = "1.0.0") -> bytes:
    """The exposition of a registry.

    Args:
        registry: The registry.
        escaping: As for escape_metric_name().
        version: Version of OpenMetrics.
    """
    from .. import _page

    return _page.write(registry, lambda metric: family_text(metric, escaping, version), True)
