'use strict';
// Pseudonyms of ids in log lines: constant for an id and key, different for another key, never the
// id, and a bounded cache.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const test = require('node:test');

// Counts hashes before the package is loaded, to detect cached ids.
let hashed = 0;
const { createHmac } = crypto;
crypto.createHmac = (...given) => {
  hashed++;
  return createHmac(...given);
};
const {
  createLogger,
  runWithCorrelationContext,
  traceMixin,
  winstonFormat,
} = require('../../bindings/node/lib/logging');
crypto.createHmac = createHmac;

const KEPT = 1000;
const FORM = /^h1_[0-9a-f]{16}$/;

/** Returns the pseudonym that a mixin writes for an id. */
function pseudonyms(options) {
  const mixin = traceMixin(options);
  return (userId) =>
    runWithCorrelationContext({ correlationId: 'c', userId }, () => mixin().user_id);
}

function hashesOf(call) {
  const before = hashed;
  call();
  return hashed - before;
}

test('an id has one pseudonym for each key', () => {
  const first = pseudonyms({ hashKey: 'key' });
  const expected = 'h1_' + createHmac('sha256', 'key').update('bob').digest('hex').slice(0, 16);
  assert.equal(first('bob'), expected);
  assert.equal(first('bob'), expected);
  assert.equal(pseudonyms({ hashKey: Buffer.from('key') })('bob'), expected);
  assert.notEqual(pseudonyms({ hashKey: 'other' })('bob'), expected);
  const one = 'h1_' + createHmac('sha256', 'k').update('bob').digest('hex').slice(0, 16);
  for (const hashKey of ['k', Buffer.from('k')]) assert.equal(pseudonyms({ hashKey })('bob'), one);
  assert.notEqual(first('bobby'), expected);
});

test('without a usable key the process has one, and not that of an empty key', () => {
  const plain = pseudonyms()('bob');
  assert.match(plain, FORM);
  for (const hashKey of [undefined, null, '', new Uint8Array(0), 5, {}]) {
    assert.equal(pseudonyms({ hashKey })('bob'), plain);
  }
  const info = runWithCorrelationContext({ correlationId: 'c', userId: 'bob' }, () =>
    winstonFormat().transform({}),
  );
  assert.equal(info.user_id, plain);
  for (const key of ['', 'undefined', 'null']) {
    assert.notEqual(
      plain,
      'h1_' + createHmac('sha256', key).update('bob').digest('hex').slice(0, 16),
    );
  }
});

test('a pseudonym stays as it is; what only resembles one does not', () => {
  const of = pseudonyms({ hashKey: 'key' });
  const made = of('bob');
  assert.equal(of(made), made);
  for (const near of [
    made + '0',
    made.slice(0, -1),
    ' ' + made,
    made.toUpperCase(),
    'h2' + made.slice(2),
  ]) {
    assert.match(of(near), FORM);
    assert.notEqual(of(near), near);
  }
});

for (const count of [KEPT - 1, KEPT, KEPT + 1]) {
  test(`${count} ids: ${count <= KEPT ? 'each is hashed once' : 'the first are forgotten'}`, () => {
    const of = pseudonyms({ hashKey: 'key' });
    const all = () => {
      for (let i = 0; i < count; i++) of(`user-${i}`);
    };
    assert.equal(hashesOf(all), count);
    const again = hashesOf(all);
    if (count <= KEPT) assert.equal(again, 0);
    else assert.ok(again > 0, 'no bound');
  });
}

test('after very many ids no more than the newest are kept', () => {
  const of = pseudonyms({ hashKey: 'key' });
  for (let i = 0; i < 5 * KEPT; i++) of(`user-${i}`);
  const kept =
    5 * KEPT -
    hashesOf(() => Array.from({ length: 5 * KEPT }, (_, i) => of(`user-${5 * KEPT - 1 - i}`)));
  assert.ok(kept <= KEPT, `${kept} were kept`);
});

test('a logger hashes ids in its lines, whether text, number or of the context', () => {
  const texts = [];
  const log = createLogger({
    service: 's',
    hashKey: 'key',
    destination: { write: (text) => texts.push(text) > 0 },
  });
  const of = pseudonyms({ hashKey: 'key' });
  log.info('m', {
    userId: 'bob',
    tenant_id: 7,
    'X-User-Id': 'bob',
    portfolioId: '',
    tenantId: null,
  });
  const line = JSON.parse(texts[0]);
  assert.equal(line.user_id, of('bob'));
  assert.equal(line.tenant_id, of('7'));
  assert.equal(line['X-User-Id'], of('bob'));
  assert.equal(line.portfolioId, '');
  assert.equal(line.tenantId, null);
  assert.ok(!texts[0].includes('bob'));
});
