'use strict';
// Carriers of trace context: every form, read and written, and carriers that throw.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { extract, inject } = require('../../bindings/node/lib/propagation.js');

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const CONTEXT = { traceId: TRACE, spanId: SPAN, traceFlags: 1, traceState: 'a=1' };
const SENT = { traceparent: PARENT, tracestate: 'a=1', baggage: 'k=v' };

class Own {
  constructor() {
    this.sent = {};
  }
  setHeader(name, value) {
    this.sent[name] = value;
  }
}

test('inject into every carrier', () => {
  const put = (carrier) => inject(carrier, CONTEXT, 'k=v');
  assert.deepEqual(put(), SENT);
  assert.deepEqual(put(null), SENT);
  const given = { other: 'kept' };
  assert.equal(put(given), given);
  assert.deepEqual(given, { other: 'kept', ...SENT });
  assert.deepEqual(Object.fromEntries(put(new Map())), SENT);
  assert.deepEqual(Object.fromEntries(put(new Headers())), SENT);
  assert.deepEqual(Object.fromEntries(put([])), SENT);
  assert.deepEqual(put(['host', 'x']), ['host', 'x', ...Object.entries(SENT).flat()]);
  assert.deepEqual(put(new Own()).sent, SENT);
  const upper = inject(
    {},
    CONTEXT,
    '',
    (carrier, name, value) => (carrier[name.toUpperCase()] = value),
  );
  assert.deepEqual(upper, { TRACEPARENT: PARENT, TRACESTATE: 'a=1' });
  const lists = inject({}, CONTEXT, '', {
    set: (carrier, name, value) => (carrier[name] = [value]),
  });
  assert.deepEqual(lists, { traceparent: [PARENT], tracestate: ['a=1'] });
});

const trap = () => {
  throw new Error('trap');
};

for (const [name, carrier] of [
  ['a number', 1],
  ['text', 'text'],
  ['a frozen object', Object.freeze({})],
  ['a proxy that throws', new Proxy({}, { get: trap, set: trap, has: trap })],
  ['a symbol', Symbol('s')],
]) {
  test(`a carrier that cannot be written comes back: ${name}`, () => {
    assert.equal(inject(carrier, CONTEXT, 'k=v'), carrier);
    assert.deepEqual(extract(carrier), { context: null, baggage: '' });
  });
}

test('setters and getters that throw', () => {
  assert.deepEqual(inject({}, CONTEXT, '', trap), {});
  assert.deepEqual(inject({}, CONTEXT, '', {}), {});
  assert.equal(extract({}, trap).context, null);
  assert.equal(extract({}, {}).context, null);
});

test('a tracestate object of OpenTelemetry', () => {
  const traceState = { serialize: () => 'b=2' };
  assert.equal(inject({}, { ...CONTEXT, traceState }).tracestate, 'b=2');
  assert.deepEqual(inject({}, { ...CONTEXT, traceState: { serialize: trap } }), {
    traceparent: PARENT,
  });
});

const get = (carrier, name) => carrier[`x-${name}`];
for (const [name, carrier, getter] of [
  ['an object', { traceparent: PARENT, tracestate: 'a=1,b=2' }],
  ['any case', { Traceparent: PARENT, TraceState: 'a=1,b=2' }],
  ['the form of CGI', { HTTP_TRACEPARENT: PARENT, HTTP_TRACESTATE: 'a=1,b=2' }],
  ['lists', { traceparent: [PARENT], tracestate: ['a=1', 'b=2'] }],
  [
    'pairs',
    [
      ['traceparent', PARENT],
      ['tracestate', 'a=1'],
      ['tracestate', 'b=2'],
    ],
  ],
  ['raw headers', ['Host', 'x', 'TraceParent', PARENT, 'tracestate', 'a=1', 'tracestate', 'b=2']],
  [
    'a map',
    new Map([
      ['traceparent', PARENT],
      ['tracestate', 'a=1,b=2'],
    ]),
  ],
  ['Headers', new Headers({ traceparent: PARENT, tracestate: 'a=1,b=2' })],
  [
    'an object without a prototype',
    Object.assign(Object.create(null), { traceparent: PARENT, tracestate: 'a=1,b=2' }),
  ],
  ['a getter function', { 'x-traceparent': PARENT, 'x-tracestate': 'a=1,b=2' }, get],
  ['a getter object', { 'x-traceparent': PARENT, 'x-tracestate': ['a=1', 'b=2'] }, { get }],
]) {
  test(`extract from ${name}`, () => {
    const { context } = extract(carrier, getter);
    assert.deepEqual(context, { ...CONTEXT, traceState: 'a=1,b=2', isRemote: true });
  });
}
