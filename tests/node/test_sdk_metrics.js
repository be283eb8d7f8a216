'use strict';
// Metrics of the SDK under the names of the semantic conventions: the exposition, checked by
// promtool and a strict parser.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const RESULT = 'otel_span_sampling_result="RECORD_AND_SAMPLE"';
const EXPORTER =
  'otel_component_name="memory_span_exporter/0",otel_component_type="memory_span_exporter"';
const READER =
  'otel_component_name="prometheus_http_text_metric_exporter/0",' +
  'otel_component_type="prometheus_http_text_metric_exporter"';

test.after(() => telemetry.shutdown(LIMIT));

async function record() {
  const root = telemetry.startSpan('root', null, { root: true });
  telemetry.startSpan('child', null, { parent: root }).end();
  root.end();
  const open = telemetry.startSpan('open', null, { root: true });
  assert.equal((await take()).length, 2);
  return open;
}

const value = (text, name) => {
  const line = text.split('\n').find((item) => item.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
};

test(
  'the scrape shows the names of the conventions, and the status the same numbers',
  { timeout: 60000 },
  async (t) => {
    await restart({ backend: 'hybrid', sdkMetrics: 'otel' });
    const open = await record();
    telemetry.metricsText();
    const text = telemetry.metricsText();
    const strict = telemetry.metricsText('application/openmetrics-text; version=1.0.0');
    const own = telemetry.telemetryStatus().otel_sdk;
    open.end();
    assert.equal(
      value(text, `otel_sdk_span_started_total{otel_span_parent_origin="none",${RESULT}}`),
      2,
    );
    assert.equal(
      value(text, `otel_sdk_span_started_total{otel_span_parent_origin="local",${RESULT}}`),
      1,
    );
    assert.equal(value(text, `otel_sdk_span_live{${RESULT}}`), 1);
    assert.equal(
      value(text, `otel_sdk_exporter_span_exported_total{${EXPORTER},error_type=""}`),
      2,
    );
    assert.equal(
      value(text, `otel_sdk_metric_reader_collection_duration_seconds_count{${READER}}`),
      1,
    );
    assert.deepEqual(
      [
        own.span_started.none.RECORD_AND_SAMPLE,
        own.span_started.local.RECORD_AND_SAMPLE,
        own.exported.success,
      ],
      [2, 1, 2],
    );
    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    if (promtool.error) t.diagnostic('promtool is not here');
    else assert.equal(promtool.status, 0, promtool.stdout + promtool.stderr);
    const python = path.join(__dirname, '../../.venv/bin/python');
    const program =
      'import sys; from prometheus_client.openmetrics import parser; ' +
      'families = parser.text_string_to_metric_families(sys.stdin.read()); ' +
      'print(len([f for f in families if f.name.startswith("otel_")]))';
    const parsed = fs.existsSync(python)
      ? spawnSync(python, ['-c', program], { input: strict, encoding: 'utf8' })
      : null;
    if (parsed === null || parsed.stderr.includes('ModuleNotFoundError'))
      t.diagnostic('no parser of OpenMetrics is here');
    else assert.equal(parsed.stdout.trim(), '9', parsed.stderr);
  },
);

test('only when asked for', { timeout: 60000 }, async () => {
  await restart({ backend: 'hybrid' });
  (await record()).end();
  assert.equal(telemetry.metricsText().includes('otel_sdk'), false);
});
