import type { IncomingMessage, ServerResponse } from 'http';
import type { MetricsOptions, ServerOptions } from '../http/index';

export type { MetricsOptions };

/** Options of telemetryMiddleware(). */
export interface MiddlewareOptions extends ServerOptions {
  /** Returns the route template where Express has none; never the path. */
  route?: (req: any, res: any) => string | null | undefined;
}

/**
 * Returns middleware that records each request. Register it first:
 * `app.use(telemetryMiddleware())`.
 */
export function telemetryMiddleware(
  options?: MiddlewareOptions,
): (req: IncomingMessage, res: ServerResponse, next: (error?: any) => void) => void;

/**
 * Returns an error handler that records the error on the span and passes it on. Not required:
 * errors that Express passes to error handlers are recorded.
 */
export function telemetryErrorHandler(): (
  error: any,
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: any) => void,
) => void;

/** Returns a handler that responds with all metrics: `app.get('/metrics', metricsHandler())`. */
export function metricsHandler(
  options?: MetricsOptions,
): (req: IncomingMessage, res: ServerResponse) => void;
