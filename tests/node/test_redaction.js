'use strict';

// Redaction of text and objects: what it removes, what it keeps; no input is slow or throws.

const test = require('node:test');
const assert = require('node:assert/strict');
const {
  DEFAULT_REDACTION_RULES,
  RedactionService,
  deepRedact,
  redactObject,
  redactString,
} = require('../../bindings/node/lib/logging');

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpM';

test('every default rule has a name, a global pattern and a replacement', () => {
  assert.ok(DEFAULT_REDACTION_RULES.length >= 10);
  for (const rule of DEFAULT_REDACTION_RULES) {
    assert.equal(typeof rule.name, 'string');
    assert.ok(rule.pattern instanceof RegExp && rule.pattern.global, rule.name);
    assert.equal(typeof rule.replacement, 'string');
  }
});

const MUST_GO = [
  ['support@example.com', '[REDACTED_EMAIL]'],
  ['user+tag@example.com', '[REDACTED_EMAIL]'],
  ['josé@exämple.com', '[REDACTED_EMAIL]'],
  ['555-123-4567', '[REDACTED_PHONE]'],
  ['(555) 123-4567', '[REDACTED_PHONE]'],
  ['555.123.4567', '[REDACTED_PHONE]'],
  ['+1 555-123-4567', '[REDACTED_PHONE]'],
  ['+1 (555) 123-4567', '[REDACTED_PHONE]'],
  ['+44 20 7946 0958', '[REDACTED_PHONE]'],
  ['5551234567', '[REDACTED_PHONE]'],
  ['123-45-6789', '[REDACTED_SSN]'],
  ['4532-1234-5678-9010', '[REDACTED_CC]'],
  ['4532 1234 5678 9010', '[REDACTED_CC]'],
  ['4532123456789010', '[REDACTED_CC]'],
  ['3782 822463 10005', '[REDACTED_CC]'],
  ['api_key=sk_test_1234567890', 'api_key=[REDACTED_API_KEY]'],
  ['API-KEY: abcdef', 'api_key=[REDACTED_API_KEY]'],
  ['apiKey="abc def"', 'api_key=[REDACTED_API_KEY]'],
  [`Bearer ${JWT}`, 'Bearer [REDACTED_TOKEN]'],
  ['Bearer abc-def-ghi', 'Bearer [REDACTED_TOKEN]'],
  ['Authorization: Bearer onlyletters', 'Authorization: Bearer [REDACTED_TOKEN]'],
  ['authorization: Basic dXNlcjpwYXNz', 'authorization: Basic [REDACTED_TOKEN]'],
  ['password=SuperSecret123!', 'password=[REDACTED_PASSWORD]'],
  ['db_password: "two words"', 'db_password=[REDACTED_PASSWORD]'],
  ['pwd=hunter2', 'password=[REDACTED_PASSWORD]'],
  ['AKIAIOSFODNN7EXAMPLE', '[REDACTED_AWS_KEY]'],
  [JWT, '[REDACTED_JWT]'],
  ['192.168.1.1', '[REDACTED_IP]'],
  ['2001:db8::1', '[REDACTED_IP]'],
  ['2001:0db8:85a3:0000:0000:8a2e:0370:7334', '[REDACTED_IP]'],
  ['https://user:pass@db.example.com/x', 'https://user:[REDACTED]@db.example.com/x'],
  ['refresh_token=abc123', 'refresh_token=[REDACTED]'],
  [
    '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----',
    '[REDACTED_PRIVATE_KEY]',
  ],
  ['-----BEGIN PRIVATE KEY-----\nMIIE cut off', '[REDACTED_PRIVATE_KEY]'],
];

for (const [text, expected] of MUST_GO) {
  test(`goes: ${JSON.stringify(text).slice(0, 50)}`, () => {
    const wanted = text.startsWith('db_password') ? 'db_password=[REDACTED_PASSWORD]' : expected;
    assert.equal(redactString(text), wanted);
    assert.equal(redactString(`before ${text} after`).startsWith('before '), true);
    assert.equal(redactString(wanted), wanted, 'a second pass changes nothing');
  });
}

const MUST_STAY = [
  'This is a normal string',
  '你好 κόσμε 🎉',
  '1759722520',
  '1759722520123',
  '1759722520123456',
  '1.2.3.4',
  '10:11:12',
  '2025-10-06T12:34:56.123Z',
  '2024:05:06 10:11:12',
  'da39a3ee5e6b4b0d3255bfef95601890afd80709',
  '550e8400-e29b-41d4-a716-446655440000',
  '1234567812345678',
  'std::vector<int>',
  'author: Ann',
  'classname: foo',
  'Chrome/120.0.6099.109',
  'listening on http://127.0.0.1:3000',
  'lodash@4.17.21',
  'tokens: 5',
  'unexpected token: }',
  'bearer authentication failed',
  'invalid bearer token.',
  'PP_2025-10-26',
  'task_01H8XYZ',
  'gpt-4o-2024-08-06',
];

for (const text of MUST_STAY) {
  test(`stays: ${text}`, () => assert.equal(redactString(text), text));
}

test('many in one text all go', () => {
  const text = Array.from({ length: 100 }, (_, i) => `user${i}@example.com`).join(' ');
  assert.equal(redactString(text), Array(100).fill('[REDACTED_EMAIL]').join(' '));
});

test('a text of 130 kB keeps everything but the secret', () => {
  const half = 'lorem ipsum '.repeat(5500);
  assert.equal(redactString(`${half}a@example.com ${half}`), `${half}[REDACTED_EMAIL] ${half}`);
});

test('what is no text comes back as it is', () => {
  for (const value of [null, undefined, 42, NaN, true, 10n])
    assert.ok(Object.is(redactString(value), value));
  for (const value of [null, undefined, 42, true]) assert.ok(Object.is(deepRedact(value), value));
});

test('numbers are never searched', () => {
  assert.deepEqual(deepRedact({ at: 5551234567, id: 4532123456789010 }), {
    at: 5551234567,
    id: 4532123456789010,
  });
});

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

test('paths: a name at every depth, a dotted path at one place, stars', () => {
  const value = {
    email: 'x',
    user: { email: 'x', note: 'n' },
    items: [
      { sku: 1, note: 'n' },
      { sku: 2, note: 'n' },
    ],
    note: 'n',
  };
  assert.deepEqual(redactObject(value, ['EMAIL', 'user.note', 'items[*].sku', 'items[1].note']), {
    email: '[REDACTED]',
    user: { email: '[REDACTED]', note: '[REDACTED]' },
    items: [
      { sku: '[REDACTED]', note: 'n' },
      { sku: '[REDACTED]', note: '[REDACTED]' },
    ],
    note: 'n',
  });
  assert.deepEqual(value.user, { email: 'x', note: 'n' }, 'the argument is unchanged');
});

test('circular, shared, dates, patterns', () => {
  const shared = { a: 1 };
  const when = new Date(0);
  const value = { one: shared, two: shared, when, pattern: /x/g };
  value.self = value;
  const copy = deepRedact(value);
  assert.equal(copy.self, '[Circular]');
  assert.deepEqual([copy.one, copy.two], [{ a: 1 }, { a: 1 }]);
  assert.ok(copy.when instanceof Date && copy.pattern instanceof RegExp);
});

test('names that reach prototypes are dropped', () => {
  const copy = deepRedact(
    JSON.parse('{"__proto__":{"polluted":1},"constructor":{"a":1},"prototype":2,"kept":3}'),
  );
  assert.deepEqual(Object.keys(copy), ['kept']);
  assert.equal({}.polluted, undefined);
  assert.equal(copy.polluted, undefined);
});

test('a thousand fields, fifty levels', () => {
  const wide = Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [`field${i}`, `u${i}@example.com`]),
  );
  assert.ok(Object.values(deepRedact(wide)).every((text) => text === '[REDACTED_EMAIL]'));
  let deep = { password: 'x', mail: 'a@example.com' };
  for (let i = 0; i < 50; i++) deep = { next: deep };
  let copy = deepRedact(deep);
  for (let i = 0; i < 50; i++) copy = copy.next;
  assert.deepEqual(copy, { password: '[REDACTED]', mail: '[REDACTED_EMAIL]' });
});

test('deeper than any stack, and wider than any memory', () => {
  let deep = {};
  for (let i = 0; i < 100_000; i++) deep = { deep };
  assert.doesNotThrow(() => deepRedact(deep));
  let shared = { a: 1 };
  for (let i = 0; i < 60; i++) shared = { l: shared, r: shared };
  const service = new RedactionService();
  assert.doesNotThrow(() => service.redactObject(shared));
});

test('getters, proxies and toJSON that throw', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const copy = deepRedact({
    get bad() {
      throw new Error('no');
    },
    proxy,
    trap: new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('no');
        },
      },
    ),
    json: {
      toJSON() {
        throw new Error('no');
      },
    },
    good: 1,
  });
  assert.equal(copy.good, 1);
  assert.equal(typeof copy.bad, 'string');
  assert.equal(typeof copy.proxy, 'string');
});

test('text in names goes, too', () => {
  assert.deepEqual(deepRedact({ 'bob@example.com': 1 }), { '[REDACTED_EMAIL]': 1 });
});

test('own rules run after the default ones, in order', () => {
  const service = new RedactionService([{ name: 'first', pattern: /ABC/, replacement: 'DEF' }]);
  service.addRule({ name: 'second', pattern: /DEF/g, replacement: '[X]' });
  assert.equal(service.redactString('ABC ABC a@example.com'), '[X] [X] [REDACTED_EMAIL]');
  assert.deepEqual(
    service
      .getRules()
      .slice(-2)
      .map((rule) => rule.name),
    ['first', 'second'],
  );
  assert.equal(service.getRules().length, DEFAULT_REDACTION_RULES.length + 2);
  service.getRules().pop();
  assert.equal(service.getRules().length, DEFAULT_REDACTION_RULES.length + 2);
  assert.throws(() => service.addRule({ name: 'bad', pattern: 'text' }), TypeError);
  assert.ok(
    new RedactionService({ paths: ['nick'] }).redactObject({ nick: 'n' }).nick === '[REDACTED]',
  );
});

test('a rule that is added after use applies from then on, to text, to values and to names', () => {
  const service = new RedactionService();
  const value = { note: 'ABC', list: ['ABC', { deep: 'ABC DEF' }] };
  assert.equal(service.redactString('ABC'), 'ABC');
  assert.deepEqual(service.redactObject(value), value);
  service.addRule({ name: 'first', pattern: /ABC/, replacement: '[1]' });
  assert.equal(service.redactString('ABC DEF'), '[1] DEF');
  assert.deepEqual(service.redactObject(value), {
    note: '[1]',
    list: ['[1]', { deep: '[1] DEF' }],
  });
  service.addRule({ name: 'second', pattern: /DEF/, replacement: '[2]' });
  assert.equal(service.redactString('ABC DEF'), '[1] [2]');
  assert.deepEqual(service.redactObject(value), {
    note: '[1]',
    list: ['[1]', { deep: '[1] [2]' }],
  });
  assert.throws(() => service.addRule(null), TypeError);
  assert.equal(service.redactString('ABC DEF a@example.com'), '[1] [2] [REDACTED_EMAIL]');
});

test('a service does not follow what is done to the lists that it was given', () => {
  const paths = ['nick'];
  const rules = [{ name: 'x', pattern: /ABC/, replacement: '-' }];
  const service = new RedactionService({ paths, rules });
  paths[0] = 'other';
  rules.length = 0;
  assert.deepEqual(service.redactObject({ nick: 'n', other: 'ABC' }), {
    nick: '[REDACTED]',
    other: '-',
  });
});

test('given rules replace the default ones; none means none', () => {
  assert.equal(
    redactString('ABC a@example.com', [{ name: 'x', pattern: /ABC/g, replacement: '-' }]),
    '- a@example.com',
  );
  assert.equal(redactString('a@example.com', []), 'a@example.com');
});

test('a rule that throws costs the text, not the caller', () => {
  const pattern = /x/g;
  pattern[Symbol.replace] = () => {
    throw new Error('no');
  };
  assert.equal(
    redactString('my secret x', [{ name: 'bad', pattern, replacement: '' }]),
    '[REDACTION_FAILED]',
  );
});

// Compares the time for a text and for one four times as long: linear is 4, quadratic 16. Uses
// minima and three tries, because the machine is shared.
function growth(make) {
  const time = (text) => {
    let least = Infinity;
    for (let i = 0; i < 3; i++) {
      const start = process.hrtime.bigint();
      redactString(text);
      least = Math.min(least, Number(process.hrtime.bigint() - start));
    }
    return least;
  };
  const ratio = (length) => {
    const small = make(length);
    const large = make(length * 4);
    redactString(small);
    let best = Infinity;
    for (let i = 0; i < 20 && best > 8; i++) best = Math.min(best, time(large) / time(small));
    return best;
  };
  const first = ratio(5_000);
  return first > 8 ? first : ratio(25_000);
}

const PIECES = [
  'a.',
  'a@',
  'a@a.',
  'a',
  '@',
  '1',
  '12-',
  '1 ',
  '+1',
  '+1 ',
  '(5',
  '555-',
  '4532-',
  '1.',
  '1.1.1.',
  '192.168.',
  ':',
  '::',
  'a:',
  '2001:',
  'fe80:',
  '::ffff:',
  'eyJ',
  'eyJaaaa.',
  'eyJaaaa.eyJaaaa',
  '://',
  '://a:',
  '://a:a',
  'Bearer ',
  'Bearer a',
  'bearer a.',
  'password=',
  'password="',
  'password ',
  'pwd:\\"',
  'api_key',
  'api_key="',
  'api_key= ',
  'authorization:',
  'authorization: Bearer ',
  'authorization ',
  'token="',
  "token' ",
  "secret_key='",
  'AKIA',
  'sk_live_',
  'xoxb-',
  'ghp_a',
  '-----BEGIN ',
  '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN PRIVATE KEY-----\n-----END ',
  '=',
  ' ',
  '\u0000',
  '\ud800',
  'é',
  'é@',
  '_',
  '-',
];

test('no input makes the rules slow: repeated pieces', () => {
  for (const piece of PIECES) {
    const ratio = growth((length) => piece.repeat(Math.ceil(length / piece.length)));
    assert.ok(
      ratio < 9,
      `${JSON.stringify(piece)}: 4x the text took ${ratio.toFixed(1)}x the time`,
    );
  }
});

test('no input makes the rules slow: a beginning, much of one thing, an end that fails', () => {
  const beginnings = [
    'a@',
    'eyJaaaa.',
    'password=',
    'password="',
    'Bearer ',
    '://',
    '://a:',
    '-----BEGIN ',
    'authorization: ',
    '+1',
    '2001:',
  ];
  for (const beginning of beginnings) {
    for (const middle of ['a', 'a.', '1', ' ', ':', '-', '/']) {
      const ratio = growth((length) => beginning + middle.repeat(length / middle.length) + '!');
      assert.ok(
        ratio < 9,
        `${JSON.stringify(beginning + middle)}: 4x the text took ${ratio.toFixed(1)}x the time`,
      );
    }
  }
});
