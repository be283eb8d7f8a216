/* One signal for a pipeline: names, functions that take items from a source, and functions that
 * write requests. A new signal needs only such a row. */
#ifndef DJP_PIPELINE_SIGNAL_H
#define DJP_PIPELINE_SIGNAL_H

#include <stddef.h>
#include <stdint.h>

#include "export/destination.h"

struct djp__buf;

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
    /* Creates an encoder with the resource of this process. Returns 0 or DJP_ENOMEM. No lock is
     * held. */
    int (*create)(void **out, void *source);
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
    djp__route route; /* its paths at a receiver, and the form of the responses */
    const djp__drain *drain;
    const djp__encode *encode;
} djp__signal;

#endif
