'use strict';
// The default rules of redaction: what they remove, what they keep, and that no input is slow.

const test = require('node:test');
const assert = require('node:assert/strict');
const { DEFAULT_REDACTION_RULES, redactString } = require('../../bindings/node/lib/logging');

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
