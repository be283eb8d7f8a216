'use strict';
// Loggers whose lines are kept, and read back.

const assert = require('node:assert/strict');
const { Writable } = require('node:stream');
const { after, before } = require('node:test');
const telemetry = require('../../bindings/node/lib');
const { createLogger } = require('../../bindings/node/lib/logging');

class Lines extends Writable {
  constructor() {
    super({ decodeStrings: false });
    this.texts = [];
  }

  _write(chunk, encoding, done) {
    this.texts.push(String(chunk));
    done();
  }

  /** Parsed lines; a repeated name in a line is an error. */
  get all() {
    return this.texts.map((text) => {
      assert.ok(text.endsWith('\n') && text.indexOf('\n') === text.length - 1, 'one line');
      const line = JSON.parse(text);
      const names = Object.keys(line);
      for (const name of names)
        assert.equal(text.split(`${JSON.stringify(name)}:`).length >= 2, true);
      return line;
    });
  }

  get last() {
    return this.all.at(-1);
  }
}

/** Returns a logger of the service shop, and its lines. */
function setUp(config) {
  const lines = new Lines();
  return {
    lines,
    log: createLogger({ service: 'shop', environment: 'test', destination: lines, ...config }),
  };
}

/** Returns a stream for any logger, and its parsed lines. */
function collector() {
  const lines = [];
  const stream = new Writable({
    write(chunk, encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { lines, stream };
}

/** Telemetry that records for the tests of the calling file. */
function withTelemetry() {
  before(() =>
    telemetry.init({ enabled: true, exporter: 'memory', sampleRatio: 1, serviceName: 'shop' }),
  );
  after(() => telemetry.shutdown(1000));
  return telemetry;
}

module.exports = { Lines, collector, setUp, withTelemetry };
