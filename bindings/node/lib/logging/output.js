'use strict';

// The stream between pino and the destination. A destination that throws, emits errors or is
// destroyed loses lines with one warning, and never affects the caller. flush() waits until all
// lines are written.

const FLUSH_LIMIT_MS = 5000;
const NESTING_LIMIT = 3;

const guarded = new WeakSet();

/** Handles error events of a stream, which would otherwise end the process. */
function listen(stream, onError) {
  if (guarded.has(stream) || typeof stream.on !== 'function') return;
  guarded.add(stream);
  stream.on('error', onError);
}

class Output {
  constructor(stream) {
    this.stream = stream;
    this.pending = 0;
    this.nesting = 0;
    this.lost = 0;
    this.waiting = [];
    this.countsWrites = typeof stream.writableLength === 'number';
    this.written = () => {
      this.pending -= 1;
      if (this.pending === 0) this.wake();
    };
    listen(stream, (error) => this.fail(error));
  }

  /** pino calls this with one line. */
  write(line) {
    // A stream that logs from its write would recurse forever.
    if (this.nesting >= NESTING_LIMIT) return;
    this.nesting += 1;
    try {
      if (this.countsWrites) {
        this.pending += 1;
        this.stream.write(line, this.written);
      } else {
        this.stream.write(line);
      }
    } catch (error) {
      if (this.countsWrites) this.written();
      this.fail(error);
    } finally {
      this.nesting -= 1;
    }
  }

  fail(error) {
    this.lost += 1;
    if (this.lost > 1) return;
    let reason = 'unknown reason';
    try {
      reason = String(error?.message ?? error).slice(0, 200);
    } catch {
      // An unreadable reason is left out.
    }
    process.emitWarning(
      `A log line could not be written (${reason}); further failures of this logger are not ` +
        `reported.`,
      { code: 'DJP_TELEMETRY_LOG_WRITE' },
    );
  }

  wake() {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when the stream has received every line, or after five seconds; never rejects. */
  flush() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FLUSH_LIMIT_MS);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      try {
        if (this.countsWrites) {
          if (this.pending === 0) done();
          else this.waiting.push(done);
        } else if (typeof this.stream.flush === 'function') {
          // Some streams take a callback, others return a promise.
          Promise.resolve(this.stream.flush(done)).then((value) => value, done);
          if (this.stream.flush.length === 0) done();
        } else {
          done();
        }
      } catch {
        done();
      }
    });
  }
}

function warnOnce(text, code) {
  if (warnOnce.reported.has(code)) return;
  warnOnce.reported.add(code);
  process.emitWarning(text, { code });
}
warnOnce.reported = new Set();

/** Returns a stream that prints readable lines, or null if pino-pretty is not installed. */
function prettyStream(destination) {
  try {
    const pretty = require('pino-pretty');
    return pretty({
      destination: destination === undefined ? 1 : destination,
      messageKey: 'message',
      timestampKey: 'timestamp',
      sync: true,
    });
  } catch (error) {
    warnOnce(
      `Log lines stay JSON: pretty needs the package pino-pretty ` +
        `(${error?.code ?? error?.message}). ` +
        'Install it with: npm install pino-pretty',
      'DJP_TELEMETRY_LOG_PRETTY',
    );
    return null;
  }
}

function openOutput(pino, config) {
  const given = config.destination;
  const usable =
    given !== null && typeof given === 'object' && typeof given.write === 'function'
      ? given
      : undefined;
  const pretty = config.pretty === true ? prettyStream(usable) : null;
  return new Output(
    pretty ?? usable ?? pino.destination({ fd: process.stdout.fd ?? 1, sync: true }),
  );
}

module.exports = { Output, openOutput, warnOnce };
