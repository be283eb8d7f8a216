"""The Python service beside service.js: each request goes back to the Express service (NODE_URL) in
the same trace."""

import json
import logging
import os
import sys
import urllib.request

from djp_telemetry import init_telemetry, inject, start_span
from djp_telemetry.asgi import TelemetryMiddleware
from fastapi import FastAPI

init_telemetry()
logging.basicConfig(
    stream=sys.stderr, level=logging.INFO, format="trace_id=%(trace_id)s %(message)s"
)
app = FastAPI()
app.add_middleware(TelemetryMiddleware, metrics_path="/metrics")


@app.get("/back/{number}")
def back(number: int) -> dict[str, object]:
    logging.getLogger("back").info("on the way back")
    with start_span("call.node", kind="client"):
        request = urllib.request.Request(
            f"{os.environ['NODE_URL']}/final/{number}", headers=inject()
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))
