// A small shop in front of the order service, with telemetry: what a user writes. Each of its
// requests is a span, a measurement and log lines with the same trace id, and the calls to the
// order service continue the trace there.
//
// Run it by hand:  TELEMETRY_ENABLED=true TELEMETRY_BACKEND=hybrid node examples/express_service.js
// beside the order service (ORDERS_URL, http://localhost:8000 by default). Spans go to the console
// until OTEL_EXPORTER_OTLP_ENDPOINT names a collector; the scrape is on /metrics.
'use strict';

const express = require('express');
const pino = require('pino');
const { Counter, SpanKind, getCurrentSpan, init, inject, withSpan } = require('djp-telemetry');
const { metricsHandler, telemetryMiddleware } = require('djp-telemetry/express');
const { traceMixin } = require('djp-telemetry/logging');

init();
const log = pino({ mixin: traceMixin() }, pino.destination({ dest: 2, sync: true }));
const purchases = new Counter({
  name: 'purchases',
  help: 'Purchases in the shop',
  labelNames: ['currency'],
});

const ORDERS_URL = process.env.ORDERS_URL || 'http://localhost:8000';

const app = express();
app.use(telemetryMiddleware());
app.get('/metrics', metricsHandler());

/**
 * An outgoing call: inject() puts traceparent into its headers, so the order service continues this
 * trace.
 */
function callOrders(method, path) {
  return withSpan(
    'orders.call',
    { 'peer.service': 'orders' },
    { kind: SpanKind.CLIENT },
    async () => {
      const answer = await fetch(`${ORDERS_URL}${path}`, { method, headers: inject() });
      if (!answer.ok) throw new Error(`the order service answered ${answer.status}`);
      return answer.json();
    },
  );
}

const shop = express.Router({ mergeParams: true });
app.use('/shops/:shop', shop);

shop.get('/orders/:id', async (req, res) => {
  const order = await callOrders('GET', `/orders/${req.params.id}`);
  log.info('order shown');
  res.json({ shop: req.params.shop, ...order });
});

shop.post('/orders/:id/buy', async (req, res) => {
  const { checkout } = await callOrders('POST', `/orders/${req.params.id}/checkout`);
  getCurrentSpan().setAttribute('purchase.currency', 'EUR');
  purchases.labels('EUR').inc();
  log.info({ checkout }, 'order bought');
  res.status(201).json({ checkout });
});

/**
 * Fails on purpose, in the order service: both spans are errors of one trace, which is sampled
 * at any ratio.
 */
shop.get('/orders/:id/refund', async (req, res) => {
  res.json(await callOrders('GET', `/orders/${req.params.id}/refund`));
});

const server = app.listen(Number(process.env.PORT || 3000), '127.0.0.1', () => {
  log.info({ port: server.address().port }, 'the shop is open');
});
process.once('SIGTERM', () => server.close(() => process.exit(0)));
