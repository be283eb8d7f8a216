/* A span context as a value (copy, clear), and its extraction from header fields. A malformed field
 * is treated as absent and does not fail the request. */
#include "djp/context.h"

#include <string.h>

void
djp_span_context_clear(djp_span_context *context)
{
    if (context != NULL) {
        djp_tracestate_unref(context->state);
        memset(context, 0, sizeof *context);
    }
}

void
djp_span_context_copy(djp_span_context *out, const djp_span_context *from)
{
    djp_span_context copy = *from;
    copy.state = djp_tracestate_ref(from->state);
    *out = copy;
}

int
djp_context_extract(djp_span_context *out, const djp_header *traceparent, size_t traceparent_count,
                    const djp_header *tracestate, size_t tracestate_count)
{
    memset(out, 0, sizeof *out);
    /* Two traceparent fields are ambiguous, so the trace restarts. */
    if (traceparent_count != 1 ||
        !djp_traceparent_parse(out, (djp_text){traceparent->data, traceparent->size})) {
        return 0;
    }
    if (tracestate_count != 0) {
        djp_tracestate_parse(&out->state, tracestate, tracestate_count);
    }
    return 1;
}
