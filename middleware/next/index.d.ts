import type { ListenerOptions } from '../http/index';

export interface RegisterOptions {
  /** How the requests of Next's server are recorded. */
  server?: Pick<ListenerOptions, 'exclude' | 'metricsPath' | 'route'>;
  /** Everything else is for init. */
  [option: string]: unknown;
}

/** Called by register() of instrumentation.ts in the node runtime. */
export function register(options?: RegisterOptions): Promise<void>;

/** Called by onRequestError() of instrumentation.ts: the error becomes an event of the request's span. */
export function onRequestError(error: unknown, ...rest: unknown[]): void;
