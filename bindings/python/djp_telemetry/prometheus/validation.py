"""Which names of metrics and labels are allowed. By default any UTF-8; with legacy validation
only letters, digits, underscores, and colons in metrics."""

from __future__ import annotations

import os
import re
from typing import Any

METRIC_NAME_RE = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
METRIC_LABEL_NAME_RE = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*$")
RESERVED_METRIC_LABEL_NAME_RE = re.compile(r"^__.*$")
EXEMPLAR_RUNES_MAX = 128


def _init_legacy_validation() -> bool:
    setting = os.environ.get("PROMETHEUS_LEGACY_NAME_VALIDATION", "")
    return setting.lower() in ("true", "1", "t")


_legacy_validation = _init_legacy_validation()


def get_legacy_validation() -> bool:
    """Whether names are limited to the legacy characters."""
    return _legacy_validation


def disable_legacy_validation() -> None:
    """Allows any UTF-8 in names."""
    global _legacy_validation
    _legacy_validation = False


def enable_legacy_validation() -> None:
    """Limits names to the legacy characters."""
    global _legacy_validation
    _legacy_validation = True


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _validate_metric_name(name: str) -> None:
    if not name:
        raise ValueError("metric name cannot be empty")
    if not _is_utf8(name) or (_legacy_validation and METRIC_NAME_RE.match(name) is None):
        raise ValueError(f"invalid metric name {name!r}")


def _is_valid_legacy_metric_name(name: str) -> bool:
    return METRIC_NAME_RE.match(name) is not None


def _validate_metric_label_name_token(tok: str) -> None:
    """Checks the name of a label as an exposition writes it: others than legacy ones in quotes."""
    quoted = len(tok) > 1 and tok[0] == tok[-1] == '"'
    legal = _is_utf8(tok) if quoted and not _legacy_validation else METRIC_LABEL_NAME_RE.match(tok)
    if not tok or not legal:
        raise ValueError(f"invalid label name token {tok!r}")


def _validate_labelname(l: str) -> None:  # noqa: E741
    if not _is_utf8(l) or (_legacy_validation and METRIC_LABEL_NAME_RE.match(l) is None):
        raise ValueError(f"Invalid label metric name: {l!r}")
    if RESERVED_METRIC_LABEL_NAME_RE.match(l):
        raise ValueError(f"Reserved label metric name: {l}")


def _is_valid_legacy_labelname(l: str) -> bool:  # noqa: E741
    return METRIC_LABEL_NAME_RE.match(l) is not None and not l.startswith("__")


def _validate_labelnames(cls: Any, labelnames: Any) -> tuple[str, ...]:
    names = tuple(labelnames)
    for name in names:
        _validate_labelname(name)
        if name in cls._reserved_labelnames:
            raise ValueError(f"Reserved label metric name: {name}")
    return names


def _validate_exemplar(exemplar: dict[str, str]) -> None:
    runes = 0
    for name, value in exemplar.items():
        _validate_labelname(name)
        runes += len(name) + len(value)
    if runes > EXEMPLAR_RUNES_MAX:
        raise ValueError(
            f"Exemplar labels have {runes} UTF-8 characters, "
            f"exceeding the limit of {EXEMPLAR_RUNES_MAX}"
        )
