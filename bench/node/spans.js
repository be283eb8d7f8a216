'use strict';
// Contenders of the span rows: the cost of a span on the calling path, as the current span,
// unsampled and off, and the total cost for the main thread while spans are exported. Each runs in
// a separate process and returns how many spans must arrive at the sink.

const { best, drained, mainThreadCpu, paced, processCpu, SCALE } = require('./measure');
const { otel, otelModule, ours, requireOurs } = require('./peers');

/** The span of every row: three strings, an integer and a boolean. */
function spans(start, n) {
  for (let i = 0; i < n; i++) {
    const span = start('operation');
    span.setAttribute('http.method', 'GET');
    span.setAttribute('http.route', '/orders/{order_id}');
    span.setAttribute('http.status_code', 200);
    span.setAttribute('tenant.plan', 'professional');
    span.setAttribute('cache.hit', true);
    span.end();
  }
}

const flushOurs = (djp) => () => djp.flush(10_000);

async function callingPath(start, flush, exported = true) {
  const { value, done } = await best((n) => spans(start, n), { between: flush && drained(flush) });
  if (flush) await flush();
  return { value, spans: exported ? done : 0 };
}

const span_ours = () => {
  const djp = ours();
  return callingPath(djp.startSpan, flushOurs(djp));
};

const span_otel = () => {
  const { tracer, provider } = otel();
  return callingPath(
    (name) => tracer.startSpan(name),
    () => provider.forceFlush(),
  );
};

const span_unsampled_ours = () => {
  const djp = ours({ sampleRatio: 1e-9 });
  return callingPath(djp.startSpan, flushOurs(djp), false);
};

/** As OpenTelemetry's unsampled span: ids to propagate, and nothing is recorded. */
const span_zero_ours = () => {
  const djp = ours({ sampleRatio: 0 });
  return callingPath(djp.startSpan, flushOurs(djp), false);
};

const span_unsampled_otel = () => {
  const { tracer, provider } = otel({ ratio: 0 });
  return callingPath(
    (name) => tracer.startSpan(name),
    () => provider.forceFlush(),
    false,
  );
};

const span_off_ours = () => callingPath(requireOurs().startSpan, null, false);

const span_off_otel = () => {
  const tracer = otelModule('api').trace.getTracer('bench');
  return callingPath((name) => tracer.startSpan(name), null, false);
};

// ---- as the current span -----------------------------------------------------------------------

const ATTRIBUTES = {
  'http.method': 'GET',
  'http.route': '/orders/{order_id}',
  'http.status_code': 200,
  'tenant.plan': 'professional',
  'cache.hit': true,
};

// work inside of the spans; printed, so that the engine cannot remove it
let sum = 0;

async function current(chunk, flush, spansEach) {
  const { value, done } = await best(chunk, { between: flush && drained(flush) });
  if (flush) await flush();
  if (sum === 0) throw new Error('the function inside of the span did not run');
  return { value, spans: done * spansEach };
}

const work = () => {
  sum++;
};
const workLater = async () => {
  await null;
  sum++;
};

const current_bare = () =>
  current(
    (n) => {
      for (let i = 0; i < n; i++) work();
    },
    null,
    0,
  );

const current_async_bare = () =>
  current(
    async (n) => {
      for (let i = 0; i < n; i++) await workLater();
    },
    null,
    0,
  );

const current_ours = () => {
  const djp = ours();
  const { withSpan } = djp;
  return current(
    (n) => {
      for (let i = 0; i < n; i++) withSpan('operation', ATTRIBUTES, work);
    },
    flushOurs(djp),
    1,
  );
};

const current_async_ours = () => {
  const djp = ours();
  const { withSpan } = djp;
  return current(
    async (n) => {
      for (let i = 0; i < n; i++) await withSpan('operation', ATTRIBUTES, workLater);
    },
    flushOurs(djp),
    1,
  );
};

const current_otel = () => {
  const { tracer, provider } = otel();
  const inside = (span) => {
    work();
    span.end();
  };
  return current(
    (n) => {
      for (let i = 0; i < n; i++)
        tracer.startActiveSpan('operation', { attributes: ATTRIBUTES }, inside);
    },
    () => provider.forceFlush(),
    1,
  );
};

const current_async_otel = () => {
  const { tracer, provider } = otel();
  const inside = async (span) => {
    try {
      await workLater();
    } finally {
      span.end();
    }
  };
  return current(
    async (n) => {
      for (let i = 0; i < n; i++)
        await tracer.startActiveSpan('operation', { attributes: ATTRIBUTES }, inside);
    },
    () => provider.forceFlush(),
    1,
  );
};

// ---- all that the main thread pays -------------------------------------------------------------

/**
 * Main-thread CPU nanoseconds per span at a given rate for 4 s, including exports and garbage
 * collection. The bare ticks are another contender. 50,000 a second is the rate that
 * OpenTelemetry's batch processor exports without loss here.
 */
async function sustained(slice, flush, exported, rate = 50_000) {
  const ticks = Math.max(100, Math.round(400 * SCALE));
  const perTick = rate / 100;
  await paced(100, () => slice(perTick)); // compiles the code
  await flush();
  const main = mainThreadCpu();
  const all = processCpu();
  await paced(ticks, () => slice(perTick));
  await flush();
  const count = ticks * perTick;
  return {
    value: (mainThreadCpu() - main) / count,
    process: (processCpu() - all) / count,
    spans: exported ? count + 100 * perTick : 0,
  };
}

const cpu_bare = () =>
  sustained(
    () => {},
    async () => {},
    false,
  );

const cpu_ours = (rate = 50_000) => {
  const djp = ours();
  return sustained((n) => spans(djp.startSpan, n), flushOurs(djp), true, rate);
};

const cpu_bare_500k = () =>
  sustained(
    () => {},
    async () => {},
    false,
    500_000,
  );
const cpu_ours_500k = () => cpu_ours(500_000);

const cpu_otel = () => {
  const { tracer, provider } = otel();
  return sustained(
    (n) => spans((name) => tracer.startSpan(name), n),
    () => provider.forceFlush(),
    true,
  );
};

module.exports = {
  contenders: {
    span_ours,
    span_otel,
    span_unsampled_ours,
    span_zero_ours,
    span_unsampled_otel,
    span_off_ours,
    span_off_otel,
    current_bare,
    current_ours,
    current_otel,
    current_async_bare,
    current_async_ours,
    current_async_otel,
    cpu_bare,
    cpu_ours,
    cpu_otel,
    cpu_bare_500k,
    cpu_ours_500k,
  },
  spans,
};
