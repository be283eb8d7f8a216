'use strict';
// Tests of one process that start telemetry anew: no variable of telemetry, and an end after each.

const { afterEach, beforeEach } = require('node:test');
const telemetry = require('../../bindings/node/lib/index.js');
const { cleanEnvironment } = require('./programs.js');

const MEMORY = {
  enabled: true,
  backend: 'hybrid',
  exporter: 'memory',
  sampleRatio: 1,
  serviceName: 'test',
};
const original = { ...process.env };

/** For the tests of the calling file. */
function eachAlone() {
  beforeEach(() => {
    process.env = cleanEnvironment({});
  });
  afterEach(async () => {
    await telemetry.shutdown(1000);
    process.env = original;
  });
}

/** Returns the value and the source of a setting. */
function setting(name) {
  const { value, source } = telemetry.telemetryStatus().settings[name];
  return [value, source];
}

module.exports = { MEMORY, eachAlone, setting };
