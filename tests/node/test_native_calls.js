'use strict';
// Native functions called directly: what they do with good arguments, and what they leave alone
// with others.

const assert = require('node:assert/strict');
const { after, beforeEach, test } = require('node:test');

const { native } = require('../../bindings/node/lib/loader.js');
const { Counter, metricsText } = require('../../bindings/node/lib/metrics.js');
const { restart, telemetry } = require('./support.js');

const TRACE = '0123456789abcdeffedcba9876543210';
const SPAN = '13579bdf2468ace0';
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0';

beforeEach(() => restart({ backend: 'hybrid', excludedPaths: '/health,/metrics*' }));
after(() => telemetry.shutdown(1000));

test('a traceparent is written from whole ids only', () => {
  assert.equal(native.traceparentWrite(TRACE, SPAN, 1), `00-${TRACE}-${SPAN}-01`);
  assert.equal(native.traceparentWrite(TRACE.toUpperCase(), SPAN, 0), `00-${TRACE}-${SPAN}-00`);
  for (const trace of [TRACE.slice(1), `${TRACE}0`, '', 'g'.repeat(32), '0'.repeat(32), null, 5])
    assert.equal(native.traceparentWrite(trace, SPAN, 1), '', String(trace));
  for (const span of [SPAN.slice(1), `${SPAN}0`, '', `${SPAN.slice(2)}0g`, '0'.repeat(16), {}])
    assert.equal(native.traceparentWrite(TRACE, span, 1), '', String(span));
});

test('a context is written into words, or they stay as they are', () => {
  const words = new Int32Array(12).fill(7);
  const parent = `00-${TRACE}-${SPAN}-01`;
  assert.equal(native.extractInto(words, parent, ['a=1', 'b=2']), 'a=1,b=2');
  const ids = Buffer.from(TRACE + SPAN, 'hex');
  for (let i = 0; i < 6; i++) assert.equal(words[i], ids.readInt32BE(i * 4));
  assert.deepEqual([...words.slice(6)], [1, 7, 7, 7, 7, 7]);
  const before = [...words];
  for (const bad of ['', null, 'x', [parent, parent], `00-${TRACE}-${SPAN}`])
    assert.equal(native.extractInto(words, bad, 'a=1'), null);
  assert.deepEqual([...words], before);
  assert.equal(native.extractInto(new Int32Array(6), parent, ''), null);
  assert.equal(native.extractInto(new Float64Array(12), parent, ''), null);
  assert.equal(native.extractInto(null, parent, ''), null);
  assert.deepEqual(native.extract(parent, ''), {
    traceId: TRACE,
    spanId: SPAN,
    flags: 1,
    state: '',
  });
  assert.equal(native.extract('', 'a=1'), null);
});

test('a tracestate changes member by member', () => {
  assert.equal(native.tracestateSet('a=1,b=2', 'b', '3'), 'b=3,a=1');
  assert.equal(native.tracestateSet('a=1,b=2', 'b', ''), 'a=1');
  assert.equal(native.tracestateSet('a=1', 'a', ''), null);
  assert.equal(native.tracestateSet(null, 'k', 'v'), 'k=v');
  assert.equal(native.tracestateGet('a=1,b=2', 'b'), '2');
  assert.equal(native.tracestateGet('a=1,b=2', 'c'), null);
  assert.equal(native.tracestateGet('a=1', null), null);
  assert.equal(native.tracestateParse(['a=1', ' b=2 ']), 'a=1,b=2');
  assert.equal(native.tracestateParse(''), null);
});

test('excluded paths are those of the active SDK', () => {
  assert.equal(native.excludesPath('/health'), true);
  assert.equal(native.excludesPath('/healthy'), false);
  assert.equal(native.excludesPath(5), false);
});

test('a request takes an exemplar from valid words', () => {
  const words = new Int32Array(12);
  native.extractInto(words, `00-${TRACE}-${SPAN}-01`, '');
  for (const [path, given] of [
    ['/with', words],
    ['/without', undefined],
    ['/zero', new Int32Array(12)],
    ['/short', new Int32Array(6)],
  ])
    assert.equal(native.recordHttpRequest('GET', path, 200, 0.5, 1, given), true);
  const lines = metricsText(OPENMETRICS).split('\n');
  const exemplars = (path) =>
    lines.filter((line) => line.includes(`"${path}"`) && line.includes(TRACE)).length;
  assert.ok(lines.some((line) => line.includes('"/without"')));
  assert.ok(exemplars('/with') > 0);
  assert.deepEqual(['/without', '/zero', '/short'].map(exemplars), [0, 0, 0]);
});

test('a name with a NUL is that of no metric', () => {
  new Counter('nul_name\0x', 'h').inc();
  new Counter('nul_label', 'h', ['a\0b']).inc('v');
  assert.ok(!metricsText(OPENMETRICS).includes('nul_'));
});

test('a family with a NUL is refused, and a series has one place', () => {
  assert.throws(() => native.familyNew(1, 'nul_a\0b', 'h', '', [], null, 0), /refused/);
  assert.throws(() => native.familyNew(1, 'nul_a', 'h', '', ['x', 'y\0'], null, 0), /refused/);
  const counter = new Counter('direct_opened', 'h');
  counter.inc();
  const series = native.seriesOf(native.familyNew(1, 'direct', 'h', '', [], null, 0), []);
  const place = native.shardsBind(series);
  assert.ok(place >= 0, String(place));
  assert.equal(native.shardsBind(series), place);
  for (const bad of [0, -1, NaN, null, series + 2 ** 40])
    assert.ok(Number.isNaN(native.shardsBind(bad)), String(bad));
});
