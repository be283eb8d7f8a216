'use strict';
// Composite samplers through the API: the shared vectors, the functions that build their text, and
// HTTP requests.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const { LIMIT, restart, take, telemetry } = require('./support.js');
const { telemetryListener } = require('../../middleware/http/index.js');
const sampling = require('../../bindings/node/lib/sampling.js');

const vectors = JSON.parse(
  fs.readFileSync(path.join(__dirname, '../vectors/samplers.json'), 'utf8'),
);
const TIMEOUT = { timeout: 30000 };
const begin = (sampler, options) => restart({ sampler, sampleRatio: undefined, ...options });

test.after(() => telemetry.shutdown(LIMIT));

function optionsOf(item) {
  if (item.parent === undefined) return { kind: item.kind, root: true };
  const carrier = {
    traceparent: `00-${item.trace_id}-0100000000000000-${item.parent.sampled ? '03' : '02'}`,
  };
  if (item.parent.state !== undefined) carrier.tracestate = item.parent.state;
  return { kind: item.kind, parent: telemetry.extract(carrier) };
}

function run(item) {
  const span = telemetry.startSpan(item.name || 'root', item.attributes, optionsOf(item));
  const recording = span.isRecording();
  if (item.error) span.setStatus('ERROR');
  span.end();
  return { sampled: (span.traceFlags & 1) === 1, recording, state: span.traceState };
}

for (const item of vectors.decisions) {
  test(`roots are decided: ${item.case}`, TIMEOUT, async () => {
    await begin(item.sampler);
    for (const root of item.roots) {
      const seen = run(root);
      const spans = await take();
      const about = JSON.stringify(root);
      assert.equal(seen.sampled, root.sampled, about);
      assert.equal(seen.recording, root.recording ?? true, about);
      assert.equal(seen.state, root.state ?? seen.state, about);
      assert.equal(spans.length, Number(root.kept ?? root.sampled), about);
      for (const [key, value] of Object.entries(root.added ?? {}))
        assert.equal(spans[0].attributes[key], value, about);
    }
  });
}

test('the text of samplers', TIMEOUT, async () => {
  for (const item of vectors.texts.filter((each) => each.at === undefined)) {
    await begin(item.text);
    const shown = telemetry.telemetryStatus().settings.sampler;
    assert.deepEqual(shown, { value: item.canonical, source: 'option sampler' }, item.case);
  }
});

function serve(handler) {
  return new Promise((resolve) => {
    const server = http.createServer(telemetryListener(handler));
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function ask(server, item, headers) {
  return new Promise((resolve, reject) => {
    const { port } = server.address();
    const options = {
      host: '127.0.0.1',
      port,
      method: item.method,
      path: item.path,
      headers,
      agent: false,
    };
    http
      .request(options, (res) => res.resume().on('end', resolve))
      .on('error', reject)
      .end();
  });
}

for (const parent of [false, true]) {
  test(`what requests show, ${parent ? 'below a caller' : 'as roots'}`, TIMEOUT, async (t) => {
    let seen = null;
    const server = await serve((req, res) => {
      seen = telemetry.getCurrentSpan();
      telemetry.startSpan('inside').end();
      res.end();
    });
    t.after(() => server.close());
    const headers = parent
      ? { traceparent: '00-0102030405060708090a0b0c0d0e0f10-0102030405060708-02' }
      : {};
    for (const item of vectors.requests) {
      await begin(item.sampler);
      await ask(server, item, headers);
      const spans = await take();
      assert.equal(seen.traceFlags & 1, Number(item.sampled), item.case);
      assert.equal(spans.length, item.sampled ? 2 : 0, item.case);
      const texts = spans.flatMap((span) => [span.name, ...Object.values(span.attributes)]);
      assert.ok(!texts.includes(item.path), item.case);
    }
  });
}

test('the functions make the text', TIMEOUT, async () => {
  const s = sampling;
  const tree = s.parentThreshold(
    s.ruleBased([
      [s.name('GET /health*'), s.drop()],
      [s.name('a*', { exact: true }).and(s.kind(telemetry.SpanKind.SERVER).not()), s.alwaysOff()],
      [
        s.attribute('user.tier', 'gold').and(s.kind('client')),
        s.annotating({ team: 'p"y', n: 1, t: true }, s.alwaysOn()),
      ],
      [s.isRoot().and(s.hasRemoteParent().not()), s.atLeast(2, s.probability(0.05))],
      [
        s.attribute('k').and(s.attribute('b', true)).and(s.parentSampled().not().not()),
        s.rateLimited(10),
      ],
      [s.anything(), s.probability(0.25)],
    ]),
  );
  assert.equal(
    String(tree),
    'parent_threshold(rule_based(name("GET /health*") => drop, ' +
      'name("a\\*") & !kind(server) => always_off, ' +
      'attribute("user.tier"="gold") & kind(client) => ' +
      'annotating({"team"="p\\"y", "n"=1, "t"=true}, always_on), ' +
      'root & !remote_parent => at_least(2, probability(0.05)), ' +
      'attribute("k"="*") & attribute("b"="true") & parent_sampled => rate_limited(10), ' +
      'any => probability(0.25)))',
  );
  await begin(tree);
  const status = telemetry.telemetryStatus();
  assert.equal(status.settings.sampler.value, String(tree));
  assert.deepEqual([status.sampling.sampler, status.sampling.ratio], [String(tree), null]);
  assert.throws(() => s.name('a').and(s.name('b')).not(), TypeError);
  assert.equal(String(s.name('a & b').not()), '!name("a & b")');
  assert.deepEqual(
    Object.keys(await import('../../bindings/node/lib/sampling.mjs')).sort(),
    [...Object.keys(s), 'default'].sort(),
  );
});

test('a ratio that is said replaces the tree', TIMEOUT, async () => {
  await begin('rule_based(any => always_off)', { sampleErrors: false });
  const once = (name) => telemetry.startSpan(name, null, { root: true }).end();
  once('no');
  assert.equal(telemetry.setSampleRatio(1), true);
  assert.equal(telemetry.telemetryStatus().sampling.ratio, 1);
  once('yes');
  assert.equal(telemetry.setSampleRatio(null), true);
  once('no');
  assert.deepEqual(
    (await take()).map((span) => span.name),
    ['yes'],
  );
});

test('children follow their root, late ones too, and a drop is quiet', TIMEOUT, async () => {
  await begin('rule_based(name("a") => always_on, name("c") => drop)');
  for (const name of ['a', 'b', 'c']) {
    const span = telemetry.startSpan(name, null, { root: true });
    telemetry.startSpan('child', null, { parent: span }).end();
    span.end();
    telemetry.startSpan('late', null, { parent: span }).end();
  }
  const names = (await take()).map((span) => span.name);
  assert.deepEqual(names.sort(), ['a', 'child', 'late']);
  assert.equal(telemetry.telemetryStatus().spans.not_sampled, 3);
});

test('a rate counts each root once, on both sides', TIMEOUT, async () => {
  await begin('rule_based(kind(client) => rate_limited(3))', { sampleErrors: false });
  let sampled = 0;
  for (let i = 0; i < 50; i++) {
    const span = telemetry.startSpan(`r${i}`, { i }, { root: true, kind: 'client' });
    sampled += span.traceFlags & 1;
    span.end();
  }
  assert.ok(sampled >= 3 && sampled < 10, `${sampled} in a moment`);
  assert.equal((await take()).length, sampled);
});

test('attributes that the sampler saw are recorded as ever', TIMEOUT, async () => {
  await begin('rule_based(attribute("a"="1") => always_on)');
  let reads = 0;
  const given = { a: 1, b: [1, 'x'], f: () => 1 };
  Object.defineProperty(given, 'c', { enumerable: true, get: () => ++reads });
  telemetry.startSpan('x', given, { root: true, attributes: { d: true } }).end();
  const span = (await take()).one('x');
  assert.equal(reads, 1);
  const { 'sampling.reason': reason, ...attributes } = span.attributes;
  assert.deepEqual(attributes, { d: true, a: 1, b: [1, 'x'], c: 1 });
  assert.equal(span.droppedAttributesCount ?? span.dropped_attributes_count ?? 1, 1);
});
