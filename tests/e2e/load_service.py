"""The FastAPI service of test_keep_under_load.py: every request makes a local trace of nested
spans, tasks that run at the same time, now and then a thread, and a span that ends after the
request; some fail in one of three ways, some are slow. Each span says which request."""

import asyncio
import os
from typing import Any

from djp_telemetry import (
    get_current_span,
    get_current_trace_id,
    init_telemetry,
    start_span,
    telemetry_status,
)
from djp_telemetry.asgi import TelemetryMiddleware
from fastapi import FastAPI, Response

init_telemetry()
app = FastAPI()
app.add_middleware(TelemetryMiddleware, excluded_paths=["/status"])
SLOW_SECONDS = float(os.environ["LOAD_SLOW_SECONDS"])
background: set[asyncio.Task[None]] = set()


async def task(n: int, failing: bool) -> None:
    with start_span("task", {"n": n}) as span:
        await asyncio.sleep(0)
        if failing:
            span.set_status("error", "no answer")


async def late(n: int) -> None:
    with start_span("late", {"n": n}):
        await asyncio.sleep(0.01)


def in_a_thread(n: int) -> None:
    with start_span("thread", {"n": n}):
        pass


async def load(n: int, seconds: float) -> None:
    with start_span("load", {"n": n}, kind="client"):
        with start_span("load.cache") as cache:
            cache.set_attribute("n", n)
        await asyncio.sleep(seconds)


@app.get("/work/{n}/{kind}/{tasks}")
async def work(n: int, kind: str, tasks: int, response: Response) -> dict[str, int]:
    get_current_span().set_attribute("n", n)
    response.headers["x-trace-id"] = get_current_trace_id()
    if n % 7 == 0:
        later = asyncio.create_task(late(n))
        background.add(later)
        later.add_done_callback(background.discard)
    if n % 11 == 0:
        await asyncio.to_thread(in_a_thread, n)
    await asyncio.gather(
        load(n, SLOW_SECONDS if kind == "slow" else 0),
        *(task(n, kind == "child" and i == 0) for i in range(tasks)),
    )
    if kind == "raise":
        raise ValueError("no such order")
    if kind == "status":
        response.status_code = 503
    return {"n": n}


@app.get("/status")
async def status() -> dict[str, Any]:
    await asyncio.gather(*background)
    return telemetry_status()
