/* The way of one signal out of the process: its items are drained into an encoder, cut into
 * requests, queued, and sent; every one that does not arrive is counted under a reason. What a
 * signal is, signal.h says; which instance it belongs to, nothing here knows. Lock order: `work` of
 * one pipeline, then the worker's `mutex`. No message is logged under either. */
#ifndef DJP_PIPELINE_PIPELINE_H
#define DJP_PIPELINE_PIPELINE_H

#include "base/atomic.h"
#include "base/diag.h"
#include "base/thread.h"
#include "djp/error.h"
#include "export/transport.h"
#include "net/retry.h"
#include "pipeline/queue.h"
#include "pipeline/signal.h"
#include "pipeline/worker.h"

/* Why an item that was to be exported and reached the source did not reach the receiver. */
#define DJP__LOSS_MAP(X)                                                                          \
    X(DJP__LOSS_REJECTED, "rejected") /* the receiver refused it, alone or with its request */    \
    X(DJP__LOSS_TIMEOUT, "timeout") /* no response within the export timeout, time after time */  \
    X(DJP__LOSS_EXPORT_FAILED, "export_failed") /* failed again and again while others arrived */ \
    X(DJP__LOSS_QUEUE_FULL, "queue_full") /* gave way to newer items during an outage */          \
    X(DJP__LOSS_TOO_LARGE, "too_large") /* larger than a whole request may be */                  \
    X(DJP__LOSS_DAMAGED, "damaged") /* its record could not be read */                            \
    X(DJP__LOSS_ENCODE_NO_MEMORY, "encode_no_memory") /* no memory to encode it */                \
    X(DJP__LOSS_SWITCHED_OFF,                                                                     \
      "switched_off") /* still waiting when nothing might leave any more */                       \
    X(DJP__LOSS_SHUTDOWN, "shutdown") /* still waiting when the deadline of shutdown passed */

typedef enum djp__loss {
#define DJP__LOSS_ENUM(name, text) name,
    DJP__LOSS_MAP(DJP__LOSS_ENUM)
#undef DJP__LOSS_ENUM
        DJP__LOSS_COUNT
} djp__loss;

/* Written by the worker only (by shutdown once there is no worker), relaxed; read by any thread. */
typedef struct djp__export_stats {
    DJP_ATOMIC(uint64_t) attempts;
    DJP_ATOMIC(uint64_t) retries; /* attempts after the first of a request */
    DJP_ATOMIC(uint64_t) requests_ok;
    DJP_ATOMIC(uint64_t) requests_failed; /* given up or refused */
    DJP_ATOMIC(uint64_t) consecutive_failures; /* attempts since the last good one */
    DJP_ATOMIC(uint64_t) items_exported;
    DJP_ATOMIC(uint64_t) wire_bytes;
    DJP_ATOMIC(uint64_t) last_latency_ns;
    DJP_ATOMIC(uint64_t) last_success_unix_ns;
    DJP_ATOMIC(uint64_t) lost[DJP__LOSS_COUNT];
    DJP_ATOMIC(uint64_t) in_encoder; /* items of the batch that is being built */
    DJP_ATOMIC(uint64_t) attempt_begun; /* time since which the receiver owes a response; 0: none */
} djp__export_stats;

/* How far everything is, and which losses a flush has reported. Guarded by the worker's `mutex`.
 * Positions are those of the source. */
typedef struct djp__delivery {
    uint64_t completed; /* every record before it was sent or lost */
    uint64_t reported; /* up to it some flush has given its verdict */
    uint64_t lost; /* items lost behind `reported`, ever */
    /* losses (these and items refused by the source) that flushes reported */
    uint64_t lost_reported;
    uint64_t rejected; /* the part of `lost` that the receiver refused */
    uint64_t rejected_reported;
    char error[256]; /* of the newest attempt that failed; "" when none did */
    uint64_t error_unix_ns;
} djp__delivery;

/* The batch that is being built. Touched by the worker only. */
typedef struct djp__batch_timer {
    uint64_t due; /* when it must be closed; 0: nothing is known to wait */
    int is_active; /* something was drained since `due` was set */
    int idle_rounds; /* rounds without an item; 2: sleep until notified */
    uint64_t retry_at; /* no memory for an encoder: not before then */
} djp__batch_timer;

/* What the sender knows of the receiver. Touched by the worker only. */
typedef struct djp__sender {
    djp__retry backoff; /* of the receiver, not of one request */
    uint64_t wait_until; /* monotonic time before which nothing is sent; 0: at once */
    uint64_t failing_since; /* time of the first failed attempt since the last good one; 0: none */
    uint64_t failed_at; /* ... and of the newest */
    uint64_t accepted; /* requests that the receiver took, ever */
    uint64_t single_until; /* time before which one request at a time is sent */
    /* the receiver requested the wait: only the end of the process tries before */
    int is_requested;
    int may_try; /* a flush may try one request in spite of a back-off of ours */
    uint32_t requests_seen; /* of flush_requests */
} djp__sender;

typedef struct djp__pipeline_options {
    uint64_t queue_bytes;
    uint64_t batch_bytes; /* a batch is closed before it grows past this */
    uint64_t batch_items;
    uint64_t max_request_bytes;
    uint64_t flush_interval_ns;
    uint64_t export_timeout_ns; /* 0: none */
    const char *target; /* the destination, for messages; borrowed */
    /* An export has ended, "" for success. By the worker; may be NULL. */
    void (*on_sent)(void *user, const djp__request *request, const char *error);
    void *user; /* of on_sent */
} djp__pipeline_options;

typedef struct djp__pipeline {
    /* Constant after djp__pipeline_init. */
    const djp__signal *signal;
    void *source; /* of the signal's functions */
    djp__transport *transport; /* owned; used by the worker */
    djp__worker *worker; /* borrowed, as the diag */
    djp_diag *diag;
    djp__pipeline_options options;
    djp__task batch_task, send_task;
    struct djp__pipeline *next; /* of the same instance */

    djp__export_stats stats;

    /* Guarded by `work`, which the worker holds while it drains and encodes, never while it
     * sends. */
    djp_mutex work;
    void *encoder; /* NULL until the worker made it */
    djp__queue queue; /* some are being sent without the lock: only the worker removes */
    int is_adopted; /* encoder and queue are this process's; 0 in a child until its worker starts */
    int queue_blocked; /* the queue was full: records stay in the source */

    djp__delivery delivery; /* guarded by the worker's `mutex` */

    /* Hints to the worker, written under its `mutex`. Release / acquire. */
    DJP_ATOMIC(uint64_t) flush_target; /* position that some thread waits for */
    DJP_ATOMIC(uint32_t) flush_requests; /* counts flushes: each cuts one back-off short */

    djp__batch_timer timer;
    djp__sender sender;
    uint64_t last; /* position to be sent before the process ends; the worker's */
    DJP_ATOMIC(uint64_t) loss_warned; /* djp__every_minute guards */
    DJP_ATOMIC(uint64_t) outage_warned;
    DJP_ATOMIC(uint64_t) start_warned;
} djp__pipeline;

/* Takes the transport. The caller adds batch_task and send_task to the worker. */
void djp__pipeline_init(djp__pipeline *pipeline, const djp__signal *signal, void *source,
                        djp__transport *transport, djp__worker *worker, djp_diag *diag,
                        const djp__pipeline_options *options);
/* Also of storage that is all zeros. */
void djp__pipeline_fini(djp__pipeline *pipeline);

/* Records wait: starts or wakes the worker. Any thread. */
void djp__pipeline_wake(djp__pipeline *pipeline);
/* Something was recorded, though perhaps nothing is to be exported: more follows soon, and must not
 * wake the worker item by item. By the worker, as the next two. */
void djp__pipeline_note_activity(djp__pipeline *pipeline, uint64_t now);
/* 1 when nothing waits here and nothing came lately. */
int djp__pipeline_is_idle(const djp__pipeline *pipeline);
/* 1 while some flush waits for records that are still on their way. `mutex` is not held. */
int djp__pipeline_is_flushing(djp__pipeline *pipeline);

/* Drains the source, cuts and closes batches that are due: batch_task. */
void djp__pipeline_run(void *pipeline, uint64_t now);
/* Counts everything that waits as lost and gives it up. By the worker, or when there is none. */
void djp__pipeline_discard(djp__pipeline *pipeline, djp__loss reason);
/* The same without freeing anything: requests may be on their way. For the end of the process. */
void djp__pipeline_count_waiting(djp__pipeline *pipeline, djp__loss reason);
/* Counts a loss of records that end at position `end`. `mutex` is not held, as below. */
void djp__pipeline_lose(djp__pipeline *pipeline, djp__loss reason, uint64_t items, uint64_t end);
/* Publishes that every record before `position` was sent or lost. */
void djp__pipeline_complete(djp__pipeline *pipeline, uint64_t position);
/* The same when nothing waits any more between source and receiver. By the worker, or when there is
 * none. */
void djp__pipeline_complete_if_empty(djp__pipeline *pipeline);
/* Says what was lost because the process ends. */
void djp__pipeline_report_lost(djp__pipeline *pipeline);
/* In a forked child, where no other thread exists; `work` and `mutex` are held. What waits is the
 * parent's, and nothing is freed before the child's own worker starts. */
void djp__pipeline_fork_child(djp__pipeline *pipeline);
const char *djp__loss_name(djp__loss reason);
#define djp__pipeline_is_muted(pipeline) ((pipeline)->signal->drain->is_muted((pipeline)->source))

/* sender.c: sends what is due, as many requests at a time as the transport can: send_task. */
void djp__sender_run(void *pipeline, uint64_t now);
uint64_t djp__sender_next_due(void *pipeline, uint64_t now);
/* Takes back what is on its way. By the worker. */
void djp__sender_give_up(djp__pipeline *pipeline);
/* Why nothing arrives, for people: the newest failure, or that a receiver has not answered yet. ""
 * when all is well, and of storage that is all zeros. The time is 0 for a wait that goes on. Any
 * thread; `mutex` is not held. */
void djp__sender_error(djp__pipeline *pipeline, char out[256], uint64_t *unix_ns);

#endif
