/* Spans to protobuf-c messages. Slow and plain on purpose; everything lives in the source's
 * arena. */
#include "otlp_oracle.h"

#include <stdlib.h>
#include <string.h>

#include "export/encoder.h"
#include "gen/otlp_trace.pb-c.h"

typedef Djp__Otlp__V1__AnyValue oracle_value;
typedef Djp__Otlp__V1__KeyValue oracle_key_value;
typedef Djp__Otlp__V1__Span oracle_span;

static void *
oracle_alloc(rb_source *source, size_t size)
{
    void *block = djp__arena_alloc(&source->arena, size != 0 ? size : 1);
    if (block == NULL) {
        abort();
    }
    return block;
}

static char *
oracle_text(rb_source *source, djp_text text)
{
    char *copy = oracle_alloc(source, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static ProtobufCBinaryData
oracle_bytes(const void *data, size_t size)
{
    ProtobufCBinaryData bytes = {size, (uint8_t *)(uintptr_t)data};
    return bytes;
}

static oracle_key_value **
oracle_attributes(size_t *out_count, rb_source *source, const djp_attribute *items, size_t count,
                  const char *reason);

static oracle_value *
oracle_any(rb_source *source, const djp_value *value)
{
    oracle_value *out = oracle_alloc(source, sizeof *out);
    djp__otlp__v1__any_value__init(out);
    switch (value->type) {
    case DJP_EMPTY:
        break;
    case DJP_BOOL:
        out->value_case = DJP__OTLP__V1__ANY_VALUE__VALUE_BOOL_VALUE;
        out->bool_value = value->as.boolean;
        break;
    case DJP_INT:
        out->value_case = DJP__OTLP__V1__ANY_VALUE__VALUE_INT_VALUE;
        out->int_value = value->as.integer;
        break;
    case DJP_DOUBLE:
        out->value_case = DJP__OTLP__V1__ANY_VALUE__VALUE_DOUBLE_VALUE;
        out->double_value = value->as.real;
        break;
    case DJP_STRING:
        out->value_case = DJP__OTLP__V1__ANY_VALUE__VALUE_STRING_VALUE;
        out->string_value = oracle_text(source, value->as.text);
        break;
    case DJP_BYTES:
        out->value_case = DJP__OTLP__V1__ANY_VALUE__VALUE_BYTES_VALUE;
        out->bytes_value = oracle_bytes(value->as.text.data, value->as.text.size);
        break;
    case DJP_ARRAY:
        out->value_case = DJP__OTLP__V1__ANY_VALUE__VALUE_ARRAY_VALUE;
        out->array_value = oracle_alloc(source, sizeof *out->array_value);
        djp__otlp__v1__array_value__init(out->array_value);
        out->array_value->n_values = value->as.array.count;
        out->array_value->values =
            oracle_alloc(source, value->as.array.count * sizeof(oracle_value *));
        for (size_t i = 0; i < value->as.array.count; i++) {
            out->array_value->values[i] = oracle_any(source, &value->as.array.items[i]);
        }
        break;
    case DJP_MAP:
        out->value_case = DJP__OTLP__V1__ANY_VALUE__VALUE_KVLIST_VALUE;
        out->kvlist_value = oracle_alloc(source, sizeof *out->kvlist_value);
        djp__otlp__v1__key_value_list__init(out->kvlist_value);
        out->kvlist_value->values = oracle_attributes(
            &out->kvlist_value->n_values, source, value->as.map.items, value->as.map.count, NULL);
        break;
    }
    return out;
}

static int
oracle_key_equal(djp_text a, djp_text b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static oracle_key_value *
oracle_pair(rb_source *source, djp_text key, const djp_value *value)
{
    oracle_key_value *out = oracle_alloc(source, sizeof *out);
    djp__otlp__v1__key_value__init(out);
    out->key = oracle_text(source, key);
    out->value = oracle_any(source, value);
    return out;
}

/* reason: a sampling.reason to add unless the attributes have one, or NULL. */
static oracle_key_value **
oracle_attributes(size_t *out_count, rb_source *source, const djp_attribute *items, size_t count,
                  const char *reason)
{
    oracle_key_value **out = oracle_alloc(source, (count + 1) * sizeof *out);
    djp_text reason_key = rb_text("sampling.reason");
    *out_count = 0;
    for (size_t i = 0; i < count; i++) {
        int again = 0;
        for (size_t k = i + 1; k < count; k++) {
            again |= oracle_key_equal(items[i].key, items[k].key);
        }
        if (oracle_key_equal(items[i].key, reason_key)) {
            reason = NULL;
        }
        if (!again) {
            out[(*out_count)++] = oracle_pair(source, items[i].key, &items[i].value);
        }
    }
    if (reason != NULL) {
        djp_value value = {DJP_STRING, {.text = rb_text(reason)}};
        out[(*out_count)++] = oracle_pair(source, reason_key, &value);
    }
    return out;
}

static char *
oracle_state(rb_source *source, const rb_span *span)
{
    djp__buf state;
    djp__buf_init(&state, 0);
    djp__export_tracestate(&state, span->state, span->header.threshold);
    djp_text text = {state.data != NULL ? state.data : "", state.size};
    char *out = oracle_text(source, text);
    djp__buf_fini(&state);
    return out;
}

static void
oracle_events(oracle_span *out, rb_source *source, const rb_span *span)
{
    out->n_events = span->event_count;
    out->events = oracle_alloc(source, span->event_count * sizeof *out->events);
    for (size_t i = 0; i < span->event_count; i++) {
        const rb_event *from = &span->events[i];
        Djp__Otlp__V1__Event *event = oracle_alloc(source, sizeof *event);
        djp__otlp__v1__event__init(event);
        event->time_unix_nano = from->time;
        event->name = oracle_text(source, from->name);
        event->attributes =
            oracle_attributes(&event->n_attributes, source, from->attributes, from->count, NULL);
        event->dropped_attributes_count = from->dropped;
        out->events[i] = event;
    }
}

static void
oracle_links(oracle_span *out, rb_source *source, const rb_span *span)
{
    out->n_links = span->link_count;
    out->links = oracle_alloc(source, span->link_count * sizeof *out->links);
    for (size_t i = 0; i < span->link_count; i++) {
        const rb_link *from = &span->links[i];
        Djp__Otlp__V1__Link *link = oracle_alloc(source, sizeof *link);
        djp__otlp__v1__link__init(link);
        link->trace_id = oracle_bytes(from->trace_id, 16);
        link->span_id = oracle_bytes(from->span_id, 8);
        link->trace_state = oracle_text(source, from->state);
        link->attributes =
            oracle_attributes(&link->n_attributes, source, from->attributes, from->count, NULL);
        link->dropped_attributes_count = from->dropped;
        link->flags = from->flags;
        out->links[i] = link;
    }
}

static const char *
oracle_reason(const djp__span_record *header)
{
    static const char *const names[] = {NULL,   "error",  "slow",  "rule", "slowest",
                                        "rare", "parent", "ratio", NULL};
    return header->local_root ? names[header->reason] : NULL;
}

static oracle_span *
oracle_make_span(rb_source *source, const rb_span *span)
{
    static const uint8_t none[8];
    const djp__span_record *header = &span->header;
    oracle_span *out = oracle_alloc(source, sizeof *out);
    djp__otlp__v1__span__init(out);
    out->trace_id = oracle_bytes(header->trace_id, 16);
    out->span_id = oracle_bytes(header->span_id, 8);
    out->trace_state = oracle_state(source, span);
    if (memcmp(header->parent_id, none, 8) != 0) {
        out->parent_span_id = oracle_bytes(header->parent_id, 8);
    }
    out->name = oracle_text(source, span->name);
    out->kind = (Djp__Otlp__V1__SpanKind)header->kind;
    out->start_time_unix_nano = header->start_unix_ns;
    out->end_time_unix_nano = header->end_unix_ns;
    out->attributes = oracle_attributes(&out->n_attributes, source, span->attributes, span->count,
                                        oracle_reason(header));
    out->dropped_attributes_count = header->dropped_attributes;
    out->dropped_events_count = header->dropped_events;
    out->dropped_links_count = header->dropped_links;
    oracle_events(out, source, span);
    oracle_links(out, source, span);
    if (header->status != 0) {
        out->status = oracle_alloc(source, sizeof *out->status);
        djp__otlp__v1__status__init(out->status);
        out->status->code = (Djp__Otlp__V1__StatusCode)header->status;
        out->status->message = oracle_text(source, span->status);
    }
    out->flags = header->trace_flags | 0x100u | (header->parent_remote ? 0x200u : 0u);
    return out;
}

static Djp__Otlp__V1__ScopeSpans *
oracle_scope(rb_source *source, djp_scope scope, size_t most)
{
    const djp__scope_entry *entry = djp__scope_entry_of(scope);
    Djp__Otlp__V1__ScopeSpans *out = oracle_alloc(source, sizeof *out);
    djp__otlp__v1__scope_spans__init(out);
    out->spans = oracle_alloc(source, most * sizeof *out->spans);
    out->schema_url = entry->schema_url;
    if (entry->name[0] != '\0' || entry->version[0] != '\0' || entry->attribute_count != 0) {
        out->scope = oracle_alloc(source, sizeof *out->scope);
        djp__otlp__v1__instrumentation_scope__init(out->scope);
        out->scope->name = entry->name;
        out->scope->version = entry->version;
        out->scope->attributes = oracle_attributes(&out->scope->n_attributes, source,
                                                   entry->attributes, entry->attribute_count, NULL);
    }
    return out;
}

void
oracle_pack(djp__buf *out, rb_source *source, const rb_span *spans, size_t count,
            const djp_attribute *resource, size_t resource_count)
{
    Djp__Otlp__V1__ExportTraceServiceRequest request =
        DJP__OTLP__V1__EXPORT_TRACE_SERVICE_REQUEST__INIT;
    Djp__Otlp__V1__ResourceSpans block = DJP__OTLP__V1__RESOURCE_SPANS__INIT, *blocks[] = {&block};
    Djp__Otlp__V1__Resource described = DJP__OTLP__V1__RESOURCE__INIT;
    Djp__Otlp__V1__ScopeSpans **by_scope =
        oracle_alloc(source, (DJP_SCOPE_LIMIT + 1) * sizeof *by_scope);
    memset(by_scope, 0, (DJP_SCOPE_LIMIT + 1) * sizeof *by_scope);
    request.n_resource_spans = 1;
    request.resource_spans = blocks;
    if (resource_count != 0) {
        described.attributes =
            oracle_attributes(&described.n_attributes, source, resource, resource_count, NULL);
        block.resource = &described;
    }
    block.scope_spans = oracle_alloc(source, (count + 1) * sizeof *block.scope_spans);
    for (size_t i = 0; i < count; i++) {
        Djp__Otlp__V1__ScopeSpans **scope = &by_scope[spans[i].header.scope];
        if (*scope == NULL) {
            *scope = oracle_scope(source, spans[i].header.scope, count);
            block.scope_spans[block.n_scope_spans++] = *scope;
        }
        (*scope)->spans[(*scope)->n_spans++] = oracle_make_span(source, &spans[i]);
    }
    size_t size = djp__otlp__v1__export_trace_service_request__get_packed_size(&request);
    uint8_t *room = (uint8_t *)djp__buf_reserve(out, size);
    if (room == NULL || djp__otlp__v1__export_trace_service_request__pack(&request, room) != size) {
        abort();
    }
    out->size += size;
}
