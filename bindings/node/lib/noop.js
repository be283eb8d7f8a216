'use strict';
// A no-op for every function of the addon: returns what the addon returns while telemetry is off,
// never throws, and propagates trace context. Uses no Node API, so it also loads in an edge
// runtime.

const baggage = require('./w3c_baggage.js');
const traceContext = require('./w3c_trace_context.js');

const nothing = () => undefined;
const none = () => null;
const zero = () => 0;
const no = () => false;

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

function textOf(value) {
  return typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? value.filter((v) => typeof v === 'string').join(',')
      : '';
}

module.exports = {
  coreVersion: '',
  sdkKeywords: () => [],
  sdkStart: none,
  sdkResolve: none,
  sdkStatus: none,
  sdkEpoch: zero,
  sdkSharedName: () => '',
  sdkTakeExported: none,
  sdkTakeSignals: nothing,
  sdkSetEnabled: no,
  sdkSetSampleRatio: no,
  sdkSetCanaryRatio: no,
  sdkListen: no,
  sdkSharedName: () => '',
  sdkFlush: () => Promise.resolve(true),
  sdkFlushSync: () => true,
  sdkStop: () => Promise.resolve(null),
  sdkStopSync: none,
  extract: traceContext.extract,
  extractInto: none,
  traceparentWrite: traceContext.traceparentWrite,
  tracestateParse: none,
  tracestateSet: none,
  tracestateGet: none,
  baggageParse: baggage.parse,
  baggageText: textOf,
  baggageSet: baggage.set,
  baggageRemove: baggage.remove,
  familyNew: zero,
  standardFamily: zero,
  familyRemove: no,
  familyClear: nothing,
  seriesOf: zero,
  seriesAdd: nothing,
  gaugeSet: nothing,
  gaugeAdd: nothing,
  gaugeSetToNow: nothing,
  observe: nothing,
  seriesValue: zero,
  seriesCount: zero,
  seriesIsOverflow: no,
  expose: none,
  exposeAsync: () => Promise.resolve(null),
  negotiate: () => TEXT,
  normalisePath: (path) => (typeof path === 'string' ? path : ''),
  excludesPath: no,
  recordHttpRequest: no,
  enterRequest: zero,
  leaveRequest: nothing,
  recordStandard: no,
  runtimeRecord: no,
  runtimeWasRead: no,
  samplerDecideMany: no,
};
