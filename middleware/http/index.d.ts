import type { IncomingMessage, Server, ServerResponse } from 'http';

/** What every kind of middleware may be told. */
export interface ServerOptions {
  /** Exact paths, or prefixes ending in '*', that are not recorded; added to those of the environment. */
  exclude?: string | Iterable<string>;
  /** Answers the Prometheus scrape at this path. */
  metricsPath?: string;
}

export interface ListenerOptions extends ServerOptions {
  /** The route template of an answered request, never its path; undefined or '' when none matched. */
  route?: (req: IncomingMessage, res: ServerResponse | null) => string | null | undefined;
  /** Without a template: the path with its identifiers replaced. Scanners invent paths without end, so this is off. */
  normalisePaths?: boolean;
}

export interface MetricsOptions {
  /** Whether scrapes are requests like all others. Default: they are not recorded. */
  counted?: boolean;
}

/** A request listener with telemetry around another one, which may be an Express application. */
export function telemetryListener(
  handler: (req: IncomingMessage, res: ServerResponse) => unknown,
  options?: ListenerOptions,
): (req: IncomingMessage, res: ServerResponse) => void;
export function telemetryListener<Req extends IncomingMessage, Res extends ServerResponse>(
  handler: (req: Req, res: Res) => unknown,
  options?: ListenerOptions,
): (req: Req, res: Res) => unknown;

/** Records every request and websocket connection of a server. Returns the server. */
export function instrumentServer<T extends Pick<Server, 'emit'>>(server: T, options?: ListenerOptions): T;

/** A handler that answers with all metrics. */
export function metricsHandler(options?: MetricsOptions): (req: IncomingMessage, res: ServerResponse) => void;

/**
 * The error that a request failed with, where a framework answers it by itself: an event of the span if the answer is
 * 500 or more, or was cut. `res` is the response as Node made it.
 */
export function recordRequestError(res: ServerResponse, error: unknown): void;
