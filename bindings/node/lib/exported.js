'use strict';
// Spans of the memory exporter as plain objects, for tests of applications. Decodes the OTLP
// messages (trace.proto, common.proto, resource.proto) that the core exported.

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const CODES = ['unset', 'ok', 'error'];
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

/**
 * Calls visit(number, value) for each field of a message: bigint for integers, bytes for all else.
 */
function eachField(data, visit) {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const tag = Number(varint());
    const type = tag & 7;
    if (type === VARINT) {
      visit(tag >>> 3, varint());
    } else if (type === BYTES) {
      const size = Number(varint());
      visit(tag >>> 3, data.subarray(at, (at += size)));
    } else {
      const wide = type === FIXED64;
      visit(tag >>> 3, wide ? data.readBigUInt64LE(at) : BigInt(data.readUInt32LE(at)));
      at += wide ? 8 : 4;
    }
  }
}

/** Decodes a message into an object, with a reader per field number. */
function message(data, into, readers) {
  eachField(data, (number, value) => {
    const reader = readers[number];
    if (reader !== undefined) reader(into, value);
  });
  return into;
}

function integer(value) {
  const signed = BigInt.asIntN(64, value);
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
}

function real(bits) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes.readDoubleLE(0);
}

/**
 * Decodes an AnyValue: text, boolean, number, bigint beyond 2^53, list, object or Buffer; null if
 * it is empty.
 */
function anyValue(data) {
  let result = null;
  eachField(data, (number, value) => {
    if (number === 1) result = value.toString();
    else if (number === 2) result = value !== 0n;
    else if (number === 3) result = integer(value);
    else if (number === 4) result = real(value);
    else if (number === 5) eachField(value, (_, item) => (result ??= []).push(anyValue(item)));
    else if (number === 6) eachField(value, (_, item) => attribute((result ??= {}), item));
    else if (number === 7) result = Buffer.from(value);
    if ((number === 5 || number === 6) && result === null) result = number === 5 ? [] : {};
  });
  return result;
}

function attribute(into, data) {
  let key = '';
  let value = null;
  eachField(data, (number, part) => {
    if (number === 1) key = part.toString();
    else if (number === 2) value = anyValue(part);
  });
  Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
}

const text = (name) => (into, value) => (into[name] = value.toString());
const hex = (name) => (into, value) => (into[name] = value.toString('hex'));
const number = (name) => (into, value) => (into[name] = Number(value));
const time = (name) => (into, value) => (into[name] = value);
const attributes = (into, value) => attribute(into.attributes, value);

const EVENT = { 1: time('time'), 2: text('name'), 3: attributes };
const LINK = { 1: hex('traceId'), 2: hex('spanId'), 3: text('traceState'), 4: attributes };
const STATUS = { 2: text('message'), 3: (into, value) => (into.code = CODES[Number(value)]) };
const SPAN = {
  1: hex('traceId'),
  2: hex('spanId'),
  3: text('traceState'),
  4: hex('parentSpanId'),
  5: text('name'),
  6: (into, value) => (into.kind = KINDS[Number(value)]),
  7: time('startTime'),
  8: time('endTime'),
  9: attributes,
  10: number('droppedAttributes'),
  11: (into, value) =>
    into.events.push(message(value, { name: '', time: 0n, attributes: {} }, EVENT)),
  13: (into, value) =>
    into.links.push(
      message(value, { traceId: '', spanId: '', traceState: '', attributes: {} }, LINK),
    ),
  15: (into, value) => message(value, into.status, STATUS),
};
const SCOPE = { 1: text('name'), 2: text('version'), 3: attributes };

function spanOf(data, resource, scope) {
  const span = {
    name: '',
    kind: 'internal',
    traceId: '',
    spanId: '',
    parentSpanId: '',
    traceState: '',
    startTime: 0n,
    endTime: 0n,
    attributes: {},
    events: [],
    links: [],
    status: { code: 'unset', message: '' },
    droppedAttributes: 0,
    scope,
    resource,
  };
  return message(data, span, SPAN);
}

function scopeSpans(into, data, resource) {
  const scope = { name: '', version: '', schemaUrl: '', attributes: {} };
  message(data, scope, { 1: (one, value) => message(value, one, SCOPE), 3: text('schemaUrl') });
  message(data, into, { 2: (spans, value) => spans.push(spanOf(value, resource, scope)) });
}

function resourceSpans(into, data) {
  const resource = { attributes: {} };
  message(data, resource, { 1: (one, value) => message(value, one, { 1: attributes }) });
  message(data, into, { 2: (spans, value) => scopeSpans(spans, value, resource.attributes) });
}

/** Returns the spans of ExportTraceServiceRequests, in order. */
function spansOf(requests) {
  const spans = [];
  for (const request of requests) message(Buffer.from(request), spans, { 1: resourceSpans });
  return spans;
}

module.exports = { spansOf };
