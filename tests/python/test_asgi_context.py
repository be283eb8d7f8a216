"""The middleware replaces the whole context of an ASGI call: the context of a request is
propagated, recorded or not, and no other request's context is visible, not even on a connection
whose events run in the context of an earlier request."""

import asyncio
import contextlib
import contextvars

import asgi_driver as driver
import djp_telemetry
import pytest
from djp_telemetry import baggage
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.log_correlation import get_structured_log_context

pytest.importorskip("djp_telemetry._native")

PARENT = "00-" + "a" * 32 + "-" + "1" * 16 + "-01"
CARRIED = [("traceparent", PARENT.encode()), ("tracestate", b"v=1"), ("baggage", b"tenant=acme")]


@contextlib.contextmanager
def off():
    djp_telemetry.shutdown(1)
    yield


@contextlib.contextmanager
def disabled():
    djp_telemetry.shutdown(1)
    djp_telemetry.init_telemetry(enabled=False)
    yield


@contextlib.contextmanager
def switched_off():
    with driver.telemetry():
        assert djp_telemetry.set_enabled(False)
        yield


# The enabled signals, and whether a request gets a separate span.
STATES = {
    "recorded": (driver.telemetry, True),
    "ratio 0": (lambda: driver.telemetry(sample_ratio=0), True),
    "excluded": (lambda: driver.telemetry(excluded_paths="/x"), False),
    "prom": (lambda: driver.telemetry(backend="prom", exporter="none"), False),
    "exporter none": (lambda: driver.telemetry(backend="otel", exporter="none"), False),
    "hybrid, exporter none": (lambda: driver.telemetry(exporter="none"), False),
    "switched off": (switched_off, False),
    "disabled": (disabled, False),
    "never started": (off, False),
}


class Log(list):
    """An application that logs its current context, and keeps a context as a connection would."""

    async def __call__(self, scope, receive, send):
        record = {}
        djp_telemetry._loader.impl.stamp(record)
        self.append(
            {
                "sent_on": djp_telemetry.inject({}),
                "baggage": dict(baggage.get_all()),
                "ids": (djp_telemetry.get_current_trace_id(), djp_telemetry.get_current_span_id()),
                "log": record["trace_id"],
                "structured": get_structured_log_context().get("trace_id", ""),
                "context": contextvars.copy_context(),
            }
        )
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await driver.answering()(scope, receive, send)


def in_turn(app, log, *scopes):
    """Runs each request as a task that starts in the context of the one before."""

    async def main():
        for scope in scopes:
            connection = driver.Connection()
            start = log[-1]["context"].run if log else lambda make, *a: make(*a)
            await start(asyncio.ensure_future, _call(app, scope, connection))

    asyncio.run(main())


async def _call(app, scope, connection):
    return await app(scope, connection.receive, connection.send)


@pytest.mark.parametrize("state", STATES)
def test_what_a_request_carries_goes_on(state):
    enter, own_span = STATES[state]
    log = Log()
    with enter():
        driver.request(TelemetryMiddleware(log), "/x", headers=CARRIED)
    (seen,) = log
    assert seen["baggage"] == {"tenant": "acme"} and seen["sent_on"]["baggage"] == "tenant=acme"
    assert seen["ids"][0] == seen["log"] == seen["structured"] == "a" * 32
    if own_span:
        assert (
            seen["ids"][1] != "1" * 16 and seen["sent_on"]["traceparent"][36:52] == seen["ids"][1]
        )
    else:
        assert seen["sent_on"]["traceparent"] == PARENT and seen["sent_on"]["tracestate"] == "v=1"


@pytest.mark.parametrize("flags", ["00", "01", "03"])
def test_the_flags_are_the_callers_where_nothing_is_recorded(flags):
    log = Log()
    with driver.telemetry(backend="prom", exporter="none"):
        driver.request(
            TelemetryMiddleware(log),
            "/x",
            headers=[("traceparent", (PARENT[:-2] + flags).encode())],
        )
    extracted = djp_telemetry.inject(
        {}, context=djp_telemetry.extract({"traceparent": PARENT[:-2] + flags})
    )
    assert log[0]["sent_on"] == extracted


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_nothing_of_an_earlier_request_is_seen(state, kind):
    enter, own_span = STATES[state]
    log = Log()
    with enter():
        first = driver.http_scope("/x", headers=CARRIED, type=kind)
        in_turn(
            TelemetryMiddleware(log),
            log,
            first,
            driver.http_scope("/x", type=kind),
            driver.http_scope("/x"),
        )
    assert log[0]["baggage"] == {"tenant": "acme"} and log[0]["ids"][0] == "a" * 32
    for seen in log[1:]:
        assert (
            seen["baggage"] == {}
            and "baggage" not in seen["sent_on"]
            and "a" * 32 not in str(seen["sent_on"])
        )
        assert seen["ids"][0] != "a" * 32 and seen["log"] == seen["ids"][0]
        assert bool(seen["ids"][0]) == own_span


def test_only_a_part_of_the_context_is_replaced_by_what_came():
    log = Log()
    with driver.telemetry():
        first = driver.http_scope("/x", headers=CARRIED)
        second = driver.http_scope("/x", headers=[("baggage", b"user=7")])
        in_turn(TelemetryMiddleware(log), log, first, second)
    assert log[1]["baggage"] == {"user": "7"} and log[1]["ids"][0] != "a" * 32


def test_a_server_inside_a_span_does_not_give_it_to_excluded_requests():
    log = Log()
    with driver.telemetry(excluded_paths="/x"), djp_telemetry.start_span("main"):
        driver.request(TelemetryMiddleware(log), "/x")
        mine = djp_telemetry.get_current_trace_id()
    assert log[0]["ids"] == ("", "") and mine


def test_the_callers_own_context_is_back_afterwards():
    with driver.telemetry(excluded_paths="/x"):

        async def main():
            token = djp_telemetry.attach(baggage.set_baggage("mine", "1"))
            with djp_telemetry.start_span("client") as span:
                for path in ("/x", "/y"):
                    connection = driver.Connection()
                    app = TelemetryMiddleware(driver.answering())
                    await app(
                        driver.http_scope(path, headers=CARRIED),
                        connection.receive,
                        connection.send,
                    )
                    assert djp_telemetry.get_current_span() is span
                    assert dict(baggage.get_all()) == {"mine": "1"}
            djp_telemetry.detach(token)

        asyncio.run(main())


@pytest.mark.parametrize("propagators", ["none", "baggage", "tracecontext"])
@pytest.mark.parametrize("backend", ["hybrid", "prom"])
def test_propagators_that_are_not_wanted_carry_nothing(propagators, backend):
    log = Log()
    with driver.telemetry(propagators=propagators, backend=backend):
        driver.request(TelemetryMiddleware(log), "/x", headers=CARRIED)
    assert (log[0]["baggage"] == {"tenant": "acme"}) == (propagators == "baggage")
    assert (log[0]["ids"][0] == "a" * 32) == (propagators == "tracecontext")


def test_nested_middleware_counts_once_without_spans_too():
    with driver.telemetry(backend="prom", exporter="none"):
        driver.request(TelemetryMiddleware(TelemetryMiddleware(driver.answering())))
        assert driver.requests_total() == {("GET", "unmatched", "200"): 1}


def test_mounted_applications_and_added_middleware_see_one_context():
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")
    log = Log()
    inside = applications.Starlette(routes=[routing.Mount("/", app=log)])
    inside.add_middleware(TelemetryMiddleware)
    outside = applications.Starlette(routes=[routing.Mount("/in", app=inside)])
    outside.add_middleware(TelemetryMiddleware)
    with driver.telemetry():
        first = driver.http_scope("/in/a", headers=CARRIED)
        in_turn(outside, log, first, driver.http_scope("/in/b"))
        assert len(driver.server_spans()) == 2
    assert log[0]["ids"][0] == "a" * 32 and log[1]["ids"][0] != "a" * 32 and log[1]["baggage"] == {}
