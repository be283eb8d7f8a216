"""A small order service with telemetry: what a user writes.

Run it by hand:

    TELEMETRY_ENABLED=true TELEMETRY_BACKEND=hybrid uvicorn --app-dir examples order_service:app

Spans go to the console until OTEL_EXPORTER_OTLP_ENDPOINT names a collector; the scrape is on
/metrics.
"""

import asyncio
import logging
import os
import sys
import urllib.request

from djp_telemetry import get_current_span, init_telemetry, inject, start_span
from djp_telemetry.asgi import TelemetryMiddleware
from djp_telemetry.metrics import Counter
from fastapi import FastAPI, HTTPException

init_telemetry()
logging.basicConfig(
    stream=sys.stderr,
    level=logging.INFO,
    format="%(asctime)s %(levelname)s trace_id=%(trace_id)s %(message)s",
)
log = logging.getLogger("orders")
checkouts = Counter("checkouts", "Orders that were paid for", ["currency"])

app = FastAPI()
app.add_middleware(TelemetryMiddleware, metrics_path="/metrics")


@app.get("/orders/{order_id}")
async def read_order(order_id: int) -> dict[str, int]:
    with start_span("orders.load", {"order.id": order_id}):
        await asyncio.sleep(0)
    log.info("order loaded")
    return {"order": order_id}


@app.get("/report")
async def report() -> dict[str, str]:
    """Slow on purpose: sampled at any ratio."""
    with start_span("report.render"):
        await asyncio.sleep(2.1)
    log.warning("the report took long")
    return {"report": "done"}


@app.get("/orders/{order_id}/refund")
async def refund(order_id: int) -> dict[str, str]:
    """Fails on purpose: errors are sampled at any ratio, too."""
    log.error("refund of order %d is not possible", order_id)
    raise RuntimeError("the bank said no")


def charge(order_id: int) -> int:
    """An outgoing call: inject() puts traceparent into its headers, so the payment service
    continues this trace."""
    url = f"{os.environ['PAYMENTS_URL']}/payments/{order_id}"
    with start_span("payments.charge", {"peer.service": "payments"}, kind="client"):
        request = urllib.request.Request(url, headers=inject())
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)


@app.post("/orders/{order_id}/checkout")
async def checkout(order_id: int) -> dict[str, str]:
    status = await asyncio.to_thread(charge, order_id)
    if status != 200:
        raise HTTPException(502)
    get_current_span().set_attribute("checkout.currency", "EUR")
    checkouts.labels("EUR").inc()
    log.info("order paid")
    return {"checkout": "paid"}


@app.get("/payments/{order_id}")
async def payment(order_id: int) -> dict[str, str]:
    """The other side of checkout; the demo runs it in a separate process."""
    log.info("payment taken")
    return {"payment": "taken"}
