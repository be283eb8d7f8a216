"""What tools/instructions.py counts of the Python extension: `python bench/instructions_python.py
COUNT` records that many spans after a warm-up."""

import sys
import time

import djp_telemetry as djp


def spans(count):
    for _ in range(count):
        with djp.start_span("GET /orders/{id}") as span:
            span.set_attribute("http.request.method", "GET")
            span.set_attribute("http.route", "/orders/{id}")
            span.set_attribute("http.response.status_code", 200)
            span.set_attribute("load", 0.25)
            span.set_attribute("cloud.region", "eu-central-1")


djp.init_telemetry(
    enabled=True, backend="otel", exporter="memory", service_name="count", sample_ratio=1.0
)
spans(200)
time.sleep(0.5)  # the clock has two readings far enough apart to calibrate with
spans(200)
spans(int(sys.argv[1]))
