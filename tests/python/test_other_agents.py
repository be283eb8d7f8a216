"""Requests by which other telemetry of the process exports: which are recognised, and which
requests of the application look alike."""

import pytest
from djp_telemetry._other_agents import is_of_agent

PROTOBUF = {"content-type": "application/x-protobuf"}


def asked(method="POST", path="/any", headers=None):
    return is_of_agent(method, path, (headers or {}).get)


@pytest.mark.parametrize(
    "sender, recognised",
    [
        ("OTel-OTLP-Exporter-Python/1.0", True),
        ("opentelemetry-x", True),
        ("apm-agent-python/6", True),
        ("elasticapm", True),
        ("elastic-apm", True),
        ("ddtrace", False),
        ("dd-trace", True),
        ("Sentry.python", True),
        ("my-sentry", False),
        ("python-requests/2", False),
        ("", False),
        (b"sentry", False),
    ],
)
def test_senders_with_any_method(sender, recognised):
    for method in ("GET", "POST"):
        assert asked(method, headers={"user-agent": sender}) is recognised


@pytest.mark.parametrize(
    "path",
    [
        "/v1/traces",
        "/prefix/v1/traces",
        "/v0.4/traces",
        "/v0.6/stats",
        "/telemetry/proxy/api/v2/apmtelemetry",
        "/evp_proxy/v2/",
        "/profiling/v1/input",
        "/intake/v2/events",
        "/intake/v2/rum/events",
        "/api/42/envelope/",
        "/api/42/store",
        "/agent_listener/invoke_raw_method",
        "/api/v2/spans",
        "/loki/api/v1/push",
    ],
)
def test_paths_of_receivers_with_a_body(path):
    assert all(asked(method, path) for method in ("POST", "PUT", "post"))
    assert not asked("GET", path)
    assert not asked("POST", path.replace("/", "-"))
    assert not asked("POST", "/" + "x" * 1024 + path)


def test_paths_that_an_application_may_use():
    for path in ("/v1/metrics", "/v1/logs", "/v1/profiles"):
        assert asked("POST", path, PROTOBUF)
        assert asked("POST", path, {"content-type": "Application/X-Protobuf; v=1"})
        assert not asked("POST", path, {"content-type": "application/json"})
        assert not asked("POST", path)
        assert not asked("GET", path, PROTOBUF)


@pytest.mark.parametrize(
    "name",
    ["datadog-meta-lang", "datadog-meta-tracer-version", "x-sentry-auth", "x-honeycomb-team"],
)
def test_headers_that_only_agents_send(name):
    assert asked("POST", "/any", {name: ""}) and asked("PUT", "/any", {name: "x"})
    assert not asked("GET", "/any", {name: "x"}) and not asked("POST", "/any", {"x-other": "x"})


def test_suppressed_requests_of_opentelemetry():
    context = pytest.importorskip("opentelemetry.context")
    for key in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"):
        token = context.attach(context.set_value(getattr(context, key), True))
        assert asked("GET", "/any")
        context.detach(token)
        assert not asked("GET", "/any")
