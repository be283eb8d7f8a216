'use strict';
// Lines of the logger: fields, overloads, levels, children, redaction; no call throws or loses its
// line.

const test = require('node:test');
const assert = require('node:assert/strict');
const { Writable } = require('node:stream');
const logging = require('../../bindings/node/lib/logging');
const telemetry = require('../../bindings/node/lib');

const { Lines, setUp } = require('./lines.js');
const { createLogger } = logging;

test('a line has the documented fields', () => {
  const { lines, log } = setUp();
  const before = Date.now();
  log.info('order accepted', {
    correlation_id: 'c-1',
    task_id: 't-1',
    duration_ms: 12.5,
    model: 'gpt-4o',
    tokens: { input: 120, output: 40 },
    cost_usd: 0.0042,
  });
  const { timestamp, ...rest } = lines.last;
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(timestamp) >= before && Date.parse(timestamp) <= Date.now());
  assert.deepEqual(rest, {
    level: 'info',
    service: 'shop',
    environment: 'test',
    pii_redacted: true,
    correlation_id: 'c-1',
    task_id: 't-1',
    duration_ms: 12.5,
    model: 'gpt-4o',
    tokens: { input: 120, output: 40 },
    cost_usd: 0.0042,
    message: 'order accepted',
  });
});

test('defaults: level info, service unknown, environment NODE_ENV', () => {
  const lines = new Lines();
  const kept = process.env.NODE_ENV;
  process.env.NODE_ENV = 'staging';
  try {
    const log = createLogger({ destination: lines });
    log.debug('no');
    log.info('yes');
    assert.equal(log.level, 'info');
  } finally {
    if (kept === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = kept;
  }
  assert.equal(lines.all.length, 1);
  assert.deepEqual([lines.last.environment, lines.last.level], ['staging', 'info']);
  assert.equal(lines.last.service, 'unknown');
});

test('nobody is said to be in development who did not say so', () => {
  const lines = new Lines();
  const kept = process.env.NODE_ENV;
  delete process.env.NODE_ENV;
  try {
    createLogger({ destination: lines }).info('nobody said');
    telemetry.init({
      enabled: true,
      backend: 'otel',
      exporter: 'memory',
      environment: 'prod',
      logLevel: 'warn',
    });
    createLogger({ destination: lines }).info('telemetry was told');
  } finally {
    void telemetry.shutdown(100);
    if (kept !== undefined) process.env.NODE_ENV = kept;
  }
  assert.deepEqual(
    lines.all.map((line) => line.environment),
    ['unknown', 'prod'],
  );
});

test('levels', () => {
  const names = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
  names.forEach((level, i) => {
    const { lines, log } = setUp({ level });
    for (const name of names) log[name]('x');
    assert.deepEqual(
      lines.all.map((line) => line.level),
      names.slice(i),
    );
  });
  const { lines, log } = setUp({ level: 'silent' });
  for (const name of names) log[name]('x');
  assert.equal(lines.texts.length, 0);
  log.level = 'debug';
  log.debug('x');
  assert.equal(lines.texts.length, 1);
  assert.deepEqual([log.isLevelEnabled('trace'), log.isLevelEnabled('debug')], [false, true]);
});

test('all overloads of error and fatal', () => {
  const { lines, log } = setUp();
  for (const level of ['error', 'fatal']) {
    const error = new TypeError('it broke');
    log[level]('one');
    assert.deepEqual(
      [lines.last.message, lines.last.err, lines.last.level],
      ['one', undefined, level],
    );
    log[level]('two', { a: 1 });
    assert.deepEqual([lines.last.a, lines.last.err], [1, undefined]);
    log[level]('three', error);
    assert.deepEqual(Object.keys(lines.last.err), ['name', 'message', 'stack']);
    assert.deepEqual([lines.last.err.name, lines.last.err.message], ['TypeError', 'it broke']);
    assert.ok(lines.last.err.stack.startsWith('TypeError: it broke\n'));
    log[level]('four', error, { a: 2 });
    assert.deepEqual(
      [lines.last.message, lines.last.a, lines.last.err.name],
      ['four', 2, 'TypeError'],
    );
    log[level]('five', undefined, { a: 3 });
    assert.deepEqual([lines.last.a, lines.last.err], [3, undefined]);
    log[level](error);
    assert.deepEqual([lines.last.message, lines.last.err.name], ['it broke', 'TypeError']);
  }
});

test('errors in metadata, their causes and codes', () => {
  const { lines, log } = setUp();
  const inner = Object.assign(new Error('inner a@example.com'), { code: 'ENOENT' });
  log.warn('x', { failure: new Error('outer', { cause: inner }) });
  assert.equal(lines.last.failure.cause.message, 'inner [REDACTED_EMAIL]');
  assert.equal(lines.last.failure.cause.code, 'ENOENT');
  assert.ok(!lines.texts.at(-1).includes('a@example.com'), 'not in the stack either');
  const loop = new Error('loop');
  loop.cause = loop;
  log.error('x', loop);
  assert.equal(lines.last.err.cause, '[Circular]');
});

test('children have the fields of their parents; a line may override them', () => {
  const { lines, log } = setUp();
  const child = log.child({ task_id: 't', password: 'x' }).child({ step: 1, service: 'worker' });
  child.info('a', { step: 2 });
  assert.deepEqual(
    [lines.last.task_id, lines.last.password, lines.last.step, lines.last.service],
    ['t', '[REDACTED]', 2, 'worker'],
  );
  assert.equal(lines.texts.at(-1).split('"step"').length, 2, 'no name stands twice');
  assert.equal(lines.texts.at(-1).split('"service"').length, 2);
  child.info('b');
  assert.equal(lines.last.step, 1);
  log.info('c');
  assert.deepEqual([lines.last.task_id, lines.last.service], [undefined, 'shop']);
  for (const odd of [
    undefined,
    null,
    5,
    'x',
    [],
    new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('no');
        },
      },
    ),
    { hasOwnProperty: 1, serializers: 2, level: 3 },
  ]) {
    log.child(odd).info('still a line');
    assert.deepEqual([lines.last.message, lines.last.level], ['still a line', 'info']);
  }
});

test('names that the logger writes itself are not overridden', () => {
  const { lines, log } = setUp();
  log.info('text', { level: 'fatal', message: 'other', timestamp: 'never', pii_redacted: false });
  assert.deepEqual(
    [lines.last.level, lines.last.message, lines.last.pii_redacted],
    ['info', 'text', true],
  );
  assert.deepEqual(
    [lines.last.level_, lines.last.message_, lines.last.timestamp_, lines.last.pii_redacted_],
    ['fatal', 'other', 'never', false],
  );
});

test('secrets, personal data, identifiers and amounts do not reach the line', () => {
  const { lines, log } = setUp({
    redactPaths: ['nick', 'a.b'],
    redactPatterns: [/ORD-\d+/],
    hashKey: 'key',
  });
  const secrets = [
    'bob@example.com',
    'hunter2',
    '555-123-4567',
    'ORD-17',
    'user-17',
    'tenant-9',
    '12345.67',
    'bobby',
    'deep',
  ];
  log.error('bob@example.com called 555-123-4567 about ORD-17', new Error('bob@example.com'), {
    password: 'hunter2',
    nested: [{ password: 'hunter2', note: 'ORD-17' }],
    userId: 'user-17',
    tenant_id: 'tenant-9',
    amount: 12345.67,
    nick: 'bobby',
    a: { b: 'deep' },
    'bob@example.com': 1,
    map: new Map([['password', 'hunter2']]),
    json: { toJSON: () => ({ password: 'hunter2' }) },
  });
  for (const secret of secrets) assert.ok(!lines.texts[0].includes(secret), secret);
  assert.match(lines.last.user_id, /^h1_[0-9a-f]{16}$/);
  log.info('x', {
    userId: 'user-17',
    author: 'Ann',
    tokens: 5,
    token_count: 6,
    cost_usd: 1.5,
    security_id: 'AAPL',
  });
  assert.equal(lines.last.user_id, lines.all[0].user_id, 'the same id has the same hash');
  assert.deepEqual(
    [lines.last.author, lines.last.tokens, lines.last.token_count, lines.last.cost_usd],
    ['Ann', 5, 6, 1.5],
  );
  assert.equal(lines.last.security_id, '[REDACTED]');
  const other = setUp({ hashKey: 'other' });
  other.log.info('x', { userId: 'user-17' });
  assert.notEqual(other.lines.last.user_id, lines.last.user_id, 'another key, another hash');
});

function hostile() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const thrower = () => {
    throw new Error('no');
  };
  const circular = { name: 'loop' };
  circular.self = circular;
  let deep = {};
  for (let i = 0; i < 50_000; i++) deep = { deep };
  let shared = { a: 1 };
  for (let i = 0; i < 60; i++) shared = { l: shared, r: shared };
  const liar = new Error('x');
  Object.defineProperty(liar, 'stack', { get: thrower });
  Object.defineProperty(liar, 'message', { get: thrower });
  return [
    circular,
    deep,
    shared,
    proxy,
    liar,
    null,
    undefined,
    0,
    NaN,
    Infinity,
    -0,
    true,
    '',
    'text',
    10n,
    Symbol('s'),
    thrower,
    [],
    [[]],
    [circular],
    Object.create(null),
    Object.create({ inherited: 1 }),
    {
      get bad() {
        return thrower();
      },
    },
    { toJSON: thrower },
    { toString: thrower, valueOf: thrower },
    { [Symbol.toPrimitive]: thrower },
    ...hostileExotics(circular),
  ];
}

function hostileExotics(circular) {
  const thrower = () => {
    throw new Error('no');
  };
  return [
    new Proxy({}, { get: thrower }),
    new Proxy({}, { ownKeys: thrower }),
    new Proxy({}, { getPrototypeOf: thrower }),
    new Proxy([], { get: thrower }),
    new Proxy(new Error('x'), { get: thrower }),
    new Date(NaN),
    new Date(1e20),
    /x/g,
    new Map([[{}, circular]]),
    new Set([circular]),
    Buffer.alloc(1 << 20),
    new Uint8Array(10),
    new ArrayBuffer(8),
    new WeakMap(),
    Promise.resolve(1),
    new (class A {
      #x = 1;
      y = 2;
    })(),
    { a: '\u0000\ud800\udc00\ud800 \u2028' },
    { ['k'.repeat(100_000)]: 1 },
    { hasOwnProperty: 1, __defineGetter__: 2 },
    JSON.parse('{"__proto__":{"a":1}}'),
    { method: 'GET', headers: {}, socket: {} },
    { setHeader() {} },
    'x'.repeat(3_000_000),
    Array(100_000).fill({ a: 1 }),
    globalThis,
    process,
    new Error(),
    Object.freeze({ a: Object.freeze({ b: 1 }) }),
    new Number(5),
    new String('x'),
    Object(Symbol('s')),
    new URL('http://h/x'),
    (function f() {
      return arguments;
    })(1),
  ];
}

test('no input throws, and every call writes one line', { timeout: 60_000 }, () => {
  const { lines, log } = setUp({ level: 'trace', redactPaths: ['a.b.c', '*.x', 5, null] });
  let calls = 0;
  const values = hostile();
  for (const value of values) {
    for (const call of [
      () => log.info('text', value),
      () => log.info(value),
      () => log.info('text', { value }),
      () => log.error('text', value),
      () => log.error(value, value),
      () => log.error('text', new Error('x'), value),
      () => log.fatal(value, value, value),
      () => log.child(value).info('text'),
      () => log.child({ value }).info('text'),
    ]) {
      assert.doesNotThrow(call);
      calls += 1;
      assert.equal(lines.texts.length, calls, `a line for ${typeof value}`);
      JSON.parse(lines.texts.at(-1));
    }
  }
  assert.doesNotThrow(() => log.info());
});

test('very long messages, null bytes, lone surrogates and line ends stay one line', () => {
  const { lines, log } = setUp();
  const long = 'lorem ipsum '.repeat(10_000);
  log.info(long);
  assert.equal(lines.last.message, long);
  log.info('a\u0000b\r\nc\ud800d\u2028', { x: 'a\u0000b\nc' });
  assert.ok(lines.last.message.startsWith('a\u0000b\r\nc'));
  log.info('x'.repeat(5_000_000));
  assert.ok(lines.texts.at(-1).length < 2_000_000);
});

test('a redaction that throws: the line is written, its value is not', () => {
  const pattern = /x/g;
  pattern[Symbol.replace] = () => {
    throw new Error('no');
  };
  const { lines, log } = setUp({ redactPatterns: [pattern, 'no pattern', null] });
  log.info('secret text', { a: 'secret value', n: 5 });
  assert.deepEqual(
    [lines.last.message, lines.last.a, lines.last.n],
    ['[REDACTION_FAILED]', '[REDACTION_FAILED]', 5],
  );
  assert.ok(!lines.texts[0].includes('secret'));
});

test('a getter that logs does not loop', () => {
  const { lines, log } = setUp();
  const value = {
    get again() {
      log.info('inner', value);
      return 1;
    },
  };
  log.info('outer', value);
  assert.ok(lines.texts.length >= 1 && lines.texts.length < 10);
  log.info('after', { a: 1 });
  assert.deepEqual([lines.last.message, lines.last.a], ['after', 1]);
});

test(
  'a destination that throws, fails later, is destroyed or logs itself',
  { timeout: 20_000 },
  async () => {
    const throwing = createLogger({
      destination: {
        write() {
          throw new Error('disk');
        },
      },
    });
    assert.doesNotThrow(() => throwing.info('x'));
    await throwing.flush();

    const failing = new Writable({
      write(chunk, encoding, done) {
        setImmediate(done, new Error('later'));
      },
    });
    const later = createLogger({ destination: failing });
    later.info('x');
    await later.flush();
    later.info('after the error');
    await later.flush();

    const destroyed = new Lines();
    const third = createLogger({ destination: destroyed });
    destroyed.destroy();
    assert.doesNotThrow(() => third.info('x'));
    await third.flush();

    let written = 0;
    const looping = createLogger({
      destination: {
        write() {
          written += 1;
          looping.info('again');
        },
      },
    });
    looping.info('x');
    assert.ok(written >= 1 && written < 10);
  },
);

test('flush waits for a slow destination', { timeout: 20_000 }, async () => {
  const done = [];
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk, encoding, callback) {
      setTimeout(() => {
        done.push(String(chunk));
        callback();
      }, 5);
    },
  });
  const log = createLogger({ destination: slow });
  for (let i = 0; i < 10; i++) log.child({ i }).info('x');
  await log.flush();
  assert.equal(done.length, 10);
});

test('the rate limit holds back what is below error, and says how much', async () => {
  const { lines, log } = setUp({ rateLimit: 10 });
  for (let i = 0; i < 500; i++) log.info('flood');
  for (let i = 0; i < 50; i++) log.error('kept');
  log.warn('another level has its own share');
  await log.flush();
  const count = (message) => lines.all.filter((line) => line.message === message).length;
  assert.ok(count('flood') >= 10 && count('flood') < 500);
  assert.equal(count('kept'), 50);
  assert.equal(count('another level has its own share'), 1);
  const told = lines.all.find((line) => line.suppressed);
  assert.equal(told.suppressed.info, 500 - count('flood'));
});

test('odd configurations give a logger', () => {
  const lines = new Lines();
  for (const config of [
    { level: 'loud' },
    { level: 5 },
    { level: 'INFO' },
    { service: 5 },
    { redactPaths: 'x', redactPatterns: 'y' },
    { hashKey: 5 },
    { rateLimit: 'x' },
  ]) {
    const log = createLogger({ ...config, destination: lines });
    log.info('line');
    assert.equal(lines.last.message, 'line');
  }
});
