'use strict';
// Records operations that have just ended, with a duration in seconds from the caller: a span and
// the documented metrics in one call. Durations are doubles, status codes integers, success a
// boolean, all else text; the core defines the rest. Never throws.

const instrument = require('./instrument.js');
const { optionOf, seconds, statusCode, text, truth } = require('./measured.js');
const { INSTRUMENT, RESULT } = require('./oplog_form.js');

function record(type, duration, status, flags, texts) {
  const span = instrument.start(type, '', duration, status, flags, texts);
  if (span !== null) instrument.end(span, type, duration, status, flags, texts);
}

/**
 * Records an HTTP request that has just ended.
 * @param {string} method
 * @param {string} route
 * @param {number} status
 * @param {number} durationSeconds
 */
function recordHttpSpan(method, route, status, durationSeconds) {
  const texts = [text(method), text(route)];
  record(INSTRUMENT.REQUEST, seconds(durationSeconds), statusCode(status), 0, texts);
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
  const errorType = optionOf(options, 'errorType') ?? null;
  const texts = [text(queueName), text(jobType), errorType === null ? '' : text(errorType)];
  const flags = truth(success) ? 0 : RESULT.FAILED;
  record(INSTRUMENT.JOB, seconds(durationSeconds), 0, flags, texts);
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
  const texts = [text(service), text(operation)];
  const flags = truth(success) ? 0 : RESULT.FAILED;
  const status = statusCode(optionOf(options, 'statusCode'));
  record(INSTRUMENT.EXTERNAL, seconds(durationSeconds), status, flags, texts);
}

module.exports = require('./one.js')('record', {
  recordExternalApiSpan,
  recordHttpSpan,
  recordJobSpan,
});
