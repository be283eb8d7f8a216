"""tests/vectors/http_server.json through ASGI: the same spans, statuses and labels for the same
requests as in every other language."""

import asyncio
import json
import pathlib
import re

import asgi_driver as driver
import pytest
from djp_telemetry import prom
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")

FOLDER = pathlib.Path(__file__).parents[1] / "vectors"
VECTORS = json.loads((FOLDER / "http_server.json").read_text())
FAMILIES = json.loads((FOLDER / "http_metrics.json").read_text())["families"]
LABELS = (
    "http_request_method",
    "url_scheme",
    "http_route",
    "http_response_status_code",
    "network_protocol_version",
    "error_type",
)
STATUS = {"unset": 0, "ok": 1, "error": 2}


class Boom(Exception):
    pass


def application(case):
    async def app(scope, receive, send):
        if case["route"] is not None:
            scope["route"] = type("Route", (), {"path_format": case["route"]})
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        if case["behaviour"] == "throw":
            raise Boom("early")
        if message["type"] == "http.disconnect":
            return
        await send({"type": "http.response.start", "status": case["status"], "headers": []})
        if case["behaviour"] == "answer":
            await send({"type": "http.response.body", "body": b"done"})
            return
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        if case["behaviour"] == "throw_late":
            raise Boom("late")
        assert (await receive())["type"] == "http.disconnect"

    return TelemetryMiddleware(app)


def incoming(case):
    body = case.get("body", "").encode()
    parts = [body[:4], body[4:]] if case.get("chunked") else [body]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False
    gone = [{"type": "http.disconnect"}]
    return gone if case["behaviour"] == "leave" else messages + gone


def perform(case):
    path, _, query = case["path"].partition("?")
    body = case.get("body")
    length = (
        [("content-length", str(len(body)).encode())] if body and not case.get("chunked") else []
    )
    scope = driver.http_scope(path, case["method"], length, query_string=query.encode())
    connection = driver.Connection(*incoming(case))

    async def main():
        try:
            await application(case)(scope, connection.receive, connection.send)
        except Boom:
            assert case["behaviour"].startswith("throw")

    asyncio.run(asyncio.wait_for(main(), 20))
    ((span, attributes),) = driver.server_spans()
    return span, attributes


def expected(case, conventions):
    return {key: "Boom" if value == "CLASS" else value for key, value in case[conventions].items()}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["case"])
@pytest.mark.parametrize("conventions", ["old", "stable", "both"])
def test_case(case, conventions):
    semconv = {"old": "", "stable": "http", "both": "http/dup"}[conventions]
    with driver.telemetry(semconv=semconv):
        span, attributes = perform(case)
        wanted = {}
        for part in ("old", "stable") if conventions == "both" else (conventions,):
            wanted.update(expected(case, part))
        seconds = attributes.pop("http.duration_seconds", None)
        message = attributes.pop("error.message", None)
        assert attributes == wanted and (seconds is None) == (conventions == "stable")
        assert (message is not None) == (case["exception"] and conventions != "stable")
        assert span.name == (case["stable_name"] if conventions == "stable" else "http.server")
        assert span.status.code == STATUS[case["span_status"]]
        assert [event.name for event in span.events] == ["exception"] * case["exception"]
        documented, convention = conventions != "stable", conventions != "old"
        assert driver.requests_total() == ({tuple(case["metrics"]): 1} if documented else {})
        labels = expected({"conventions": dict(zip(LABELS, case["conventions"]))}, "conventions")
        series = ",".join(f'{key}="{value}"' for key, value in labels.items())
        wanted = (
            {f"http_server_request_duration_seconds_count{{{series}}}": 1} if convention else {}
        )
        assert driver.samples("http_server_request_duration_seconds_count") == wanted
        for family, there in (
            ("http_request_size_bytes_sum", documented),
            ("http_server_request_body_size_bytes_sum", convention),
        ):
            assert sum(driver.samples(family).values()) == (there and case["size"] or 0)
        assert "secret" not in str(span) and "secret" not in str(driver.samples())


def families():
    """{(name, type, labels, bounds)} of the exposed families of HTTP requests."""
    found, kinds = {}, {}
    for line in prom.generate_metrics_text().splitlines():
        if line.startswith("# TYPE http_"):
            _, _, name, kinds[name] = line.split()
        elif line.startswith("http_"):
            series = line.split("{")[0]
            name = next(
                (kind for kind in kinds if series in (kind, f"{kind}_bucket")),
                None,
            )
            if name is not None:
                labels = re.findall(r'(\w+)="([^"]*)"', line)
                row = found.setdefault(name, ([], []))
                row[0][:] = [key for key, _ in labels if key != "le"]
                row[1].extend(
                    float(value) for key, value in labels if key == "le" and value != "+Inf"
                )
    return {
        (name, kinds[name], tuple(labels), tuple(bounds))
        for name, (labels, bounds) in found.items()
    }


@pytest.mark.parametrize("semconv", ["old", "stable", "both"])
def test_the_families_of_the_conventions(semconv):
    with driver.telemetry(semconv=semconv):
        case = next(case for case in VECTORS["cases"] if case["case"] == "a body of known length")
        perform(case)
        call = driver.native._http_call("GET", "http://example.com/")
        call.respond(200, "1.1", 0)
        call.end()
        assert families() == {
            (row["name"], row["type"], tuple(row["labels"]), tuple(row.get("bounds", ())))
            for row in FAMILIES
            if semconv in row["semconv"]
        }
