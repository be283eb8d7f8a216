'use strict';
// Between a logger and its stream: flush() waits for every line and for nothing else, a failing
// stream loses lines with one warning, and nothing of a wait remains.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const { test } = require('node:test');
const { createLogger } = require('../../bindings/node/lib/logging');

const LONGEST_MS = 5000;
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A stream that counts its writes and accepts lines on request. */
class Slow extends EventEmitter {
  writableLength = 0;
  waiting = [];
  texts = [];

  write(text, done) {
    this.texts.push(text);
    this.waiting.push(done);
  }

  take() {
    this.waiting.shift()();
  }
}

const loggerTo = (destination, more) =>
  createLogger({ service: 's', environment: 'e', destination, ...more });

/** Whether a promise is settled after all pending tasks. */
async function isSettled(promise) {
  let settled = false;
  promise.then(() => (settled = true));
  for (let i = 0; i < 5; i++) await turn();
  return settled;
}

test('flush waits for the last line of several, and at once for none', async () => {
  const slow = new Slow();
  const log = loggerTo(slow);
  const before = timers();
  assert.equal(await isSettled(log.flush()), true);
  log.info('one');
  log.info('two');
  const [first, second] = [log.flush(), log.flush()];
  assert.equal(await isSettled(first), false);
  slow.take();
  assert.equal(await isSettled(first), false);
  log.info('three');
  slow.take();
  assert.equal(await isSettled(first), false);
  slow.take();
  assert.equal(await isSettled(first), true);
  assert.equal(await isSettled(second), true);
  assert.equal(await isSettled(log.flush()), true);
  assert.equal(timers(), before);
});

test('flush gives up after a time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const log = loggerTo(new Slow());
  log.info('never taken');
  const flushed = log.flush();
  t.mock.timers.tick(LONGEST_MS - 1);
  assert.equal(await isSettled(flushed), false);
  t.mock.timers.tick(1);
  assert.equal(await isSettled(flushed), true);
});

test('flush of a stream that has one of its own', async () => {
  const before = timers();
  const ways = {
    callback: { write() {}, flush: (done) => setImmediate(done) },
    promise: { write() {}, flush: async () => turn() },
    plain: { write() {}, flush() {} },
    rejects: { write() {}, flush: async (done) => Promise.reject(new Error(typeof done)) },
    throws: {
      write() {},
      flush(done) {
        throw new Error(typeof done);
      },
    },
    'fails by callback': { write() {}, flush: (done) => setImmediate(done, new Error('no')) },
    none: { write() {} },
  };
  for (const [name, stream] of Object.entries(ways)) {
    const log = loggerTo(stream);
    log.info('m');
    let flushed = false;
    const promise = log.flush().then(() => (flushed = true));
    for (let i = 0; i < 20 && !flushed; i++) await turn();
    assert.equal(flushed, true, name);
    await promise;
  }
  assert.equal(timers(), before);
});

test('one warning for all failures of a logger, with the first reason cut at 200', async () => {
  const warnings = [];
  const { emitWarning } = process;
  process.emitWarning = (text, options) => warnings.push([text, options.code]);
  try {
    const slow = new Slow();
    slow.write = () => {
      throw new Error('x'.repeat(300));
    };
    const log = loggerTo(slow);
    for (let i = 0; i < 3; i++) log.info('lost');
    slow.emit('error', new Error('later'));
    assert.equal(await isSettled(log.flush()), true, 'a line that was not taken is not waited for');
    const unreadable = new Slow();
    loggerTo(unreadable);
    unreadable.emit('error', {
      get message() {
        throw new Error('no');
      },
    });
  } finally {
    process.emitWarning = emitWarning;
  }
  assert.equal(warnings.length, 2);
  assert.match(warnings[0][0], /\(x{200}\)/);
  assert.match(warnings[1][0], /\(unknown reason\)/);
  assert.equal(warnings[0][1], 'DJP_TELEMETRY_LOG_WRITE');
});

test('two loggers of one stream listen to its errors once, and each child writes to it', () => {
  const slow = new Slow();
  const first = loggerTo(slow);
  const second = loggerTo(slow);
  assert.equal(slow.listenerCount('error'), 1);
  first.child({ a: 1 }).info('m');
  second.info('m');
  assert.equal(slow.texts.length, 2);
});

test('a stream that logs from its write stops after three lines within one another', () => {
  const texts = [];
  const log = loggerTo({
    write(text) {
      texts.push(text);
      log.info('again');
    },
  });
  log.info('first');
  assert.ok(texts.length >= 2 && texts.length <= 4, `${texts.length}`);
  const before = texts.length;
  log.info('second');
  assert.equal(texts.length, 2 * before);
});
