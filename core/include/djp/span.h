/* Recording spans. Every call accepts NULL, returns at once, never fails, blocks or
 * allocates without bound; what cannot be kept is counted (see djp/sdk.h, status). A
 * span may be used from any thread, but by one thread at a time; different spans of
 * one trace may be used by different threads at once. */
#ifndef DJP_SPAN_H
#define DJP_SPAN_H

#include "djp/context.h"
#include "djp/key.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where spans go: ring, sampler, limits, counters. Owned by a djp_sdk, see
 * djp/sdk.h. */
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
    uint8_t kind; /* djp_span_kind; 0 means internal */
    uint8_t force_root; /* 1: a new trace even when a parent is given */
    djp_span *parent; /* borrows; a span handle not yet released, or NULL */
    /* Borrows; used when parent is NULL; invalid or NULL starts a new trace. One
     * that is not remote joins the local trace of its span where that was shared
     * (djp_span_share). */
    const djp_span_context *remote;
    uint64_t start_unix_ns; /* 0: now */
    const djp_tracestate *root_state; /* reserved for samplers, NULL */
    /* What a sampler may look at when a local trace begins (djp_recorder_needs);
     * recorded is only what the setters are given. Borrowed for the call. */
    djp_text sampling_name; /* in place of the name; {NULL, 0}: that */
    const djp_attribute *sampling_attributes;
    size_t sampling_attribute_count;
} djp_span_options;
#define DJP_SPAN_OPTIONS_INIT \
    {                         \
        0                     \
    }

/* What the sampler in force would like to know when a local trace begins; 0 where a
 * ratio decides. It may change at any time: then one decision goes by what it was
 * given. Accepts NULL. */
enum { DJP_NEEDS_NAME = 2, DJP_NEEDS_ATTRIBUTES = 4 };
unsigned djp_recorder_needs(const djp_recorder *recorder);
/* 1 when the ratio in force samples a trace of that id that begins here. Accepts
 * NULL. */
int djp_recorder_would_sample(djp_recorder *recorder, const uint8_t trace_id[16]);

/* Starts a span and returns a handle that the caller releases with djp_span_release,
 * or NULL when the recorder is off or memory is short. Copies the name. options may
 * be NULL: an internal root span. A span without a parent of this process is a local
 * root: its local trace is kept or dropped as a whole when it ends. */
djp_span *
djp_span_start(djp_recorder *recorder, djp_text name, const djp_span_options *options);

/* Ends the span and returns its duration in nanoseconds (0 for NULL or when it had
 * ended). end_unix_ns 0 means now; an end before the start is moved to the start.
 * All setters are ignored afterwards. The handle stays valid as a parent and for
 * djp_span_get_context until it is released. */
uint64_t djp_span_end(djp_span *span, uint64_t end_unix_ns);

/* Gives the handle back. A span that was not ended is counted as lost
 * ("never_ended") and its record is discarded. */
void djp_span_release(djp_span *span);

/* 1 while attributes are kept: not ended, and the recorder was not set to drop
 * everything. */
int djp_span_is_recording(const djp_span *span);
/* Fills out; the tracestate in it is borrowed from the span: copy with
 * djp_span_context_copy to keep it. Zeroes out for NULL. The sampled flag is the
 * head decision. */
void djp_span_get_context(djp_span_context *out, const djp_span *span);
/* The span is a connection that its other side may hold for as long as it likes (a
 * websocket, server-sent events, a long poll): its local trace is never kept for its
 * length, except by a rule that names its route. Only for the root of a local trace.
 * Any time before its end, any thread; accepts NULL. */
void djp_span_set_long_lived(djp_span *span);
/* The span's context is given away as a value: a span started below it joins the
 * span's local trace for as long as that lives, even when the handle is gone. The
 * newest 2,048 spans are known; below a forgotten one a local trace of its own
 * begins. Takes a lock. Accepts NULL. */
void djp_span_share(djp_span *span);
/* Monotonic clock reading (CLOCK_MONOTONIC nanoseconds) taken at the start; 0 for
 * NULL. */
uint64_t djp_span_start_monotonic_ns(const djp_span *span);

/* Attributes. The last value of a key wins. Text is copied, repaired to valid UTF-8
 * and cut to the configured length. key 0 and empty keys are counted as dropped
 * attributes. */
void djp_span_set_string(djp_span *span, djp_key key, djp_text text);
void djp_span_set_int(djp_span *span, djp_key key, int64_t value);
void djp_span_set_double(djp_span *span, djp_key key, double value);
void djp_span_set_bool(djp_span *span, djp_key key, int value);
void djp_span_set_value(djp_span *span, djp_key key, const djp_value *value);
/* A value that the binding could not convert: counts one dropped attribute on the
 * span. */
void djp_span_drop_attribute(djp_span *span);

void djp_span_update_name(djp_span *span, djp_text name);
/* OK is final: a later ERROR or UNSET is ignored, as is every UNSET. The description
 * is kept only with ERROR. */
void djp_span_set_status(djp_span *span, djp_status_code status, djp_text description);
/* time_unix_ns 0 means now. Copies everything. */
void djp_span_add_event(djp_span *span, djp_text name, uint64_t time_unix_ns,
                        const djp_attribute *attributes, size_t count);
/* A context that is NULL links nothing and is counted as a dropped link; so is one
 * without valid ids, unless it has a tracestate or attributes come with it. */
void djp_span_add_link(djp_span *span, const djp_span_context *context,
                       const djp_attribute *attributes, size_t count);
/* An "exception" event with exception.type, exception.message and
 * exception.stacktrace (any may be empty), plus the caller's attributes, which win.
 * Does not touch the status. */
void djp_span_record_exception(djp_span *span, djp_text type, djp_text message,
                               djp_text stacktrace, int escaped,
                               const djp_attribute *attributes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
