'use strict';
// One outgoing HTTP request: its facts and the error with which it ends. The core defines names,
// attributes and status. A request that its caller aborted is not an error; a timeout is one.

const exception = require('./exception.js');
const instrument = require('./instrument.js');
const { INSTRUMENT, RESULT } = require('./oplog_form.js');

const MESSAGE_LENGTH = 1000;
const { HTTP_CLIENT } = INSTRUMENT;

class ClientCall {
  constructor(span, texts) {
    this.record = span; // of instrument.js
    this.texts = texts; // method, URL, target, protocol version, error type, error message
    this.status = 0;
    this.flags = 0;
  }

  /** The span for the headers of the request; null if there is none. */
  get span() {
    return instrument.hasSpan(this.record) ? this.record : null;
  }

  /** The response has begun. resends: how often the request was sent again. */
  respond(status, version, resends = 0) {
    if (this.record === null) return;
    this.status = (status > 0 ? status & 0xffff : 0) | (resends << 16);
    if (typeof version === 'string') this.texts[3] = version;
  }

  /** The request failed; without an error if the caller aborted it. */
  fail(error) {
    if (this.record === null) return;
    if (exception.isCancellation(error)) {
      this.flags = RESULT.CANCELLED;
      return;
    }
    if (this.record.isRecording()) {
      this.record.recordException(error === undefined || error === null ? String(error) : error);
    }
    // an abort that is not a cancellation is a timeout
    this.texts[4] = exception.isAbort(error) ? 'TimeoutError' : kindOf(error);
    this.texts[5] = exception.messageOf(error).slice(0, MESSAGE_LENGTH);
  }

  end() {
    const span = this.record;
    if (span === null) return;
    this.record = null;
    instrument.end(span, HTTP_CLIENT, 0, this.status, this.flags, this.texts);
  }
}

/** Returns the error code of Node or undici, else the class of the error: low cardinality. */
function kindOf(error) {
  const code = exception.property(error, 'code');
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(code)
    ? code
    : exception.typeOf(error);
}

/**
 * Starts a request to an origin below the current span, without making its span current. `path` may
 * be a full URL, as for proxies. null while nothing is recorded.
 */
function startClient(method, origin, path) {
  const texts = [method, origin, path, '', '', ''];
  const span = instrument.start(HTTP_CLIENT, method, 0, 0, 0, texts);
  return span === null ? null : new ClientCall(span, texts);
}

module.exports = require('./one.js')('client_span', { startClient });
