'use strict';
// Spans of what has just ended, with durations in seconds that were measured elsewhere. Nothing here throws.

const { startAgo } = require('./start.js');
const { settings } = require('./runtime.js');

const INTERNAL = 1;
const SERVER = 2;
const CLIENT = 3;

function record(name, kind, seconds, attributes, error) {
  const span = startAgo(name, kind, seconds);
  if (span === null) return;
  span.setAttributes(attributes);
  if (error !== null) span.setStatus(2, error);
  span.end();
}

/**
 * One served HTTP request that has just ended.
 * @param {string} method @param {string} route @param {number} statusCode @param {number} durationSeconds
 */
function recordHttpSpan(method, route, statusCode, durationSeconds) {
  const { semconv } = settings();
  const attributes = { 'http.route': route, 'http.duration_seconds': durationSeconds };
  if (semconv !== 'stable') {
    attributes['http.method'] = method;
    attributes['http.status_code'] = statusCode;
  }
  if (semconv === 'stable' || semconv === 'both') {
    attributes['http.request.method'] = method;
    attributes['http.response.status_code'] = statusCode;
  }
  const failed = typeof statusCode === 'number' && statusCode >= 500;
  record('http.server', SERVER, durationSeconds, attributes, failed ? '' : null);
}

/**
 * One background job that has just ended.
 * @param {string} queueName @param {string} jobType @param {number} durationSeconds @param {boolean} [success]
 */
function recordJobSpan(queueName, jobType, durationSeconds, success = true) {
  const attributes = {
    'queue.name': queueName,
    'job.type': jobType,
    'job.duration_seconds': durationSeconds,
    'job.success': success,
  };
  record('job.run', INTERNAL, durationSeconds, attributes, success ? null : 'Job failed');
}

/**
 * One call to another service that has just ended.
 * @param {string} service @param {string} operation @param {number} durationSeconds @param {boolean} [success]
 */
function recordExternalApiSpan(service, operation, durationSeconds, success = true) {
  const attributes = {
    'external.service': service,
    'external.operation': operation,
    'external.duration_seconds': durationSeconds,
    'external.success': success,
  };
  record('external.api.call', CLIENT, durationSeconds, attributes, success ? null : 'External API call failed');
}

module.exports = { recordExternalApiSpan, recordHttpSpan, recordJobSpan };
