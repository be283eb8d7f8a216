"""The record of one request: which statuses count, and that every request frees all its memory,
even one that never ends and references itself."""

import asyncio
import gc
import http
import os
import tracemalloc
import weakref

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with driver.telemetry():
        yield
    assert djp_telemetry.get_current_span() is djp_telemetry.INVALID_SPAN


class Number(int):
    pass


STATUSES = [
    (99, 500),
    (100, 100),
    (204, 204),
    (499, 499),
    (500, 500),
    (999, 999),
    (1000, 500),
    (0, 500),
    (-200, 500),
    (1 << 31, 500),
    ((1 << 32) + 200, 500),
    (1 << 70, 500),
    (http.HTTPStatus.NOT_FOUND, 404),
    (Number(201), 201),
    (True, 500),
]


@pytest.mark.parametrize(("given", "recorded"), STATUSES)
def test_a_status_is_recorded_as_it_is_or_as_a_failure(on, given, recorded):
    driver.request(TelemetryMiddleware(driver.answering(given)))
    ((span, attributes),) = driver.server_spans()
    assert attributes["http.status_code"] == recorded
    assert (span.status.code == 2) == (recorded >= 500)
    label = str(recorded) if recorded < 600 else "other"
    assert driver.requests_total() == {("GET", "unmatched", label): 1}


@pytest.mark.parametrize("given", ["200", 200.0, None, b"200", []])
def test_a_status_that_is_no_number_is_none(on, given):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": given, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    driver.request(TelemetryMiddleware(app))
    ((_, attributes),) = driver.server_spans()
    assert attributes.get("http.status_code") in (None, 500)


class Marker:
    pass


def never_ending(holds, moment):
    """A request that waits for ever, and a weak reference to an object in its scope; `holds` names
    the object that references it."""
    marker = Marker()
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope=scope, receive=receive, send=send)
        if moment == "received":
            await receive()
        if moment == "begun":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await asyncio.get_running_loop().create_future()

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False, "marker": marker}

    async def send(message):
        pass

    async def main():
        scope = driver.http_scope("/never", headers=[("traceparent", b"x"), ("baggage", b"a=b")])
        awaitable = TelemetryMiddleware(app)(scope, receive, send)
        iterator = awaitable.__await__()
        iterator.send(None)
        found = {**seen, "awaitable": awaitable, "iterator": iterator}
        marker.holds = [found[name] for name in holds]
        scope["marker"] = marker
        seen.clear()

    asyncio.run(main())
    return weakref.ref(marker)


PARTS = ["scope", "receive", "send", "awaitable", "iterator"]


@pytest.mark.parametrize("moment", ["called", "received", "begun"])
@pytest.mark.parametrize("holds", [[name] for name in PARTS] + [PARTS])
def test_a_request_that_never_ends_and_refers_to_itself_is_freed(on, holds, moment):
    reference = never_ending(holds, moment)
    for _ in range(3):
        gc.collect()
    assert reference() is None
    driver.spans()


@pytest.mark.parametrize("off", [True, False])
def test_the_middleware_itself_may_be_part_of_a_cycle(off):
    def made():
        marker = Marker()

        async def app(scope, receive, send):
            marker.request = (scope, receive, send, marker)

        app.marker = marker
        marker.middleware = TelemetryMiddleware(app, route=lambda scope: marker and "/x")
        driver.request(marker.middleware)
        return weakref.ref(marker)

    with driver.telemetry(enabled=not off):
        reference = made()
        driver.spans() if not off else None
        for _ in range(3):
            gc.collect()
        assert reference() is None


def new(text):
    """The same text in another object."""
    return text[:1] + "".join(text[1:])


def fails(where):
    async def app(scope, receive, send):
        if where == "before":
            raise ValueError("é" * 5000)
        await receive()
        await send(
            {
                "type": "http.response.start",
                "status": 500,
                "headers": [("é" * 5000, new("é" * 5000)), (b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
        if where == "between":
            raise ValueError("é" * 5000)
        await send({"type": "http.response.body", "body": b""})
        if where == "after":
            raise ValueError("é" * 5000)

    return app


def disconnected():
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        raise OSError

    return app


APPLICATIONS = {
    "answers": lambda: driver.answering(route="/é" * 3000),
    "fails before": lambda: fails("before"),
    "fails between": lambda: fails("between"),
    "fails after": lambda: fails("after"),
    "streams": lambda: fails("nowhere"),
    "client left": disconnected,
}
HEADERS = [
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("tracestate", b"a=1"),
    ("baggage", b"k=v"),
    ("content-length", b"3"),
    ("é" * 5000, b"x" * 5000),
]


OPTIONS = [
    {},
    {"semconv": "both"},
    {"sampler": 'rule_based(attribute("http.method", "POST"): always_on(), anything(): drop())'},
]


@pytest.mark.parametrize("name", list(APPLICATIONS))
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "both", "asked"])
def test_a_request_gives_back_what_it_took(name, options):
    with driver.telemetry(exporter="file", file_path=os.devnull, log_level="none", **options):
        assert djp_telemetry.start_span("recorded").is_recording() or options
        middleware = TelemetryMiddleware(APPLICATIONS[name](), metrics_path="/metrics")
        number = 0

        async def one():
            nonlocal number
            number += 1
            incoming = [
                {"type": "http.request", "body": b"abc", "more_body": name == "client left"}
            ]
            if name == "client left":
                incoming.append({"type": "http.disconnect"})
            connection = driver.Connection(*incoming)
            # Every text is a separate object, so a leaked one is memory that grows.
            scope = driver.http_scope(f"/é/{number % 10}" * 400, new("POST"), HEADERS)
            scope.update(scheme=new("https"), http_version=new("1.1"), root_path=new("/é") * 400)
            try:
                await middleware(scope, connection.receive, connection.send)
            except (ValueError, OSError):
                pass

        async def main():
            least = None
            for _ in range(5):
                for _ in range(20):
                    await one()
                gc.collect()
                before = tracemalloc.get_traced_memory()[0]
                for _ in range(100):
                    await one()
                gc.collect()
                grown = tracemalloc.get_traced_memory()[0] - before
                least = grown if least is None else min(least, grown)
                if least < 1600:
                    break
            return least

        tracemalloc.start()
        try:
            assert asyncio.run(main()) < 1600
        finally:
            tracemalloc.stop()


def active():
    """{(method, scheme): requests that have not ended}"""
    prefix = "http_server_active_requests"
    return {
        tuple(part.split('"')[1] for part in series[len(prefix) :].split(",")): value
        for series, value in driver.samples(prefix).items()
    }


@pytest.mark.parametrize("semconv", ["stable", "both"])
def test_a_request_is_active_until_it_is_recorded(semconv):
    seen = []

    async def app(scope, receive, send):
        seen.append(active())
        scope["method"], scope["scheme"] = "PUT", "changed"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        seen.append(active())
        await send({"type": "http.response.body", "body": b""})

    with driver.telemetry(semconv=semconv):
        driver.request(TelemetryMiddleware(app), scheme="https")
        driver.request(TelemetryMiddleware(driver.answering(200)), method="BREW", scheme="odd")
        assert seen == [{("GET", "https"): 1}] * 2
        assert active() == {("GET", "https"): 0, ("_OTHER", ""): 0}


def test_requests_that_fail_or_are_dropped_end_too():
    async def fail(scope, receive, send):
        raise ValueError("no")

    class Forever:
        def __await__(self):
            while True:
                yield

    async def wait(scope, receive, send):
        await Forever()

    with driver.telemetry(semconv="stable"):
        with pytest.raises(ValueError, match="no"):
            driver.request(TelemetryMiddleware(fail))
        assert active() == {("GET", "http"): 0}
        connection = driver.Connection()
        calls = [
            TelemetryMiddleware(wait)(driver.http_scope(), connection.receive, connection.send)
            for _ in range(3)
        ]
        for call in calls:
            call.send(None)
        assert active() == {("GET", "http"): 3}
        calls.pop().close()
        assert active() == {("GET", "http"): 2}
        del calls, call
        gc.collect()
        assert active() == {("GET", "http"): 0}


@pytest.mark.parametrize("holds", [[name] for name in PARTS] + [PARTS])
def test_a_request_that_refers_to_itself_is_active_until_it_is_freed(holds):
    with driver.telemetry(semconv="stable"):
        reference = never_ending(holds, "begun")
        for _ in range(3):
            gc.collect()
        assert reference() is None
        assert active() == {("GET", "http"): 0}


def test_nothing_is_active_without_the_conventions(on):
    driver.request(TelemetryMiddleware(driver.answering(200)))
    assert active() == {}


def test_a_request_over_a_restart_does_not_count_in_the_new_start():
    async def app(scope, receive, send):
        djp_telemetry.shutdown(1)
        djp_telemetry.init_telemetry(
            enabled=True, backend="hybrid", exporter="memory", semconv="stable"
        )
        await driver.answering(200)(scope, receive, send)

    with driver.telemetry(semconv="stable"):
        driver.request(TelemetryMiddleware(app))
        assert active() == {}
