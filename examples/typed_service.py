"""Checked by `mypy --strict` in `make lint`: the types that a user's own code meets."""

from __future__ import annotations

import asyncio

from djp_telemetry import (
    extract,
    flush,
    get_current_span,
    get_tracer,
    init_telemetry,
    inject,
    shutdown,
    start_span,
    telemetry_status,
)
from djp_telemetry.metrics import Counter, Gauge, Histogram
from djp_telemetry.otel import get_current_trace_id

orders = Counter("typed_orders", "Orders", ["kind"])
depth = Gauge("typed_depth", "Waiting orders")
seconds = Histogram("typed_seconds", "Work", buckets=(0.1, 0.5, 1.0))
tracer = get_tracer("typed", "1.0")


@tracer.start_as_current_span("compute")
async def compute(value: int) -> int:
    get_current_span().set_attribute("value", value)
    return value + 1


def handle(headers: dict[str, str]) -> dict[str, str]:
    with start_span("handle", {"n": 1, "list": [1, 2]}, parent=extract(headers)) as span:
        span.add_event("begin", {"ok": True})
        orders.labels("typed").inc()
        depth.set(3)
        with seconds.time():
            pass
        return inject()


def main() -> None:
    init_telemetry(enabled=True, exporter="memory", service_name="typed", sample_ratio=1.0)
    outgoing: dict[str, str] = handle({"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    result: int = asyncio.run(compute(len(outgoing)))
    trace_id: str = get_current_trace_id()
    delivered: bool = flush(timeout=1.0) and shutdown(timeout=1.0)
    print(result, trace_id, delivered, telemetry_status()["enabled"])


if __name__ == "__main__":
    main()
