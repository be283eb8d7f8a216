'use strict';
// Baggage without the core: the shared cases, and entries that are refused.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

test('without the core, baggage is read and written as with it', () => {
  const text = require('../../bindings/node/lib/w3c_baggage.js');
  const { cases } = JSON.parse(
    fs.readFileSync(path.join(__dirname, '../vectors/baggage.json'), 'utf8'),
  );
  for (const item of cases) {
    const entries = text.parse(item.fields);
    assert.deepEqual(
      entries.map(({ key, value, properties }) => [key, value, properties]),
      item.entries,
      item.case,
    );
    assert.equal(text.write(entries), item.text, item.case);
    let built = '';
    for (const [key, value, properties] of item.entries)
      built = text.set(built, key, value, properties);
    assert.equal(built, item.text, item.case);
  }
  assert.equal(text.remove('a=1,b=2', 'a'), 'b=2');
  for (const [key, value] of [
    [7, 'x'],
    ['a b', 'x'],
    ['a', 7],
    ['', 'x'],
  ])
    assert.equal(text.set('k=v', key, value), 'k=v');
  const full = Array.from({ length: 180 }, (_, i) => `k${i}=1`).join(',');
  assert.equal(text.set(full, 'one more', '1'), full);
});
