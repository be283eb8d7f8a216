'use strict';
// The memory of the operation log of this environment, which the core owns.

const { native } = require('./loader.js');
const one = require('./one.js');
const { CONTROL_BYTES } = require('./oplog_form.js').LOG;

/** Returns the memory of the core; without a core, a small buffer in which telemetry is off. */
function openMemory() {
  try {
    if (native !== null && !one.has('oplog')) return native.logOpen();
  } catch {
    // Without memory for a log this environment records nothing; telemetryStatus() still works.
  }
  return new ArrayBuffer(CONTROL_BYTES + 8 * 1024);
}

module.exports = openMemory;
