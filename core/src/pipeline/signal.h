/* One kind of telemetry as a pipeline sees it: names, and functions that take items out of their
 * source and write requests. A row of this form is all that a new signal needs. */
#ifndef DJP_PIPELINE_SIGNAL_H
#define DJP_PIPELINE_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

#include "export/destination.h"

struct djp_buf;

/* Where items come from: records in the order of their positions, with one reader, the worker.
 * Positions only grow; everything before `written` has left when `consumed` has reached it. */
typedef struct djp__drain {
    uint64_t (*written)(const void *source); /* any thread */
    uint64_t (*consumed)(const void *source);
    uint64_t (*capacity)(const void *source); /* bytes */
    /* The oldest whole record, or NULL; valid until `consume`. */
    const void *(*peek)(const void *source, size_t *size);
    uint64_t (*consume)(void *source); /* frees it; returns how many items it held */
    /* Asks for one wake-up at that many bytes; 0: at the next record. */
    void (*set_wake_level)(void *source, uint64_t bytes);
    /* Items that were to be exported and found no room in the source, ever. Any thread. */
    uint64_t (*refused)(const void *source);
    /* 1 while nothing may leave. Any thread. */
    int (*is_muted)(const void *source);
    /* Shutdown has begun: items that come from now on are refused. May be NULL. */
    void (*close)(void *source);
    /* In a forked child, where no other thread exists: what was recorded is the parent's, and
     * positions begin at 0. Allocates nothing. May be NULL. */
    void (*fork_child)(void *source);
} djp__drain;

/* How a batch becomes the body of a request. */
typedef struct djp__encode {
    /* An encoder with the resource of this process. Returns 0 or DJP_ENOMEM. No lock is held. */
    int (*create)(void **out, void *source);
    void (*free)(void *encoder); /* accepts NULL */
    /* Adds one record. Returns 0, DJP_ENOMEM, or DJP_EPROTO for one that cannot be read. */
    int (*add)(void *encoder, const void *record, size_t size);
    uint64_t (*items)(const void *encoder);
    uint64_t (*bytes)(const void *encoder); /* upper estimate of the body */
    /* Appends the body and empties the encoder, as far as that is possible. 0 or DJP_ENOMEM. */
    int (*finish)(void *encoder, struct djp_buf *out);
} djp__encode;

typedef struct djp__signal {
    const char *name; /* "traces" */
    const char *item_name; /* plural: "spans" */
    djp__route route; /* its paths at a receiver, and how to read the responses */
    const djp__drain *drain;
    const djp__encode *encode;
} djp__signal;

#endif
