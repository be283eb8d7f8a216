'use strict';
// Tracers with all fields of a scope, names of any shape, wrapped functions with unchanged
// properties, and spans of generators.

const assert = require('node:assert/strict');
const { after, beforeEach, describe, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const { Tracer, getCurrentSpan, getTracer, startSpan, traced, withSpan } = telemetry;
const thrower = () => {
  throw new Error('trap');
};

describe('scopes', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('a scope has name, version, schema URL and attributes', async () => {
    const options = {
      schemaUrl: 'https://example.test/1.0',
      attributes: {
        text: 'é',
        whole: 7,
        real: 0.5,
        yes: true,
        no: false,
        wide: 2n ** 40n,
        list: [1],
      },
    };
    getTracer('shop', '1.2', options).startSpan('full').end();
    getTracer('shop', undefined, { attributes: new Map([['k', 'v']]) })
      .startSpan('map')
      .end();
    getTracer('shop', '1.2').startSpan('plain').end();
    const spans = await take();
    const { list, ...kept } = options.attributes;
    assert.deepEqual(list, [1]);
    assert.deepEqual(spans.one('full').scope, {
      name: 'shop',
      version: '1.2',
      schemaUrl: options.schemaUrl,
      attributes: { ...kept, wide: 2 ** 40 },
    });
    assert.deepEqual(spans.one('map').scope, {
      name: 'shop',
      version: '',
      schemaUrl: '',
      attributes: { k: 'v' },
    });
    assert.deepEqual(spans.one('plain').scope, {
      name: 'shop',
      version: '1.2',
      schemaUrl: '',
      attributes: {},
    });
  });

  test('whatever a tracer is made of, the names and keys of later spans stay right', async () => {
    const odd = [
      new String('boxed'),
      { length: 5, charCodeAt: () => 7, toString: () => 'x' },
      {
        get length() {
          return thrower();
        },
      },
      new Proxy({}, { get: thrower, ownKeys: thrower }),
      ['a', 'b'],
      7,
      Symbol('s'),
      '\ud800',
      '\udfff',
      'x'.repeat(100000),
      'a\x1fb\x1fc\x1fd',
      '\0',
      '__proto__',
      '123',
      null,
    ];
    for (const [i, name] of odd.entries()) {
      for (const tracer of [
        new Tracer(name, name, name),
        getTracer(name, name, { schemaUrl: name, attributes: name }),
      ]) {
        for (let k = 0; k < 4; k++) tracer.startSpan('op').end();
        tracer.scope = {};
        tracer.withSpan('op', () => {});
      }
      startSpan(`after ${i}`, { [`key ${i}`]: `value ${i}` }).end();
    }
    const { startSpan: alone } = getTracer('lost');
    alone('of no tracer').end();
    const spans = await take();
    assert.equal(spans.filter((span) => span.name === 'op').length, odd.length * 10);
    for (const i of odd.keys())
      assert.equal(spans.one(`after ${i}`).attributes[`key ${i}`], `value ${i}`);
    assert.equal(spans.one('of no tracer').scope.name, '');
  });

  test('more names than the table holds: all spans have theirs', async () => {
    for (let i = 0; i < 5000; i++) startSpan(`many ${i}`).end();
    getTracer('late tracer')
      .startSpan('late', { attributes: { 'late key': 1 } })
      .end();
    const spans = await take();
    assert.equal(new Set(spans.map((span) => span.name)).size, 5001);
    assert.equal(spans.one('late').scope.name, 'late tracer');
    assert.equal(spans.one('late').attributes['late key'], 1);
  });
});

describe('wrapped functions', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  test('length, name, properties and prototype are those of the function', () => {
    const mark = Symbol('mark');
    function handler(error, req, res, next) {
      return [error, req, res, next];
    }
    handler.path = '/x';
    handler[mark] = 1;
    Object.defineProperty(handler, 'hidden', { get: () => 'seen' });
    for (const wrapped of [traced(handler), traced('named', handler)]) {
      assert.deepEqual(
        [wrapped.length, wrapped.name, wrapped.path, wrapped[mark]],
        [4, 'handler', '/x', 1],
      );
      assert.equal(wrapped.hidden, 'seen');
      assert.deepEqual(wrapped(1, 2, 3, 4), [1, 2, 3, 4]);
    }
    const load = traced(async (id) => id);
    assert.equal(load.constructor.name, 'AsyncFunction');
    assert.equal(
      traced(new Proxy(handler, { ownKeys: thrower, getPrototypeOf: thrower }))(1)[0],
      1,
    );
  });

  test('a class stays one, also for those that extend it', () => {
    class Base {
      static kind = 'base';
      constructor(n) {
        this.n = n;
      }
    }
    const Wrapped = traced(Base);
    class Below extends Wrapped {}
    assert.ok(new Wrapped(1) instanceof Base && new Wrapped(1) instanceof Wrapped);
    assert.deepEqual(
      [new Below(2).n, new Below(2) instanceof Below, Wrapped.kind],
      [2, true, 'base'],
    );
  });
});

describe('generators', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));

  const numbers = (name) =>
    traced(name, function* (count) {
      for (let i = 0; i < count; i++) {
        startSpan(`${name} ${i}`).end();
        yield i;
      }
      return 'end';
    });

  test('two that are read in turn: each is current in its own body, neither afterwards', async () => {
    withSpan('outer', (outer) => {
      const a = numbers('a')(3);
      const b = numbers('b')(2);
      const read = [];
      for (let x = a.next(), y = b.next(); !x.done || !y.done; x = a.next(), y = b.next()) {
        read.push([x.value, y.value]);
        assert.equal(getCurrentSpan(), outer);
      }
      assert.deepEqual(read.slice(0, 2), [
        [0, 0],
        [1, 1],
      ]);
      assert.equal(getCurrentSpan(), outer);
    });
    assert.equal(getCurrentSpan().isRecording(), false);
    const spans = await take();
    for (const name of ['a', 'b']) {
      assert.equal(spans.one(`${name} 1`).parentId, spans.one(name).spanId);
      assert.equal(spans.one(name).parentId, spans.one('outer').spanId);
      assert.ok(spans.one(name).end >= spans.one(`${name} 1`).end);
    }
  });

  test('left, failed and returned ones end their spans', async () => {
    for (const value of numbers('left')(9)) if (value === 1) break;
    const failing = traced('failing', function* () {
      yield 1;
      throw new RangeError('inside');
    });
    assert.throws(() => [...failing()], RangeError);
    const told = numbers('told')(9);
    told.next();
    assert.throws(() => told.throw(new Error('from outside')), /from outside/);
    assert.deepEqual([...numbers('whole')(2)], [0, 1]);
    assert.equal(telemetry.telemetryStatus().spans.live, 0);
    const spans = await take();
    const codes = ['left', 'failing', 'told', 'whole'].map((name) => spans.one(name).status.code);
    assert.deepEqual(codes, [0, 2, 2, 0]);
  });

  test('asynchronous ones, by the function or by what it returns', async () => {
    const read = traced('stream', async function* () {
      await null;
      startSpan('part').end();
      yield 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield 2;
    });
    const got = [];
    for await (const value of read()) got.push(value);
    assert.deepEqual(got, [1, 2]);
    await assert.rejects(async () => {
      const failing = withSpan('failing', async function* () {
        yield 1;
        throw new Error('late');
      });
      for await (const value of failing) got.push(value);
    }, /late/);
    for await (const value of read()) if (value === 1) break;
    const spans = await take();
    const streams = spans.filter((span) => span.name === 'stream');
    assert.equal(streams.length, 2);
    assert.ok(streams[0].end - streams[0].start >= 4000000n);
    assert.equal(spans.filter((span) => span.name === 'part')[0].parentId, streams[0].spanId);
    assert.equal(spans.one('failing').status.code, 2);
  });

  test('a thenable ends its span when it is done', async () => {
    let done = 0n;
    await traced('query', () => ({
      then(resolve) {
        setTimeout(() => {
          done = BigInt(Date.now()) * 1000000n;
          resolve(1);
        }, 20);
      },
    }))();
    const span = (await take()).one('query');
    assert.ok(done > 0n && span.end - span.start >= 15000000n);
  });
});

describe('span contexts as parents', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));
  const FOREIGN = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: 1,
  };
  const remote = (span) => span.flags & 0x300;

  test('a context of this process is not remote, as parent and as link, also when copied', async () => {
    const parent = startSpan('parent');
    assert.equal(parent.spanContext().isRemote, undefined);
    for (const context of [
      parent.spanContext(),
      { ...parent.spanContext() },
      { spanContext: () => parent.spanContext() },
    ])
      startSpan('child', null, { parent: context, links: [context] }).end();
    startSpan('far', null, { parent: { ...FOREIGN, isRemote: true }, links: [FOREIGN] }).end();
    parent.end();
    const spans = await take();
    for (const child of spans.filter((span) => span.name === 'child')) {
      assert.deepEqual(
        [child.parentId, remote(child), remote(child.links[0])],
        [parent.spanId, 0x100, 0x100],
      );
    }
    assert.deepEqual([remote(spans.one('far')), remote(spans.one('far').links[0])], [0x300, 0x100]);
  });

  test('an error of a child by context keeps the root', async () => {
    await restart({ sampleRatio: 1e-9 });
    const root = startSpan('root');
    startSpan('child', null, { parent: JSON.parse(JSON.stringify(root.spanContext())) })
      .setStatus('error', 'x')
      .end();
    root.end();
    const spans = await take();
    assert.deepEqual(spans.map((span) => span.name).sort(), ['child', 'root']);
  });

  test('links without ids are kept for what they say', async () => {
    const zero = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 };
    const span = startSpan('s');
    span
      .addLink(zero)
      .addLink(zero, { why: 'x' })
      .addLink({ context: { ...zero, traceState: 'a=1' } });
    span.addLinks([
      { context: zero, attributes: new Map([['k', 1]]) },
      { context: zero, attributes: {} },
    ]);
    span.end();
    const recorded = (await take()).one('s');
    assert.deepEqual(
      recorded.links.map((link) => [link.attributes, link.traceState]),
      [
        [{ why: 'x' }, ''],
        [{}, 'a=1'],
        [{ k: 1 }, ''],
      ],
    );
    assert.deepEqual([recorded.dropped, recorded.droppedLinks], [0, 2]);
  });

  test('numbers of kinds are those of @opentelemetry/api', async () => {
    const { SpanKind } = require('@opentelemetry/api');
    for (const [word, number] of Object.entries(telemetry.SpanKind)) {
      assert.equal(SpanKind[word], number);
      getTracer('t').startSpan(word, { kind: number }).end();
    }
    for (const span of await take()) assert.equal(span.kind, SpanKind[span.name] + 1, span.name);
  });
});
