/* One SDK instance as the files of the pipeline see it: settings, recorder, worker thread, queue of finished requests, and what
 * became of every span. Lock order: `oplog_mutex`, then `work`, then `state`, then those of control
 * and the diag's own. No message is ever logged while one of them is held. */
#ifndef DJP_PIPELINE_PIPELINE_H
#define DJP_PIPELINE_PIPELINE_H

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

#include "base/atomic.h"
#include "base/diag.h"
#include "base/fork.h"
#include "base/thread.h"
#include "djp/sdk.h"
#include "export/prometheus_http.h"
#include "export/otlp_trace.h"
#include "export/transport.h"
#include "net/retry.h"
#include "control/plane.h"
#include "pipeline/queue.h"
#include "trace/recorder.h"

/* Why a span that was kept and reached the ring did not reach the receiver. */
#define DJP_LOSS_MAP(X)                                                                            \
    X(DJP_LOSS_REJECTED, "rejected") /* the receiver refused it, alone or with its request */      \
    X(DJP_LOSS_TIMEOUT, "timeout") /* no answer within the export timeout, time after time */      \
    X(DJP_LOSS_EXPORT_FAILED, "export_failed") /* failed again and again while others arrived */   \
    X(DJP_LOSS_QUEUE_FULL, "queue_full") /* gave way to newer spans during an outage */            \
    X(DJP_LOSS_TOO_LARGE, "too_large") /* larger than a whole request may be */                    \
    X(DJP_LOSS_DAMAGED, "damaged") /* its record could not be read */                              \
    X(DJP_LOSS_ENCODE_NO_MEMORY, "encode_no_memory") /* no memory to encode it */                  \
    X(DJP_LOSS_SWITCHED_OFF, "switched_off") /* still waiting when nothing might leave any more */ \
    X(DJP_LOSS_SHUTDOWN, "shutdown") /* still waiting when the deadline of shutdown passed */

typedef enum djp_loss {
#define DJP_LOSS_ENUM(name, text) name,
    DJP_LOSS_MAP(DJP_LOSS_ENUM)
#undef DJP_LOSS_ENUM
        DJP_LOSS_COUNT
} djp_loss;

/* Written by the worker only (by shutdown once there is no worker), relaxed; read by anybody. */
typedef struct djp_export_stats {
    DJP_ATOMIC(uint64_t) attempts;
    DJP_ATOMIC(uint64_t) retries; /* attempts after the first of a request */
    DJP_ATOMIC(uint64_t) requests_ok;
    DJP_ATOMIC(uint64_t) requests_failed; /* given up or refused */
    DJP_ATOMIC(uint64_t) consecutive_failures; /* attempts since the last good one */
    DJP_ATOMIC(uint64_t) spans_exported;
    DJP_ATOMIC(uint64_t) wire_bytes;
    DJP_ATOMIC(uint64_t) last_latency_ns;
    DJP_ATOMIC(uint64_t) last_success_unix_ns;
    DJP_ATOMIC(uint64_t) lost[DJP_LOSS_COUNT];
    DJP_ATOMIC(uint64_t) in_encoder; /* spans of the batch that is being built */
    DJP_ATOMIC(uint64_t) attempt_begun; /* monotonic time since which a receiver owes an answer; 0: none does */
    DJP_ATOMIC(uint64_t) worker_starts;
    DJP_ATOMIC(uint64_t) worker_start_failures;
} djp_export_stats;

typedef enum djp_phase { DJP_PHASE_OPEN, DJP_PHASE_CLOSING, DJP_PHASE_CLOSED } djp_phase;

/* Families of the SDK's own counters. */
enum {
    DJP_SELF_SPANS,
    DJP_SELF_KEPT,
    DJP_SELF_TRACES,
    DJP_SELF_REQUESTS,
    DJP_SELF_WAITING,
    DJP_SELF_RECORDINGS,
    DJP_SELF_COUNT,
    DJP_SELF_COST = DJP_SELF_COUNT, /* these with prices only */
    DJP_SELF_USED,
    DJP_SELF_FORECAST,
    DJP_SELF_ALL
};

/* Families of the conventions: the first of every instance, the next two with a recorder, the others with a pipeline. */
enum {
    DJP_OTEL_COLLECTION,
    DJP_OTEL_STARTED,
    DJP_OTEL_LIVE,
    DJP_OTEL_QUEUE_SIZE,
    DJP_OTEL_QUEUE_CAPACITY,
    DJP_OTEL_PROCESSED,
    DJP_OTEL_INFLIGHT,
    DJP_OTEL_EXPORTED,
    DJP_OTEL_DURATION,
    DJP_OTEL_COUNT
};

struct djp_sdk {
    /* Set by djp_sdk_new, constant afterwards. */
    djp_options options;
    djp_diag diag;
    char *language;
    char *runtime_name;
    char *runtime_version;
    char transport_name[16]; /* "none" without a transport */
    char *endpoint; /* for people: no credentials, no query */
    djp_recorder *recorder; /* NULL: traces are off */
    djp_ring *ring; /* of the recorder; NULL without a transport */
    djp_registry *registry; /* NULL: metrics are off */
    djp_builtin *standard;
    djp__prometheus_http *listener; /* NULL: no port was asked for, or it could not be had; ended by shutdown */
    djp__transport *transport; /* NULL: nothing can leave. Used by the worker; freed when the last reference goes */
    djp_family *sdk_metrics[DJP_SELF_ALL];
    djp_family *sdk_metrics_otel[DJP_OTEL_COUNT]; /* NULL unless asked for */
    pid_t target_pid; /* whom target_info names; of the registry's collectors, which run one at a time */
    uint64_t batch_bytes; /* a batch is closed before it grows past this */
    djp_fork_hook fork_hook;
    DJP_ATOMIC(int) references; /* the owner and the worker thread */

    djp_export_stats stats;
    djp_control control;

    DJP_ATOMIC(uint64_t) oplog_damage; /* operations of logs that made no sense; any thread, relaxed */
    DJP_ATOMIC(int) scopes_full; /* 1: an operation log named a scope that found no room; any thread, relaxed */
    DJP_ATOMIC(int) scopes_told; /* once-guard */
    djp_mutex oplog_mutex; /* taken before all other locks */
    struct djp_oplog *oplogs; /* attached ones, a reference each; under oplog_mutex */

    /* Guarded by `work`, which the worker holds while it drains and encodes, never while it sends. */
    djp_mutex work;
    djp__encoder *encoder; /* NULL until the worker made it */
    djp_queue queue; /* some are being sent without the lock: only the worker removes */
    int adopted; /* the encoder belongs to this process; 0 in a forked child until its worker starts */
    int queue_blocked; /* the queue was full: records stay in the ring */

    /* Guarded by `state`. */
    djp_mutex state;
    djp_cond changed; /* settled, running, sending, parked or phase changed */
    djp_phase phase;
    pthread_t thread;
    int thread_joinable;
    pid_t worker_pid;
    uint64_t start_not_before; /* monotonic time before which a failed thread start is not repeated */
    uint64_t settled; /* ring position before which every span was sent or lost */
    uint64_t told; /* ring position up to which some flush has given its verdict */
    uint64_t lost_untold; /* spans lost behind `told`, ever */
    uint64_t lost_reported; /* losses (these and full rings) that some flush has reported */
    uint64_t rejected_untold; /* the part of lost_untold that the receiver refused */
    uint64_t rejected_reported;
    char instance_id[37]; /* service.instance.id; "" until somebody asks */
    pid_t instance_pid; /* the process that it names */
    char export_error[256]; /* of the newest attempt that failed; "" when none did */
    uint64_t export_error_unix_ns;
    int parked; /* ... and waits in its poll callback for a fork to end */
    int forks; /* threads that are between prepare and parent */

    /* Lock-free hints to the worker; written under `state` or by the signal handler. Release / acquire. */
    djp_wake wake;
    DJP_ATOMIC(int) running; /* a worker thread exists in this process */
    DJP_ATOMIC(int) sending; /* the worker is inside transport->send or run */
    DJP_ATOMIC(int) stop; /* leave now, abort what is being sent */
    DJP_ATOMIC(int) fork_wanted; /* the poll callback should park */
    DJP_ATOMIC(uint64_t) flush_target; /* ring position that somebody waits for */
    DJP_ATOMIC(uint32_t) hurry; /* counts flushes: each cuts one back-off wait short */
    DJP_ATOMIC(int) terminating; /* the signal that arrived; 0: none */
    DJP_ATOMIC(int) signal_installed; /* one that has our handler; 0: none */
    timer_t signal_timer; /* valid while signal_timer_ready */
    DJP_ATOMIC(int) signal_timer_ready;

    /* Touched by the worker thread only. */
    djp__retry backoff; /* of the receiver, not of one request */
    uint64_t hold_until; /* monotonic time before which nothing is sent; 0: at once */
    uint64_t failing_since; /* monotonic time of the first failed attempt since the last good one; 0: none failed */
    uint64_t failed_at; /* ... and of the newest */
    uint64_t accepted; /* requests that the receiver took, ever */
    uint64_t single_until; /* monotonic time before which one request at a time is sent */
    int hold_is_wish; /* the receiver asked for it: only the end of the process tries in spite of it */
    int wants_one; /* a flush may try one request in spite of a back-off of ours */
    uint64_t due; /* when the batch being built must be closed; 0: nothing known to wait */
    int active; /* something was drained since `due` was set */
    int oplogs_left; /* an operation log waits for room in the ring */
    int idle_rounds; /* rounds without a span, 2: sleep until woken */
    uint32_t hurry_seen;
    uint64_t anchor_refreshed;
    uint64_t terminate_deadline; /* 0: no SIGTERM seen yet */
    uint64_t terminate_target; /* ring position to be sent before the process ends */
    DJP_ATOMIC(uint64_t) loss_warned; /* djp__every_minute guards */
    DJP_ATOMIC(uint64_t) outage_warned;
    DJP_ATOMIC(uint64_t) start_warned;
    DJP_ATOMIC(uint64_t) damage_warned;
    uint64_t damage_told; /* of oplog_damage; the worker's */
};

/* flush.c. Says what was lost because the process ends. */
void djp__tell_lost(djp_sdk *sdk);

/* sdk.c. The seam for tests: as djp_sdk_new, but spans leave by transport (taken, also on failure). */
int djp__sdk_new_with_transport(djp_sdk **out, const djp_options *options, const djp_sdk_language *language,
                                djp_sdk_log log, void *log_user, djp__transport *transport);
void djp__sdk_unref(djp_sdk *sdk);
/* sdk_control.c. Before djp__control_start. Returns 0 or DJP_ENOMEM. */
int djp__sdk_prepare_control(djp_sdk *sdk);
/* The part of an URL that may be shown: scheme, host, port, path. NULL without memory. */
char *djp__sdk_public_endpoint(const char *url);
/* Where spans go, for messages: the endpoint, or the name of a transport without one. Borrowed from sdk. */
const char *djp__sdk_target(const djp_sdk *sdk);

/* worker.c. Starts the thread when there is none; `state` is held. 0 or DJP_ETHREAD. */
int djp__worker_start_locked(djp_sdk *sdk);
void djp__worker_wake(void *sdk); /* the recorder's callback: any recording thread */
/* 1 while somebody waits for records that are still on their way. By the worker; `state` is not held. */
int djp__worker_is_flushing(djp_sdk *sdk);
void djp__worker_notify(djp_sdk *sdk); /* wakes the thread, also out of a send. Any thread */

/* collect.c: ring -> encoder -> queue; `work` is held. Returns the number of records taken. */
uint64_t djp__collect_drain(djp_sdk *sdk, uint64_t now);
/* Turns the batch being built into a request; 0 when the queue has no room for it. is_full: it was closed for its size. */
int djp__collect_close(djp_sdk *sdk, uint64_t now, int is_full);
/* Counts everything in ring, encoder and queue as lost and goes on. By the worker, while nothing is being sent. */
void djp__collect_drop(djp_sdk *sdk, djp_loss reason);
/* The same for good: the encoder goes, too. */
void djp__collect_discard(djp_sdk *sdk, djp_loss reason);
/* Counts a loss of records that end at ring position `end`. `state` is not held. */
void djp__loss(djp_sdk *sdk, djp_loss reason, uint64_t spans, uint64_t end);
/* Publishes that every record before `position` was sent or lost. `state` is not held. */
void djp__settle(djp_sdk *sdk, uint64_t position);
/* The same when nothing waits any more between ring and receiver. By the worker, or when there is none. */
void djp__settle_if_empty(djp_sdk *sdk);
const char *djp__loss_name(djp_loss reason);

/* sender.c: sends what is due, as many requests at a time as the transport can. Returns the time of the next step, 0 for "at once",
 * UINT64_MAX when the queue is empty. poll is the transport's callback. */
uint64_t djp__sender_step(djp_sdk *sdk, uint64_t now, int (*poll)(void *user));
/* Why nothing arrives, for people: the newest failure, or that a receiver has not answered yet. "" when all is well. The time is 0 for
 * a wait that goes on. Any thread; `state` is not held. */
void djp__sender_error(djp_sdk *sdk, char out[256], uint64_t *unix_ns);

/* fork hooks, sdk_fork.c */
void djp__sdk_fork_init(djp_sdk *sdk);
void djp__sdk_fork_park(djp_sdk *sdk); /* from the poll callback: waits while a fork is under way */

/* signals.c. djp_sdk_take_signals takes those that nobody handles; `state` is not held. */
void djp__signals_remove(djp_sdk *sdk);
void djp__signals_forget(djp_sdk *sdk); /* in a forked child: another instance may answer. Async-signal-safe */
void djp__signals_adopt(djp_sdk *sdk); /* in a new worker: makes the timer again after a fork */
void
djp__signals_end(djp_sdk *sdk); /* by the worker: ends the process by the signal. Returns where the kernel ignores it */

/* identity.c: a new encoder with the resource of this process. Returns 0 or DJP_ENOMEM. `state` is not held. */
int djp__resource_encoder_new(djp__encoder **out, djp_sdk *sdk);
/* The same resource as labels, each name once, without braces; nothing without memory. */
void djp__resource_labels(djp_buf *out, djp_sdk *sdk);

/* What the recorder and the pipeline count, by name: calls visit for every reason for which a span was not delivered. */
typedef void (*djp_visit_drop)(void *user, const char *reason, uint64_t spans);
void djp__sdk_drops(const djp_sdk *sdk, const djp_recorder_counters *counters, djp_visit_drop visit, void *user);

/* sdk_metrics.c: the SDK's own counters as families of its registry. */
int djp__sdk_metrics_add(djp_sdk *sdk);

/* sdk_metrics_otel.c: the same under the names of the conventions. add does nothing unless they are asked for. */
int djp__sdk_metrics_otel_add(djp_sdk *sdk);
void djp__sdk_metrics_otel_collect(djp_sdk *sdk, const djp_recorder_counters *counters);
/* An export has ended; "" for success. By the worker. */
void djp__sdk_metrics_otel_sent(djp_sdk *sdk, const djp_request *request, const char *error);
/* One object of JSON, whether asked for or not. */
void djp__sdk_metrics_otel_status(djp_buf *out, const djp_sdk *sdk, const djp_recorder_counters *counters);

#endif
