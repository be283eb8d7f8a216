'use strict';
// The documented metrics of requests, jobs, calls, models, tasks and devices, for code that records them by hand; names,
// labels and buckets stand in docs/metrics.md. Nothing here throws; all are no-ops while telemetry is off. A number that
// makes no sense (negative, NaN, infinite, no number) is counted as dropped and changes nothing.

const { impl } = require('./loader.js');
const { number, optionOf, seconds, statusCode, text } = require('./measured.js');
const { currentWords } = require('./exemplar.js');

function record(name, labels, value) {
  impl.recordStandard(name, labels.map(text), number(value), currentWords());
}

/**
 * One answered request: http_requests_total, http_request_duration_seconds and, with a size, http_request_size_bytes.
 * The endpoint must be a route template. The middleware does this for every request: do not call it there as well.
 */
function recordHttpRequest(method, endpoint, status, durationSeconds, requestSizeBytes) {
  const size = requestSizeBytes === undefined || requestSizeBytes === null ? -1 : number(requestSizeBytes);
  impl.recordHttpRequest(
    text(method),
    text(endpoint),
    statusCode(status),
    seconds(durationSeconds),
    size,
    currentWords(),
  );
}

/** One finished job in queue_job_latency_seconds. */
function recordQueueJob(jobType, durationSeconds) {
  record('queue_job_latency_seconds', [jobType], durationSeconds);
}

/** One failed job in queue_job_failures_total; errorType is a class of errors, never a message. */
function recordQueueJobFailure(errorType) {
  record('queue_job_failures_total', [errorType], 1);
}

/** How many jobs wait: queue_depth and, under its documented name, queue_depth_total. */
function setQueueDepth(queueName, depth) {
  record('queue_depth', [queueName], depth);
}

/** One call of another service in external_api_calls_total and external_api_duration_seconds. */
function recordExternalApiCall(service, operation, durationSeconds) {
  record('external_api_calls_total', [service, operation], 1);
  record('external_api_duration_seconds', [service, operation], durationSeconds);
}

/** One failed call in external_api_errors_total; 'other' stands for no HTTP status. */
function recordExternalApiError(service, status) {
  record('external_api_errors_total', [service, statusCode(status) || 'other'], 1);
}

/** Adds to token_cost_usd_total. The tenant must be hashed already: everybody who may scrape reads a label. */
function recordTokenCost(model, tenant, usd) {
  record('token_cost_usd_total', [model, tenant], usd);
}

/** Adds to workflow_cost_usd_total. */
function recordWorkflowCost(usd) {
  record('workflow_cost_usd_total', [], usd);
}

/** One request to a model in model_requests_total, and what it used: { inputTokens, outputTokens, costUsd }. */
function recordModelRequest(provider, model, status = 'success', used = {}) {
  record('model_requests_total', [provider, model, status], 1);
  const [input, output, cost] = ['inputTokens', 'outputTokens', 'costUsd'].map(
    (name) => optionOf(used, name, NaN) ?? null,
  );
  if (input !== null) record('model_tokens_total', [provider, model, 'input'], input);
  if (output !== null) record('model_tokens_total', [provider, model, 'output'], output);
  if (cost !== null) record('model_cost_usd_total', [provider, model], cost);
}

/** One finished task in task_duration_seconds. */
function recordTask(status, priority, durationSeconds) {
  record('task_duration_seconds', [status, priority], durationSeconds);
}

/** How many tasks wait: task_queue_depth. */
function setTaskQueueDepth(priority, depth) {
  record('task_queue_depth', [priority], depth);
}

/** gpu_utilization_percent, 0 to 100. */
function setGpuUtilization(device, model, percent) {
  record('gpu_utilization_percent', [device, model], percent);
}

module.exports = require('./one.js')('recorders', {
  recordExternalApiCall,
  recordExternalApiError,
  recordHttpRequest,
  recordModelRequest,
  recordQueueJob,
  recordQueueJobFailure,
  recordTask,
  recordTokenCost,
  recordWorkflowCost,
  setGpuUtilization,
  setQueueDepth,
  setTaskQueueDepth,
});
