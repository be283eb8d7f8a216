/* Transports. A transport sends one encoded request and returns the result; the pipeline retries.
 * All calls are made by the worker thread, except `wake`. */
#ifndef DJP_EXPORT_TRANSPORT_H
#define DJP_EXPORT_TRANSPORT_H

#include "base/buf.h"
#include "base/diag.h"
#include "net/destination.h"
#include "net/outcome.h"

/* The result of a poll callback. PAUSE: `run` returns soon, with its requests in transit; the next
 * `run` continues them. `send` treats it as GO_ON. */
typedef enum djp__send_poll {
    DJP__SEND_GO_ON = 0,
    DJP__SEND_GIVE_UP = 1,
    DJP__SEND_PAUSE = 2
} djp__send_poll;

typedef struct djp__send_control {
    uint64_t deadline; /* absolute djp__clock_monotonic; UINT64_MAX: none */
    /* Called every few milliseconds during a wait, to drain the sources. Returns a djp__send_poll,
     * but for `send` not DJP__SEND_PAUSE. */
    int (*poll)(void *user);
    void *user;
} djp__send_control;

/* Requests for a transport with several in transit. Called by the thread inside `run`. */
typedef struct djp__send_job {
    const void *body; /* borrowed until `done` */
    size_t size;
    uint64_t deadline; /* of this attempt, absolute djp__clock_monotonic; UINT64_MAX: none */
    void *tag;
} djp__send_job;
typedef struct djp__send_feed {
    int (*poll)(void *user); /* a djp__send_poll */
    /* 1 and a job, or 0: none now; called again between polls while requests are in transit */
    int (*next)(void *user, djp__send_job *job);
    /* once for each job, in any order */
    void (*done)(void *user, void *tag, const djp__send_result *result);
    void *user;
} djp__send_feed;

typedef struct djp__transport djp__transport;
typedef struct djp__transport_ops {
    const char *name; /* "otlp_http", "otlp_grpc", "console", "file", "memory" */
    /* body: an uncompressed request, borrowed. Fills all of result. */
    void (*send)(djp__transport *transport, const void *body, size_t size,
                 const djp__send_control *control, djp__send_result *result);
    /* any thread: ends a wait inside send, so that poll runs; may be NULL */
    void (*wake)(djp__transport *transport);
    /* in a forked child: discard connections without touching them */
    void (*abandon)(djp__transport *transport);
    void (*free)(djp__transport *transport);
    /* Called by the sending thread before it ends: closes all it opened, possibly in a separate
     * descriptor table. May be NULL. */
    void (*leave)(djp__transport *transport);
    /* 1: waits for a slow reader: an attempt has no time limit, because partly written data cannot
     * be repeated */
    int is_patient;
    int shares_files; /* 1: send needs the descriptors of the process */
    /* Sends the jobs of the feed, several at once, until none is left or in transit; NULL: one at a
     * time, by `send`. */
    void (*run)(djp__transport *transport, const djp__send_feed *feed);
} djp__transport_ops;
struct djp__transport {
    const djp__transport_ops *ops;
};

/* Sends OTLP requests to one destination, whose texts are borrowed for the transport's lifetime.
 * user_agent is copied. Returns 0 or a negative code. */
int djp__transport_otlp_new(djp__transport **out, const djp__destination *destination,
                            const char *user_agent, djp__diagnostics *diag);
/* Writes lines to a file; path is borrowed; NULL, "", "-" or "/dev/stdout" mean standard output.
 * Returns 0 or DJP_ENOMEM. */
int djp__transport_file_new(djp__transport **out, const char *path);
/* Writes complete lines to standard output. Returns 0 or DJP_ENOMEM. */
int djp__transport_console_new(djp__transport **out);
int djp__transport_memory_new(djp__transport **out);
/* Moves the stored requests to out: [u32 little-endian size][bytes]... Returns 1 for the memory
 * transport. Any thread. */
int djp__transport_memory_take(djp__transport *transport, djp__buf *out);

#endif
