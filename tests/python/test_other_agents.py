"""Requests by which other telemetry of the process exports: the shared cases, long paths, and the
mark of OpenTelemetry."""

import json
import pathlib
import re

import pytest
from djp_telemetry import _other_agents
from djp_telemetry._other_agents import is_of_agent

VECTORS = pathlib.Path(__file__).parent.parent / "vectors"
CASES = json.loads((VECTORS / "other_agents.json").read_text(encoding="utf-8"))["cases"]


def asked(method="POST", path="/any", headers=None):
    return is_of_agent(method, path, (headers or {}).get)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method']} {case['path']}")
def test_the_shared_cases(case):
    assert asked(case["method"], case["path"], case["headers"]) is case["of_agent"]


def test_every_entry_of_the_table_has_a_case():
    recognised = [case for case in CASES if case["of_agent"]]
    named = {name for case in recognised for name in case["headers"]}
    assert named >= set(_other_agents._HEADERS)
    for entry in _other_agents._USER_AGENTS:
        assert any(
            re.match(entry, case["headers"].get("user-agent", ""), re.I) for case in recognised
        ), entry
    for entry in (*_other_agents._PATHS, *_other_agents._PROTOBUF_PATHS):
        assert any(re.search(entry, case["path"]) for case in recognised), entry


def test_a_long_path_is_not_searched():
    assert asked("POST", "/" + "x" * 1000 + "/v1/traces")
    assert not asked("POST", "/" + "x" * 1024 + "/v1/traces")


def test_a_user_agent_that_is_no_text():
    assert not asked("GET", headers={"user-agent": b"sentry"})


def test_suppressed_requests_of_opentelemetry():
    context = pytest.importorskip("opentelemetry.context")
    for key in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"):
        token = context.attach(context.set_value(getattr(context, key), True))
        assert asked("GET", "/any")
        context.detach(token)
        assert not asked("GET", "/any")
