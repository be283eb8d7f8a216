/* One SDK instance for the files of this directory. Each part has an owner, whose files use no
 * other part. Lock order: operation logs, a pipeline's `work`, the worker's `mutex`, then the locks
 * of control and diag. No message is logged while one of them is held. */
#ifndef DJP_SDK_SDK_H
#define DJP_SDK_SDK_H

#include <sys/types.h>
#include <time.h>

#include "base/atomic.h"
#include "base/diag.h"
#include "base/fork.h"
#include "control/plane.h"
#include "djp/sdk.h"
#include "export/destination.h"
#include "export/otlp_trace.h"
#include "export/prometheus_http.h"
#include "instrument/http_client.h"
#include "instrument/baggage_attributes.h"
#include "instrument/operation.h"
#include "metrics/reader.h"
#include "oplog/oplog.h"
#include "pipeline/books.h"
#include "pipeline/flush.h"
#include "pipeline/worker.h"
#include "trace/recorder.h"

/* Families of the SDK's own counters. */
enum {
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

/* Families of the conventions: the first of every instance, the next two with a recorder, the last
 * with a pipeline. */
enum {
    DJP__OTEL_COLLECTION,
    DJP__OTEL_STARTED,
    DJP__OTEL_LIVE,
    DJP__OTEL_DURATION,
    DJP__OTEL_COUNT
};

/* ... and those of each signal that is exported. */
enum {
    DJP__OTEL_QUEUE_SIZE,
    DJP__OTEL_QUEUE_CAPACITY,
    DJP__OTEL_PROCESSED,
    DJP__OTEL_INFLIGHT,
    DJP__OTEL_EXPORTED,
    DJP__OTEL_SIGNAL_COUNT
};

/* sdk_metrics_signal.c. */
typedef struct djp__signal_metrics {
    const djp__signal *signal;
    const void *source;
    djp__pipeline *pipeline; /* zeros while the signal is not exported */
    djp_sdk *sdk;
    djp_family *items; /* djp_telemetry_<items>_total */
    djp_family *otel[DJP__OTEL_SIGNAL_COUNT]; /* NULL unless configured */
    /* otel_component_name and otel_component_type of its processor and of its exporter */
    char processor[2][64], exporter[2][64];
} djp__signal_metrics;

/* sdk_metrics.c and sdk_metrics_otel.c. */
typedef struct djp__sdk_metrics {
    djp_family *families[DJP__SDK_ALL];
    djp_family *otel[DJP__OTEL_COUNT]; /* NULL unless configured */
    djp__signal_metrics signals[DJP__PIPELINES_MAX];
    size_t signal_count; /* constant once the instance records */
    /* process of target_info; used by the registry's collectors, which run one at a time */
    pid_t target_pid;
} djp__sdk_metrics;

/* metrics.c. Zeros while metrics are not pushed, but for the reader. */
typedef struct djp__metric_export {
    djp__pipeline *pipeline; /* the first destination; NULL: metrics are not pushed. Constant */
    char *endpoint; /* for messages: no credentials, no query */
    djp_mutex collecting; /* guards the reader; taken before `work` of the pipeline */
    djp__metric_reader reader;
    djp__metric_record *head; /* records that wait, in order; guarded by `work` of the pipeline */
    djp__metric_record *inherited; /* of the parent of a fork; guarded by `collecting` */
    /* Positions in bytes. By collections, acquire/release; by the worker, relaxed. */
    DJP__ATOMIC(uint64_t) written, consumed;
    DJP__ATOMIC(uint64_t) points; /* collected; by collections, acquire/release */
    DJP__ATOMIC(uint64_t) lost; /* points for which there was no memory; relaxed */
    DJP__ATOMIC(int) is_closed; /* by shutdown, acquire/release */
    uint64_t due; /* monotonic time of the next collection; worker only */
} djp__metric_export;

/* resource.c. */
typedef struct djp__resource {
    char *language, *runtime_name, *runtime_version; /* constant */
    /* service.instance.id; "" before its first use. Guarded by the worker's `mutex` */
    char instance_id[37];
    pid_t instance_pid; /* its process; guarded by the same */
} djp__resource;

/* sigterm.c. */
typedef struct djp__sigterm {
    DJP__ATOMIC(int) signal; /* the signal that arrived; 0: none. acquire/release */
    DJP__ATOMIC(int) installed; /* the instance has handlers installed; 0: none. acquire/release */
    timer_t timer; /* valid while timer_ready */
    DJP__ATOMIC(int) timer_ready;
} djp__sigterm;

/* The worker's tasks in the order of their runs. Pipelines build batches between replay and end,
 * and send after end. */
typedef struct djp__sdk_tasks {
    djp__task park, clock, begin_end, control, replay, metrics, end;
    uint64_t anchor_refreshed; /* of the clock; the worker's, as the next */
    int oplogs_left; /* an operation log waits for space in the ring */
    uint64_t damage_reported; /* of oplogs.damage */
    DJP__ATOMIC(uint64_t) damage_warned; /* djp__every_minute guard */
} djp__sdk_tasks;

struct djp_sdk {
    /* Set by djp_sdk_new, constant afterwards. */
    djp_options options;
    djp__diagnostics diag;
    char transport_name[16]; /* "none" without a transport */
    char *endpoint; /* for messages: no credentials, no query */
    djp_recorder *recorder; /* NULL: traces are off */
    /* of the recorder; NULL: no entry is copied */
    djp__baggage_attributes *baggage_attributes;
    djp_registry *registry; /* NULL: metrics are off */
    djp_builtin *standard;
    djp_http_client *http_client;
    djp_operations *operations;
    djp__prometheus_http *listener; /* NULL: no port is configured, or it cannot be opened */
    djp__pipeline *pipelines; /* traces first, if any; NULL: nothing is exported */
    djp__fork_hook fork_hook;
    DJP__ATOMIC(int) references; /* the owner and the worker thread */

    djp__worker worker;
    djp__pipeline traces; /* zeros while traces are not exported: `signal` is NULL */
    djp__resource resource;
    djp__sigterm sigterm;
    djp__sdk_metrics metrics;
    djp__metric_export metric_export;
    djp__sdk_tasks tasks;

    djp__control control;

    djp__oplogs oplogs;
    DJP__ATOMIC(int) scopes_reported; /* once-guard of oplogs.scopes_full */
};

/* sdk.c. For tests: djp_sdk_new with a transport (taken, also on failure). */
int djp__sdk_new_with_transport(djp_sdk **out, const djp_options *options,
                                const djp_sdk_language *language, djp_sdk_log log, void *log_user,
                                djp__transport *transport);
/* Adds a signal, before its first item is recorded. The pipeline (set up by djp__pipeline_init with
 * sdk's worker and diag; taken, freed with djp__free) then runs, flushes, forks and ends with the
 * others, and its counts are in status and metrics. Returns 0; or DJP_EFULL or DJP_ENOMEM, and the
 * pipeline is not taken. */
int djp__sdk_add_pipeline(djp_sdk *sdk, djp__pipeline *pipeline);
void djp__sdk_ref(void *sdk);
void djp__sdk_unref(void *sdk);
/* Returns the parts of a URL that may be shown: scheme, host, port, path. NULL without memory. */
char *djp__sdk_public_endpoint(const char *url);
/* Returns the destination of spans, for messages: the endpoint, or the name of a transport without
 * one. Borrowed. */
const char *djp__sdk_target(const djp_sdk *sdk);
/* The recorder's callback: starts or wakes the worker. Any recording thread. */
void djp__sdk_wake(void *sdk);

/* sdk_oplogs.c. Replays the operation logs, and until the deadline waits for the worker to free
 * space. Returns 1 if operations are left. */
int djp__sdk_replay(djp_sdk *sdk, uint64_t deadline);
/* The same for a reader of status or metrics, which waits only briefly for space. */
void djp__sdk_catch_up(djp_sdk *sdk);
void djp__sdk_oplogs_init(djp_sdk *sdk); /* after all other parts */
/* Warns once when the scope table refused names. No lock is held. */
void djp__sdk_report_scopes(djp_sdk *sdk);

/* traces.c: the row of the signal; its source is an instance. */
extern const djp__signal djp__signal_traces;

/* metrics.c: the row of the signal; its source is an instance. */
extern const djp__signal djp__metrics_signal;
/* Collects once if metrics are pushed, for a flush or the end. The worker's `mutex` is not held. */
void djp__sdk_collect_metrics(djp_sdk *sdk);
/* The task that collects at the interval. */
void djp__sdk_metrics_run(void *sdk, uint64_t now);
uint64_t djp__sdk_metrics_due(void *sdk, uint64_t now);
void djp__sdk_metrics_enter(void *sdk);
void djp__sdk_metrics_end(djp_sdk *sdk); /* frees */
/* metrics_exporters.c: creates the pipelines of metrics, one for each exporter of the settings that
 * pushes. An OTLP address that cannot be used is reported. Returns 0, DJP_EFULL or DJP_ENOMEM. */
int djp__sdk_metrics_exporters_make(djp_sdk *sdk);

/* sdk_exporters.c. The form of the bodies; the console's may still become the one for terminals.
 * Then the kind of exporter in the names of components, by the OpenTelemetry conventions. */
djp__encoding djp__exporter_form(djp_protocol protocol, djp_exporter exporter);
const char *djp__exporter_kind(djp_protocol protocol, djp_exporter exporter);
/* Creates the transport of an exporter: to the destination, to the file of file_path, ... Returns
 * 0, DJP_EINVAL (an exporter without one, or a destination that cannot be used) or DJP_ENOMEM. */
int djp__exporter_transport(djp__transport **out, djp_sdk *sdk, djp_exporter exporter,
                            const djp__destination *destination, const char *file_path);
/* Creates the pipelines of spans, one for each exporter of the settings, and adds
 * their tasks. Takes *transport, if there is one, for the first exporter. An OTLP address that
 * cannot be used is reported, and disables traces if there is no other exporter. Returns 0 or
 * DJP_ENOMEM. */
int djp__sdk_exporters_make(djp_sdk *sdk, djp__transport **transport);

/* tasks.c: the tasks of the worker. */
void djp__sdk_tasks_add(djp_sdk *sdk);

/* sdk_control.c. Before djp__control_start. Returns 0 or DJP_ENOMEM. */
int djp__sdk_prepare_control(djp_sdk *sdk);

/* fork.c */
void djp__sdk_fork_init(djp_sdk *sdk);

/* sigterm.c. djp_sdk_take_signals installs handlers for signals that have none; the worker's
 * `mutex` is not held. */
void djp__sigterm_remove(djp_sdk *sdk);
/* In a forked child: another instance may own the handlers. Async-signal-safe. */
void djp__sigterm_disown(djp_sdk *sdk);
void djp__sigterm_adopt(djp_sdk *sdk); /* in a new worker: creates the timer again after a fork */
/* Ends the process by the signal; returns if the kernel ignores it. Worker only. */
void djp__sigterm_end(djp_sdk *sdk);

/* resource.c: creates an encoder of the signal with the resource of this process. Returns 0 or
 * DJP_ENOMEM. The worker's `mutex` is not held. */
int djp__resource_encoder_new(djp__encoder **out, djp_sdk *sdk, const djp__encode_signal *signal,
                              djp__encoding encoding);
/* Writes the resource as labels, each name once, without braces; nothing without memory. */
void djp__resource_labels(djp__buf *out, djp_sdk *sdk);

/* sdk_metrics.c: the SDK's own counters as families of its registry. */
int djp__sdk_metrics_add(djp_sdk *sdk);
/* Adds to a counter or gauge with up to two labels; NULL if the name is in use or without memory.
 */
djp_family *djp__sdk_metrics_family(djp_sdk *sdk, djp_metric_type type, const char *name,
                                    const char *help, const char *first, const char *second);

/* sdk_metrics_signal.c: the families of a signal; the pipeline may be zeros, if it is not exported.
 * Returns 0, DJP_EFULL or DJP_ENOMEM. */
int djp__sdk_metrics_add_signal(djp_sdk *sdk, const djp__signal *signal, const void *source,
                                djp__pipeline *pipeline);
/* Writes "Spans <rest>" for the items of a signal. */
void djp__signal_title(char *out, size_t out_size, const djp__signal *signal, const char *rest);
/* Updates the families of all signals before an exposition. */
void djp__sdk_metrics_collect_signals(djp_sdk *sdk);

/* sdk_metrics_otel.c: the same by the OpenTelemetry conventions; add has an effect only if
 * configured. */
int djp__sdk_otel_add(djp_sdk *sdk);
int djp__sdk_otel_add_signal(djp__signal_metrics *metrics);
void djp__sdk_otel_collect(djp_sdk *sdk, const djp__recorder_totals *counters);
void djp__sdk_otel_collect_signal(const djp__signal_metrics *metrics);
/* A collection of metrics for a push has ended. Any thread. */
void djp__sdk_otel_collected(djp_sdk *sdk, double seconds);
/* An export of the signal (djp__signal_metrics) has ended; "" for success. Worker only. */
void djp__sdk_otel_sent(void *metrics, const djp__request *request, const char *error);
/* One JSON object about spans, whether configured or not. */
void djp__sdk_otel_status(djp__buf *out, const djp_sdk *sdk, const djp__recorder_totals *counters);

#endif
