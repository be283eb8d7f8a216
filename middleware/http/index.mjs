// The CommonJS module for `import`: both are one instance.

import http from './index.js';

export default http;
export const { telemetryListener, instrumentServer, metricsHandler, recordRequestError } = http;
