'use strict';
// Names of fields: which ones are sensitive, by whole words.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { createLogger, redactObject } = require('../../bindings/node/lib/logging');

/** Returns the copy of a value in one line. */
function logged(metadata, message = 'm') {
  const texts = [];
  const log = createLogger({
    service: 's',
    environment: 'e',
    destination: { write: (text) => texts.push(text) > 0 },
  });
  log.info(message, metadata);
  return JSON.parse(texts[0]);
}

test('sensitive names, whole words only', () => {
  for (const name of [
    'password',
    'Password',
    'secret',
    'token',
    'apiKey',
    'api_key',
    'API_KEY',
    'authorization',
    'auth',
    'credentials',
    'pwd',
    'passwd',
    'AccessToken',
    'refreshToken',
    'privateKey',
    'userPassword',
    'cardCvv',
    'ssn',
    'x-api-key',
    'set-cookie',
    'bearer',
  ]) {
    assert.deepEqual(
      redactObject({ a: [{ [name]: 'value' }] }),
      { a: [{ [name]: '[REDACTED]' }] },
      name,
    );
  }
  for (const name of [
    'author',
    'classname',
    'tokens',
    'token_count',
    'tokenizer',
    'secretary',
    'passenger',
    'keyboard',
    'cost_usd',
    'provider_amount_count',
    'invalid_value',
  ]) {
    assert.deepEqual(redactObject({ [name]: 'value' }), { [name]: 'value' }, name);
  }
});

test('what a name hides, by the kind of the value', () => {
  const values = { text: 'x', number: 5, big: 5n, list: ['x'], object: { a: 'x' }, empty: '' };
  const line = (name) => {
    const found = logged(
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { [name]: value }])),
    );
    return Object.keys(values).map((key) => found[key][name]);
  };
  const hidden = '[REDACTED]';
  assert.deepEqual(line('password'), Array(6).fill(hidden));
  assert.deepEqual(line('accessToken'), [hidden, 5, hidden, hidden, hidden, hidden]);
  assert.deepEqual(line('amount'), [hidden, hidden, hidden, ['x'], { a: 'x' }, hidden]);
  const ids = line('tenantId');
  assert.match(ids[0], /^h1_/);
  assert.match(ids[1], /^h1_/);
  assert.equal(ids[1], ids[2]);
  assert.deepEqual(ids.slice(3), [['x'], { a: 'x' }, '']);
  assert.deepEqual(line('plain'), ['x', 5, '5', ['x'], { a: 'x' }, '']);
});

test('names beyond what is remembered are told apart all the same', () => {
  const many = Object.fromEntries(Array.from({ length: 6000 }, (_, i) => [`field${i}`, 'x']));
  const long = { ['a'.repeat(127) + '_password']: 'x', ['b'.repeat(300)]: 'x' };
  for (let i = 0; i < 2; i++) {
    const copy = redactObject({ ...many, password: 'x', ...long });
    assert.equal(copy.password, '[REDACTED]');
    assert.equal(copy['a'.repeat(127) + '_password'], '[REDACTED]');
    assert.equal(copy['b'.repeat(300)], 'x');
    assert.equal(Object.values(copy).filter((value) => value === 'x').length, 6001);
  }
});
