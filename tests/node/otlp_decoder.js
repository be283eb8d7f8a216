'use strict';
// Decodes exported OTLP trace requests (protobuf) into plain objects, independently of the encoder
// of the core.

function varint(data, at) {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = data[at++];
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

/** Calls visit(field, value) for each field: bytes for length-delimited ones, bigint for others. */
function fields(data, visit) {
  let at = 0;
  while (at < data.length) {
    let key;
    let value;
    [key, at] = varint(data, at);
    const kind = Number(key & 7n);
    if (kind === 0) {
      [value, at] = varint(data, at);
    } else if (kind === 1) {
      value = data.readBigUInt64LE(at);
      at += 8;
    } else if (kind === 5) {
      value = BigInt(data.readUInt32LE(at));
      at += 4;
    } else {
      let size;
      [size, at] = varint(data, at);
      value = data.subarray(at, at + Number(size));
      at += Number(size);
    }
    visit(Number(key >> 3n), value);
  }
}

function anyValue(data) {
  let result = null;
  fields(data, (field, value) => {
    if (field === 1) result = value.toString();
    else if (field === 2) result = value !== 0n;
    else if (field === 3) result = BigInt.asIntN(64, value);
    else if (field === 4) {
      const bits = Buffer.alloc(8);
      bits.writeBigUInt64LE(value);
      result = { double: bits.readDoubleLE(0) };
    } else if (field === 5) {
      result = [];
      fields(value, (_, item) => result.push(anyValue(item)));
    } else if (field === 6) {
      result = {};
      fields(value, (_, item) => keyValue(result, item));
    } else if (field === 7) result = Buffer.from(value);
  });
  return plain(result);
}

/** Integers as numbers if that is exact, doubles as numbers. */
function plain(value) {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return value !== null &&
    typeof value === 'object' &&
    'double' in value &&
    Object.keys(value).length === 1
    ? value.double
    : value;
}

function keyValue(into, data) {
  let key = '';
  let result = null;
  fields(data, (field, value) => {
    if (field === 1) key = value.toString();
    else if (field === 2) result = anyValue(value);
  });
  into[key] = result;
}

function event(data) {
  const result = { name: '', time: 0n, attributes: {}, dropped: 0 };
  fields(data, (field, value) => {
    if (field === 1) result.time = value;
    else if (field === 2) result.name = value.toString();
    else if (field === 3) keyValue(result.attributes, value);
    else if (field === 4) result.dropped = Number(value);
  });
  return result;
}

function link(data) {
  const result = { traceId: '', spanId: '', traceState: '', attributes: {}, flags: 0 };
  fields(data, (field, value) => {
    if (field === 1) result.traceId = value.toString('hex');
    else if (field === 2) result.spanId = value.toString('hex');
    else if (field === 3) result.traceState = value.toString();
    else if (field === 4) keyValue(result.attributes, value);
    else if (field === 6) result.flags = Number(value);
  });
  return result;
}

function status(data) {
  const result = { code: 0, message: '' };
  fields(data, (field, value) => {
    if (field === 2) result.message = value.toString();
    else if (field === 3) result.code = Number(value);
  });
  return result;
}

const SPAN_FIELDS = {
  1: (span, value) => (span.traceId = value.toString('hex')),
  2: (span, value) => (span.spanId = value.toString('hex')),
  3: (span, value) => (span.traceState = value.toString()),
  4: (span, value) => (span.parentId = value.toString('hex')),
  5: (span, value) => (span.name = value.toString()),
  6: (span, value) => (span.kind = Number(value)),
  7: (span, value) => (span.start = value),
  8: (span, value) => (span.end = value),
  9: (span, value) => keyValue(span.attributes, value),
  10: (span, value) => (span.dropped = Number(value)),
  11: (span, value) => span.events.push(event(value)),
  13: (span, value) => span.links.push(link(value)),
  14: (span, value) => (span.droppedLinks = Number(value)),
  15: (span, value) => (span.status = status(value)),
  16: (span, value) => (span.flags = Number(value)),
};

function span(data, scope) {
  const result = {
    traceId: '',
    spanId: '',
    parentId: '',
    traceState: '',
    name: '',
    kind: 0,
    start: 0n,
    end: 0n,
    attributes: {},
    dropped: 0,
    droppedLinks: 0,
    events: [],
    links: [],
    status: { code: 0, message: '' },
    flags: 0,
    scope,
  };
  fields(data, (field, value) => SPAN_FIELDS[field]?.(result, value));
  return result;
}

function scopeSpans(data, into) {
  const scope = { name: '', version: '', schemaUrl: '', attributes: {} };
  fields(data, (field, value) => {
    if (field === 1)
      fields(value, (part, item) => {
        if (part === 1) scope.name = item.toString();
        else if (part === 2) scope.version = item.toString();
        else if (part === 3) keyValue(scope.attributes, item);
      });
    else if (field === 3) scope.schemaUrl = value.toString();
  });
  fields(data, (field, value) => field === 2 && into.push(span(value, scope)));
}

/** Returns the spans of an ExportTraceServiceRequest. */
function decodeSpans(data) {
  const spans = [];
  fields(Buffer.from(data), (_, resource) =>
    fields(resource, (field, value) => field === 2 && scopeSpans(value, spans)),
  );
  return spans;
}

module.exports = { decodeSpans };
