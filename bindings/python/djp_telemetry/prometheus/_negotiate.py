"""Which exposition a client accepts, by the q-values of its Accept header."""

from __future__ import annotations

from typing import Any, Optional

from .openmetrics import exposition as openmetrics
from .utils import parse_version

_SCHEMES = (
    openmetrics.ALLOWUTF8,
    openmetrics.UNDERSCORES,
    openmetrics.DOTS,
    openmetrics.VALUES,
)


def _parameters(tokens: list[str]) -> dict[str, str]:
    pairs = (token.strip().split("=", 1) for token in tokens if "=" in token)
    return {name.strip(): value.strip() for name, value in pairs}


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def version_of(accept_header: list[str]) -> str:
    """The version among the parameters of one accepted type; empty without one.

    Args:
        accept_header: The parts of the type, which semicolons separate.
    """
    return _parameters(accept_header).get("version", "")


def escaping_of(accept_header: list[str]) -> str:
    """The escaping scheme among the parameters of one accepted type.

    Args:
        accept_header: The parts of the type.
    """
    scheme = _parameters(accept_header).get("escaping", "")
    return scheme if scheme in _SCHEMES else openmetrics.UNDERSCORES


def _known_version(version: str, is_openmetrics: bool) -> str:
    """The version to write for an accepted one; empty for those before 1.0.0."""
    major = parse_version(version)[0]
    if not isinstance(major, int) or major < 1:
        return ""
    return "2.0.0" if is_openmetrics and major > 1 else "1.0.0"


def choose(accept: Optional[str]) -> tuple[bool, str, str]:
    """Whether OpenMetrics is chosen, its version or that of the text format ("" for 0.0.4 and for
    a type without version), and the escaping scheme.

    Args:
        accept: The header.
    """
    offers: list[tuple[float, Any]] = []
    for offer in (accept or "").split(","):
        tokens = offer.split(";")
        quality = _quality(_parameters(tokens[1:]))
        is_openmetrics = tokens[0].strip() == "application/openmetrics-text"
        if quality <= 0 or not (is_openmetrics or tokens[0].strip() == "text/plain"):
            continue
        version = _known_version(version_of(tokens), is_openmetrics)
        if version:
            offers.append((quality, (is_openmetrics, version, escaping_of(tokens))))
        elif not is_openmetrics or not version_of(tokens):
            # Without a version OpenMetrics is 1.0.0 and text is 0.0.4, without escaping.
            offers.append((quality, (is_openmetrics, "", openmetrics.UNDERSCORES)))
    best = max(offers, key=lambda offer: offer[0], default=None)
    return best[1] if best is not None else (False, "", openmetrics.UNDERSCORES)


def accepts_gzip(accept_encoding: Optional[str]) -> bool:
    """Whether a client accepts gzip.

    Args:
        accept_encoding: The Accept-Encoding header.
    """
    qualities = {"gzip": 0.0}
    for offer in (accept_encoding or "").split(","):
        name, *parameters = offer.split(";")
        qualities[name.strip().lower()] = _quality(_parameters(parameters))
        if name.strip() == "*" and "gzip" not in (accept_encoding or "").lower():
            qualities["gzip"] = qualities["*"]
    return qualities["gzip"] > 0
