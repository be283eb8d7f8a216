'use strict';
// Tail-sampling rules through the API: the shared vectors, and the option in the spelling of this
// language.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const vectors = JSON.parse(
  fs.readFileSync(path.join(__dirname, '../vectors/tail_sampling_rules.json'), 'utf8'),
);
const BASE_MS = 1700000000000;

test.after(() => telemetry.shutdown(LIMIT));

function begin(given, start, parent) {
  const options = { startTime: new Date(start), ...(parent ? { parent } : { root: true }) };
  const span = telemetry.startSpan(given.name, given.attributes, options);
  if (given.error) span.setStatus('ERROR');
  return span;
}

function run(item, factor) {
  const start = BASE_MS + (item.at ?? 0) * 1000;
  const given = { name: 'root', ...item.root };
  const root = begin(given, start);
  for (const child of item.children ?? [])
    begin(child, start, root).end(new Date(start + (child.ms ?? 1)));
  root.end(new Date(start + (given.ms ?? 1) * factor));
}

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

for (const item of vectors.traces) {
  test(`what rules keep: ${item.case}`, { timeout: 30000 }, async () => {
    const options = Object.fromEntries(
      Object.entries(item.options).map(([name, value]) => [camel(name), value]),
    );
    await restart({ sampleRatio: 1e-12, tailSamplingRules: item.rules, ...options });
    for (const trace of item.traces) {
      for (let i = 0; i < (trace.fill ?? 0); i++) run(trace, 1 + (i % 10) / 10);
      if (trace.fill === undefined) run(trace, 1);
      const spans = await take();
      if (trace.fill !== undefined) continue;
      const roots = spans.filter((span) => span.attributes['sampling.reason'] !== undefined);
      assert.equal(
        roots[0]?.attributes['sampling.reason'] ?? null,
        trace.reason,
        JSON.stringify(trace),
      );
      assert.equal(spans.length, trace.reason === null ? 0 : 1 + (trace.children ?? []).length);
    }
  });
}

test(
  'status shows the rules, where they came from and what they kept',
  { timeout: 30000 },
  async () => {
    await restart({
      sampleRatio: 1e-12,
      tailSamplingRules: 'shop: name checkout; rare 1h; slowest 1%',
    });
    for (const name of ['checkout', 'ping', 'ping'])
      telemetry.startSpan(name, null, { root: true }).end();
    const spans = await take();
    assert.deepEqual(
      spans.map((span) => span.attributes['sampling.reason']),
      ['rule:shop', 'rare'],
    );
    const status = telemetry.telemetryStatus();
    assert.equal(status.settings.tail_sampling_rules.source, 'option tail_sampling_rules');
    assert.deepEqual(
      [status.spans.sampled_rule, status.spans.sampled_rare, status.spans.not_sampled],
      [1, 1, 1],
    );
  },
);

test('a list of rules', { timeout: 30000 }, async () => {
  await restart({ sampleRatio: 1e-12, tailSamplingRules: ['shop: name checkout', 'name pay'] });
  for (const name of ['checkout', 'pay', 'browse'])
    telemetry.startSpan(name, null, { root: true }).end();
  const spans = await take();
  assert.deepEqual(
    spans.map((span) => span.attributes['sampling.reason']),
    ['rule:shop', 'rule'],
  );
});

test(
  'an error after a decision by age is kept, with what follows',
  { timeout: 30000 },
  async () => {
    await restart({ sampleRatio: 1e-12, decisionWait: 0.000001, slowThreshold: 0 });
    const root = telemetry.startSpan('root', null, { root: true });
    const child = (name) => telemetry.startSpan(name, null, { parent: root });
    const first = child('dropped');
    await new Promise((resolve) => setTimeout(resolve, 5));
    first.end();
    const failing = child('failing');
    failing.setStatus('ERROR');
    failing.end();
    child('after').end();
    root.end();
    const spans = await take();
    assert.deepEqual(spans.map((span) => span.name).sort(), ['after', 'failing', 'root']);
    assert.equal(telemetry.telemetryStatus().spans.decided_on_timeout, 1);
  },
);
