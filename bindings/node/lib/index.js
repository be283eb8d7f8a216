'use strict';
// The package's surface.

const { flush, init, shutdown, telemetryStatus } = require('./runtime.js');

module.exports = { flush, init, shutdown, telemetryStatus };
