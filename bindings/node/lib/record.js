'use strict';
// Records operations that have just ended, with a duration in seconds from the caller: a span and
// the documented metrics in one call. Durations are doubles, status codes integers, success a
// boolean, all else text. Never throws.

const { KIND, STATUS } = require('./oplog_form.js');
const { startAgo } = require('./start.js');
const { settings } = require('./runtime.js');
const { Double } = require('./values.js');
const { optionOf, seconds, statusCode, text, truth } = require('./measured.js');
const recorders = require('./recorders.js');

const { INTERNAL, SERVER, CLIENT } = KIND;

function record(name, kind, duration, attributes, error) {
  const span = startAgo(name, kind, duration);
  if (span === null) return;
  span.setAttributes(attributes);
  if (error !== null) span.setStatus(STATUS.ERROR, error);
  span.end();
}

/** Returns a duration for an attribute; null, which is left out, if it is invalid. */
function durationOf(value) {
  return Number.isNaN(value) ? null : new Double(value);
}

/**
 * Records an HTTP request that has just ended.
 * @param {string} method
 * @param {string} route
 * @param {number} status
 * @param {number} durationSeconds
 */
function recordHttpSpan(method, route, status, durationSeconds) {
  const { semconv } = settings();
  const code = statusCode(status);
  const duration = seconds(durationSeconds);
  const attributes = { 'http.route': text(route), 'http.duration_seconds': durationOf(duration) };
  if (semconv !== 'stable') {
    attributes['http.method'] = text(method);
    attributes['http.status_code'] = code || null;
  }
  if (semconv === 'stable' || semconv === 'both') {
    attributes['http.request.method'] = text(method);
    attributes['http.response.status_code'] = code || null;
  }
  record('http.server', SERVER, duration, attributes, code >= 500 ? '' : null);
  recorders.recordHttpRequest(method, route, code, duration);
}

/**
 * Records a background job that has just ended.
 * @param {string} queueName
 * @param {string} jobType
 * @param {number} durationSeconds
 * @param {boolean} [success]
 * @param {{ errorType?: string }} [options] errorType: class of the error
 */
function recordJobSpan(queueName, jobType, durationSeconds, success = true, options = {}) {
  const duration = seconds(durationSeconds);
  const succeeded = truth(success);
  const given = succeeded ? null : (optionOf(options, 'errorType') ?? null);
  const errorType = given === null || text(given) === '' ? null : given;
  const attributes = {
    'queue.name': text(queueName),
    'job.type': text(jobType),
    'job.duration_seconds': durationOf(duration),
    'job.success': succeeded,
    'error.type': errorType === null ? null : text(errorType),
  };
  record('job.run', INTERNAL, duration, attributes, succeeded ? null : 'Job failed');
  recorders.recordQueueJob(jobType, duration);
  if (!succeeded) recorders.recordQueueJobFailure(errorType === null ? '_OTHER' : errorType);
}

/**
 * Records a call to another service that has just ended.
 * @param {string} service
 * @param {string} operation
 * @param {number} durationSeconds
 * @param {boolean} [success]
 * @param {{ statusCode?: number }} [options] statusCode: HTTP status of the response
 */
function recordExternalApiSpan(service, operation, durationSeconds, success = true, options = {}) {
  const duration = seconds(durationSeconds);
  const succeeded = truth(success);
  const code = statusCode(optionOf(options, 'statusCode'));
  const attributes = {
    'external.service': text(service),
    'external.operation': text(operation),
    'external.duration_seconds': durationOf(duration),
    'external.success': succeeded,
    'http.status_code': code || null,
  };
  record(
    'external.api.call',
    CLIENT,
    duration,
    attributes,
    succeeded ? null : 'External API call failed',
  );
  recorders.recordExternalApiCall(service, operation, duration);
  if (!succeeded) recorders.recordExternalApiError(service, code);
}

module.exports = require('./one.js')('record', {
  recordExternalApiSpan,
  recordHttpSpan,
  recordJobSpan,
});
