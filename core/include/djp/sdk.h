/* One SDK instance: recorder, registry, worker thread and exporters, as set by
 * djp_options. A process normally has one. After fork, the instance works in the child
 * with a new thread, new ids, an empty ring and a separate connection, from the first
 * span on; the child does not send spans that were open or queued in the parent. */
#ifndef DJP_SDK_H
#define DJP_SDK_H

#include "djp/config.h"
#include "djp/error.h"
#include "djp/metrics.h"
#include "djp/span.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_sdk djp_sdk;

/* Describes the language runtime for the resource and the User-Agent, for example
 * {"python", "3.11.2", "cpython", "3.11.2"}. Borrowed. */
typedef struct djp_sdk_language {
    const char *language; /* telemetry.sdk.language */
    const char *runtime_name; /* process.runtime.name */
    const char *runtime_version; /* process.runtime.version */
    int has_shards; /* 1: metrics are recorded through shards (djp/shard.h) */
} djp_sdk_language;

/* Receives the SDK's messages (level as in djp_options.log_level), in any thread
 * including the worker. Must not call the SDK. Default: "djp-telemetry: ..." lines on
 * standard error. */
typedef void (*djp_sdk_log)(void *user, int level, const char *message);

/* Calls use(argument, baggage) with the baggage of the calling thread's current
 * context, borrowed for that call, or does not call it if there is none. */
typedef void (*djp_baggage_use)(void *argument, const djp_baggage *baggage);
typedef void (*djp_baggage_source)(void *user, djp_baggage_use use, void *argument);

/* Creates an SDK; copies options. Starts no thread before the first span, unless
 * metrics are pushed. Returns 0, DJP_ENOMEM or DJP_EINVAL. */
int djp_sdk_new(djp_sdk **out, const djp_options *options,
                const djp_sdk_language *language, djp_sdk_log log, void *log_user);
/* Shuts down without waiting if that has not happened, then frees all memory that no
 * live span needs. Accepts NULL. */
void djp_sdk_free(djp_sdk *sdk);

/* With the setting baggage_attributes, djp_span_start calls source in the starting
 * thread for a span whose options have no baggage. Called once, before the first span;
 * user is borrowed as long as spans start. Without the setting, source is not called.
 */
void djp_sdk_set_baggage_source(djp_sdk *sdk, djp_baggage_source source, void *user);

djp_recorder *djp_sdk_recorder(djp_sdk *sdk); /* borrows; NULL when traces are off */
djp_registry *djp_sdk_registry(djp_sdk *sdk); /* borrows; NULL when metrics are off */
djp_builtin *djp_sdk_builtin(djp_sdk *sdk); /* borrows; NULL when metrics are off */
/* Borrows from sdk; NULL for NULL. */
const djp_options *djp_sdk_options(const djp_sdk *sdk);

/* In a forked child: starts the export of metrics at its interval, which begins
 * otherwise with the first span, flush or shutdown of the child. Without effect if
 * metrics are not pushed. Returns 0 or DJP_ETHREAD. Not in a fork handler. */
int djp_sdk_start_metrics(djp_sdk *sdk);

/* Exports all spans that ended before the call; spans wait for their local trace to
 * end; then the numbers of all metrics, if they are pushed. Returns 0 if the receiver
 * accepted (or the file received) each span and number since the previous flush,
 * DJP_ETIMEOUT after timeout_ns, DJP_EREJECTED if the receiver rejected some, DJP_EIO
 * if some were lost otherwise; one flush reports each loss. Blocks. Any thread. */
int djp_sdk_flush(djp_sdk *sdk, uint64_t timeout_ns);
/* Flushes and ends the worker within timeout_ns; recording calls then have no effect.
 * Returns the result of the flush; DJP_ESHUTDOWN for a second call. */
int djp_sdk_shutdown(djp_sdk *sdk, uint64_t timeout_ns);

/* Installs handlers for signals that end the process, where the application has none;
 * call again after a handler was removed. No effect without the setting handle_sigterm
 * or after shutdown began. Any thread. */
void djp_sdk_take_signals(djp_sdk *sdk);

/* Turns recording of spans off and on. While it is off, djp_span_start returns NULL and
 * nothing is exported, not even queued spans; metrics continue. Returns 0 if the
 * request applies now, DJP_EUNSUPPORTED if traces are off by configuration or the
 * overrides file has priority. Any thread. */
int djp_sdk_set_enabled(djp_sdk *sdk, int enabled);
/* Sets the head sampling ratio of traces that begin in this process, 0 .. 1; below 0:
 * as configured; 0: nothing is exported, not even errors. Returns as
 * djp_sdk_set_enabled, or DJP_EINVAL for NaN and above 1. A configured ratio of 0
 * cannot be raised. Any thread. */
int djp_sdk_set_sample_ratio(djp_sdk *sdk, double ratio);

/* Sets the share of local traces recorded, remote parents included, 0 .. 1; below 0: as
 * configured. Every process with the same ratio records the same traces. Returns as
 * djp_sdk_set_sample_ratio. Any thread. */
int djp_sdk_set_canary_ratio(djp_sdk *sdk, double ratio);

/* Opens the Prometheus endpoint /metrics, like the setting prometheus_port. host: an
 * address or a name (borrowed; NULL or "": 127.0.0.1). port: 1 .. 65535. Returns 0 if
 * it listens on that port, DJP_EEXIST if it listens on another one, DJP_EUNSUPPORTED
 * when metrics are off, DJP_EINVAL, DJP_EIO (with a warning that names the cause) or
 * DJP_ESHUTDOWN. May block to resolve a host name. A forked child opens a separate
 * endpoint. Any thread. */
int djp_sdk_listen(djp_sdk *sdk, const char *host, int port);

/* Returns the state as JSON text (keys: docs/status.md): effective settings with their
 * sources, worker, spans by outcome, ring fill, export attempts, failures and latency,
 * last error. The caller frees it with djp_free. Any thread. */
int djp_sdk_status_json(char **out, size_t *out_size, djp_sdk *sdk);

/* Returns the same report for an SDK that was not started with these options:
 * everything is off, and `problem` names the cause. Starts no thread and opens no file.
 * The caller frees it with djp_free. Returns 0, DJP_ENOMEM or DJP_EINVAL. */
int djp_status_off_json(char **out, size_t *out_size, const djp_options *options);

/* Memory exporter: returns and removes all exported data, a sequence of [u32
 * little-endian size][ExportTraceServiceRequest]. The caller frees it with djp_free.
 * Returns DJP_EUNSUPPORTED with another exporter. */
int djp_sdk_take_exported(char **out, size_t *out_size, djp_sdk *sdk);

#ifdef __cplusplus
}
#endif
#endif
