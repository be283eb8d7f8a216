'use strict';
// The rate limit of a logger: the number of lines at its limit, with a clock of this file; counting
// suppressed lines does not keep a process alive.

const assert = require('node:assert/strict');
const test = require('node:test');
const { createLogger } = require('../../bindings/node/lib/logging');

const RATE = 5;
let now = 1000;

/** Returns a logger whose limiter uses the clock of this file; `lines` has the parsed lines. */
function limited(t, rate = RATE) {
  const { performance } = globalThis;
  const real = Object.getOwnPropertyDescriptor(performance, 'now');
  Object.defineProperty(performance, 'now', {
    value: () => now,
    configurable: true,
    writable: true,
  });
  t.after(() =>
    real === undefined ? delete performance.now : Object.defineProperty(performance, 'now', real),
  );
  const texts = [];
  const log = createLogger({
    service: 's',
    environment: 'e',
    level: 'trace',
    rateLimit: rate,
    destination: { write: (text) => texts.push(text) > 0 },
  });
  return { log, lines: () => texts.map((text) => JSON.parse(text)) };
}

const attempts = (log, count, level = 'info') => {
  for (let i = 0; i < count; i++) log[level](`line ${i}`);
};

for (const [count, passed] of [
  [RATE - 1, RATE - 1],
  [RATE, RATE],
  [RATE + 1, RATE],
]) {
  test(`${count} lines at once against a limit of ${RATE}: ${passed} pass`, (t) => {
    const { log, lines } = limited(t);
    attempts(log, count);
    assert.equal(lines().length, passed);
  });
}

test('a line passes again after its share of the second, and no more than a second gives', (t) => {
  const { log, lines } = limited(t);
  attempts(log, RATE);
  now += 1000 / RATE - 1;
  attempts(log, 1);
  assert.equal(lines().length, RATE);
  now += 1;
  attempts(log, 2);
  assert.equal(lines().length, RATE + 1);
  now += 3_600_000;
  attempts(log, 3 * RATE);
  assert.equal(lines().length, 2 * RATE + 1);
});

test('a clock that goes back neither gives nor takes lines', (t) => {
  const { log, lines } = limited(t);
  attempts(log, RATE - 1);
  now -= 500;
  attempts(log, 2);
  assert.equal(lines().length, RATE);
  now += 1000 / RATE;
  attempts(log, 2);
  assert.equal(lines().length, RATE + 1);
});

test('each level has a limit, and errors have none', (t) => {
  const { log, lines } = limited(t);
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
  for (const level of levels) attempts(log, 2 * RATE, level);
  const count = (level) => lines().filter((line) => line.level === level).length;
  assert.deepEqual(levels.map(count), [RATE, RATE, RATE, RATE, 2 * RATE, 2 * RATE]);
});

test('what was held back is told once, by level, and told anew for what follows', async (t) => {
  const { log, lines } = limited(t);
  const told = () => lines().filter((line) => line.suppressed !== undefined);
  attempts(log, RATE + 3);
  attempts(log, RATE + 1, 'debug');
  await log.flush();
  assert.deepEqual(
    told().map((line) => [line.level, line.suppressed]),
    [['warn', { info: 3, debug: 1 }]],
  );
  await log.flush();
  assert.equal(told().length, 1);
  attempts(log, 2);
  await log.flush();
  assert.deepEqual(told()[1].suppressed, { info: 2 });
});

test('without a call, it is told a second after the first line that was held back', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, lines } = limited(t);
  attempts(log, RATE + 1);
  t.mock.timers.tick(999);
  attempts(log, 1);
  assert.equal(lines().length, RATE);
  t.mock.timers.tick(1);
  assert.deepEqual(lines().at(-1).suppressed, { info: 2 });
  t.mock.timers.tick(10_000);
  assert.equal(lines().length, RATE + 1);
  attempts(log, 1);
  t.mock.timers.tick(1000);
  assert.deepEqual(lines().at(-1).suppressed, { info: 1 });
});

test('counting what is held back keeps no process alive', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const { log } = limited(t);
  attempts(log, RATE + 1);
  assert.equal(timers(), before);
  await log.flush();
});

test('after a report on demand, the next one comes a second after what follows', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, lines } = limited(t);
  const told = () => lines().filter((line) => line.suppressed !== undefined).length;
  attempts(log, RATE + 1);
  t.mock.timers.tick(900);
  log.flush();
  assert.equal(told(), 1);
  attempts(log, 1);
  t.mock.timers.tick(999);
  assert.equal(told(), 1);
  t.mock.timers.tick(1);
  assert.equal(told(), 2);
});
