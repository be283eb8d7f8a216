"""Run as a program by test_collector.py: records one trace that uses every field, prints what it
recorded as JSON, and shuts down."""

import json
import sys

import djp_telemetry as djp


def main():
    djp.init_telemetry(enabled=True, sample_ratio=1.0, service_name="e2e", environment="test")
    tracer = djp.get_tracer("e2e.scope", "3.2.1")
    parent = djp.extract(
        {
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tracestate": "vendor=value,other=1",
        }
    )
    with tracer.start_as_current_span("root", parent=parent, kind="server") as root:
        root.set_attribute("text", "grüße €")
        root.set_attribute("true", True)
        root.set_attribute("false", False)
        root.set_attribute("zero", 0)
        root.set_attribute("big", 2**62)
        root.set_attribute("negative", -5)
        root.set_attribute("real", 0.1)
        root.set_attribute("bytes", b"\x00\xff")
        root.set_attribute("list", [1, "two", 3.5, True])
        root.set_attribute("map", {"a": 1, "b": ["x"]})
        root.set_attribute("empty", "")
        root.set_attribute("twice", "first")
        root.set_attribute("twice", "last")
        root.add_event("began", {"n": 1})
        with tracer.start_as_current_span(
            "child", kind="client", links=[root.get_span_context()]
        ) as child:
            child.set_status("ok")
        try:
            with tracer.start_as_current_span("failing", kind="producer") as failing:
                raise ValueError("broken")
        except ValueError:
            pass
    spans = {
        name: format(s.get_span_context().span_id, "016x")
        for name, s in (("root", root), ("child", child), ("failing", failing))
    }
    ok = djp.shutdown(timeout=10)
    json.dump({"spans": spans, "shutdown": ok, "status": djp.telemetry_status()}, sys.stdout)


main()
