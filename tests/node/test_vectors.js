'use strict';
// The shared vectors of all languages, through the functions of the addon.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const { native } = require('../../bindings/node/lib/loader.js');
const propagation = require('../../bindings/node/lib/propagation.js');

const load = (name) =>
  JSON.parse(fs.readFileSync(path.join(__dirname, '../vectors', name), 'utf8'));
const values = (headers, name) =>
  headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
function checkRequest(name, request) {
  const parents = values(request.headers, 'traceparent');
  const states = values(request.headers, 'tracestate');
  const words = new Int32Array(8).fill(7);
  const found = native.extract(parents, states);
  const state = native.extractInto(words, parents.length === 1 ? parents[0] : parents, states);
  const carried = propagation.extract(request.headers).context;
  if (request.continued === null) {
    assert.equal(found, null, name);
    assert.equal(state, null, name);
    assert.equal(carried, null, name);
    assert.deepEqual([...words], Array(8).fill(7), name);
    return;
  }
  const { traceId, spanId, flags } = found;
  assert.deepEqual(
    [traceId, flags, found.state, state],
    [request.continued, request.flags, request.tracestate, state],
    name,
  );
  assert.equal(state, request.tracestate, name);
  if (request.parent) assert.equal(spanId, request.parent, name);
  const hex = [...words.subarray(0, 6)]
    .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
    .join('');
  assert.deepEqual([hex, words[6]], [traceId + spanId, flags], name);
  const wanted = {
    traceId,
    spanId,
    traceFlags: flags,
    traceState: request.tracestate,
    isRemote: true,
  };
  assert.deepEqual(carried, wanted, name);
}

test('trace context as received, among it all cases of the W3C harness', () => {
  let harness = 0;
  for (const item of [...load('traceparent.json').cases, ...load('tracestate.json').cases]) {
    item.requests.forEach((request) => checkRequest(item.case, request));
    harness += item.harness === true ? 1 : 0;
  }
  assert.equal(harness, 41);
});

test('setting a member of a tracestate', () => {
  const { cases } = load('tracestate_set.json');
  assert.ok(cases.length >= 18);
  for (const item of cases) {
    const result = native.tracestateSet(item.state, item.key, item.value);
    assert.equal(result, item.result, item.case);
    if (result !== null) {
      const expected = item.value === '' ? null : item.value;
      assert.equal(native.tracestateGet(result, item.key), expected, item.case);
    }
  }
});

test('baggage as received and as sent on', () => {
  for (const item of load('baggage.json').cases) {
    const entries = native
      .baggageParse(item.fields)
      .map(({ key, value, properties }) => [key, value, properties]);
    assert.deepEqual(entries, item.entries, item.case);
    assert.equal(native.baggageText(item.fields), item.text, item.case);
    let built = '';
    for (const [key, value, properties] of item.entries)
      built = native.baggageSet(built, key, value, properties);
    assert.equal(native.baggageText(built), built, item.case);
  }
});

test('what is sent for a span context', () => {
  for (const item of load('inject.json').cases) {
    const { trace_id: traceId, span_id: spanId, flags: traceFlags, case: name } = item;
    const traceState = native.tracestateParse(item.tracestate) || '';
    let baggage = '';
    for (const [key, value, properties] of item.baggage)
      baggage = native.baggageSet(baggage, key, value, properties);
    const sent = propagation.inject([], { traceId, spanId, traceFlags, traceState }, baggage);
    assert.deepEqual(sent, item.headers, name);
  }
});

test('the format of a scrape', () => {
  for (const item of load('negotiation.json')) {
    assert.equal(
      native.negotiate(item.accept === null ? undefined : item.accept),
      item.type,
      item.accept,
    );
  }
});

test('paths as labels', () => {
  for (const item of load('normalise.json'))
    assert.equal(native.normalisePath(item.path), item.label, item.path);
});

function checkSettings(name, report, expected, part) {
  for (const [key, value] of Object.entries(expected || {})) {
    assert.deepEqual(report[key] && report[key][part], value, `${name}: ${part} of ${key}`);
  }
}

function checkWarnings(item, warnings, report) {
  assert.equal(warnings.length, item.warnings, `${item.case}: ${warnings.join(' | ')}`);
  for (const text of warnings) assert.ok(text.length > 20 && text.endsWith('.'), text);
  for (const name of item.warning_names || [])
    assert.ok(
      warnings.some((text) => text.includes(name)),
      `${item.case}: ${name}`,
    );
  for (const secret of item.hidden || []) {
    assert.ok(
      !warnings.concat(report).some((text) => text.includes(secret)),
      `${item.case}: ${secret} is shown`,
    );
  }
}

test('settings from options and variables', () => {
  const { cases } = load('config.json');
  assert.ok(cases.length >= 250);
  for (const item of cases) {
    const warnings = [];
    const snake = item.spelling === 'camel' ? 0 : 1;
    const warn = (text) => warnings.push(text);
    const found = native.sdkResolve(item.options, item.env, item.default_service_name, warn, snake);
    const report = JSON.parse(found.report);
    checkSettings(item.case, report, item.expect, 'value');
    checkSettings(item.case, report, item.sources, 'source');
    checkWarnings(item, warnings, found.report + found.summary);
    if (item.fields?.summary !== undefined)
      assert.equal(found.summary, item.fields.summary, item.case);
  }
  assert.equal(native.sdkEpoch(), 0);
});
