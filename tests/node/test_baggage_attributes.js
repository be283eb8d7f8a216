'use strict';
// Baggage entries as span attributes: which spans get them, and from which context.

const assert = require('node:assert/strict');
const { after, test } = require('node:test');
const { cases } = require('../vectors/baggage_attributes.json');
const { begin, listen, request, spans, telemetry } = require('./http_driver.js');
const { telemetryListener } = require('../../middleware/http');

const { extract, runWithContext, setBaggage, startSpan, withSpan } = telemetry;
after(() => telemetry.shutdown(10000));

/** Returns the attributes without those of the instrumentation. */
function own(found, name) {
  const same = found.filter((span) => span.name === name);
  assert.equal(same.length, 1, name);
  const entries = Object.entries(same[0].attributes);
  return Object.fromEntries(entries.filter(([key]) => !/^(http|sampling)\./.test(key)));
}

/** Ends a request with these headers, within which `inside` ran; returns all spans. */
async function requested(headers, inside) {
  const listener = telemetryListener((req, res) => {
    inside();
    res.end('ok');
  });
  const { port, close } = await listen(listener);
  await request(port, '/', { headers });
  const found = [];
  while (!found.some((span) => span.name === 'http.server')) found.push(...(await spans()));
  await close();
  return found;
}

for (const { case: name, setting, baggage, attributes } of cases) {
  test(name, { timeout: 30000 }, async () => {
    await begin({ baggageAttributes: setting });
    const context = extract({ baggage });
    runWithContext(context, () => withSpan('root', () => startSpan('child').end()));
    startSpan('named', null, { parent: context }).end();
    const long = 'a name that has no symbol '.repeat(20);
    startSpan(long, null, { parent: context, startTime: Date.now() }).end();
    const found = await requested({ baggage }, () => startSpan('inside').end());
    for (const span of ['root', 'child', 'named', long, 'http.server', 'inside'])
      assert.deepEqual(own(found, span), attributes, span);
  });
}

test('the given context comes before the current one', async () => {
  await begin({ baggageAttributes: '*' });
  runWithContext(setBaggage('k', 'current'), () => {
    startSpan('given', null, { parent: setBaggage('k', 'given', extract({})) }).end();
    startSpan('without', null, { parent: extract({}) }).end();
  });
  startSpan('later').end();
  const found = await spans();
  assert.deepEqual(own(found, 'given'), { k: 'given' });
  assert.deepEqual(own(found, 'without'), { k: 'current' });
  assert.deepEqual(own(found, 'later'), {});
});

test('a request has the baggage of its headers alone', { timeout: 30000 }, async () => {
  await begin({ baggageAttributes: '*' });
  const found = await runWithContext(setBaggage('k', 'of the server'), () =>
    requested({}, () => {}),
  );
  assert.deepEqual(own(found, 'http.server'), {});
});

test('what the program sets replaces it', async () => {
  await begin({ baggageAttributes: ['k'], attributeValueLengthLimit: 3 });
  runWithContext(setBaggage('k', 'from baggage'), () => {
    startSpan('as it came').end();
    startSpan('set', { k: 1 }).end();
  });
  const found = await spans();
  assert.deepEqual(own(found, 'as it came'), { k: 'fro' });
  assert.deepEqual(own(found, 'set'), { k: 1 });
});

test('more baggage than a start holds', async () => {
  await begin({ baggageAttributes: 'first,k7' });
  const entries = Array.from({ length: 3000 }, (_, i) => `k${i}=${'x'.repeat(10)}`);
  const baggage = `first=1,${entries.join()}`;
  startSpan('large', null, { parent: { span: null, baggage } }).end();
  const found = await spans();
  assert.deepEqual(own(found, 'large'), { first: '1', k7: 'xxxxxxxxxx' });
});
