/* Remote sampling: the worker asks a server how this service is to sample, and what it answers
 * holds until it answers otherwise. */
#ifndef DJP_CONTROL_REMOTE_H
#define DJP_CONTROL_REMOTE_H

#include "base/atomic.h"
#include "base/thread.h"
#include "control/overrides.h"
#include "control/remote_client.h"

struct djp_buf;

typedef struct djp__remote {
    const djp__control_host *host;
    djp__overrides *overrides; /* which follow what the server says */
    /* NULL: nobody is asked. Set by djp_sdk_new; used by the worker */
    djp__strategy_client *client;

    /* Touched by the worker only, and by the child of a fork. */
    /* monotonic time of the next question, or of the next look for its answer; UINT64_MAX: no
     * client */
    uint64_t next;
    uint64_t begun; /* of the question that is under way */
    int asking;
    int warned; /* 1: that it fails was said */
    DJP_ATOMIC(uint64_t) warned_at; /* djp__every_minute guard */

    /* Written by the worker, relaxed; read by anybody. */
    DJP_ATOMIC(uint64_t) asked;
    DJP_ATOMIC(uint64_t) answered;
    DJP_ATOMIC(uint64_t) failures;
    DJP_ATOMIC(uint64_t) consecutive_failures;
    DJP_ATOMIC(uint64_t) last_success_unix_ns;

    /* Guarded by mutex, a leaf; "" for none. */
    djp_mutex mutex;
    char strategy[192]; /* what was answered last, for people */
    char error[256]; /* of the newest question that failed */
} djp__remote;

/* Makes the client where the sampler asks for one. Returns 0, or a code when there was no
 * memory. */
int djp__remote_init(djp__remote *remote, const djp__control_host *host, djp__overrides *overrides);
void djp__remote_fini(djp__remote *remote);
/* Does what is due, and never waits. By the worker; neither `state` nor `work` is held. */
void djp__remote_tick(djp__remote *remote, uint64_t now);
/* When the worker must be awake for it. */
uint64_t djp__remote_next(const djp__remote *remote);
/* The worker's last act: a question that is under way is given up. */
void djp__remote_stop(djp__remote *remote);
/* In a forked child: its worker asks on its own; what the parent was told still holds. Allocates
 * nothing. */
void djp__remote_fork_child(djp__remote *remote);
/* One object of JSON; there is a client. */
void djp__remote_status(struct djp_buf *out, djp__remote *remote);

/* The pause before the next question, after so many failures in a row; 0: the last one was
 * answered. random is uniform. */
uint64_t djp__remote_pause(uint64_t interval_ns, uint64_t failures, uint64_t retry_after_ns,
                           uint64_t random);

#endif
