"""target_info, with the resource of the spans, in both formats, one for each process."""

import os

import djp_telemetry
from djp_telemetry import metrics
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as text_families
from support import attributes, telemetry

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def target(accept=None):
    """The labels of the one target_info in a scrape."""
    text = metrics.generate_metrics(accept).decode()
    families = list(open_families(text) if accept else text_families(text))
    samples = [
        sample for family in families for sample in family.samples if sample.name == "target_info"
    ]
    assert len(samples) == 1 and samples[0].value == 1, samples
    return samples[0].labels


def resource():
    """The resource of the spans, as exported."""
    with djp_telemetry.start_span("a"):
        pass
    assert djp_telemetry.flush(10)
    data = djp_telemetry._loader.impl.sdk_take_exported()
    request = ExportTraceServiceRequest.FromString(data[4 : 4 + int.from_bytes(data[:4], "little")])
    return attributes(request.resource_spans[0].resource.attributes)


def test_the_scrape_has_the_resource_of_the_spans():
    given = "app=djp-workflow,service=web,env=production,version=abc123,team=a%22b%5C"
    with telemetry(backend="hybrid", service_name=None, resource_attributes=given):
        labels, spans = target(), resource()
        assert labels == target(OPENMETRICS)
        assert {key.replace(".", "_"): str(value) for key, value in spans.items()} == labels
    assert (
        spans["service.name"] == labels["service"] == "web"
        and spans["service.namespace"] == "djp-workflow"
    )
    assert spans["deployment.environment.name"] == "production" and spans["env"] == "prod"
    assert spans["service.version"] == spans["version"] == "abc123" and spans["team"] == 'a"b\\'


def test_nobody_said_an_environment():
    with telemetry(backend="prom"):
        labels = target()
    assert (
        not {"env", "deployment_environment_name"} & labels.keys() and "dev" not in labels.values()
    )


def test_names_that_meet_share_a_label():
    with telemetry(backend="prom", resource_attributes="a.b=2,a-b=1,1st=x,__own=y"):
        labels = target(OPENMETRICS)
    assert (labels["a_b"], labels["_1st"], labels["_own"]) == ("1;2", "x", "y")


def test_a_target_info_of_the_application_stays_alone():
    own = metrics.Gauge("target_info", "Mine", ["who"])
    with telemetry(backend="prom"):
        own.labels(who="me").set(1)
        assert target() == {"who": "me"}


def test_a_forked_child_is_another_instance():
    with telemetry(backend="prom"):
        parent = target()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writer, repr(target()).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            other = eval(pipe.read())
        os.waitpid(child, 0)
        assert target() == parent
    assert other.keys() == parent.keys()
    assert {key for key in other if other[key] != parent[key]} == {
        "service_instance_id",
        "process_pid",
    }
