/* Ways out of the process. A transport sends one finished request and says how it went; retry.c repeats. All calls come from the
 * worker thread; only `wake` may come from elsewhere. */
#ifndef DJP_EXPORT_TRANSPORT_H
#define DJP_EXPORT_TRANSPORT_H

#include "base/buf.h"
#include "base/diag.h"
#include "djp/config.h"

typedef enum djp_outcome {
    DJP_SENT = 0, /* accepted; rejected may still be > 0 (partial success) */
    DJP_SEND_RETRY, /* may be repeated, after retry_after_ns when that is not 0 */
    DJP_SEND_REJECTED, /* the receiver refuses these bytes for good */
    DJP_SEND_ABORTED /* the abort callback said so or the deadline passed */
} djp_outcome;

typedef struct djp_send_result {
    djp_outcome outcome;
    uint64_t rejected; /* items that a partial success turned down */
    uint64_t retry_after_ns; /* the receiver's wish; 0: none */
    long status; /* HTTP or gRPC status, 0 when there was no answer */
    char message[256]; /* for logs and status; never holds headers or credentials */
    uint64_t wire_bytes; /* body bytes put on the wire after compression */
} djp_send_result;

typedef struct djp_send_control {
    uint64_t deadline; /* absolute djp__clock_monotonic; UINT64_MAX: none */
    int (*poll)(
        void *user); /* called every few milliseconds while waiting: the pipeline drains its ring here; 1 aborts */
    void *user;
} djp_send_control;

/* Requests for a transport that can have several on their way. All of it is called by the thread inside `run`. */
typedef struct djp_send_job {
    const void *body; /* borrowed until `done` */
    size_t size;
    uint64_t deadline; /* of this attempt, absolute djp__clock_monotonic; UINT64_MAX: none */
    void *tag;
} djp_send_job;
typedef struct djp_send_feed {
    int (*poll)(void *user); /* as in djp_send_control; 1 gives up everything that is on its way */
    /* 1 and a job, or 0: none now; asked again, between two polls, while others are on their way */
    int (*next)(void *user, djp_send_job *job);
    void (*done)(void *user, void *tag, const djp_send_result *result); /* once for each job, in any order */
    void *user;
} djp_send_feed;

typedef struct djp_transport djp_transport;
typedef struct djp_transport_ops {
    const char *name; /* "otlp_http", "otlp_grpc", "console", "file", "memory" */
    /* body: an uncompressed request, borrowed. Fills result completely. */
    void (*send)(djp_transport *transport, const void *body, size_t size, const djp_send_control *control,
                 djp_send_result *result);
    void (*wake)(
        djp_transport *transport); /* any thread: ends a wait inside send early so that poll runs; may be NULL */
    void (*abandon)(djp_transport *transport); /* in a forked child: forget connections without touching them */
    void (*free)(djp_transport *transport);
    /* By the thread that called send, before it ends: closes what send has opened, which may be in a table of descriptors of its own.
     * May be NULL. */
    void (*leave)(djp_transport *transport);
    int is_patient; /* 1: a slow reader is waited for: an attempt has no time limit, because what is half written cannot be repeated */
    int shares_files; /* 1: send needs the descriptors of the process */
    /* Sends what the feed gives, several at a time, until nothing is on its way and there is no more; NULL: one at a time, by `send`. */
    void (*run)(djp_transport *transport, const djp_send_feed *feed);
} djp_transport_ops;
struct djp_transport {
    const djp_transport_ops *ops;
};

/* Each makes one transport from the options (borrowed for its life). user_agent is copied. Returns 0 or a negative code. */
int djp__transport_otlp_new(djp_transport **out, const djp_options *options, const char *user_agent, djp_diag *diag);
int djp__transport_file_new(djp_transport **out, const djp_options *options,
                            djp_diag *diag); /* console too: standard output */
int djp__transport_memory_new(djp_transport **out);
/* Moves the stored requests out: [u32 little-endian size][bytes]... 1 when this is the memory transport. Any thread. */
int djp__transport_memory_take(djp_transport *transport, djp_buf *out);

/* Retry state of one request: exponential backoff with full jitter, the server's wish wins. */
typedef struct djp_retry {
    uint64_t deadline; /* absolute; no attempt starts after it */
    uint64_t next_ns; /* upper bound of the next delay */
    unsigned attempts;
} djp_retry;
void djp__retry_init(djp_retry *retry, uint64_t now, uint64_t timeout_ns);
/* Delay before the next attempt, or UINT64_MAX when the request must be given up. random is uniform in 0..2^64-1. */
uint64_t djp__retry_delay(djp_retry *retry, uint64_t now, uint64_t retry_after_ns, uint64_t random);

#endif
