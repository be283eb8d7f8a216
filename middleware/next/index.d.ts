import type { ListenerOptions } from '../http/index';

/** Options of register(). */
export interface RegisterOptions {
  /** How requests of the server of Next are recorded. */
  server?: Pick<ListenerOptions, 'exclude' | 'metricsPath' | 'route'>;
  /** All other options are those of init(). */
  [option: string]: unknown;
}

/** Starts telemetry. Call it in register() of instrumentation.ts in the node runtime. */
export function register(options?: RegisterOptions): Promise<void>;

/**
 * Records the error of a request as an event of its span. Call it in onRequestError() of
 * instrumentation.ts.
 */
export function onRequestError(error: unknown, ...rest: unknown[]): void;
