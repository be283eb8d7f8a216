"""The short form of `make stress-metrics`."""

from __future__ import annotations

import os
import shutil

import pytest
import shared_stress

pytest.importorskip("djp_telemetry._native")
ADDON = shared_stress.ROOT / "build" / "Release" / "djp_telemetry.node"


def test_killed_workers_of_gunicorn():
    pytest.importorskip("gunicorn")
    pytest.importorskip("uvicorn")
    shared_stress.check(shared_stress.stress("gunicorn", 3, 8))


@pytest.mark.skipif(
    not (os.environ.get("DJP_NODE") or shutil.which("node")) or not ADDON.exists(),
    reason="no Node with the addon",
)
def test_killed_workers_of_a_node_cluster():
    shared_stress.check(shared_stress.stress("node", 3, 8))
