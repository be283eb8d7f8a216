"""A program that uses every part of the package, for interpreters without the tools of the
tests."""

import asyncio
import copy
import json
import os
import pickle
import sys
import tempfile

import djp_telemetry as d
from djp_telemetry import baggage, otel, prom
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.metrics import Counter, Histogram

path = os.path.join(tempfile.mkdtemp(), "spans.jsonl")
calls = Counter("calls", "Calls", ["kind"])
seconds = Histogram("seconds", "Seconds")


@d.traced
async def work(n):
    with d.start_span("inner", {"n": n, "tags": {"a"}}):
        return n


@d.traced
def steps():
    yield d.get_current_trace_id()


async def application(scope, receive, send):
    await work(1)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def request(app):
    async def send(message):
        pass

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "query_string": b""}
    await app(scope, None, send)


d.init_telemetry(enabled=True, backend="hybrid", exporter="file", file_path=path, sample_ratio=1.0)
assert d.__impl__ == "native", d.__impl_reason__
with d.start_span("root") as root:
    assert asyncio.run(work(2)) == 2
    assert list(steps()) == [d.get_current_trace_id()]
    context = d.extract(d.inject())
    assert pickle.loads(pickle.dumps(context)).get_span_context() == context.get_span_context()
    assert copy.deepcopy(root.get_span_context()) == root.get_span_context()
    d.detach(d.attach(baggage.set_baggage("a", "b")))
try:
    with d.start_span("failing"):
        raise ValueError("boom")
except ValueError:
    pass
asyncio.run(request(TelemetryMiddleware(application)))
calls.labels("x").inc()
with seconds.time():
    otel.record_job_span("q", "j", 0.1)
assert 'calls_total{kind="x"} 1' in prom.generate_metrics_text()
assert d.shutdown(10)
with open(path) as lines:
    names = [
        span["name"]
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
assert {"root", "work", "inner", "steps", "failing", "job.run"} <= set(names), names
print(sys.version.split()[0], d.__version__, len(names), "spans")
