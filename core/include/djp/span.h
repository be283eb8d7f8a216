/* Recording spans. Each call accepts NULL, returns at once and never fails, blocks or
 * allocates without bound; data it cannot record is counted (djp_sdk_status_json). Any
 * thread may use a span, one thread at a time; threads may use different spans of one
 * trace at once. */
#ifndef DJP_SPAN_H
#define DJP_SPAN_H

#include "djp/context.h"
#include "djp/key.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The destination of spans: ring, sampler, limits, counters. Owned by a djp_sdk. */
typedef struct djp_recorder djp_recorder;
typedef struct djp_span djp_span;

/* Numbers as in OTLP's Span.SpanKind and Status.StatusCode. */
typedef enum djp_span_kind {
    DJP_KIND_INTERNAL = 1,
    DJP_KIND_SERVER = 2,
    DJP_KIND_CLIENT = 3,
    DJP_KIND_PRODUCER = 4,
    DJP_KIND_CONSUMER = 5
} djp_span_kind;
typedef enum djp_status_code {
    DJP_STATUS_UNSET = 0,
    DJP_STATUS_OK = 1,
    DJP_STATUS_ERROR = 2
} djp_status_code;

typedef struct djp_span_options {
    djp_scope scope;
    uint8_t kind; /* djp_span_kind; 0: internal */
    uint8_t force_root; /* 1: start a new trace even if a parent is given */
    djp_span *parent; /* borrows; a handle before its release, or NULL */
    /* Borrows; used if parent is NULL. NULL or invalid: start a new trace. A local
     * context joins the local trace of its span if that span was shared
     * (djp_span_share). */
    const djp_span_context *remote;
    uint64_t start_unix_ns; /* 0: now */
    /* Borrows; of the parent context, for span processors (DJP_NEEDS_BAGGAGE). */
    const djp_baggage *baggage;
    /* Input of samplers when a local trace begins (djp_recorder_needs); not recorded.
     * Borrowed for the call. */
    djp_text sampling_name; /* {NULL, 0}: the span's name */
    const djp_attribute *sampling_attributes;
    size_t sampling_attribute_count;
} djp_span_options;
#define DJP_SPAN_OPTIONS_INIT \
    {                         \
        0                     \
    }

/* Returns the inputs that the active sampler uses when a local trace begins; 0 for a
 * ratio; and DJP_NEEDS_BAGGAGE if each span needs the baggage of its parent context
 * (setting baggage_attributes). The others may change at any time; a decision then
 * uses the inputs it has. Accepts NULL. */
enum { DJP_NEEDS_NAME = 2, DJP_NEEDS_ATTRIBUTES = 4, DJP_NEEDS_BAGGAGE = 8 };
unsigned djp_recorder_needs(const djp_recorder *recorder);
/* Returns 1 if the active ratio samples a trace of that id that begins here. Accepts
 * NULL. */
int djp_recorder_would_sample(djp_recorder *recorder, const uint8_t trace_id[16]);

/* Starts a span. The caller releases it with djp_span_release. Copies the name; options
 * may be NULL: an internal root span. Returns NULL if the recorder is off or without
 * memory. A span without a parent in this process is a local root; when it ends, its
 * local trace is exported or dropped as a whole. */
djp_span *
djp_span_start(djp_recorder *recorder, djp_text name, const djp_span_options *options);

/* Ends the span and returns its duration in nanoseconds; 0 for NULL or an ended span.
 * end_unix_ns 0: now; an end before the start is moved to the start. Later setters are
 * ignored. Until its release the span remains valid as a parent and for
 * djp_span_get_context. */
uint64_t djp_span_end(djp_span *span, uint64_t end_unix_ns);

/* Releases the handle. A span that was not ended is discarded and counted as lost
 * ("never_ended"). */
void djp_span_release(djp_span *span);

/* Returns 1 while attributes are recorded: the span has not ended and the recorder does
 * not drop all spans. */
int djp_span_is_recording(const djp_span *span);
/* Fills out, or zeroes it for NULL. The tracestate is borrowed from the span: use
 * djp_span_context_copy to keep it. The sampled flag is the head decision. */
void djp_span_get_context(djp_span_context *out, const djp_span *span);
/* Marks a connection that the peer may keep open (websocket, server-sent events, long
 * poll): its duration does not make its local trace slow, except in a rule for its
 * route. Only for the root of a local trace, before its end. Any thread. Accepts
 * NULL. */
void djp_span_set_long_lived(djp_span *span);
/* Registers the span's context: a span started below that context joins the local trace
 * while it lives, even after the handle was released. Holds the latest 2,048 spans;
 * below an older one a new local trace begins. Takes a lock. Accepts NULL. */
void djp_span_share(djp_span *span);
/* Returns the CLOCK_MONOTONIC nanoseconds of the start; 0 for NULL. */
uint64_t djp_span_start_monotonic_ns(const djp_span *span);

/* Attributes. The last value of a key applies. Text is copied, repaired to valid UTF-8
 * and cut to the configured length. Key 0 counts as a dropped attribute. */
void djp_span_set_string(djp_span *span, djp_key key, djp_text text);
void djp_span_set_int(djp_span *span, djp_key key, int64_t value);
void djp_span_set_double(djp_span *span, djp_key key, double value);
void djp_span_set_bool(djp_span *span, djp_key key, int value);
void djp_span_set_value(djp_span *span, djp_key key, const djp_value *value);
/* Counts one dropped attribute, for a value that the binding could not convert. */
void djp_span_drop_attribute(djp_span *span);

/* Replaces the name; copies it. */
void djp_span_update_name(djp_span *span, djp_text name);
/* OK is final: a later ERROR or UNSET is ignored, as is every UNSET. description is
 * recorded only with ERROR. */
void djp_span_set_status(djp_span *span, djp_status_code status, djp_text description);
/* time_unix_ns 0: now. Copies everything. */
void djp_span_add_event(djp_span *span, djp_text name, uint64_t time_unix_ns,
                        const djp_attribute *attributes, size_t count);
/* A NULL context adds no link and counts as a dropped link, as does one without valid
 * ids, unless it has a tracestate or there are attributes. */
void djp_span_add_link(djp_span *span, const djp_span_context *context,
                       const djp_attribute *attributes, size_t count);
/* Adds an "exception" event with exception.type, exception.message and
 * exception.stacktrace (any may be empty) and the given attributes, which replace
 * those. Does not set the status. */
void djp_span_record_exception(djp_span *span, djp_text type, djp_text message,
                               djp_text stacktrace, int escaped,
                               const djp_attribute *attributes, size_t count);
/* The same with the time of the event; 0 is now. */
void djp_span_record_exception_at(djp_span *span, uint64_t time_unix_ns, djp_text type,
                                  djp_text message, djp_text stacktrace, int escaped,
                                  const djp_attribute *attributes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
