'use strict';
// A loopback OTLP/HTTP receiver in a separate process. It responds at once, counts spans by walking
// the protobuf, and returns the count on GET /count. It prints its port and ends when standard
// input closes. It stores nothing that it receives.

const http = require('node:http');
const zlib = require('node:zlib');

/**
 * Calls visit(from, to) for every length-delimited field with this number; ignores invalid data.
 */
function fields(bytes, from, to, wanted, visit) {
  let at = from;
  const varint = () => {
    let value = 0;
    let scale = 1;
    while (at < to) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    return value;
  };
  while (at < to) {
    const key = varint();
    const kind = key & 7;
    if (kind === 2) {
      const size = varint();
      if (key >> 3 === wanted) visit(at, at + size);
      at += size;
    } else if (kind === 0) varint();
    else at += kind === 1 ? 8 : 4;
  }
}

/** ExportTraceServiceRequest.resource_spans (1) . scope_spans (2) . spans (2) */
function countSpans(bytes) {
  let count = 0;
  fields(bytes, 0, bytes.length, 1, (a, b) =>
    fields(bytes, a, b, 2, (c, d) => fields(bytes, c, d, 2, () => count++)),
  );
  return count;
}

function main() {
  const seen = { spans: 0, requests: 0, bytes: 0, metrics: 0 };
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      response.end(JSON.stringify(seen));
      return;
    }
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 });
      response.end();
      const raw = Buffer.concat(parts);
      seen.bytes += raw.length;
      if (request.url.endsWith('/metrics')) {
        seen.metrics++;
        return;
      }
      seen.requests++;
      seen.spans += countSpans(
        request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(raw) : raw,
      );
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
  process.stdin.resume().on('end', () => process.exit(0));
}

main();
