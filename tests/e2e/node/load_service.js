'use strict';
// The Express service of test_keep_under_load.py: every request makes a local trace of nested
// spans, tasks that run at the same time and now and then a span that ends after the request; some
// fail in one of three ways, some are slow. Each span says which request.

const express = require('express');
const { setImmediate: turn, setTimeout: sleep } = require('node:timers/promises');
const t = require('../../../bindings/node/lib/index.js');
const { telemetryMiddleware } = require('../../../middleware/express/index.js');

t.init();
const SLOW_MS = 1000 * Number(process.env.LOAD_SLOW_SECONDS);
const background = new Set();

function task(n, failing) {
  return t.withSpan('task', { n }, async (span) => {
    await turn();
    if (failing) span.setStatus({ code: t.StatusCode.ERROR, message: 'no answer' });
  });
}

function late(n) {
  const running = t.withSpan('late', { n }, () => sleep(10));
  background.add(running);
  running.then(() => background.delete(running));
}

function load(n, ms) {
  return t.withSpan('load', { n }, { kind: 'client' }, async () => {
    t.withSpan('load.cache', (cache) => cache.setAttribute('n', n));
    await (ms > 0 ? sleep(ms) : null);
  });
}

const app = express();
app.use(telemetryMiddleware({ exclude: '/status' }));

app.get('/work/:n/:kind/:tasks', async (req, res) => {
  const n = Number(req.params.n);
  const { kind } = req.params;
  t.getCurrentSpan().setAttribute('n', n);
  res.setHeader('x-trace-id', t.getCurrentTraceId());
  if (n % 7 === 0) late(n);
  const tasks = Array.from({ length: Number(req.params.tasks) }, (_, i) =>
    task(n, kind === 'child' && i === 0),
  );
  await Promise.all([load(n, kind === 'slow' ? SLOW_MS : 0), ...tasks]);
  if (kind === 'raise') throw new TypeError('no such order');
  res.status(kind === 'status' ? 503 : 200).json({ n });
});

app.get('/status', async (req, res) => {
  await Promise.all(background);
  res.json(t.telemetryStatus());
});

app.listen(Number(process.env.PORT), '127.0.0.1');
