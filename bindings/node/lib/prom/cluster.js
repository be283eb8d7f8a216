'use strict';
// The metrics of all workers of a cluster, which the primary asks for. With a shared directory each
// page has these numbers anyway.

const Registry = require('./registry.js');
const { aggregators } = require('./metricAggregators.js');
const { Grouper } = require('./util.js');

const REQUEST = 'prom-client:getMetricsReq';
const RESPONSE = 'prom-client:getMetricsRes';
const TIMEOUT_MS = 5000;

let registries = [Registry.globalRegistry];
let requestCounter = 0;
let isListening = false;
const requests = new Map();
const cluster = () => require('node:cluster');

function end(requestId, settle, value) {
  const request = requests.get(requestId);
  if (request === undefined) return;
  requests.delete(requestId);
  clearTimeout(request.timeout);
  request[settle](value);
}

function receive(message) {
  const request = requests.get(message.requestId);
  if (request === undefined) return;
  if (message.error) {
    end(message.requestId, 'reject', new Error(message.error));
    return;
  }
  request.responses.push(...message.metrics);
  if (--request.pending > 0) return;
  try {
    const text = AggregatorRegistry.aggregate(request.responses).metrics();
    end(message.requestId, 'resolve', text);
  } catch (error) {
    end(message.requestId, 'reject', error);
  }
}

async function respond({ requestId }) {
  const response = { type: RESPONSE, requestId };
  try {
    response.metrics = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()));
  } catch (error) {
    response.error = error.message;
  }
  process.send(response);
}

function listen() {
  if (isListening) return;
  isListening = true;
  if (cluster().isPrimary || cluster().isMaster) {
    cluster().on('message', (worker, message) => {
      if (message?.type === RESPONSE) receive(message);
    });
  }
  if (cluster().isWorker) {
    process.on('message', (message) => {
      if (message?.type === REQUEST) respond(message);
    });
  }
}

class AggregatorRegistry extends Registry {
  constructor(regContentType = Registry.PROMETHEUS_CONTENT_TYPE) {
    super(regContentType);
    listen();
  }

  /** Resolves to the text of the metrics of all workers. */
  clusterMetrics() {
    const requestId = requestCounter++;
    return new Promise((resolve, reject) => {
      const fail = () => end(requestId, 'reject', new Error('Operation timed out.'));
      const request = { resolve, reject, responses: [], pending: 0 };
      request.timeout = setTimeout(fail, TIMEOUT_MS);
      requests.set(requestId, request);
      for (const worker of Object.values(cluster().workers || {})) {
        if (!worker.isConnected()) continue;
        worker.send({ type: REQUEST, requestId });
        request.pending++;
      }
      if (request.pending === 0) process.nextTick(() => end(requestId, 'resolve', ''));
    });
  }

  get contentType() {
    return super.contentType;
  }

  /** A registry with the results of getMetricsAsJSON() of several processes as one. */
  static aggregate(metricsArr, registryType = Registry.PROMETHEUS_CONTENT_TYPE) {
    const registry = new Registry(registryType);
    const byName = new Grouper();
    for (const metrics of metricsArr) for (const metric of metrics) byName.add(metric.name, metric);
    for (const metrics of byName.values()) {
      const aggregate = aggregators[metrics[0].aggregator];
      if (typeof aggregate !== 'function')
        throw new Error(`'${metrics[0].aggregator}' is not a defined aggregator.`);
      const joined = aggregate(metrics);
      if (joined) registry.registerMetric({ get: () => joined, ...joined });
    }
    return registry;
  }

  /** Sets the registries whose metrics a worker sends. */
  static setRegistries(regs) {
    const given = Array.isArray(regs) ? regs : [regs];
    for (const registry of given) {
      if (!(registry instanceof Registry))
        throw new TypeError(`Expected Registry, got ${typeof registry}`);
    }
    registries = given;
  }
}

module.exports = AggregatorRegistry;
