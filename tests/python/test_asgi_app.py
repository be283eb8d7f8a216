"""The request path of the middleware: the recorded data, and that the application is not
affected."""

import asyncio

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry.asgi import TelemetryMiddleware

PARENT = "00-12345678901234567890123456789012-1234567890123456-01"


@pytest.fixture
def on():
    with driver.telemetry():
        yield


class Boom(Exception):
    pass


def test_request_is_one_span_and_one_measurement(on):
    app = TelemetryMiddleware(driver.answering(200, route="/orders/{id}"))
    connection = driver.request(app, "/orders/42", headers=[("content-length", b"7")])
    assert connection.status == 200 and connection.body == b"ok"
    ((span, attributes),) = driver.server_spans()
    assert span.name == "http.server" and not span.parent_span_id and span.status.code == 0
    seconds = attributes.pop("http.duration_seconds")
    assert attributes == {
        "http.method": "GET",
        "http.route": "/orders/{id}",
        "http.status_code": 200,
    }
    assert seconds == pytest.approx(
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9, abs=1e-6
    )
    assert driver.requests_total() == {("GET", "/orders/{id}", "200"): 1}
    labels = '{method="GET",endpoint="/orders/{id}",status_code="200"}'
    assert driver.samples("http_request_duration_seconds_sum")[
        "http_request_duration_seconds_sum" + labels
    ] == pytest.approx(seconds, abs=1e-9)
    assert driver.samples("http_request_size_bytes_sum") == {
        'http_request_size_bytes_sum{method="GET",endpoint="/orders/{id}"}': 7
    }


def test_parent_and_baggage_are_continued_and_seen_by_tasks(on):
    seen = {}

    async def app(scope, receive, send):
        carrier = {}
        djp_telemetry.inject(carrier)
        seen["carrier"] = carrier

        async def child():
            return djp_telemetry.get_current_trace_id(), djp_telemetry.get_current_span_id()

        seen["task"] = await asyncio.create_task(child())
        seen["thread"] = await asyncio.to_thread(djp_telemetry.get_current_trace_id)
        with djp_telemetry.start_span("inner"):
            await asyncio.sleep(0)
        await driver.answering()(scope, receive, send)

    headers = [
        ("traceparent", PARENT.encode()),
        ("tracestate", b"a=1"),
        ("tracestate", b"b=2"),
        ("baggage", b"user=7"),
    ]
    driver.request(TelemetryMiddleware(app), headers=headers)
    by_name = {span.name: span for span in driver.spans()}
    server = by_name["http.server"]
    assert server.trace_id.hex() == "12345678901234567890123456789012"
    assert server.parent_span_id.hex() == "1234567890123456"
    assert by_name["inner"].parent_span_id == server.span_id
    assert seen["task"] == (server.trace_id.hex(), server.span_id.hex())
    assert seen["thread"] == server.trace_id.hex()
    assert seen["carrier"]["traceparent"] == f"00-{server.trace_id.hex()}-{server.span_id.hex()}-01"
    assert seen["carrier"]["tracestate"].endswith("a=1,b=2")
    assert seen["carrier"]["baggage"] == "user=7"
    assert djp_telemetry.get_current_trace_id() == ""


def test_concurrent_requests_keep_their_own_spans(on):
    seen = {}

    async def app(scope, receive, send):
        first = djp_telemetry.get_current_span_id()
        await asyncio.sleep(0.01)
        seen[scope["path"]] = (first, djp_telemetry.get_current_span_id())
        await driver.answering()(scope, receive, send)

    async def main():
        middleware = TelemetryMiddleware(app)
        connections = [driver.Connection() for _ in range(50)]
        await asyncio.gather(
            *(
                asyncio.create_task(middleware(driver.http_scope(f"/{i}"), c.receive, c.send))
                for i, c in enumerate(connections)
            )
        )

    asyncio.run(main())
    assert all(first == second != "" for first, second in seen.values())
    assert len({first for first, _ in seen.values()}) == 50 == len(driver.server_spans())


def test_exception_passes_unchanged_and_counts_as_500(on):
    error = Boom("no")

    async def app(scope, receive, send):
        await asyncio.sleep(0)
        raise error

    with pytest.raises(Boom) as caught:
        driver.request(TelemetryMiddleware(app))
    assert caught.value is error and error.__context__ is None and error.__cause__ is None
    ((span, attributes),) = driver.server_spans()
    assert span.status.code == 2 and attributes["http.status_code"] == 500
    (event,) = span.events
    assert event.name == "exception" and driver.attributes(event)["exception.type"].endswith("Boom")
    assert driver.requests_total() == {("GET", "unmatched", "500"): 1}


def test_exception_before_the_first_await_and_from_a_plain_call(on):
    async def early(scope, receive, send):
        raise Boom

    def plain(scope, receive, send):
        raise Boom

    def nothing(scope, receive, send):
        return None

    for app, error in ((early, Boom), (plain, Boom), (nothing, TypeError)):
        with pytest.raises(error):
            driver.request(TelemetryMiddleware(app))
    assert [span.status.code for span, _ in driver.server_spans()] == [2, 2, 2]


def test_exception_after_the_response_began_keeps_its_status(on):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Boom

    with pytest.raises(Boom):
        driver.request(TelemetryMiddleware(app))
    ((span, attributes),) = driver.server_spans()
    assert span.status.code == 2 and attributes["http.status_code"] == 200


@pytest.mark.parametrize(
    "status,code", [(200, 0), (302, 0), (404, 0), (499, 0), (500, 2), (503, 2)]
)
def test_status_of_the_span_follows_the_response(on, status, code):
    driver.request(TelemetryMiddleware(driver.answering(status)))
    ((span, attributes),) = driver.server_spans()
    assert (span.status.code, attributes["http.status_code"]) == (code, status)
    assert driver.requests_total() == {("GET", "unmatched", str(status)): 1}


def test_application_that_never_answers_is_a_500(on):
    async def app(scope, receive, send):
        return None

    driver.request(TelemetryMiddleware(app))
    ((span, attributes),) = driver.server_spans()
    assert span.status.code == 2 and attributes["http.status_code"] == 500


def test_cancellation_passes_and_is_no_error(on):
    cleaned = []

    async def app(scope, receive, send):
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(djp_telemetry.get_current_span_id())

    async def main():
        connection = driver.Connection()
        task = asyncio.ensure_future(
            TelemetryMiddleware(app)(driver.http_scope(), connection.receive, connection.send)
        )
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())
    ((span, attributes),) = driver.server_spans()
    assert span.status.code == 0 and not span.events and "http.status_code" not in attributes
    assert cleaned == [span.span_id.hex()]
    assert driver.requests_total() == {("GET", "unmatched", "499"): 1}


def test_application_may_swallow_cancellation(on):
    async def app(scope, receive, send):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await driver.answering(503)(scope, receive, send)

    async def main():
        connection = driver.Connection()
        task = asyncio.create_task(
            TelemetryMiddleware(app)(driver.http_scope(), connection.receive, connection.send)
        )
        await asyncio.sleep(0.01)
        task.cancel()
        await task
        assert connection.status == 503

    asyncio.run(main())
    assert driver.requests_total() == {("GET", "unmatched", "503"): 1}


def test_timeouts_work_through_the_middleware(on):
    async def app(scope, receive, send):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        await driver.answering()(scope, receive, send)

    driver.request(TelemetryMiddleware(app))
    assert driver.requests_total() == {("GET", "unmatched", "200"): 1}


def test_duration_ends_at_the_last_body_byte(on):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.03)
        await send({"type": "http.response.body", "body": b""})
        await asyncio.sleep(0.3)

    driver.request(TelemetryMiddleware(app))
    ((span, attributes),) = driver.server_spans()
    assert 0.08 < attributes["http.duration_seconds"] < 0.25


def test_request_is_recorded_before_background_work_ends(on):
    release = []

    async def app(scope, receive, send):
        await driver.answering()(scope, receive, send)
        while not release:
            await asyncio.sleep(0.001)
        with djp_telemetry.start_span("background"):
            pass

    async def main():
        connection = driver.Connection()
        task = asyncio.create_task(
            TelemetryMiddleware(app)(driver.http_scope(), connection.receive, connection.send)
        )
        await asyncio.sleep(0.02)
        assert driver.requests_total() == {("GET", "unmatched", "200"): 1}
        release.append(1)
        await task

    asyncio.run(main())
    by_name = {span.name: span for span in driver.spans()}
    assert by_name["background"].parent_span_id == by_name["http.server"].span_id
    assert driver.requests_total() == {("GET", "unmatched", "200"): 1}


def test_response_sent_by_another_task_is_recorded_at_once(on):
    async def app(scope, receive, send):
        await asyncio.create_task(driver.answering()(scope, receive, send))
        await asyncio.sleep(0)

    driver.request(TelemetryMiddleware(app))
    assert driver.requests_total() == {("GET", "unmatched", "200"): 1}


def test_raw_paths_queries_and_methods_never_leave(on):
    app = TelemetryMiddleware(driver.answering(404))
    for path in ("/wp-login.php", "/users/john@example.com", "/secret-canary"):
        driver.request(
            app,
            path,
            method="CANARY",
            query_string=b"token=canary",
            headers=[("x-canary", b"canary")],
        )
    exported = driver.spans()
    assert (
        len(exported) == 3 and "canary" not in str(exported).lower() and "john" not in str(exported)
    )
    assert driver.requests_total() == {("_OTHER", "unmatched", "404"): 3}


def test_excluded_paths_are_handed_on(on):
    app = TelemetryMiddleware(driver.answering(), excluded_paths=["/health", "/static/*"])
    for path in ("/health", "/static/a/b.js"):
        assert driver.request(app, path).status == 200
    assert driver.server_spans() == [] and driver.requests_total() == {}
    driver.request(app, "/healthy")
    assert len(driver.server_spans()) == 1


def test_excluded_paths_of_the_environment(monkeypatch):
    with driver.telemetry(excluded_paths="/live,/internal/*"):
        app = TelemetryMiddleware(driver.answering())
        for path in ("/live", "/internal/x", "/x"):
            driver.request(app, path)
        assert sum(driver.requests_total().values()) == 1


def test_stable_conventions():
    with driver.telemetry(semconv="http"):
        app = TelemetryMiddleware(driver.answering(503, route="/orders/{id}"))
        driver.request(app, "/orders/1", "POST")
        driver.request(app, "/orders/1", "BREW")
        (span, attributes), (other, _) = driver.server_spans()
    assert (span.name, other.name) == ("POST /orders/{id}", "HTTP /orders/{id}")
    assert attributes == {
        "http.request.method": "POST",
        "http.route": "/orders/{id}",
        "http.response.status_code": 503,
        "url.scheme": "http",
        "url.path": "/orders/{id}",
        "network.protocol.version": "1.1",
        "error.type": "503",
    }


def test_both_conventions_at_once():
    with driver.telemetry(semconv="http/dup"):

        async def app(scope, receive, send):
            raise Boom

        with pytest.raises(Boom):
            driver.request(TelemetryMiddleware(app), "/x")
        ((span, attributes),) = driver.server_spans()
    assert span.name == "http.server"
    assert attributes["http.status_code"] == 500 and attributes["http.method"] == "GET"
    assert attributes["http.request.method"] == "GET" and attributes["error.type"] == "Boom"
    assert attributes["url.path"] == "/REDACTED"


def test_nested_middleware_records_once(on):
    app = TelemetryMiddleware(TelemetryMiddleware(driver.answering()))
    driver.request(app)
    assert len(driver.server_spans()) == 1 and driver.requests_total() == {
        ("GET", "unmatched", "200"): 1
    }


def test_off_calls_straight_through():
    djp_telemetry.shutdown(1)
    calls = []

    def app(scope, receive, send):
        calls.append((scope, receive, send))
        return "as it is"

    scope, receive, send = {"type": "http"}, object(), object()
    assert TelemetryMiddleware(app)(scope, receive, send) == "as it is"
    assert (
        calls[0][0] is scope
        and calls[0][1] is receive
        and calls[0][2] is send
        and scope == {"type": "http"}
    )


def test_telemetry_may_start_and_stop_between_requests():
    app = TelemetryMiddleware(driver.answering())
    for _ in range(3):
        driver.request(app)
        with driver.telemetry():
            driver.request(app)
            assert driver.requests_total() == {("GET", "unmatched", "200"): 1}


def test_shutdown_in_the_middle_of_a_request():
    async def app(scope, receive, send):
        djp_telemetry.shutdown(1)
        djp_telemetry.init_telemetry(enabled=True, backend="hybrid", exporter="memory")
        await driver.answering()(scope, receive, send)

    with driver.telemetry():
        assert driver.request(TelemetryMiddleware(app)).status == 200


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "http"},
        {"type": "http", "headers": None, "path": None, "method": None, "root_path": None},
        {
            "type": "http",
            "headers": [None, (), (b"a",), [b"traceparent", "text"], (b"traceparent", b"\xff" * 9)],
        },
        {
            "type": "http",
            "headers": iter([(b"a", b"b")]),
            "path": "\ud800",
            "method": "\ud800",
            "scheme": 7,
        },
        {
            "type": "http",
            "headers": [(b"content-length", b"9" * 40), (b"content-length", b"-1")],
            "method": "X" * 100000,
        },
        {
            "type": "http",
            "headers": [(b"tracestate", b"a=%d" % i) for i in range(100)],
            "fastapi": 7,
            "route": 7,
        },
        {
            "type": "http",
            "route": type("R", (), {"path_format": "\ud800" * 5000})(),
            "root_path": "",
        },
    ],
)
def test_broken_scopes_are_survived(on, scope):
    for semconv in ("", "http"):
        with driver.telemetry(semconv=semconv):
            connection = driver.Connection()
            app = TelemetryMiddleware(driver.answering())
            asyncio.run(_await(app(dict(scope), connection.receive, connection.send)))
            requests = driver.convention_requests() if semconv else driver.requests_total()
            assert connection.status == 200 and sum(requests.values()) == 1


async def _await(awaitable):
    return await awaitable


def test_scopes_of_other_types_are_handed_on(on):
    for scope in ({"type": "custom"}, {}, {"type": 7}, [("type", "http")]):
        seen = []

        async def app(scope, receive, send, seen=seen):
            seen.append((scope, receive, send))

        receive, send = object(), object()
        asyncio.run(_await(TelemetryMiddleware(app)(scope, receive, send)))
        assert seen[0][0] is scope and seen[0][1] is receive and seen[0][2] is send
    assert driver.server_spans() == []


def test_an_application_that_returns_in_the_middle_of_its_answer():
    async def half(scope, receive, send):
        if scope["path"] == "/left":
            await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})

    for semconv in ("", "http"):
        with driver.telemetry(semconv=semconv):
            driver.request(TelemetryMiddleware(half))
            ((span, attributes),) = driver.server_spans()
            assert span.status.code == 2 and attributes["error.type"] == "incomplete_response"
            requests = driver.convention_requests() if semconv else driver.requests_total()
            assert {labels[2] for labels in requests} == {"200"}
            driver.request(
                TelemetryMiddleware(half), "/left", incoming=[{"type": "http.disconnect"}]
            )
            ((span, attributes),) = driver.server_spans()
            assert span.status.code == 0 and attributes["http.client_disconnected"] is True
