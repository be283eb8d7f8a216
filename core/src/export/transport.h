/* Ways out of the process. A transport sends one finished request and says how it went; the
 * pipeline repeats. All calls come from the worker thread; only `wake` may come from elsewhere. */
#ifndef DJP_EXPORT_TRANSPORT_H
#define DJP_EXPORT_TRANSPORT_H

#include "base/buf.h"
#include "base/diag.h"
#include "net/destination.h"
#include "net/outcome.h"

/* What a poll callback asks for. PAUSE: `run` returns soon and leaves on its way what is; the next
 * `run` goes on with it. `send` takes it for GO_ON. */
typedef enum djp__send_poll {
    DJP__SEND_GO_ON = 0,
    DJP__SEND_GIVE_UP = 1,
    DJP__SEND_PAUSE = 2
} djp__send_poll;

typedef struct djp__send_control {
    uint64_t deadline; /* absolute djp__clock_monotonic; UINT64_MAX: none */
    /* Called every few milliseconds of a wait: the pipelines drain their sources in it. A
     * djp__send_poll, but never DJP__SEND_PAUSE. */
    int (*poll)(void *user);
    void *user;
} djp__send_control;

/* Requests for a transport that can have several on their way. All of it is called by the thread
 * inside `run`. */
typedef struct djp__send_job {
    const void *body; /* borrowed until `done` */
    size_t size;
    uint64_t deadline; /* of this attempt, absolute djp__clock_monotonic; UINT64_MAX: none */
    void *tag;
} djp__send_job;
typedef struct djp__send_feed {
    int (*poll)(void *user); /* a djp__send_poll */
    /* 1 and a job, or 0: none now; asked again, between two polls, while others are on their way */
    int (*next)(void *user, djp__send_job *job);
    /* once for each job, in any order */
    void (*done)(void *user, void *tag, const djp__send_result *result);
    void *user;
} djp__send_feed;

typedef struct djp__transport djp__transport;
typedef struct djp__transport_ops {
    const char *name; /* "otlp_http", "otlp_grpc", "console", "file", "memory" */
    /* body: an uncompressed request, borrowed. Fills result completely. */
    void (*send)(djp__transport *transport, const void *body, size_t size,
                 const djp__send_control *control, djp__send_result *result);
    void (*wake)(djp__transport *transport); /* any thread: ends a wait inside send early so that
                                                poll runs; may be NULL */
    /* in a forked child: forget connections without touching them */
    void (*abandon)(djp__transport *transport);
    void (*free)(djp__transport *transport);
    /* By the thread that called send, before it ends: closes what send has opened, which may be in
     * a table of descriptors of its own. May be NULL. */
    void (*leave)(djp__transport *transport);
    /* 1: a slow reader is waited for: an attempt has no time limit, because what is half written
     * cannot be repeated */
    int is_patient;
    int shares_files; /* 1: send needs the descriptors of the process */
    /* Sends what the feed gives, several at a time, until nothing is on its way and there is no
     * more; NULL: one at a time, by `send`. */
    void (*run)(djp__transport *transport, const djp__send_feed *feed);
} djp__transport_ops;
struct djp__transport {
    const djp__transport_ops *ops;
};

/* Requests by OTLP to one destination, whose texts are borrowed for the transport's life.
 * user_agent is copied. Returns 0 or a negative code. */
int djp__transport_otlp_new(djp__transport **out, const djp__destination *destination,
                            const char *user_agent, djp_diag *diag);
/* Lines to a file; path is borrowed, and NULL, "", "-" or "/dev/stdout" mean standard output. 0 or
 * DJP_ENOMEM. */
int djp__transport_file_new(djp__transport **out, const char *path);
/* Lines that end by themselves to standard output. 0 or DJP_ENOMEM. */
int djp__transport_console_new(djp__transport **out);
int djp__transport_memory_new(djp__transport **out);
/* Moves the stored requests out: [u32 little-endian size][bytes]... 1 when this is the memory
 * transport. Any thread. */
int djp__transport_memory_take(djp__transport *transport, djp_buf *out);

#endif
