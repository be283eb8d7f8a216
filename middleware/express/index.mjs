// The same module for `import`: one instance of everything, whichever way it is loaded.

import express from './index.js';

export default express;
export const { telemetryMiddleware, telemetryErrorHandler, metricsHandler } = express;
