import type { ListenerOptions } from '../http/index';

export interface RegisterOptions {
  /** How the requests of Next's server are recorded. */
  server?: Pick<ListenerOptions, 'exclude' | 'metricsPath' | 'route'>;
  /** Everything else is for init. */
  [option: string]: unknown;
}

/** export { register } from 'djp-telemetry/next' in instrumentation.ts. */
export function register(options?: RegisterOptions): Promise<void>;
