'use strict';
// Tracers with all fields of a scope, names of any shape, wrapped functions with unchanged
// properties, and spans of generators.

const assert = require('node:assert/strict');
const { after, beforeEach, describe, test } = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');

const { Tracer, getTracer, startSpan, traced } = telemetry;
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

  test('traced functions', async () => {
    const add = telemetry.traced(function add(a, b) {
      return this.base + a + b;
    });
    assert.strictEqual(add.call({ base: 1 }, 2, 3), 6);
    const load = telemetry.traced('load it', async (x) => x);
    assert.strictEqual(await load(5), 5);
    assert.deepStrictEqual(
      (await take()).map((span) => span.name),
      ['add', 'load it'],
    );
  });

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

describe('span contexts as parents', { timeout: 60000 }, () => {
  beforeEach(() => restart());
  after(() => telemetry.shutdown(LIMIT));
  const FOREIGN = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: 1,
  };
  const remote = (span) => span.flags & 0x300;

  test('a context of this process is not remote: as parent, as link, and copied', async () => {
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
