'use strict';
// Shared by the tests of djp-telemetry/prom.

const { after } = require('node:test');
const { LIMIT, restart, telemetry } = require('./support.js');
const prom = require('../../bindings/node/lib/prom/index.js');

/** Ends telemetry after the tests of a file. */
const endAfterwards = () => after(() => telemetry.shutdown(LIMIT));
const start = () => restart({ backend: 'prom' });

/** The lines of a page with this prefix. */
async function lines(prefix, registry = prom.register) {
  const text = await registry.metrics();
  return text.split('\n').filter((line) => line.startsWith(prefix));
}

module.exports = { LIMIT, endAfterwards, lines, prom, start, telemetry };
