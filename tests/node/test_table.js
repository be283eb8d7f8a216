'use strict';
// Numbers of families and series: one of an earlier start is harmless.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const telemetry = require('../../bindings/node/lib/index.js');
const { native } = require('../../bindings/node/lib/loader.js');
const { MEMORY, eachAlone } = require('./alone.js');

eachAlone();

test('again after shutdown, with numbers of the old start harmless', async () => {
  const old = [];
  for (let i = 0; i < 3; i++) {
    telemetry.init({ ...MEMORY, serviceName: `s${i}` });
    const family = native.familyNew(1, 'orders', 'Orders', '', ['kind'], null);
    const series = native.seriesOf(family, ['web']);
    native.seriesAdd(series, 2);
    for (const [oldFamily, oldSeries] of old) {
      native.seriesAdd(oldSeries, 100);
      assert.deepEqual(
        [native.seriesOf(oldFamily, ['web']), native.seriesValue(oldSeries)],
        [0, 0],
      );
    }
    assert.equal(native.seriesValue(series), 2);
    old.push([family, series]);
    assert.equal(await telemetry.shutdown(1000), true);
    const status = telemetry.telemetryStatus();
    assert.deepEqual([status.enabled, status.service_name], [false, `s${i}`]);
  }
});
