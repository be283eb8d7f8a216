// The CommonJS module for `import`: both are one instance.

import express from './index.js';

export default express;
export const { telemetryMiddleware, telemetryErrorHandler, metricsHandler } = express;
