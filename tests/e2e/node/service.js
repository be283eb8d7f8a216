'use strict';
// An Express service for test_node_service.py: routes with parameters, spans, a counter, log lines
// with trace ids, and a way through the Python service beside it (BACK_URL) and back to this one.

const express = require('express');
const pino = require('pino');
const t = require('../../../bindings/node/lib/index.js');
const { telemetryMiddleware, metricsHandler } = require('../../../middleware/express/index.js');
const { traceMixin } = require('../../../bindings/node/lib/logging/index.js');

t.init();
const log = pino({ mixin: traceMixin() }, pino.destination({ dest: 2, sync: true }));
const sold = new t.Counter({ name: 'sold', help: 'Things "sold"\nand paid', labelNames: ['kind'] });
const weight = new t.Histogram({ name: 'weight_grams', help: 'Weights', buckets: [1, 10] });

const app = express();
app.use(telemetryMiddleware());
app.get('/metrics', metricsHandler());

const orders = express.Router();
app.use('/shops/:shop', orders);

orders.get('/orders/:id', async (req, res) => {
  const id = Number(req.params.id);
  await t.withSpan('orders.load', { 'order.id': id }, async () => {
    await null;
    sold.labels(id % 2 === 0 ? 'even "quoted"' : 'odd\\').inc();
    weight.observe(id);
  });
  log.info('order loaded');
  res.json({ id });
});

orders.get('/refund', async () => {
  log.error('no refund');
  throw new TypeError('the bank said no');
});

/** Through the Python service, which calls /final here. */
app.get('/through/:id', async (req, res) => {
  const answer = await t.withSpan('call.python', undefined, { kind: 'client' }, async () => {
    const url = `${process.env.BACK_URL}/back/${req.params.id}`;
    return (await fetch(url, { headers: t.inject() })).json();
  });
  log.info('went through');
  res.json({ answer, traceId: t.getCurrentTraceId() });
});

app.get('/final/:id', (req, res) => {
  log.info('arrived');
  res.json({ id: req.params.id, traceId: t.getCurrentTraceId(), baggage: t.getBaggage('tenant') });
});

app.use((error, req, res, next) =>
  res.headersSent ? next(error) : res.status(500).json({ error: error.message }),
);
app.listen(Number(process.env.PORT), '127.0.0.1');
