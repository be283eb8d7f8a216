'use strict';
// The outcome of a request: the status that was sent, and whether client or server ended it. If the
// client leaves, the request has no error; if the service closes the connection, the service has
// failed.

const net = require('net');

const ENDED_HERE = Symbol.for('djp_telemetry.ended_here'); // of a socket

// Socket errors for a client that is gone. If the service destroyed its response with such an
// error, the error belongs to the service: it may be that of a connection to another server.
const PEER_GONE = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTCONN',
  'HPE_INVALID_EOF_STATE',
]);
/** Statuses with which Node itself responds to a failed request. */
const STATUS_BY_NODE = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

/** Returns the status that was sent, whatever was set later; 0: no response was started. */
function sentStatus(res) {
  if (!res.headersSent) return 0;
  const head = res._header;
  if (typeof head === 'string' && head.charCodeAt(8) === 32) {
    const status =
      (head.charCodeAt(9) - 48) * 100 + (head.charCodeAt(10) - 48) * 10 + head.charCodeAt(11) - 48;
    if (status >= 100 && status <= 999) return status;
  }
  const sent = res.stream && res.stream.sentHeaders;
  const status = sent ? Number(sent[':status']) : 0;
  return status > 0 ? status : res.statusCode;
}

function isSocket(socket) {
  return socket instanceof net.Socket;
}

/** Whether the client reset the HTTP/2 stream, or its connection broke. */
function isReset(stream, res) {
  const error = stream.errored;
  if (error !== null && error !== undefined && error === res.errored) return false;
  return error
    ? error.code === 'ERR_HTTP2_STREAM_ERROR' || PEER_GONE.has(error.code)
    : stream.rstCode !== 2;
}

/** When the client closes its side, notes whether the service had closed its side before. */
function watchEnd(socket) {
  if (socket.writableEnded) socket[ENDED_HERE] = true;
}

/** Whether the client closed its side first: by default a server sends no response then. */
function hungUp(socket) {
  if (socket.readableEnded !== true || socket[ENDED_HERE] === true) return false;
  return !(socket.server && socket.server.httpAllowHalfOpen === true);
}

/** Whether the client ended the connection. Call it at or after the end. */
function clientLeft(req, res) {
  const stream = req.stream;
  if (stream && typeof stream.rstCode === 'number') return isReset(stream, res);
  const socket = req.socket;
  if (!isSocket(socket)) return !res.errored; // an adapter: only the client can have ended it
  if (hungUp(socket)) return true;
  const error = socket.errored;
  return Boolean(error) && error !== res.errored && PEER_GONE.has(error.code);
}

/** Returns the status of a response by Node itself, or 0. */
function statusByNode(req) {
  const code = req.socket && req.socket.errored ? req.socket.errored.code : undefined;
  if (typeof code !== 'string' || PEER_GONE.has(code)) return 0;
  return STATUS_BY_NODE[code] || (code.startsWith('HPE_') ? 400 : 0);
}

/**
 * Checks whether a request is aborted before its response was started. A later response is not
 * delivered, and an error that reports this is none.
 */
function watchLoss(exchange, req, res) {
  if (exchange.left || exchange.instead !== 0 || res.headersSent || !isOver(req)) return;
  exchange.instead = statusByNode(req);
  if (exchange.instead === 0) exchange.left = clientLeft(req, res);
}

/** Whether no byte was written to the connection: the response was too late. */
function sentNothing(req) {
  return isSocket(req.socket) && req.socket.bytesWritten === 0;
}

/** Whether a response is no longer possible. */
function isOver(req) {
  const stream = req.stream;
  if (stream && typeof stream.rstCode === 'number')
    return stream.destroyed || stream.aborted || stream.closed;
  return req.aborted === true || !req.socket || req.socket.destroyed || hungUp(req.socket);
}

module.exports = { clientLeft, isOver, isSocket, sentNothing, sentStatus, watchEnd, watchLoss };
