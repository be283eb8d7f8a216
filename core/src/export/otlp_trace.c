/* Spans as a signal of the encoder: reads a record and encodes it in every form.
 * otlp_trace_fields.h has the fields. The protobuf form has the same bytes as protobuf-c makes of
 * the span. */
#include "export/otlp_trace.h"

#include "export/encoder_parts.h"
#include "export/otlp_trace_fields.h"

enum { OTLP_TRACE_KINDS = 6, OTLP_TRACE_STATUS_CODES = 3 };

static const char *const otlp_trace_kind_words[OTLP_TRACE_KINDS] = {
    "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
static const char *const otlp_trace_status_words[OTLP_TRACE_STATUS_CODES] = {"UNSET", "OK",
                                                                             "ERROR"};

static inline djp_text
otlp_trace_reason_key(void)
{
    return (djp_text){DJP__REASON_KEY, sizeof DJP__REASON_KEY - 1};
}

#include "export/emit_as_protobuf.h"
#include "export/otlp_trace_template.h"

#include "export/emit_as_json.h"
#include "export/otlp_trace_template.h"

#include "export/emit_as_console.h"
#include "export/otlp_trace_template.h"

/* The tracestate to write: the received text, or a rewritten one in encoder->made. Returns 0
 * without memory. */
static int
otlp_trace_state(djp_text *out, djp__encoder *encoder, const djp__span_record *record)
{
    *out = djp__walk_text(record, record->state_at, record->state_size);
    if (record->threshold == DJP__THRESHOLD_NONE && out->size == 0) {
        return 1;
    }
    if (out->size != 0 || !encoder->made_is_reusable || encoder->made_of != record->threshold) {
        djp__buf_clear(&encoder->made);
        djp__export_tracestate(&encoder->made, *out, record->threshold);
        encoder->made_is_reusable = out->size == 0 && !encoder->made.failed;
        encoder->made_of = record->threshold;
    }
    *out = (djp_text){encoder->made.data, encoder->made.size};
    if (encoder->made.failed) {
        djp__buf_clear(&encoder->made);
        return 0;
    }
    return 1;
}

static int
otlp_trace_read(djp__encode_item *item, djp__encoder *encoder)
{
    const djp__span_record *record = item->record;
    djp__walk *walk = &encoder->walk;
    int rc = djp__walk_span(walk, &item->attributes, record);
    if (rc != 0) {
        return rc;
    }
    if (!djp__walk_reason(&item->own, walk, record, item->attributes)) {
        item->own = (djp_text){NULL, 0};
    }
    return otlp_trace_state(&item->made, encoder, record) ? 0 : DJP_ENOMEM;
}

static djp_scope
otlp_trace_scope(const void *record)
{
    return ((const djp__span_record *)record)->scope;
}

/* The head and padding of an item cover its tags and lengths (twice its size), keys come from the
 * key table, and the header's texts may lie anywhere in a damaged record. */
static size_t
otlp_trace_bound(const djp__walk *walk, const djp__encode_item *item)
{
    const djp__span_record *record = item->record;
    size_t keys = walk->attributes * (size_t)walk->key_max;
    return 2 * (size_t)walk->end + record->name_size + record->status_size + keys +
           item->made.size + item->own.size + 128;
}

const djp__encode_signal djp__otlp_trace = {
    .resource_list = "resourceSpans",
    .scope_list = "scopeSpans",
    .item_list = "spans",
    .scope = otlp_trace_scope,
    .read = otlp_trace_read,
    .bound = otlp_trace_bound,
    .protobuf = djp__protobuf_span,
    .json = djp__otlp_json_span,
    .console = djp__console_span,
    .pretty = &djp__encode_pretty,
};
