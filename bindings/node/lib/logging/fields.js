'use strict';

// The fields that a line has because of where it is written: trace_id and span_id of the current
// span, and the ids of the correlation context. Ids that a caller has given stay as they are.
// Nothing here throws.

const { currentIds } = require('./current_ids');
const { currentContext } = require('./correlation');

/** Puts the fields of the current span and context into `out`. */
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

/** {trace_id, span_id} of the current span, or {} without one. */
function getStructuredLogContext() {
  const ids = currentIds();
  return ids === null || ids === undefined ? {} : { trace_id: ids.traceId, span_id: ids.spanId };
}

module.exports = { addCurrentFields, getStructuredLogContext };
