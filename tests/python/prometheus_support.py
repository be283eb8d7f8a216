"""The package and the one that it replaces, side by side."""

import importlib

import prometheus_client
import pytest
from djp_telemetry import prometheus

BOTH = pytest.mark.parametrize("package", [prometheus, prometheus_client], ids=["ours", "theirs"])


def pair(name):
    """A module of both packages."""
    theirs = importlib.import_module(f"prometheus_client.{name}")
    return importlib.import_module(f"djp_telemetry.prometheus.{name}"), theirs


def outcome(call):
    """The result of a call as text, or the class of its exception."""
    try:
        return repr(call())
    except Exception as error:
        return type(error).__name__


def lines(text, start):
    return [line for line in text.decode().splitlines() if line.startswith(start)]


def same_families(name):
    """Whether a collector of both packages has the same families."""
    found = []
    for package in (prometheus, prometheus_client):
        registry = package.CollectorRegistry()
        getattr(package, name)(registry=registry)
        found.append({(m.name, m.type, m.documentation) for m in registry.collect()})
    return found[0] == found[1]
