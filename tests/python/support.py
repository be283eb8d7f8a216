"""Helpers of the Python tests: telemetry into memory, its spans decoded by the official classes,
and programs run in separate processes."""

import contextlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import textwrap

import djp_telemetry
from djp_telemetry import _loader
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def value(any_value):
    """The Python value of an AnyValue."""
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [value(item) for item in any_value.array_value.values]
    if kind == "kvlist_value":
        return attributes(any_value.kvlist_value.values)
    return getattr(any_value, kind)


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


class Spans(list):
    """Decoded spans in the order of their ends."""

    def one(self, name):
        found = [span for span in self if span.name == name]
        assert len(found) == 1, (
            f"{len(found)} spans named {name} among {[span.name for span in self]}"
        )
        return found[0]


def take():
    """Returns all spans that have ended so far, removed from the memory exporter."""
    assert djp_telemetry.flush(10)
    data, at, spans = _loader.impl.sdk_take_exported() or b"", 0, Spans()
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        request = ExportTraceServiceRequest.FromString(data[at + 4 : at + 4 + size])
        at += 4 + size
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                spans.extend(scope.spans)
    return spans


@contextlib.contextmanager
def telemetry(**options):
    """Telemetry into memory inside `with`; every trace is sampled unless the options override
    it."""
    djp_telemetry.shutdown(1)
    settings = {
        "enabled": True,
        "backend": "otel",
        "exporter": "memory",
        "sample_ratio": 1.0,
        "service_name": "test",
    }
    djp_telemetry.init_telemetry(**{**settings, **options})
    try:
        yield
    finally:
        djp_telemetry.shutdown(1)


def clean_environment(**extra):
    """This process's environment without any variable that telemetry reads."""
    prefixes = (
        "OTEL_",
        "TELEMETRY_",
        "DJP_",
        "ENV",
        "ENABLE_",
        "NODE_ENV",
        "SERVICE_NAME",
        "PROM_",
        "TRACES_",
    )
    kept = {key: text for key, text in os.environ.items() if not key.startswith(prefixes)}
    return {**kept, **extra}


@contextlib.contextmanager
def started_anew(monkeypatch):
    """Telemetry is off at the beginning and at the end, and no variable of it is set."""
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    djp_telemetry.shutdown(1)
    djp_telemetry._runtime._runtime.reported.clear()
    yield
    djp_telemetry.shutdown(1)


def run_program(source, folder, check=True, timeout=60, arguments=(), **environment):
    """Runs a program with telemetry into folder/spans.jsonl and returns the finished process."""
    script = pathlib.Path(folder) / "program.py"
    script.write_text(textwrap.dedent(source))
    settings = {
        "TELEMETRY_ENABLED": "true",
        "TELEMETRY_BACKEND": "otel",
        "OTEL_TRACE_SAMPLE": "1.0",
        "OTEL_TRACES_EXPORTER": "file",
        "SPANS": str(pathlib.Path(folder) / "spans.jsonl"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env=clean_environment(**{**settings, **environment}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def file_spans(folder):
    """The spans in folder/spans.jsonl: one OTLP request as JSON on each line."""
    spans = []
    for line in (pathlib.Path(folder) / "spans.jsonl").read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            pid = [
                item for item in resource["resource"]["attributes"] if item["key"] == "process.pid"
            ]
            for scope in resource["scopeSpans"]:
                spans.extend({**span, "pid": pid} for span in scope["spans"])
    return spans
