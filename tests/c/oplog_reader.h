/* What came out of an SDK with a scripted transport, as one line of text for each span, and the
 * set-up of its tests. For one test program: everything is static. */
#ifndef TESTS_C_OPLOG_READER_H
#define TESTS_C_OPLOG_READER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gen/otlp_trace.pb-c.h"
#include "oplog_writer.h"
#include "pipeline/helper.h"

typedef struct reader {
    char text[1 << 20];
    size_t used;
} reader;

__attribute__((format(printf, 2, 3))) static void
reader_add(reader *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(out->text + out->used, sizeof out->text - out->used, format, arguments);
    va_end(arguments);
    assert_in_range(size, 0, sizeof out->text - out->used - 1);
    out->used += (size_t)size;
}

static void reader_attributes(reader *out, Djp__Otlp__V1__KeyValue **items, size_t count);

static void
reader_value(reader *out, const Djp__Otlp__V1__AnyValue *value)
{
    switch (value->value_case) {
    case DJP__OTLP__V1__ANY_VALUE__VALUE_STRING_VALUE:
        reader_add(out, "'%s'", value->string_value);
        break;
    case DJP__OTLP__V1__ANY_VALUE__VALUE_BOOL_VALUE:
        reader_add(out, "%s", value->bool_value ? "true" : "false");
        break;
    case DJP__OTLP__V1__ANY_VALUE__VALUE_INT_VALUE:
        reader_add(out, "%lldi", (long long)value->int_value);
        break;
    case DJP__OTLP__V1__ANY_VALUE__VALUE_DOUBLE_VALUE:
        reader_add(out, "%gd", value->double_value);
        break;
    case DJP__OTLP__V1__ANY_VALUE__VALUE_BYTES_VALUE:
        reader_add(out, "<%.*s>", (int)value->bytes_value.len,
                   (const char *)value->bytes_value.data);
        break;
    case DJP__OTLP__V1__ANY_VALUE__VALUE_ARRAY_VALUE:
        reader_add(out, "[");
        for (size_t i = 0; i < value->array_value->n_values; i++) {
            reader_value(out, value->array_value->values[i]);
            reader_add(out, ",");
        }
        reader_add(out, "]");
        break;
    case DJP__OTLP__V1__ANY_VALUE__VALUE_KVLIST_VALUE:
        reader_add(out, "{");
        reader_attributes(out, value->kvlist_value->values, value->kvlist_value->n_values);
        reader_add(out, "}");
        break;
    default:
        reader_add(out, "empty");
    }
}

static void
reader_attributes(reader *out, Djp__Otlp__V1__KeyValue **items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reader_add(out, "%s=", items[i]->key);
        if (items[i]->value) {
            reader_value(out, items[i]->value);
        } else {
            reader_add(out, "empty");
        }
        reader_add(out, ";");
    }
}

static void
reader_id(reader *out, const char *name, ProtobufCBinaryData id)
{
    reader_add(out, "%s", name);
    for (size_t i = 0; i < id.len; i++) {
        reader_add(out, "%02x", id.data[i]);
    }
    reader_add(out, " ");
}

/* name kind trace= span= parent= start= took= scope= state= status= dropped= | attributes | events
 * | links */
static void
reader_span(reader *out, const Djp__Otlp__V1__Span *span,
            const Djp__Otlp__V1__InstrumentationScope *scope)
{
    reader_add(out, "\n%s kind%d ", span->name, (int)span->kind);
    reader_id(out, "trace=", span->trace_id);
    reader_id(out, "span=", span->span_id);
    reader_id(out, "parent=", span->parent_span_id);
    reader_add(out, "start=%llu took=%llu ", (unsigned long long)span->start_time_unix_nano,
               (unsigned long long)(span->end_time_unix_nano - span->start_time_unix_nano));
    reader_add(out, "scope=%s@%s state=%s flags=%x ", scope != NULL ? scope->name : "",
               scope != NULL ? scope->version : "", span->trace_state, span->flags);
    reader_add(out, "status=%d:%s dropped=%u | ", span->status ? (int)span->status->code : 0,
               span->status ? span->status->message : "", span->dropped_attributes_count);
    reader_attributes(out, span->attributes, span->n_attributes);
    for (size_t i = 0; i < span->n_events; i++) {
        reader_add(out, " | event %s at=%lld ", span->events[i]->name,
                   (long long)(span->events[i]->time_unix_nano - span->start_time_unix_nano));
        reader_attributes(out, span->events[i]->attributes, span->events[i]->n_attributes);
    }
    for (size_t i = 0; i < span->n_links; i++) {
        reader_add(out, " | link ");
        reader_id(out, "trace=", span->links[i]->trace_id);
        reader_id(out, "span=", span->links[i]->span_id);
        reader_add(out, "state=%s flags=%x ", span->links[i]->trace_state, span->links[i]->flags);
        reader_attributes(out, span->links[i]->attributes, span->links[i]->n_attributes);
    }
}

/* All spans that the transport has accepted. Static text, until the next call. */
static const char *
reader_all(script_transport *transport)
{
    static reader out;
    out.used = 0;
    out.text[0] = '\0';
    pthread_mutex_lock(&transport->mutex);
    for (size_t at = 0; at + 4 <= transport->stored_size;) {
        uint32_t length;
        memcpy(&length, transport->stored + at, 4);
        Djp__Otlp__V1__ExportTraceServiceRequest *request =
            djp__otlp__v1__export_trace_service_request__unpack(
                NULL, length, (const uint8_t *)transport->stored + at + 4);
        assert_non_null(request);
        for (size_t i = 0; i < request->resource_spans[0]->n_scope_spans; i++) {
            Djp__Otlp__V1__ScopeSpans *scope = request->resource_spans[0]->scope_spans[i];
            for (size_t k = 0; k < scope->n_spans; k++) {
                reader_span(&out, scope->spans[k], scope->scope);
            }
        }
        djp__otlp__v1__export_trace_service_request__free_unpacked(request, NULL);
        at += 4 + length;
    }
    pthread_mutex_unlock(&transport->mutex);
    return out.text;
}

/* The line of the span of that name, or NULL. Static text, until the next call. */
static inline const char *
reader_line(script_transport *transport, const char *name)
{
    static char line[1 << 14];
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\n%s kind", name);
    const char *all = reader_all(transport), *found = strstr(all, wanted);
    if (!found) {
        return NULL;
    }
    size_t size = strcspn(found + 1, "\n");
    assert_true(size < sizeof line);
    memcpy(line, found + 1, size);
    line[size] = '\0';
    return line;
}

#define assert_has(line, part)                                                                    \
    do {                                                                                          \
        const char *has_line = (line);                                                            \
        if (has_line == NULL || !strstr(has_line, (part))) {                                      \
            fail_msg("no \"%s\" in: %s", (part), has_line != NULL ? has_line : "(no such span)"); \
        }                                                                                         \
    } while (0)

/* ---- one SDK with one log ---- */

static djp_sdk *sdk;
static script_transport *transport;
static writer log_;
static djp_options options;
static int lent; /* the transport belongs to sdk */

static inline void
open_with(const djp_options *with, size_t units)
{
    transport = script_new(NULL, NULL);
    sdk = helper_sdk(with, transport);
    lent = 1;
    assert_int_equal(writer_open(&log_, units), 0);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), 0);
}

static int
set_up(void **state)
{
    (void)state;
    options = helper_options();
    return 0;
}

static inline int
tear_down(void **state)
{
    (void)state;
    writer_close(&log_);
    djp_sdk_free(sdk);
    /* A worker that did not come to its end in time still uses the transport. */
    for (uint64_t deadline = djp__clock_monotonic() + PATIENCE;
         lent && !transport->freed && djp__clock_monotonic() < deadline;) {
        helper_sleep(MS);
    }
    assert_true(!lent || transport->freed);
    lent = 0;
    assert_int_equal(transport->overlaps, 0);
    free(transport->stored);
    free(transport);
    return 0;
}

static inline void
flush(void)
{
    writer_publish(&log_);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
}

/* A root (number > 0) or a child, with everything else as usual. */
static inline void
begin(uint32_t slot, uint32_t number, uint32_t parent, const char *name)
{
    writer_start start = {.slot = slot,
                          .number = number,
                          .full_name = name,
                          .parent_flags = parent ? DJP_FLAG_SAMPLED : 0};
    start.flags = DJP_OP_START_NAME | (parent ? 0 : DJP_OP_START_ROOT);
    start.ids = writer_make_ids(number, slot + 100 * number, parent);
    assert_true(writer_begin(&log_, &start));
}

static inline void
fail_span(uint32_t slot)
{
    assert_true(writer_put(&log_, DJP_OP_STATUS, slot | DJP_STATUS_ERROR << 16, "bad", 3));
}

static inline double
dropped(const char *reason)
{
    json *status = helper_status(sdk);
    double count = helper_number(status, "dropped", reason);
    json_free(status);
    return count;
}

#endif
