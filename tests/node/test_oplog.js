'use strict';
// The writer of the operation log in memory that no core reads: a full ring, all of its ends,
// slots, symbols, and a log that stays valid after an error within an operation.

const assert = require('node:assert');
const { test } = require('node:test');
const { HEAD_ONLY, METRICS, TRACES, headOf, load } = require('./oplog_library.js');

const of = (operations, op) => operations.filter((one) => one.op === op);

test('a span as operations', () => {
  const { startSpan, reader } = load(1024);
  const span = startSpan('work', { a: 'text', b: 1.5, c: true, d: false, e: 5n, f: [1], g: 'é' });
  startSpan('child', null, { parent: span }).end();
  span.end();
  const operations = reader.read();
  const [root, child] = of(operations, 'START');
  assert.deepStrictEqual(
    [root.name, root.kind, root.flags, root.traceId, root.spanId, root.parentId],
    ['work', 1, 32, span.traceId, span.spanId, '0'.repeat(16)],
  );
  assert.deepStrictEqual(
    [child.name, child.flags, child.traceId, child.parentId, child.local],
    ['child', 0, span.traceId, span.spanId, root.local],
  );
  const values = operations
    .filter((one) => one.key !== undefined)
    .map((one) => [one.key, one.value]);
  assert.deepStrictEqual(values, [
    ['a', 'text'],
    ['b', 1.5],
    ['c', true],
    ['d', false],
    ['e', 5n],
    ['f', [1n]],
    ['g', 'é'],
  ]);
  assert.strictEqual(reader.open.size, 0);
});

test('a ring that nobody reads fills up: everything that began ends, the rest is counted', () => {
  for (const units of [1024, 2048]) {
    const { startSpan, control, reader, calls } = load(units);
    const spans = [];
    for (let i = 0; i < 400; i++)
      spans.push(startSpan('s', { number: i, text: 'x'.repeat(i % 70), list: [i] }));
    const recording = spans.filter((span) => span.isRecording()).length;
    assert.ok(recording > 10 && recording < 400);
    assert.strictEqual(control[1], 400 - recording);
    for (let i = 0; i < 9; i++) spans[0].setAttribute('more', 'x'.repeat(40));
    assert.ok(control[2] > 0 && calls.drain > 0);
    for (const span of spans) {
      assert.match(span.traceId, /[1-9a-f]/);
      span.end();
    }
    const operations = reader.read();
    assert.strictEqual(of(operations, 'START').length, recording);
    assert.strictEqual(of(operations, 'END').length, recording);
    assert.strictEqual(reader.open.size, 0);
    const next = startSpan('again');
    assert.strictEqual(next.isRecording(), true);
  }
});

test('ends of every form fit into a full ring, at every place', () => {
  for (let shift = 0; shift < 64; shift++) {
    const { startSpan, startRequest, endRequest, reader, control } = load(1024, {
      position: -2147483648 + 960 + shift,
    });
    const spans = [];
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 90; i++)
        spans.push(i % 2 === 0 ? startSpan('s', { round }) : startRequest());
      for (const [i, span] of spans.splice(0).entries()) {
        if (i % 2 === 1) endRequest(span, 'GET', `/route/${round}`, 'http', '1.1', 200, 0, '', -1);
        else if (i % 3 === 0) span.end(1700000000000000000n);
        else span.end();
      }
      const operations = reader.read();
      assert.strictEqual(reader.open.size, 0);
      assert.ok(
        of(operations, 'START').length > 20,
        `${of(operations, 'START').length} at ${shift}`,
      );
    }
    assert.ok(control[1] > 0);
  }
});

test('random operations with a reader that comes and goes', () => {
  let random = 12345;
  const chance = (most) =>
    ((random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff) >>> 8) % most;
  const { startSpan, startRequest, endRequest, reader, control } = load(1024, {
    position: 0x7ffffff0 | 0,
  });
  const open = [];
  let started = 0;
  let seen = 0;
  let ended = 0;
  for (let step = 0; step < 60000; step++) {
    const pick = chance(10);
    const span = open.length > 0 ? open[chance(open.length)] : undefined;
    if (pick < 2) (open.push(startSpan(`name ${chance(50)}`, { n: step })), started++);
    else if (pick === 2) (open.push(startRequest()), started++);
    else if (pick < 6 && span) span.setAttribute(`key ${chance(20)}`, 'aé'.repeat(chance(60)));
    else if (pick === 6 && span)
      span.addEvent('e', { list: [1, 'x'.repeat(chance(30))] }).setAttribute('b', true);
    else if (pick < 9 && span) {
      open.splice(open.indexOf(span), 1);
      if (chance(2))
        endRequest(span, 'GET', `/${'r'.repeat(chance(400))}`, 'http', '1.1', 200, 0, '', 5);
      else span.end();
    } else if (chance(3) === 0) {
      const operations = reader.read();
      seen += of(operations, 'START').length;
      ended +=
        of(operations, 'END').length +
        of(operations, 'HTTP_END').filter((one) => one.slot !== 0x7fff).length;
    }
  }
  for (const span of open) span.end();
  const operations = reader.read();
  seen += of(operations, 'START').length;
  ended +=
    of(operations, 'END').length +
    of(operations, 'HTTP_END').filter((one) => one.slot !== 0x7fff).length;
  assert.strictEqual(seen + control[1], started);
  assert.strictEqual(ended, seen);
});

test('the reader is woken when it sleeps, and at each quarter', () => {
  const { startSpan, control, calls } = load(4096);
  control[17] = 1;
  startSpan('s').end();
  assert.deepStrictEqual([calls.wake, control[17]], [1, 0]);
  startSpan('s').end();
  assert.strictEqual(calls.wake, 1);
  const span = startSpan('s');
  for (let i = 0; i < 1800; i++) span.setAttribute('n', i);
  assert.ok(calls.wake >= 3 && calls.wake <= 6, String(calls.wake));
  assert.ok(control[0] > 2000);
});

test('a core that helps makes room', () => {
  let reader;
  let starts = 0;
  const loaded = load(1024, { onDrain: () => (starts += of(reader.read(), 'START').length) > 0 });
  reader = loaded.reader;
  for (let i = 0; i < 5000; i++) loaded.startSpan('s', { i }).end();
  starts += of(reader.read(), 'START').length;
  assert.deepStrictEqual([starts, loaded.control[1], loaded.control[2]], [5000, 0, 0]);
});

test('forgotten spans give their slots back, the oldest first', () => {
  const { startSpan, reader } = load(1 << 20);
  const spans = [];
  for (let i = 0; i < 40000; i++) spans.push(startSpan('s'));
  const lost = spans.findIndex((span) => span.isRecording());
  assert.ok(lost >= 40000 - 32767 && lost < 20000, String(lost));
  assert.ok(spans.slice(lost).every((span) => span.isRecording()));
  spans[0].setAttribute('late', 1).end();
  for (const span of spans) span.end();
  const operations = reader.read();
  assert.deepStrictEqual(
    [of(operations, 'START').length, of(operations, 'NUMBER').length],
    [40000, 0],
  );
  const reused = of(operations, 'START').filter((one) => one.reused).length;
  assert.strictEqual(of(operations, 'END').length, 40000 - lost);
  // reclaimed, and for some the slot was not needed yet
  assert.strictEqual(reused + reader.open.size, lost);
});

test('user code in the middle of an operation', () => {
  const { startSpan, withSpan, reader } = load(4096);
  const span = startSpan('outer');
  const acting = {
    get first() {
      withSpan(
        'inside',
        {
          deep: {
            get again() {
              startSpan('deeper', { list: [1, 2] }).end();
              return 'x';
            },
          },
        },
        () => {},
      );
      return [1, { two: 2 }];
    },
    get bad() {
      throw new Error('getter');
    },
    get ends() {
      span.end();
      return { late: 1 };
    },
    after: 'too late',
  };
  span.setAttribute('plain', { a: acting.first });
  span.setAttributes(acting);
  span.addEvent('e', acting);
  const operations = reader.read();
  assert.strictEqual(reader.open.size, 0);
  const plain = operations.find((one) => one.key === 'plain');
  assert.deepStrictEqual(plain.value, { a: [1n, { two: 2n }] });
  assert.strictEqual(of(operations, 'START').filter((one) => one.name === 'deeper').length, 2);
  assert.ok(!operations.some((one) => one.value === 'too late'));
});

test('a used-up call stack leaves the log whole', () => {
  const { startSpan, reader } = load(1 << 16);
  const span = startSpan('outer');
  const nested = {
    get again() {
      span.setAttribute('n', { deeper: nested });
      startSpan('s').end();
      return 1;
    },
  };
  (function deeper() {
    try {
      span.setAttribute('t', 'x').setAttribute('o', { a: [1] });
      startSpan('s', { a: { b: 1 } }).end();
      deeper();
    } catch {
      // The stack can end anywhere, also inside the writer.
    }
  })();
  try {
    span.setAttribute('n', nested);
  } catch (error) {
    assert.ok(error instanceof RangeError);
  }
  reader.read();
  startSpan('after', { v: { w: [1] } }).end();
  const operations = reader.read();
  assert.deepStrictEqual(operations.find((one) => one.key === 'v').value, { w: [1n] });
});

test('requests without spans are counted alone', () => {
  const { startRequest, endRequest, reader } = load(1024, { active: METRICS });
  const request = startRequest('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
  assert.strictEqual(request.isRecording(), false);
  endRequest(request, 'GET', '/a', 'http', '1.1', 200, 1, 'TypeError', 5);
  const [end] = of(reader.read(), 'HTTP_END');
  assert.deepStrictEqual(
    [end.slot, end.method, end.route, end.status, end.flags, end.error, end.bytes],
    [0x7fff, 'GET', '/a', 200, 1, 'TypeError', 5],
  );
  assert.ok(end.end >= end.start && end.start > 0n);
});

test('what the head does not sample writes nothing without tail rules', () => {
  const head = [1, 1 << 24, 0]; // a threshold that no trace reaches
  const { startSpan, startRequest, endRequest, reader } = load(1024, {
    active: TRACES | METRICS | HEAD_ONLY,
    head,
  });
  const span = startSpan('s', { a: 1 });
  assert.deepStrictEqual([span.isRecording(), span.traceFlags], [false, 2]);
  startSpan('child', null, { parent: span }).end();
  span.end();
  assert.deepStrictEqual(reader.read(), []);
  endRequest(startRequest(), 'GET', '/a', 'http', '1.1', 200, 0, '', -1);
  assert.deepStrictEqual(
    reader
      .read()
      .filter((one) => one.op !== 'DEFINE')
      .map((one) => [one.op, one.slot]),
    [['HTTP_END', 0x7fff]],
  );
});

test('a change of how roots are decided is seen, and each root carries its decision', () => {
  const head = headOf(1n << 56n);
  const { startSpan, control, reader } = load(1024, { active: TRACES | METRICS, head });
  const decisions = () => of(reader.read(), 'START').map((one) => one.decision);
  const no = { outcome: 1, flag: 0, reason: 0, threshold: 1n << 56n, recorded: 0n };
  const yes = { outcome: 2, flag: 1, reason: 7, threshold: 1n, recorded: 0n };
  const begin = (name) => {
    const span = startSpan(name);
    span.end();
    return span;
  };
  const before = begin('before');
  assert.deepStrictEqual([before.traceFlags, before.traceState, decisions()], [2, '', [no]]);
  head.splice(0, head.length, ...headOf(1n));
  assert.strictEqual(begin('unaware').traceFlags, 2);
  control[33]++;
  const after = begin('after');
  assert.deepStrictEqual([after.traceFlags, after.traceState, decisions()], [3, '', [no, yes]]);
});

test('names and keys without number do not use up each other', () => {
  const { startSpan, reader } = load(1 << 16);
  const found = [];
  for (let i = 0; i < 10000; i++) {
    startSpan(`name ${i}`, {
      [`text ${i}`]: `v${i}`,
      [`number ${i}`]: i,
      [`flag ${i}`]: true,
    }).end();
    if (i % 500 === 499) found.push(...reader.read());
  }
  const starts = of(found, 'START');
  assert.deepStrictEqual(
    starts.map((one) => one.name),
    Array.from({ length: 10000 }, (_, i) => `name ${i}`),
  );
  assert.ok(of(found, 'DEFINE').length < 8192);
  const values = Object.assign(
    {},
    ...found.map((one) => one.entries ?? (one.key ? { [one.key]: one.value } : {})),
  );
  for (let i = 0; i < 10000; i++) {
    assert.deepStrictEqual(
      [values[`text ${i}`], Number(values[`number ${i}`]), values[`flag ${i}`]],
      [`v${i}`, i, true],
    );
  }
});
