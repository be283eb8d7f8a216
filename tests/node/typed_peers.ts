// The package with Express, pino and winston in TypeScript: checked by `tsc --strict`, never run.
// One line must not compile.
import { createServer } from 'node:http';
import express from 'express';
import pino from 'pino';
import winston from 'winston';
import { init, telemetryStatus, type TelemetryOptions } from 'djp-telemetry';
import { metricsHandler, telemetryErrorHandler, telemetryMiddleware } from 'djp-telemetry/express';
import { instrumentServer, telemetryListener } from 'djp-telemetry/http';
import { correlationMiddleware, traceMixin, winstonFormat } from 'djp-telemetry/logging';

const options: TelemetryOptions = {
  enabled: true,
  serviceName: 'shop',
  sample_ratio: 1,
  headers: { a: 'b' },
};
init(options);
// @ts-expect-error a name that does not exist
init({ serviceNam: 'shop' });
const ratio: unknown = telemetryStatus().settings?.sample_ratio?.value;
const lost: number = telemetryStatus().dropped?.ring_full ?? 0;

const app = express();
app.use(
  telemetryMiddleware({ exclude: ['/health'], metricsPath: '/metrics' }),
  correlationMiddleware(),
);
app.get('/metrics', metricsHandler({ counted: true }));
app.use(telemetryErrorHandler());

createServer(telemetryListener(app));
createServer(
  telemetryListener((req, res) => res.end(req.url), {
    route: (req) => (req.url === '/' ? '/' : null),
  }),
);
instrumentServer(createServer(app), { normalisePaths: true });

pino({ mixin: traceMixin() }).info({ ratio, lost }, 'started');
winston.createLogger({ format: winston.format.combine(winstonFormat(), winston.format.json()) });
