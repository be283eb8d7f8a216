import type { IncomingMessage, ServerResponse } from 'http';
import type { MetricsOptions, ServerOptions } from '../http/index';

export type { MetricsOptions };

export interface MiddlewareOptions extends ServerOptions {
  /** The route template where Express has none, never the path. */
  route?: (req: any, res: any) => string | null | undefined;
}

/** app.use(telemetryMiddleware()), before everything else. */
export function telemetryMiddleware(
  options?: MiddlewareOptions,
): (req: IncomingMessage, res: ServerResponse, next: (error?: any) => void) => void;

/** Remembers an error for the span and hands it on. Not needed any more: what Express hands to error handlers is seen. */
export function telemetryErrorHandler(): (
  error: any,
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: any) => void,
) => void;

/** app.get('/metrics', metricsHandler()) */
export function metricsHandler(options?: MetricsOptions): (req: IncomingMessage, res: ServerResponse) => void;
