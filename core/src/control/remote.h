/* Remote sampling: the worker requests the sampling strategy of this service from a server; a
 * response applies until the next one. */
#ifndef DJP_CONTROL_REMOTE_H
#define DJP_CONTROL_REMOTE_H

#include "base/atomic.h"
#include "base/thread.h"
#include "control/overrides.h"
#include "control/remote_client.h"

struct djp__buf;

typedef struct djp__remote {
    const djp__control_host *host;
    djp__overrides *overrides; /* which apply the strategy */
    /* NULL: no server. Set by djp_sdk_new; used by the worker */
    djp__strategy_client *client;

    /* Used only by the worker, and by the child of a fork. */
    /* monotonic time of the next request, or of the next check for its response; UINT64_MAX: no
     * client */
    uint64_t next;
    uint64_t begun; /* of the current request */
    int asking;
    int warned; /* 1: a failure was logged */
    DJP__ATOMIC(uint64_t) warned_at; /* djp__every_minute guard */

    /* Written by the worker, relaxed; any thread reads. */
    DJP__ATOMIC(uint64_t) requests;
    DJP__ATOMIC(uint64_t) responses;
    DJP__ATOMIC(uint64_t) failures;
    DJP__ATOMIC(uint64_t) consecutive_failures;
    DJP__ATOMIC(uint64_t) last_success_unix_ns;

    /* Guarded by mutex, a leaf; "" for none. */
    djp_mutex mutex;
    char strategy[192]; /* the latest strategy, for messages */
    char error[256]; /* of the latest failed request */
} djp__remote;

/* Creates the client if the sampler needs one. Returns 0, or a code without memory. */
int djp__remote_init(djp__remote *remote, const djp__control_host *host, djp__overrides *overrides);
void djp__remote_fini(djp__remote *remote);
/* Runs the step that is due, without waiting. Worker only; neither `state` nor `work` is held. */
void djp__remote_tick(djp__remote *remote, uint64_t now);
/* The time of the next step. */
uint64_t djp__remote_next(const djp__remote *remote);
/* At the end of the worker: cancels the current request. */
void djp__remote_stop(djp__remote *remote);
/* In a forked child, whose worker sends separate requests; the parent's strategy still applies.
 * Allocates nothing. */
void djp__remote_fork_child(djp__remote *remote);
/* One JSON object; there is a client. */
void djp__remote_status(struct djp__buf *out, djp__remote *remote);

/* The pause before the next request, after that many failures in a row; 0: the last one succeeded.
 * random is uniform. */
uint64_t djp__remote_pause(uint64_t interval_ns, uint64_t failures, uint64_t retry_after_ns,
                           uint64_t random);

#endif
