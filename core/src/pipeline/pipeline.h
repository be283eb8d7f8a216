/* The export pipeline of one signal to one destination: drains items into an encoder, builds
 * requests, queues and sends them, and counts each lost item by reason. A signal with several
 * destinations has a pipeline for each, the first of which drains for all (djp__pipeline_join).
 * signal.h describes a signal. A pipeline does not know its instance. Lock order: `work` of one
 * pipeline, then the worker's `mutex`. No message is logged under either. */
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

/* Why an item that reached the source did not reach the receiver. */
#define DJP__LOSS_MAP(X)                                                                        \
    X(DJP__LOSS_REJECTED, "rejected") /* rejected by the receiver, alone or with its request */ \
    X(DJP__LOSS_TIMEOUT, "timeout") /* no response within the export timeout, repeatedly */     \
    X(DJP__LOSS_EXPORT_FAILED, "export_failed") /* failed repeatedly while others succeeded */  \
    X(DJP__LOSS_QUEUE_FULL, "queue_full") /* replaced by newer items during an outage */        \
    X(DJP__LOSS_TOO_LARGE, "too_large") /* larger than the request limit */                     \
    X(DJP__LOSS_DAMAGED, "damaged") /* unreadable record */                                     \
    X(DJP__LOSS_ENCODE_NO_MEMORY, "encode_no_memory") /* no memory to encode it */              \
    X(DJP__LOSS_SWITCHED_OFF, "switched_off") /* waiting when exports were switched off */      \
    X(DJP__LOSS_SHUTDOWN, "shutdown") /* waiting at the deadline of shutdown */

typedef enum djp__loss {
#define DJP__LOSS_ENUM(name, text) name,
    DJP__LOSS_MAP(DJP__LOSS_ENUM)
#undef DJP__LOSS_ENUM
        DJP__LOSS_COUNT
} djp__loss;

/* Written by the worker only (by shutdown when there is none), relaxed. Any thread reads. */
typedef struct djp__export_stats {
    DJP__ATOMIC(uint64_t) attempts;
    DJP__ATOMIC(uint64_t) retries; /* attempts after the first of a request */
    DJP__ATOMIC(uint64_t) requests_ok;
    DJP__ATOMIC(uint64_t) requests_failed; /* abandoned or rejected */
    DJP__ATOMIC(uint64_t) consecutive_failures; /* attempts since the last good one */
    DJP__ATOMIC(uint64_t) items_exported;
    DJP__ATOMIC(uint64_t) wire_bytes;
    DJP__ATOMIC(uint64_t) last_latency_ns;
    DJP__ATOMIC(uint64_t) last_success_unix_ns;
    DJP__ATOMIC(uint64_t) lost[DJP__LOSS_COUNT];
    DJP__ATOMIC(uint64_t) in_encoder; /* items of the current batch */
    DJP__ATOMIC(uint64_t) attempt_begun; /* start of an attempt without a response; 0: none */
} djp__export_stats;

/* Progress, and the losses that flushes have reported. Guarded by the worker's `mutex`. Positions
 * are those of the source. */
typedef struct djp__delivery {
    uint64_t completed; /* every record before it was sent or lost */
    uint64_t reported; /* position that some flush has reported */
    uint64_t lost; /* items lost after `reported`, total */
    /* losses (with items refused by the source) that flushes reported */
    uint64_t lost_reported;
    uint64_t rejected; /* the share of `lost` that the receiver rejected */
    uint64_t rejected_reported;
    char error[256]; /* of the latest failed attempt; "" if none failed */
    uint64_t error_unix_ns;
} djp__delivery;

/* The current batch. Worker only. */
typedef struct djp__batch_timer {
    uint64_t due; /* time to close it; 0: nothing waits */
    int is_active; /* something was drained since `due` was set */
    int idle_rounds; /* rounds without an item; 2: sleep until notified */
    uint64_t retry_at; /* no memory for an encoder: not before then */
} djp__batch_timer;

/* The state of the receiver. Worker only. */
typedef struct djp__sender {
    djp__retry backoff; /* of the receiver, not of one request */
    uint64_t wait_until; /* nothing is sent before this monotonic time; 0: no wait */
    uint64_t failing_since; /* first failed attempt since the last successful one; 0: none */
    uint64_t failed_at; /* ... and of the newest */
    uint64_t accepted; /* requests the receiver has accepted, total */
    uint64_t single_until; /* until then requests are sent one at a time */
    /* the receiver requested the wait: only the end of the process overrides it */
    int is_requested;
    int may_try; /* a flush may send one request during our back-off */
    uint32_t requests_seen; /* last value of flush_requests */
} djp__sender;

typedef struct djp__pipeline_options {
    uint64_t queue_bytes;
    uint64_t batch_bytes; /* limit of a batch */
    uint64_t batch_items;
    uint64_t max_request_bytes;
    uint64_t flush_interval_ns;
    uint64_t export_timeout_ns; /* 0: none */
    int form; /* of the body, for the signal's encoder */
    const char *target; /* the destination, for messages; borrowed */
    /* the kind of exporter in names of components: "otlp_http"; NULL: that of the transport */
    const char *exporter;
    /* Called by the worker at the end of an export, "" for success. May be NULL. */
    void (*on_sent)(void *user, const djp__request *request, const char *error);
    void *user; /* of on_sent */
} djp__pipeline_options;

typedef struct djp__pipeline {
    /* Constant after djp__pipeline_init. */
    const djp__signal *signal;
    void *source; /* argument of the signal's functions */
    djp__transport *transport; /* owned; used by the worker */
    djp__worker *worker; /* borrowed, as the diag */
    djp__diagnostics *diag;
    djp__pipeline_options options;
    djp__task batch_task, send_task;
    struct djp__pipeline *next; /* of the same instance */
    /* The destinations of one signal, set by djp__pipeline_join: the one that drains the source,
     * itself if there is no other; the next one; and the one whose encoder writes the bodies,
     * itself or an earlier one of the same form. */
    struct djp__pipeline *first, *further, *encodes;

    djp__export_stats stats;

    /* Guarded by `work`, which the worker holds while it drains and encodes, not while it sends. */
    djp_mutex work;
    void *encoder; /* created by the worker; NULL if another one encodes */
    djp__queue queue; /* requests are sent without the lock: only the worker removes them */
    /* encoder and queue belong to this process; 0 in a child until its worker starts */
    int is_adopted;
    int queue_blocked; /* the queue is full: records stay in the source */

    djp__delivery delivery; /* guarded by the worker's `mutex` */

    /* Hints to the worker, written under its `mutex`. Release / acquire. */
    DJP__ATOMIC(uint64_t) flush_target; /* position that a flush waits for */
    DJP__ATOMIC(uint32_t) flush_requests; /* number of flushes; each ends one back-off early */

    /* Of the batch. Worker only. */
    djp__request *opening; /* for a batch that is being closed */
    int add_result; /* of the encoder, for the latest record */
    uint64_t dropping; /* items that the encoder had */

    djp__batch_timer timer;
    djp__sender sender;
    uint64_t last; /* position to send before the process ends; worker only */
    DJP__ATOMIC(uint64_t) loss_warned; /* djp__every_minute guards */
    DJP__ATOMIC(uint64_t) outage_warned;
    DJP__ATOMIC(uint64_t) start_warned;
} djp__pipeline;

/* Takes the transport. The caller then adds batch_task and send_task to the worker. */
void djp__pipeline_init(djp__pipeline *pipeline, const djp__signal *signal, void *source,
                        djp__transport *transport, djp__worker *worker, djp__diagnostics *diag,
                        const djp__pipeline_options *options);
/* Makes `further` a destination of the signal of `first`, with the same source and worker. A slow
 * or failing destination delays no other one: where it has no room for a batch that another one
 * takes, it loses its oldest requests (queue_full). Before the tasks are added; `further` follows
 * `first` in the list of the instance. */
void djp__pipeline_join(djp__pipeline *first, djp__pipeline *further);
/* Accepts zeroed storage. */
void djp__pipeline_fini(djp__pipeline *pipeline);

/* Starts or wakes the worker for waiting records. Any thread. */
void djp__pipeline_wake(djp__pipeline *pipeline);
/* Notes a recording, even one that is not exported: more may follow soon, and should not wake the
 * worker one by one. Worker only, as the next two. */
void djp__pipeline_note_activity(djp__pipeline *pipeline, uint64_t now);
/* 1: nothing waits and nothing was recorded lately. */
int djp__pipeline_is_idle(const djp__pipeline *pipeline);
/* 1 while a flush waits for unfinished records. `mutex` is not held. */
int djp__pipeline_is_flushing(djp__pipeline *pipeline);

/* batch_task: drains the source and closes batches that are due. */
void djp__pipeline_run(void *pipeline, uint64_t now);
/* Discards all waiting items of all destinations and counts them as lost; has no effect for a
 * further one, as the next. By the worker, or when there is none. */
void djp__pipeline_discard(djp__pipeline *pipeline, djp__loss reason);
/* The same without freeing memory, for the end of the process: requests may be in transit. */
void djp__pipeline_count_waiting(djp__pipeline *pipeline, djp__loss reason);
/* Counts a loss of records that end at position `end`. `mutex` is not held, as below. */
void djp__pipeline_lose(djp__pipeline *pipeline, djp__loss reason, uint64_t items, uint64_t end);
/* Sets the position before which every record was sent or lost. */
void djp__pipeline_complete(djp__pipeline *pipeline, uint64_t position);
/* The same if nothing waits between source and receiver. By the worker, or when there is none. */
void djp__pipeline_complete_if_empty(djp__pipeline *pipeline);
/* Logs the items lost at the end of the process. */
void djp__pipeline_report_lost(djp__pipeline *pipeline);
/* In a forked child, which has one thread; `work` and `mutex` are held. Waiting items belong to the
 * parent. Nothing is freed before the child's worker starts. */
void djp__pipeline_fork_child(djp__pipeline *pipeline);
const char *djp__loss_name(djp__loss reason);
#define djp__pipeline_is_muted(pipeline) ((pipeline)->signal->drain->is_muted((pipeline)->source))

/* sender.c. send_task: sends due requests, as many at once as the transport allows. */
void djp__sender_run(void *pipeline, uint64_t now);
uint64_t djp__sender_next_due(void *pipeline, uint64_t now);
/* Cancels requests in transit. Worker only. */
void djp__sender_give_up(djp__pipeline *pipeline);
/* Writes why exports fail: the latest error, or that a receiver has not yet responded; "" if there
 * is none, and for zeroed storage. unix_ns is 0 for a wait that goes on. Any thread; `mutex` is not
 * held. */
void djp__sender_error(djp__pipeline *pipeline, char out[256], uint64_t *unix_ns);

#endif
