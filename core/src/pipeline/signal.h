/* One signal for a pipeline: names, functions that take items from a source, and functions that
 * write requests. A new signal needs only such a row. */
#ifndef DJP_PIPELINE_SIGNAL_H
#define DJP_PIPELINE_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

#include "export/destination.h"

struct djp__buf;

/* Items of a source since the start, or since the fork.
 * started = live + not_sampled + accepted + dropped */
typedef struct djp__source_counts {
    uint64_t started;
    uint64_t live; /* not finished, or not decided */
    uint64_t not_sampled;
    uint64_t accepted; /* became records */
    uint64_t dropped; /* lost before they became records */
    uint64_t switched_off; /* those of `dropped` that were lost because exports were muted */
} djp__source_counts;

/* reason: static text, a word of the status and of metrics. */
typedef void (*djp__visit_loss)(void *user, const char *reason, uint64_t items);

/* The source: records in the order of their positions, with the worker as the one reader. Positions
 * only grow; when `consumed` reaches a value of `written`, everything before it was taken. */
typedef struct djp__drain {
    uint64_t (*written)(const void *source); /* any thread */
    uint64_t (*consumed)(const void *source);
    uint64_t (*capacity)(const void *source); /* bytes */
    /* The oldest whole record, or NULL; valid until `consume`. */
    const void *(*peek)(const void *source, size_t *size);
    uint64_t (*consume)(void *source); /* frees it; returns its number of items */
    /* Requests one wake-up at that many bytes; 0: at the next record. */
    void (*set_wake_level)(void *source, uint64_t bytes);
    /* Total of items the source refused for lack of room. Any thread. */
    uint64_t (*refused)(const void *source);
    /* Any thread; also while the signal is off and the source was never started. */
    void (*counts)(djp__source_counts *out, const void *source);
    /* Calls visit for each reason for which the source loses items, except switched_off, in a
     * constant order. Any thread, as counts. */
    void (*losses)(const void *source, djp__visit_loss visit, void *user);
    /* 1 while exports are muted. Any thread. */
    int (*is_muted)(const void *source);
    /* Shutdown has begun: later items are refused. May be NULL. */
    void (*close)(void *source);
    /* In a forked child, which has one thread: its records are the parent's; positions restart at
     * 0. Allocates nothing. May be NULL. */
    void (*fork_child)(void *source);
} djp__drain;

/* How a batch becomes the body of a request. */
typedef struct djp__encode {
    /* Creates an encoder with the resource of this process. form: a number of the destination
     * (djp__pipeline_options), constant for an encoder. Returns 0 or DJP_ENOMEM. No lock is held.
     */
    int (*create)(void **out, void *source, int form);
    void (*free)(void *encoder); /* accepts NULL */
    /* Adds one record. Returns 0, DJP_ENOMEM, or DJP_EPROTO for an unreadable one. */
    int (*add)(void *encoder, const void *record, size_t size);
    uint64_t (*items)(const void *encoder);
    uint64_t (*bytes)(const void *encoder); /* upper estimate of the body */
    /* Appends the body and empties the encoder as far as possible. Returns 0 or DJP_ENOMEM. */
    int (*finish)(void *encoder, struct djp__buf *out);
} djp__encode;

typedef struct djp__signal {
    const char *name; /* "traces" */
    const char *item_name; /* plural: "spans" */
    const char *item; /* its word in OpenTelemetry's names of metrics and components: "span" */
    const char *processor; /* kind of its processor in names of components; NULL: it has none */
    djp__route route; /* its paths at a receiver, and the form of the responses */
    const djp__drain *drain;
    const djp__encode *encode;
} djp__signal;

#endif
