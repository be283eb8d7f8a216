"""Blocking calls of the SDK under gevent go to its pool of threads."""

import sys

import pytest
from djp_telemetry import _runtime


class Hub:
    def __init__(self):
        self.applied = []
        self.threadpool = self

    def apply(self, call, arguments):
        self.applied.append((call, arguments))
        return call(*arguments)


@pytest.mark.parametrize("where", ["not patched", "hub", "greenlet"])
def test_blocking_calls_under_gevent(monkeypatch, where):
    hub = Hub()
    monkey = type(sys)("gevent.monkey")
    monkey.is_module_patched = lambda name: where != "not patched" and name == "time"
    gevent = type(sys)("gevent")
    gevent.get_hub = lambda: hub
    gevent.getcurrent = lambda: hub if where == "hub" else object()
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    monkeypatch.setitem(sys.modules, "gevent", gevent)
    assert _runtime._wait(abs, -3) == 3
    assert hub.applied == ([(abs, (-3,))] if where == "greenlet" else [])
