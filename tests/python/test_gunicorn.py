"""Pre-fork servers as in production: every worker delivers each of its spans once, under unique ids
and a separate instance id, through graceful stops, reloads and recycled workers. The receiver
listens on the loopback interface."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from fault_server import FaultServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support import attributes, clean_environment

pytest.importorskip("gunicorn")
pytest.importorskip("djp_telemetry._native")

WSGI = """
import os, time
import djp_telemetry
djp_telemetry.init_telemetry()
with djp_telemetry.start_span("import"):
    pass
def app(environ, start_response):
    with djp_telemetry.start_span("request", {"pid": os.getpid()}, kind="server"):
        with djp_telemetry.start_span("inside"):
            time.sleep(0.005)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]
"""

ASGI = """
import asyncio, os
import djp_telemetry
from djp_telemetry.asgi import TelemetryMiddleware
djp_telemetry.init_telemetry()
with djp_telemetry.start_span("import"):
    pass
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    djp_telemetry.get_current_span().update_name("request")
    djp_telemetry.get_current_span().set_attribute("pid", os.getpid())
    with djp_telemetry.start_span("inside"):
        await asyncio.sleep(0.005)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
app = TelemetryMiddleware(application)
"""

UVICORN = (
    "uvicorn_worker.UvicornWorker"
    if importlib.util.find_spec("uvicorn_worker")
    else "uvicorn.workers.UvicornWorker"
)


@dataclasses.dataclass
class Found:
    name: str
    pid: int  # of the resource
    instance: str
    said: object  # the process that recorded the span, from its attribute
    span: object


def received(collector):
    found = []
    for request in list(collector.requests):
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            about = attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    said = attributes(span.attributes).get("pid")
                    name = "request" if said is not None else span.name
                    found.append(
                        Found(name, about["process.pid"], about["service.instance.id"], said, span)
                    )
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, deadline):
    """The process that responded. Repeats until the server is up; a response that has begun is
    never repeated."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/x", timeout=10) as answer:
                return int(answer.read())
        except ConnectionRefusedError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.05)


def get_many(port, count):
    """Responses by process."""
    deadline = time.monotonic() + 60
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return collections.Counter(pool.map(lambda _: get(port, deadline), range(count)))


@contextlib.contextmanager
def gunicorn(folder, collector, source, *arguments, **environment):
    """(process, port); ended gracefully, and its exit status checked, at the end of `with`."""
    (folder / "service.py").write_text(source)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-w",
        "4",
        "-b",
        f"127.0.0.1:{port}",
        "--graceful-timeout",
        "10",
    ]
    settings = {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "hybrid",
        "OTEL_TRACE_SAMPLE": "1.0",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "DJP_TELEMETRY_SHUTDOWN_TIMEOUT": "10",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **environment,
    }
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [*command, *arguments, "service:app"],
            env=clean_environment(**settings),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield process, port
        process.terminate()
        assert process.wait(30) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()


def assert_delivered_once(found, answers, imports):
    """answers: how many requests each process served; imports: how often the module was
    imported."""
    names = collections.Counter(item.name for item in found)
    assert names == {
        "import": imports,
        "request": sum(answers.values()),
        "inside": sum(answers.values()),
    }
    assert len({item.span.span_id for item in found}) == len(found)
    assert collections.Counter(item.said for item in found if item.name == "request") == answers
    assert all(item.said == item.pid for item in found if item.name == "request"), (
        "another process sent it"
    )
    instances = {item.pid: item.instance for item in found}
    assert {(item.pid, item.instance) for item in found} == set(instances.items())
    assert len(set(instances.values())) == len(instances)
    parents = {item.span.span_id: item for item in found if item.name == "request"}
    for item in found:
        if item.name == "inside":
            parent = parents[item.span.parent_span_id]
            assert parent.pid == item.pid and parent.span.trace_id == item.span.trace_id
    traces = [item.span.trace_id for item in found if item.name == "request"]
    assert len(set(traces)) == len(traces)


WORKERS = {
    "sync": (WSGI, ["-k", "sync"]),
    "gthread": (WSGI, ["-k", "gthread", "--threads", "4"]),
    "uvicorn": (ASGI, ["-k", UVICORN]),
}


@pytest.mark.slow
@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize("worker", list(WORKERS))
def test_nothing_is_lost_or_doubled(tmp_path, worker, preload):
    if worker == "uvicorn":
        pytest.importorskip("uvicorn")
    source, arguments = WORKERS[worker]
    with FaultServer("ok") as collector:
        with gunicorn(tmp_path, collector, source, *arguments, *["--preload"][: int(preload)]) as (
            _,
            port,
        ):
            answers = get_many(port, 300)
        found = received(collector)
    assert len(answers) == 4, answers
    assert_delivered_once(found, answers, 1 if preload else 4)
    masters = {item.instance for item in found if item.name == "import"}
    requests = {item.instance for item in found if item.name == "request"}
    assert len(requests) == 4 and masters.isdisjoint(requests) == preload


@pytest.mark.slow
def test_workers_that_are_recycled_and_stopped(tmp_path):
    """--max-requests, SIGTERM to a worker and a reload, each of which ends workers while others go
    on."""
    with FaultServer("ok") as collector:
        arguments = ["-k", "gthread", "--threads", "2", "--preload", "--max-requests", "40"]
        with gunicorn(tmp_path, collector, WSGI, *arguments) as (process, port):
            answers = get_many(port, 400)
            assert len(answers) > 6, "no worker was recycled"
            victim = get(port, time.monotonic() + 10)
            answers[victim] += 1
            os.kill(victim, signal.SIGTERM)
            time.sleep(1)
            answers += get_many(port, 20)
            process.send_signal(signal.SIGHUP)
            time.sleep(2)
            answers += get_many(port, 20)
        found = received(collector)
    assert_delivered_once(found, answers, 1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "503"])
def test_a_collector_that_fails_does_not_hold_up_the_server(tmp_path, fault):
    with FaultServer(fault) as collector:
        settings = {"DJP_TELEMETRY_SHUTDOWN_TIMEOUT": "1"}
        with gunicorn(tmp_path, collector, WSGI, "--preload", **settings) as (_, port):
            begin = time.monotonic()
            assert sum(get_many(port, 200).values()) == 200
            assert time.monotonic() - begin < 20
            stop = time.monotonic()
        assert time.monotonic() - stop < 8


@pytest.mark.slow
def test_a_passing_fault_loses_nothing(tmp_path):
    """A worker that is stopped while its collector is away repeats until its deadline."""
    with FaultServer("503", "reset", "503", "close", "ok") as collector:
        with gunicorn(
            tmp_path, collector, WSGI, "--preload", "-k", "gthread", "--threads", "2"
        ) as (_, port):
            answers = get_many(port, 100)
        bodies = len(collector.requests)
        found = received(collector)
    assert bodies >= 5
    unique = {item.span.span_id: item for item in found}  # refused requests were received, too
    assert_delivered_once(list(unique.values()), answers, 1)
