// The API of the package in TypeScript: checked by `tsc --strict --noEmit`, never run. A line after
// an expected error must not compile.
import * as http from 'http';
import {
  Counter,
  Gauge,
  SpanKind,
  StatusCode,
  extract,
  flush,
  getCurrentSpan,
  getCurrentTraceId,
  getTracer,
  init,
  inject,
  instrumentOutgoing,
  recordJobSpan,
  runWithContext,
  setBaggage,
  shutdown,
  startSpan,
  takeExported,
  telemetryStatus,
  traced,
  withSpan,
  type Attributes,
  type Context,
  type Span,
  type TelemetryStatus,
} from '../../bindings/node/lib/index';
import * as sampling from '../../bindings/node/lib/sampling';

init({
  enabled: true,
  backend: 'hybrid',
  serviceName: 'orders',
  sampler: sampling.parentThreshold(
    sampling.ruleBased([
      [sampling.name('GET /health*').and(sampling.isRoot().not()), sampling.drop()],
      [
        sampling.kind('server'),
        sampling.annotating({ team: 'a', n: 1n }, sampling.atLeast(1, sampling.probability(0.1))),
      ],
    ]),
  ),
  tailSamplingRules: ['name pay', 'rare 60s'],
  spanRateLimit: 500,
  resourceAttributes: { team: 'a' },
  semconv: 'stable',
});
const uninstall: () => void = instrumentOutgoing({
  origins: ['https://example.test', /internal/],
  spans: true,
});

interface Order {
  id: number;
  lines: string[];
}

const price = (order: Order): number =>
  withSpan('order.price', { 'order.id': order.id, lines: order.lines }, (span) => {
    span
      .setAttribute('n', 1n)
      .setAttributes(new Map([['k', [1, 2]]]))
      .addEvent('x', { a: new Date() }, Date.now());
    span
      .setStatus('error', 'why')
      .setStatus({ code: StatusCode.ERROR, message: 'why' })
      .updateName('y');
    return order.id * 2;
  });
const load: Promise<Order> = withSpan('order.load', async (span: Span): Promise<Order> => ({
  id: span.traceFlags,
  lines: [],
}));
const none: void = withSpan('nothing', null, { kind: 'client', startTime: 5n }, () => {});
const add = traced('add', (a: number, b: number) => a + b);
const sum: number = add(1, 2);

const attributes: Attributes = { a: 1, b: [true, null], c: { d: new Uint8Array(1) } };
const span = startSpan('manual', attributes, {
  kind: SpanKind.SERVER,
  root: true,
  links: [getCurrentSpan()],
});
span
  .recordException(new Error('x'), [1, 2])
  .addLink({ context: span.spanContext(), attributes: { a: 1 } });
span.end([1700000000, 0]);

const context: Context = extract({ traceparent: 'x' });
const text: string = runWithContext(context, (a: number, b: string) => `${a}${b}`, 1, 'b');
const headers: { accept: string } = inject({ accept: '*' });
const fresh: Record<string, string> = inject();
runWithContext(setBaggage('tenant', 'acme'), () => getCurrentTraceId());

const tracer = getTracer('shop', '1.2');
const answer: number = tracer.startActiveSpan(
  'a',
  { kind: 'producer' },
  (active) => (active.end(), 7),
);
const other: string = tracer.withSpan('b', () => 'x');

const orders = new Counter('orders', 'Orders taken', ['kind']);
orders.inc({ kind: 'web' });
recordJobSpan('queue', 'flow', 0.5, false);
http.createServer((request, response) => response.end(extract(request.headers).span?.traceId));

async function end(): Promise<boolean> {
  uninstall();
  const { enabled, sampling: held, rate_limit: limit }: TelemetryStatus = telemetryStatus();
  const ratio: number | null = held.ratio;
  const level: number | null = limit.level;
  const strategy: string = held.remote === null ? '' : held.remote.strategy;
  const { spans, dropped, settings }: TelemetryStatus = telemetryStatus();
  const lost: number = dropped.ring_full + spans.exported;
  const endpoint: string | null = settings.endpoint.value;
  const bytes: number = takeExported().reduce((total, one) => total + one.length, 0);
  return (
    (await flush(100)) &&
    (await shutdown()) &&
    enabled &&
    bytes > 0 &&
    ratio !== 0 &&
    level !== 0 &&
    strategy !== endpoint &&
    lost > 0
  );
}

// @ts-expect-error the status has no such key
telemetryStatus().no_such_key;
// @ts-expect-error nor has a part of it
telemetryStatus().books.kept;
// @ts-expect-error nor has the row of a signal
telemetryStatus().signals.traces?.kept;
// @ts-expect-error there is no such aggregator
new Gauge({ name: 'depth', aggregator: 'latest' });
new Gauge({ name: 'depth', aggregator: 'average' });
// @ts-expect-error there is no such option
init({ sampleRatios: 1 });
// @ts-expect-error a condition is no sampler
sampling.parentThreshold(sampling.isRoot());
// @ts-expect-error a rule has a condition first
sampling.ruleBased([[sampling.drop(), sampling.drop()]]);
// @ts-expect-error a name is text
startSpan(7);
// @ts-expect-error functions are no values
span.setAttribute('k', () => 1);
// @ts-expect-error there is no such kind
startSpan('s', null, { kind: 'nonsense' });
// @ts-expect-error the result is that of the function
const wrong: string = withSpan('s', () => 1);
// @ts-expect-error spans are not made by hand
new (span.constructor as typeof Span)();

export { add, answer, end, fresh, headers, load, none, other, price, sum, text, wrong };
