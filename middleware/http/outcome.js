'use strict';
// How an exchange ended: which status was sent, and who ended it. A client that leaves is nobody's
// error, whichever part of the service notices it; a connection that the service cut is the
// service's failure and never the client's doing.

const net = require('net');

const ENDED_HERE = Symbol.for('djp_telemetry.ended_here'); // of a socket

// Errors of a socket that say that the other side is gone. An error that the service destroyed its
// response with is its own, whatever the code: that of a connection to somebody else, for example.
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
/** What Node answers by itself when it gives a request up. */
const STATUS_BY_NODE = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

/** The status that was sent, whatever was set afterwards; 0: no answer began. */
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

/** Whether the client reset the stream of HTTP/2, or its connection went. */
function isReset(stream, res) {
  const error = stream.errored;
  if (error !== null && error !== undefined && error === res.errored) return false;
  return error
    ? error.code === 'ERR_HTTP2_STREAM_ERROR' || PEER_GONE.has(error.code)
    : stream.rstCode !== 2;
}

/** Asked when the client closed its side: whether it did so because the service had. */
function watchEnd(socket) {
  if (socket.writableEnded) socket[ENDED_HERE] = true;
}

/** Whether the client closed its side first: no server answers then, unless it was told to. */
function hungUp(socket) {
  if (socket.readableEnded !== true || socket[ENDED_HERE] === true) return false;
  return !(socket.server && socket.server.httpAllowHalfOpen === true);
}

/** Whether it is the client who ended the connection, asked while it ends or after it ended. */
function clientLeft(req, res) {
  const stream = req.stream;
  if (stream && typeof stream.rstCode === 'number') return isReset(stream, res);
  const socket = req.socket;
  if (!isSocket(socket)) return !res.errored; // an adapter's: nobody else could have ended it
  if (hungUp(socket)) return true;
  const error = socket.errored;
  return Boolean(error) && error !== res.errored && PEER_GONE.has(error.code);
}

/** The status of the answer that Node gave by itself, or 0. */
function statusByNode(req) {
  const code = req.socket && req.socket.errored ? req.socket.errored.code : undefined;
  if (typeof code !== 'string' || PEER_GONE.has(code)) return 0;
  return STATUS_BY_NODE[code] || (code.startsWith('HPE_') ? 400 : 0);
}

/**
 * Looks whether the request is being given up before an answer began. What the service answers
 * afterwards reaches nobody, and an error that says so is none.
 */
function watchLoss(exchange, req, res) {
  if (exchange.left || exchange.instead !== 0 || res.headersSent || !isOver(req)) return;
  exchange.instead = statusByNode(req);
  if (exchange.instead === 0) exchange.left = clientLeft(req, res);
}

/**
 * Whether not a byte was ever written to the connection: what was said to have been sent came too
 * late for it.
 */
function sentNothing(req) {
  return isSocket(req.socket) && req.socket.bytesWritten === 0;
}

/** Whether nothing can be answered any more. */
function isOver(req) {
  const stream = req.stream;
  if (stream && typeof stream.rstCode === 'number')
    return stream.destroyed || stream.aborted || stream.closed;
  return req.aborted === true || !req.socket || req.socket.destroyed || hungUp(req.socket);
}

module.exports = { clientLeft, isOver, isSocket, sentNothing, sentStatus, watchEnd, watchLoss };
