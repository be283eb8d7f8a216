"""The bridge to Graphite."""

import socket

import pytest
from djp_telemetry import prometheus
from djp_telemetry.prometheus.bridge.graphite import GraphiteBridge


@pytest.mark.parametrize(
    ("tags", "line"), [(False, "p.c_total.x.a_b 3.0 7\n"), (True, "p.c_total;x=a_b 3.0 7\n")]
)
def test_graphite(tags, line):
    registry = prometheus.CollectorRegistry()
    prometheus.Counter("c", "d", ["x"], registry=registry).labels("a b").inc(3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        bridge = GraphiteBridge(server.getsockname(), registry, 20, lambda: 7.5, tags)
        bridge.push("p")
        connection, _ = server.accept()
        with connection, connection.makefile() as file:
            assert file.readline() == line
