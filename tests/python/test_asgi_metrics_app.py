"""The Prometheus endpoint of an application: it responds in every state, compresses on request,
works behind a deployment prefix, and warns if it hides a route. Also the endpoint that a program
starts by a call."""

import asyncio
import gzip
import logging
import socket
import time
import urllib.request

import asgi_driver as driver
import djp_telemetry
import pytest
import support
from asgi_server import free_port, serving
from djp_telemetry import metrics
from djp_telemetry.asgi import TelemetryMiddleware, metrics_app

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield


# ---- the states in which there is nothing to show ----
STATES = {
    "off": {"TELEMETRY_ENABLED": "false"},
    "disabled": {"OTEL_SDK_DISABLED": "true"},
    "backend otel": {"TELEMETRY_BACKEND": "otel"},
    "no core": {"DJP_TELEMETRY_NATIVE": "off"},
}

PROGRAM = """
import asyncio, djp_telemetry, logging
from djp_telemetry import baggage
from djp_telemetry.asgi import TelemetryMiddleware, metrics_app
logging.disable(logging.CRITICAL)
djp_telemetry.init_telemetry()
seen = []

async def application(scope, receive, send):
    seen.append((djp_telemetry.inject({}), djp_telemetry.get_current_trace_id()))
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})

async def ask(app, path, root_path="", headers=()):
    sent = []
    async def send(message): sent.append(message)
    async def receive(): return {"type": "http.request"}
    scope = {"type": "http", "method": "GET", "path": path, "root_path": root_path,
             "headers": list(headers)}
    await app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"content-type"), sent[1]["body"]

app = TelemetryMiddleware(application, metrics_path="/metrics")
for path, root in (("/metrics", ""), ("/metrics", "/api"), ("/api/metrics", "/api")):
    accept = [(b"accept", b"application/openmetrics-text")]
    status, kind, body = asyncio.run(ask(app, path, root, accept))
    assert status == 200 and kind.startswith(b"text/plain")
    assert body.startswith(b"#") and body.endswith(b"\\n"), body
    assert b"{" not in body
assert asyncio.run(ask(metrics_app, "/"))[0] == 200
parent = "00-" + "a" * 32 + "-" + "1" * 16 + "-01"
caller = [(b"traceparent", parent.encode()), (b"baggage", b"tenant=acme")]
assert asyncio.run(ask(app, "/x", "", caller))[0] == 404
sent_on, trace_id = seen[-1]
if "otel" not in djp_telemetry.telemetry_status()["backend"]:
    assert sent_on == {"traceparent": parent, "baggage": "tenant=acme"}, sent_on
assert trace_id == "a" * 32
asyncio.run(ask(app, "/x"))
assert seen[-1][0].get("baggage") is None and "a" * 32 not in str(seen[-1]), seen[-1]
print("good")
"""


@pytest.mark.parametrize("state", STATES)
def test_a_scrape_is_answered_and_context_goes_on(tmp_path, state):
    done = support.run_program(
        PROGRAM, tmp_path, **{"OTEL_TRACES_EXPORTER": "memory", **STATES[state]}
    )
    assert done.stdout == "good\n"


# ---- gzip ----
def scrape(app, encoding=None, path="/metrics", method="GET"):
    headers = [] if encoding is None else [("accept-encoding", encoding.encode())]
    return driver.request(app, path, method, headers=headers)


@pytest.mark.parametrize(
    "encoding,packed",
    [
        (None, 0),
        ("gzip", 1),
        ("deflate, gzip;q=0.5", 1),
        ("*", 1),
        ("gzip;q=0, *", 0),
        ("identity", 0),
        ("br", 0),
    ],
)
def test_a_scrape_is_compressed_for_who_takes_that(on, encoding, packed):
    for i in range(50):
        metrics.Counter("packed_total", "packed", ["name"]).labels(f"{i:040d}").inc()
    for app in (TelemetryMiddleware(driver.answering(), metrics_path="/metrics"), metrics_app):
        answer = scrape(app, encoding)
        headers = dict(answer.sent[0]["headers"])
        assert (headers.get(b"content-encoding") == b"gzip") == bool(packed)
        assert b"accept-encoding" in headers[b"vary"]
        assert int(headers[b"content-length"]) == len(answer.body)
        text = gzip.decompress(answer.body) if packed else answer.body
        assert text.count(b"packed_total{") == 50
        head = scrape(app, encoding, method="HEAD")
        assert head.body == b"" and int(dict(head.sent[0]["headers"])[b"content-length"]) > 100


# ---- prefixes ----
def prefixed(path, root_path, **options):
    with driver.telemetry():
        app = TelemetryMiddleware(
            driver.answering(),
            metrics_path="/metrics",
            excluded_paths=["/health", "/static/*"],
            **options,
        )
        answer = driver.request(app, path, root_path=root_path)
        return answer.body.startswith(b"# "), sum(driver.requests_total().values())


@pytest.mark.parametrize(
    "path,root_path,scraped,counted",
    [
        ("/metrics", "", True, 0),
        ("/metrics", "/api", True, 0),  # a proxy removed the prefix
        ("/api/metrics", "/api", True, 0),  # the server put it there
        ("/api/metrics", "/api/", True, 0),
        ("/api/metrics", "", False, 1),
        ("/apimetrics", "/api", False, 1),
        ("/api/v1/metrics", "/api", False, 1),
        ("/metrics/", "", False, 1),
        ("/health", "/api", False, 0),
        ("/api/health", "/api", False, 0),
        ("/api/static/a.js", "/api", False, 0),
        ("/api/healthy", "/api", False, 1),
        ("/api", "/api", False, 1),
        ("/", "/", False, 1),
    ],
)
def test_paths_below_a_prefix(path, root_path, scraped, counted):
    assert prefixed(path, root_path) == (scraped, counted)


def test_excluded_paths_of_the_environment_below_a_prefix():
    with driver.telemetry(excluded_paths="/live"):
        app = TelemetryMiddleware(driver.answering())
        for path in ("/live", "/api/live", "/api/x"):
            driver.request(app, path, root_path="/api")
        assert sum(driver.requests_total().values()) == 1


ROOTED = """
from fastapi import FastAPI
from djp_telemetry import init_telemetry
from djp_telemetry.asgi import TelemetryMiddleware
init_telemetry()
inner = FastAPI(ROOT)

@inner.get("/health")
async def health():
    return "ok"

@inner.get("/items/{n}")
async def item(n: int):
    return n

options = dict(metrics_path="/metrics", excluded_paths=["/health"])
if ADDED:
    inner.add_middleware(TelemetryMiddleware, **options)
    app = inner
else:
    app = TelemetryMiddleware(inner, **options)
"""


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("told", ["FastAPI", "uvicorn"])
def test_a_prefix_that_fastapi_or_uvicorn_was_told(tmp_path, added, told):
    pytest.importorskip("fastapi")
    source = ROOTED.replace("ADDED", str(added)).replace(
        "ROOT", 'root_path="/api"' if told == "FastAPI" else ""
    )
    options = "--root-path /api" if told == "uvicorn" else ""
    with serving(source, tmp_path, "uvicorn-h11", options) as running:

        def get(path):
            with urllib.request.urlopen(
                f"http://127.0.0.1:{running.port}{path}", timeout=20
            ) as answer:
                return answer.read().decode()

        get("/health"), get("/items/1")
        text = get("/metrics")
    counted = [line for line in text.splitlines() if line.startswith("http_requests_total{")]
    assert len(counted) == 1 and "/items/{n}" in counted[0], counted


# ---- hidden routes ----
def own_metrics_apps():
    """Applications that answer /metrics themselves, and the ones that only might."""
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")

    async def own(request):
        raise AssertionError

    return {
        "a route": (applications.Starlette(routes=[routing.Route("/metrics", own)]), True),
        "a mount": (
            applications.Starlette(routes=[routing.Mount("/metrics", app=driver.answering())]),
            True,
        ),
        "others": (
            applications.Starlette(
                routes=[routing.Route("/{path:path}", own), routing.Route("/x", own)]
            ),
            False,
        ),
        "none": (driver.answering(), False),
    }


@pytest.mark.parametrize("kind", ["a route", "a mount", "others", "none"])
@pytest.mark.parametrize("added", [True, False])
def test_a_route_that_is_hidden_is_named_once(on, caplog, kind, added):
    app, hidden = own_metrics_apps()[kind]
    if added and kind == "none":
        pytest.skip("no application to add to")
    if added:
        app.add_middleware(TelemetryMiddleware, metrics_path="/metrics")
    else:
        app = TelemetryMiddleware(app, metrics_path="/metrics")
    with caplog.at_level(logging.WARNING, "djp_telemetry"):
        for _ in range(3):
            assert driver.request(app, "/metrics").status == 200
    said = [record for record in caplog.records if "hides" in record.getMessage()]
    assert len(said) == hidden and all("/metrics" in record.getMessage() for record in said)


# ---- WSGI applications ----
def test_wsgi_applications_are_refused():
    def function(environ, start_response):
        return []

    class Flask:
        def __call__(self, environ, start_response):
            return []

    for app in (function, Flask(), Flask().__call__):
        with pytest.raises(TypeError, match="WSGI"):
            TelemetryMiddleware(app)
    handlers = pytest.importorskip("django.core.handlers.wsgi")
    with pytest.raises(TypeError, match="WSGI"):
        TelemetryMiddleware(handlers.WSGIHandler.__new__(handlers.WSGIHandler))


def test_what_may_be_an_asgi_application_is_taken():
    class Single:
        def __call__(self, scope):
            return None

    async def optional(scope, receive=None, send=None): ...

    async def anything(*arguments, **options): ...

    for app in (driver.answering(), Single(), optional, anything, None):
        assert TelemetryMiddleware(app).app is app


# ---- the listener of a program ----
def fetch(port, host="127.0.0.1"):
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=20) as answer:
        return answer.read().decode()


def test_start_metrics_server(caplog):
    port = free_port()
    with driver.telemetry(backend="prom"):
        metrics.Counter("served_total", "served").inc()
        assert metrics.start_metrics_server(port, "127.0.0.1") is True
        assert metrics.start_metrics_server(port, "127.0.0.1") is True  # it is there
        # one listener for a process
        assert metrics.start_metrics_server(free_port(), "127.0.0.1") is False
        assert "served_total 1" in fetch(port)
        for wrong in (0, -1, 65536, "x", None, 10**30):
            assert metrics.start_metrics_server(wrong) is False
    with pytest.raises(OSError):
        fetch(port)
    assert metrics.start_metrics_server(free_port()) is False  # telemetry is off
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with driver.telemetry(backend="prom"):
            assert metrics.start_metrics_server(taken.getsockname()[1], "127.0.0.1") is False


def test_start_metrics_server_is_reached_from_every_address():
    port = free_port()
    with driver.telemetry(backend="prom"):
        from djp_telemetry import prom

        assert prom.start_metrics_server(port) is True
        assert "# TYPE" in fetch(port) and "# TYPE" in fetch(port, "127.0.0.2")


def test_start_metrics_server_in_a_forked_child(tmp_path):
    done = support.run_program(
        """
        import os, sys, urllib.request
        import djp_telemetry
        from djp_telemetry.metrics import Counter, start_metrics_server
        djp_telemetry.init_telemetry(backend="prom")
        assert start_metrics_server(int(sys.argv[1]), "127.0.0.1")
        child = os.fork()
        if child == 0:
            Counter("child_total", "of the child").inc()
            good = start_metrics_server(int(sys.argv[2]), "127.0.0.1")
            url = f"http://127.0.0.1:{sys.argv[2]}/metrics"
            with urllib.request.urlopen(url, timeout=20) as answer:
                good = good and b"child_total 1" in answer.read()
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """,
        tmp_path,
        arguments=(str(free_port()), str(free_port())),
    )
    assert done.returncode == 0


def test_a_scrape_leaves_the_context_of_its_caller(on):
    async def main():
        connection = driver.Connection()
        with djp_telemetry.start_span("client") as span:
            await metrics_app(driver.http_scope("/"), connection.receive, connection.send)
            assert djp_telemetry.get_current_span() is span

    asyncio.run(main())


def connect(app, *incoming, path="/ws/7"):
    connection = driver.Connection({"type": "websocket.connect"}, *incoming)
    scope = driver.http_scope(path, type="websocket", scheme="ws")
    del scope["method"]

    async def main():
        await app(scope, connection.receive, connection.send)

    asyncio.run(asyncio.wait_for(main(), 20))
    return connection


def test_scrape_at_a_path_of_the_application(on):
    app = TelemetryMiddleware(driver.answering(), metrics_path="/metrics")
    driver.request(app, "/x")
    plain = driver.request(app, "/metrics")
    assert plain.status == 200
    assert (
        b'http_requests_total{method="GET",endpoint="unmatched",status_code="200"} 1' in plain.body
    )
    assert dict(plain.sent[0]["headers"])[b"content-type"].startswith(b"text/plain; version=0.0.4")
    accept = [("accept", b"application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5")]
    modern = driver.request(app, "/metrics", headers=accept)
    assert dict(modern.sent[0]["headers"])[b"content-type"].startswith(
        b"application/openmetrics-text; version=1.0.0"
    )
    assert modern.body.endswith(b"# EOF\n")
    head = driver.request(app, "/metrics", "HEAD")
    assert (
        head.status == 200
        and head.body == b""
        and int(dict(head.sent[0]["headers"])[b"content-length"]) > 100
    )
    assert driver.request(app, "/metrics", "POST").status == 405
    assert sum(driver.requests_total().values()) == 1 and len(driver.server_spans()) == 1


def test_scrapes_are_valid_openmetrics_with_exemplars(on):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    driver.request(TelemetryMiddleware(driver.answering(route="/a/{b}")), "/a/1")
    body = driver.request(
        metrics_app, "/", headers=[("accept", b"application/openmetrics-text")]
    ).body.decode()
    families = {family.name: family for family in parser.text_string_to_metric_families(body)}
    ((span, _),) = driver.server_spans()
    exemplars = [
        s.exemplar for s in families["http_request_duration_seconds"].samples if s.exemplar
    ]
    assert [e.labels["trace_id"] for e in exemplars] == [span.trace_id.hex()]


def test_metrics_app_alone_and_off():
    djp_telemetry.shutdown(1)
    connection = driver.request(metrics_app)
    assert connection.status == 200 and connection.body.startswith(b"#")
    assert driver.lifespan(metrics_app) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_scrape_of_many_series_leaves_the_loop_time(on):
    from djp_telemetry.metrics import Counter

    counter = Counter("many_total", "many", ["a", "b"])
    for i in range(1500):
        counter.labels(str(i), "x" * 40).inc()
    start = time.perf_counter()
    body = driver.request(metrics_app).body
    assert body.count(b"many_total{") == 1500 and time.perf_counter() - start < 0.5
