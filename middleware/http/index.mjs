// The same module for `import`: one instance of everything, whichever way it is loaded.

import http from './index.js';

export default http;
export const { telemetryListener, instrumentServer, metricsHandler, recordRequestError } = http;
