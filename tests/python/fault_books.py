"""The final states of spans: counts in the status, and the spans in received requests."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def dropped(status):
    return sum(count for reason, count in status["dropped"].items() if reason != "forked")


def waiting(status):
    return status["queue"]["spans"] + status["queue"]["batch_spans"] + status["ring"]["used_bytes"]


def missing(status):
    """Spans without a final state, not even in the ring, whose records are larger than 64 bytes."""
    spans, queue = status["spans"], status["queue"]
    found = spans["exported"] + spans["not_sampled"] + spans["live"] + dropped(status)
    rest = spans["started"] - found - queue["spans"] - queue["batch_spans"]
    return rest if rest < 0 or rest > status["ring"]["used_bytes"] // 64 else 0


def received(bodies):
    """The spans in the bodies of requests."""
    spans = []
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                spans.extend(scope.spans)
    return spans
