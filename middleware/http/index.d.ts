import type { IncomingMessage, Server, ServerResponse } from 'http';

/** Options of all kinds of middleware. */
export interface ServerOptions {
  /**
   * Paths that are not recorded: exact, or prefixes that end in *. In addition to the setting
   * excluded_paths.
   */
  exclude?: string | Iterable<string>;
  /** Path at which the middleware serves the metrics. */
  metricsPath?: string;
}

/** Options of telemetryListener() and instrumentServer(). */
export interface ListenerOptions extends ServerOptions {
  /**
   * Returns the route template of a finished request, never its path; undefined or '' if no route
   * matched.
   */
  route?: (req: IncomingMessage, res: ServerResponse | null) => string | null | undefined;
  /**
   * true: without a template, the path with its identifiers replaced is recorded. Off by default,
   * because scanners request an unlimited number of paths.
   */
  normalisePaths?: boolean;
}

/** Options of metricsHandler(). */
export interface MetricsOptions {
  /** true: scrapes are recorded like other requests. Default: false. */
  counted?: boolean;
}

/**
 * Returns a request listener that records each request and calls another one, which may be an
 * Express application.
 */
export function telemetryListener(
  handler: (req: IncomingMessage, res: ServerResponse) => unknown,
  options?: ListenerOptions,
): (req: IncomingMessage, res: ServerResponse) => void;
export function telemetryListener<Req extends IncomingMessage, Res extends ServerResponse>(
  handler: (req: Req, res: Res) => unknown,
  options?: ListenerOptions,
): (req: Req, res: Res) => unknown;

/** Records each request and websocket connection of a server. Returns the server. */
export function instrumentServer<T extends Pick<Server, 'emit'>>(
  server: T,
  options?: ListenerOptions,
): T;

/** Returns a handler that responds with all metrics. */
export function metricsHandler(
  options?: MetricsOptions,
): (req: IncomingMessage, res: ServerResponse) => void;

/**
 * Records the error of a request that a framework handles itself. It becomes an event of the span
 * if the status is 500 or more, or the response was cut off. `res` is the response object of Node.
 */
export function recordRequestError(res: ServerResponse, error: unknown): void;
