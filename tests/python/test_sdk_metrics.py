"""The metrics of the SDK under the names of the conventions: checked by the strict parser and
promtool, and the same keys of the status in Python and in Node."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

import djp_telemetry
import pytest
from djp_telemetry import start_span
from djp_telemetry.metrics import expose, generate_metrics_text
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from support import take, telemetry

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROCESSOR = {
    "otel_component_name": "batching_span_processor/0",
    "otel_component_type": "batching_span_processor",
}
EXPORTER = {
    "otel_component_name": "memory_span_exporter/0",
    "otel_component_type": "memory_span_exporter",
}
FAMILIES = {
    "otel_sdk_span_started": "counter",
    "otel_sdk_span_live": "gauge",
    "otel_sdk_processor_span_queue_size": "gauge",
    "otel_sdk_processor_span_queue_capacity": "gauge",
    "otel_sdk_processor_span_processed": "counter",
    "otel_sdk_exporter_span_inflight": "gauge",
    "otel_sdk_exporter_span_exported": "counter",
    "otel_sdk_exporter_operation_duration_seconds": "histogram",
    "otel_sdk_metric_reader_collection_duration_seconds": "histogram",
}
SCENARIO = """
const telemetry = require(process.argv[1]);
const options = { enabled: true, backend: 'hybrid', exporter: 'memory', sampleRatio: 1 };
telemetry.init({ ...options, sdkMetrics: 'otel' });
const root = telemetry.startSpan('root', null, { root: true });
telemetry.startSpan('child', null, { parent: root }).end();
root.end();
telemetry.startSpan('open', null, { root: true });
telemetry.flush(10000).then(() => {
  const status = telemetry.telemetryStatus();
  process.stdout.write(JSON.stringify(status));
  return telemetry.shutdown(1000);
});
"""


def record():
    root = start_span("root")
    start_span("child", parent=root).end()
    root.end()
    still_open = start_span("open")
    assert len(take()) == 2
    return still_open


def value(families, sample, **labels):
    found = [
        s.value
        for family in families
        for s in family.samples
        if s.name == sample and s.labels == labels
    ]
    assert len(found) == 1, (sample, labels)
    return found[0]


@pytest.mark.parametrize("strict", [False, True])
def test_scrape(strict):
    parse = openmetrics.text_string_to_metric_families if strict else text_string_to_metric_families
    accept = "application/openmetrics-text; version=1.0.0" if strict else ""
    with telemetry(backend="hybrid", sdk_metrics="otel"):
        still_open = record()
        generate_metrics_text()
        found = list(parse(expose(accept)[0].decode()))
        still_open.end()
    kinds = {family.name: family.type for family in found if family.name.startswith("otel_")}
    assert kinds == FAMILIES
    if strict:
        units = {
            family.name
            for family in found
            if family.name.startswith("otel_") and family.unit == "seconds"
        }
        assert units == {name for name in FAMILIES if name.endswith("_seconds")}
    started = {"otel_span_sampling_result": "RECORD_AND_SAMPLE"}
    assert (
        value(found, "otel_sdk_span_started_total", otel_span_parent_origin="none", **started) == 2
    )
    assert (
        value(found, "otel_sdk_span_started_total", otel_span_parent_origin="local", **started) == 1
    )
    assert value(found, "otel_sdk_span_live", **started) == 1
    assert value(found, "otel_sdk_exporter_span_exported_total", error_type="", **EXPORTER) == 2
    assert value(found, "otel_sdk_processor_span_processed_total", error_type="", **PROCESSOR) == 2
    assert value(found, "otel_sdk_processor_span_queue_size", **PROCESSOR) == 0
    assert (
        value(
            found, "otel_sdk_exporter_operation_duration_seconds_count", error_type="", **EXPORTER
        )
        == 1
    )


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_the_names():
    with telemetry(backend="hybrid", sdk_metrics="otel"):
        record().end()
        text = generate_metrics_text()
    assert "otel_sdk_span_started_total" in text
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    # Metrics that other tests of this process declare may be without help.
    assert not [line for line in (done.stdout + done.stderr).splitlines() if "otel_sdk" in line]
    assert done.returncode in (0, 3)


def test_only_when_asked_for():
    with telemetry(backend="hybrid"):
        record().end()
        text = generate_metrics_text()
        status = djp_telemetry.telemetry_status()
    assert "otel_sdk" not in text and "djp_telemetry_spans_total" in text
    assert status["otel_sdk"]["exported"]["success"] == 2


def keys(status):
    """Paths of the whole tree; of the settings their names."""
    paths = set()
    for name, part in status.items():
        paths.add(name)
        if isinstance(part, dict):
            paths |= {f"{name}.{path}" for path in (part if name == "settings" else keys(part))}
    return paths


def test_both_languages_show_the_same():
    node = os.environ.get("DJP_NODE") or shutil.which("node")
    if not node:
        pytest.skip("Node is not here")
    entry = ROOT / "bindings" / "node" / "lib" / "index.js"
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "DJP_", "TELEMETRY_"))
    }
    done = subprocess.run(
        [node, "-e", SCENARIO, str(entry)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=True,
    )
    theirs = json.loads(done.stdout)
    if "otel_sdk" not in theirs:
        pytest.skip("the addon is not built")
    with telemetry(backend="hybrid", sdk_metrics="otel"):
        still_open = record()
        ours = djp_telemetry.telemetry_status()
        still_open.end()
    assert theirs["otel_sdk"] == ours["otel_sdk"]
    assert sorted(keys(theirs)) == sorted(keys(ours))
