'use strict';
// Records the documented metrics of requests, jobs, calls, models, tasks and devices by hand;
// docs/metrics.md lists names, labels and buckets. Never throws; does nothing while telemetry is
// off. An invalid number (negative, NaN, infinite, not a number) is counted as dropped.

const { impl } = require('./loader.js');
const { number, optionOf, seconds, statusCode, text } = require('./measured.js');
const { currentWords } = require('./exemplar.js');

function record(name, labels, value) {
  impl.recordStandard(name, labels.map(text), number(value), currentWords());
}

/**
 * Records a finished HTTP request in http_requests_total, http_request_duration_seconds and, with a
 * size, http_request_size_bytes. The endpoint must be a route template. The middleware does this
 * for each request: do not call it there.
 */
function recordHttpRequest(method, endpoint, status, durationSeconds, requestSizeBytes) {
  const size =
    requestSizeBytes === undefined || requestSizeBytes === null ? -1 : number(requestSizeBytes);
  impl.recordHttpRequest(
    text(method),
    text(endpoint),
    statusCode(status),
    seconds(durationSeconds),
    size,
    currentWords(),
  );
}

// gen:begin recorders
/**
 * Records a finished job in queue_job_latency_seconds.
 * @param jobType Type of the job.
 * @param durationSeconds Duration in seconds.
 */
function recordQueueJob(jobType, durationSeconds) {
  record('queue_job_latency_seconds', [jobType], durationSeconds);
}

/**
 * Counts a failed job in queue_job_failures_total.
 * @param errorType Class of the error, never a message.
 */
function recordQueueJobFailure(errorType) {
  record('queue_job_failures_total', [errorType], 1);
}

/**
 * Sets the number of waiting jobs in queue_depth, which is also shown as queue_depth_total.
 * @param queueName Name of the queue.
 * @param depth Number of waiting jobs.
 */
function setQueueDepth(queueName, depth) {
  record('queue_depth', [queueName], depth);
}

/**
 * Records a call of another service in external_api_calls_total and external_api_duration_seconds.
 * @param service Name of the service.
 * @param operation Name of the operation.
 * @param durationSeconds Duration in seconds.
 */
function recordExternalApiCall(service, operation, durationSeconds) {
  record('external_api_calls_total', [service, operation], 1);
  record('external_api_duration_seconds', [service, operation], durationSeconds);
}

/**
 * Counts a failed call of another service in external_api_errors_total.
 * @param service Name of the service.
 * @param statusCode HTTP status; `other` is recorded without one.
 */
function recordExternalApiError(service, status) {
  record('external_api_errors_total', [service, statusCode(status) || 'other'], 1);
}

/**
 * Adds the cost of model tokens to token_cost_usd_total.
 * @param model Name of the model.
 * @param tenant Hash of the tenant: everyone who can scrape the metrics can read labels.
 * @param usd Cost in US dollars.
 */
function recordTokenCost(model, tenant, usd) {
  record('token_cost_usd_total', [model, tenant], usd);
}

/**
 * Adds the cost of a workflow to workflow_cost_usd_total.
 * @param usd Cost in US dollars.
 */
function recordWorkflowCost(usd) {
  record('workflow_cost_usd_total', [], usd);
}

/**
 * Records a finished task in task_duration_seconds.
 * @param status Result of the task.
 * @param priority Priority of the task.
 * @param durationSeconds Duration in seconds.
 */
function recordTask(status, priority, durationSeconds) {
  record('task_duration_seconds', [status, priority], durationSeconds);
}

/**
 * Sets the number of waiting tasks in task_queue_depth.
 * @param priority Priority of the tasks.
 * @param depth Number of waiting tasks.
 */
function setTaskQueueDepth(priority, depth) {
  record('task_queue_depth', [priority], depth);
}

/**
 * Sets the utilization of a GPU in gpu_utilization_percent.
 * @param device Name of the device.
 * @param model Model of the device.
 * @param percent Utilization, 0 to 100 percent.
 */
function setGpuUtilization(device, model, percent) {
  record('gpu_utilization_percent', [device, model], percent);
}
// gen:end

/**
 * Records a request to a model in model_requests_total, and its usage: { inputTokens, outputTokens,
 * costUsd }.
 */
function recordModelRequest(provider, model, status = 'success', used = {}) {
  record('model_requests_total', [provider, model, status], 1);
  const [input, output, cost] = ['inputTokens', 'outputTokens', 'costUsd'].map(
    (name) => optionOf(used, name, NaN) ?? null,
  );
  if (input !== null) record('model_tokens_total', [provider, model, 'input'], input);
  if (output !== null) record('model_tokens_total', [provider, model, 'output'], output);
  if (cost !== null) record('model_cost_usd_total', [provider, model], cost);
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
