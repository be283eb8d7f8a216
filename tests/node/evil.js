'use strict';
// Values and objects that throw or misbehave, for tests of bad input.

const HUGE = 10_000_000;

function nested(depth, wrap) {
  let value = 1;
  for (let i = 0; i < depth; i++) value = wrap(value);
  return value;
}

function fail() {
  throw new Error('evil');
}

/** An object whose every operation throws. */
function raising() {
  return new Proxy(function target() {}, new Proxy({}, { get: () => fail }));
}

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function cyclic() {
  const list = [1];
  list.push(list, list);
  return {
    a: 1,
    list,
    get self() {
      return this;
    },
  };
}

/** Values that run code when they are read. */
function makeActing(act) {
  const target = { a: 1, code: 2, message: 'text', name: 'name', stack: 'stack' };
  const handler = {};
  for (const trap of [
    'get',
    'has',
    'ownKeys',
    'getPrototypeOf',
    'getOwnPropertyDescriptor',
    'set',
  ]) {
    handler[trap] = (...args) => {
      act();
      return Reflect[trap](...args);
    };
  }
  return new Proxy(target, handler);
}

const EVIL = {
  null: () => null,
  undefined: () => undefined,
  nan: () => NaN,
  infinity: () => -Infinity,
  minusZero: () => -0,
  wide: () => 1n << 200n,
  wider: () => -(1n << 20000n),
  symbol: () => Symbol('x'),
  function: () => () => fail(),
  class: () => class A {},
  hugeText: () => 'x'.repeat(HUGE),
  hugeWideText: () => '\u{1f600}'.repeat(HUGE / 4),
  rope: () => {
    let text = 'a';
    for (let i = 0; i < 16; i++) text += text;
    return text;
  },
  hugeBytes: () => Buffer.alloc(HUGE, 255),
  surrogates: () => `${'\ud800\udfff\udc00'.repeat(1000)}a\0b`,
  nul: () => '\0'.repeat(300),
  deepList: () => nested(100_000, (value) => [value]),
  deepObject: () => nested(100_000, (value) => ({ value })),
  cyclic,
  wideList: () => Array.from({ length: 100_000 }, (_, i) => i),
  sparse: () => Object.assign([], { length: 4294967295 }),
  holes: () => [, 1, , 2],
  wideObject: () => Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i % 200}`, i])),
  map: () =>
    new Map([
      [{}, 1],
      ['a', new Map([[1, 2]])],
      ['self', cyclic()],
    ]),
  lyingMap: () => Object.create(Map.prototype),
  set: () => new Set([1]),
  generator: () =>
    (function* () {
      yield 1;
    })(),
  endless: () => ({
    [Symbol.iterator]: function* () {
      for (;;) yield 1;
    },
    length: Infinity,
  }),
  detached: () => {
    const array = new Uint8Array(8);
    structuredClone(array, { transfer: [array.buffer] });
    return array;
  },
  view: () => new DataView(new ArrayBuffer(4)),
  date: () => new Date(NaN),
  boxed: () => Object.assign(new String('x'), { toString: fail, valueOf: fail }),
  lyingNumber: () => ({ valueOf: fail, toString: fail, [Symbol.toPrimitive]: fail, toJSON: fail }),
  raising,
  raisingList: () => new Proxy([1, 2], new Proxy({}, { get: () => fail })),
  revoked: () => revoked({}),
  revokedList: () => revoked([]),
  getters: () => ({
    get a() {
      return fail();
    },
    b: 1,
    get [Symbol.toStringTag]() {
      return fail();
    },
  }),
  longLiar: () => new Proxy([], { get: (target, name) => (name === 'length' ? 1e15 : 'x') }),
  nullPrototype: () => Object.assign(Object.create(null), { a: 1 }),
  prototypeKeys: () => JSON.parse('{"__proto__": {"a": 1}, "constructor": 1, "hasOwnProperty": 2}'),
  listOfEvil: () => [raising(), Symbol('s'), '\ud800', null, cyclic(), () => 1],
  objectOfEvil: () => ({ r: raising(), '\ud800': '\udc00', '': 1, 7: 2, [Symbol('k')]: 3 }),
  error: () => Object.defineProperty(new Error('x'), 'stack', { get: fail }),
  ownCause: () => {
    const error = new Error('x');
    error.cause = error;
    return error;
  },
  promise: () => Promise.resolve(1),
  thenable: () => ({
    get then() {
      return fail();
    },
  }),
  acting: () =>
    makeActing(() =>
      require('../../bindings/node/lib/index.js')
        .startSpan('inside', { list: [1] })
        .end(),
    ),
  global: () => globalThis,
  regexp: () => /x/g,
};

module.exports = { EVIL, makeActing };
