'use strict';

// The fields of a line from its context: trace_id and span_id of the current span, and the ids of
// the correlation context. Ids of the caller take precedence. Never throws.

const { currentIds } = require('./current_ids');
const { currentContext } = require('./correlation');

/** Adds the fields of the current span and context to `out`. */
function addCurrentFields(out, pseudonym) {
  const ids = currentIds();
  if (ids !== null && ids !== undefined) {
    out.trace_id = ids.traceId;
    out.span_id = ids.spanId;
  }
  const context = currentContext();
  if (context === undefined) return out;
  out.correlation_id = context.correlationId;
  if (context.requestId !== undefined) out.request_id = context.requestId;
  if (context.sessionId !== undefined) out.session_id = context.sessionId;
  if (context.userId !== undefined) out.user_id = pseudonym(context.userId);
  return out;
}

/** Returns {trace_id, span_id} of the current span, or {} without one. */
function getStructuredLogContext() {
  const ids = currentIds();
  return ids === null || ids === undefined ? {} : { trace_id: ids.traceId, span_id: ids.spanId };
}

module.exports = { addCurrentFields, getStructuredLogContext };
