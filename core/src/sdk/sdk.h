/* One SDK instance, as the files of this folder see it: each of its parts has an owner, and the
 * files of the owner know no other part. Lock order: that of the operation logs, then a pipeline's
 * `work`, then the worker's `mutex`, then those of control and of the diag. No message is logged
 * while one of them is held. */
#ifndef DJP_SDK_SDK_H
#define DJP_SDK_SDK_H

#include <sys/types.h>
#include <time.h>

#include "base/atomic.h"
#include "base/diag.h"
#include "base/fork.h"
#include "control/plane.h"
#include "djp/sdk.h"
#include "export/otlp_trace.h"
#include "export/prometheus_http.h"
#include "oplog/oplog.h"
#include "pipeline/flush.h"
#include "pipeline/worker.h"
#include "trace/recorder.h"

/* Families of the SDK's own counters. */
enum {
    DJP__SDK_SPANS,
    DJP__SDK_SAMPLED,
    DJP__SDK_TRACES,
    DJP__SDK_REQUESTS,
    DJP__SDK_WAITING,
    DJP__SDK_RECORDINGS,
    DJP__SDK_COUNT,
    DJP__SDK_COST = DJP__SDK_COUNT, /* these with prices only */
    DJP__SDK_USED,
    DJP__SDK_FORECAST,
    DJP__SDK_ALL
};

/* Families of the conventions: the first of every instance, the next two with a recorder, the
 * others with a pipeline. */
enum {
    DJP__OTEL_COLLECTION,
    DJP__OTEL_STARTED,
    DJP__OTEL_LIVE,
    DJP__OTEL_QUEUE_SIZE,
    DJP__OTEL_QUEUE_CAPACITY,
    DJP__OTEL_PROCESSED,
    DJP__OTEL_INFLIGHT,
    DJP__OTEL_EXPORTED,
    DJP__OTEL_DURATION,
    DJP__OTEL_COUNT
};

/* sdk_metrics.c and sdk_metrics_otel.c. */
typedef struct djp__sdk_metrics {
    djp_family *families[DJP__SDK_ALL];
    djp_family *otel[DJP__OTEL_COUNT]; /* NULL unless asked for */
    /* whom target_info names; of the registry's collectors, which run one at a time */
    pid_t target_pid;
} djp__sdk_metrics;

/* resource.c. */
typedef struct djp__resource {
    char *language, *runtime_name, *runtime_version; /* constant */
    /* service.instance.id; "" until it is needed. Under the worker's `mutex` */
    char instance_id[37];
    pid_t instance_pid; /* the process that it names; the same */
} djp__resource;

/* sigterm.c. */
typedef struct djp__sigterm {
    DJP_ATOMIC(int) signal; /* the signal that arrived; 0: none. acquire/release */
    DJP_ATOMIC(int) installed; /* one that has our handler; 0: none. acquire/release */
    timer_t timer; /* valid while timer_ready */
    DJP_ATOMIC(int) timer_ready;
} djp__sigterm;

/* The worker's tasks, in the order of their runs; those of the pipelines stand between replay and
 * end (to build batches), and behind end (to send). */
typedef struct djp__sdk_tasks {
    djp__task park, clock, begin_end, control, replay, end;
    uint64_t anchor_refreshed; /* of the clock; the worker's, as the next */
    int oplogs_left; /* an operation log waits for room in the ring */
    uint64_t damage_reported; /* of oplogs.damage */
    DJP_ATOMIC(uint64_t) damage_warned; /* djp__every_minute guard */
} djp__sdk_tasks;

struct djp_sdk {
    /* Set by djp_sdk_new, constant afterwards. */
    djp_options options;
    djp_diag diag;
    char transport_name[16]; /* "none" without a transport */
    char *endpoint; /* for people: no credentials, no query */
    djp_recorder *recorder; /* NULL: traces are off */
    djp_registry *registry; /* NULL: metrics are off */
    djp_builtin *standard;
    djp__prometheus_http *listener; /* NULL: no port was asked for, or it could not be had */
    djp__pipeline *pipelines; /* all of them, traces first; NULL: nothing can leave */
    djp_fork_hook fork_hook;
    DJP_ATOMIC(int) references; /* the owner and the worker thread */

    djp__worker worker;
    djp__pipeline traces; /* zeros while `pipelines` is NULL */
    djp__resource resource;
    djp__sigterm sigterm;
    djp__sdk_metrics metrics;
    djp__sdk_tasks tasks;

    djp__control control;

    djp__oplogs oplogs;
    DJP_ATOMIC(int) scopes_reported; /* once-guard of oplogs.scopes_full */
};

/* sdk.c. The seam for tests: as djp_sdk_new, but spans leave by transport (taken, also on
 * failure). */
int djp__sdk_new_with_transport(djp_sdk **out, const djp_options *options,
                                const djp_sdk_language *language, djp_sdk_log log, void *log_user,
                                djp__transport *transport);
/* Adds a signal before the first item of any is recorded: its pipeline (set up by
 * djp__pipeline_init with sdk's worker and diag; taken, with djp__free at the end) runs, flushes,
 * forks and ends with the others. */
void djp__sdk_add_pipeline(djp_sdk *sdk, djp__pipeline *pipeline);
void djp__sdk_ref(void *sdk);
void djp__sdk_unref(void *sdk);
/* The part of an URL that may be shown: scheme, host, port, path. NULL without memory. */
char *djp__sdk_public_endpoint(const char *url);
/* Where spans go, for messages: the endpoint, or the name of a transport without one. Borrowed. */
const char *djp__sdk_target(const djp_sdk *sdk);
/* The recorder's callback: starts or wakes the worker. Any recording thread. */
void djp__sdk_wake(void *sdk);

/* sdk_oplogs.c. Replays the operation logs, and waits for the worker to make room until the
 * deadline. 1: something is left. */
int djp__sdk_replay(djp_sdk *sdk, uint64_t deadline);
/* The same for a look at the state or the metrics, which counts what was just recorded but waits
 * only a moment for room. */
void djp__sdk_catch_up(djp_sdk *sdk);
void djp__sdk_oplogs_init(djp_sdk *sdk); /* when all else is there */
/* Warns once when tracers found no room for their names. No lock is held. */
void djp__sdk_report_scopes(djp_sdk *sdk);

/* traces.c: the row of the signal; its source is an instance. */
extern const djp__signal djp__signal_traces;

/* tasks.c: what the worker does. */
void djp__sdk_tasks_add(djp_sdk *sdk);

/* sdk_control.c. Before djp__control_start. Returns 0 or DJP_ENOMEM. */
int djp__sdk_prepare_control(djp_sdk *sdk);

/* fork.c */
void djp__sdk_fork_init(djp_sdk *sdk);

/* sigterm.c. djp_sdk_take_signals takes those that have no handler; the worker's `mutex` is not
 * held. */
void djp__sigterm_remove(djp_sdk *sdk);
/* in a forked child: another instance may answer. Async-signal-safe */
void djp__sigterm_disown(djp_sdk *sdk);
void djp__sigterm_adopt(djp_sdk *sdk); /* in a new worker: makes the timer again after a fork */
/* By the worker: ends the process by the signal. Returns where the kernel ignores it. */
void djp__sigterm_end(djp_sdk *sdk);

/* resource.c: a new encoder with the resource of this process. Returns 0 or DJP_ENOMEM. The
 * worker's `mutex` is not held. */
int djp__resource_encoder_new(djp__encoder **out, djp_sdk *sdk);
/* The same resource as labels, each name once, without braces; nothing without memory. */
void djp__resource_labels(djp_buf *out, djp_sdk *sdk);

/* What the recorder and the pipeline count, by name: calls visit for every reason for which a span
 * was not delivered. */
typedef void (*djp__visit_drop)(void *user, const char *reason, uint64_t spans);
void djp__sdk_drops(const djp_sdk *sdk, const djp_recorder_counters *counters,
                    djp__visit_drop visit, void *user);

/* sdk_metrics.c: the SDK's own counters as families of its registry. */
int djp__sdk_metrics_add(djp_sdk *sdk);

/* sdk_metrics_otel.c: the same under the names of the conventions. add does nothing unless they are
 * asked for. */
int djp__sdk_otel_add(djp_sdk *sdk);
void djp__sdk_otel_collect(djp_sdk *sdk, const djp_recorder_counters *counters);
/* An export of spans has ended; "" for success. By the worker. */
void djp__sdk_otel_sent(void *sdk, const djp__request *request, const char *error);
/* One object of JSON, whether asked for or not. */
void djp__sdk_otel_status(djp_buf *out, const djp_sdk *sdk, const djp_recorder_counters *counters);

#endif
