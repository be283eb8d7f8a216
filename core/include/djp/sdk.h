/* One SDK instance: recorder, registry, worker thread and exporters wired by
 * djp_options. A process usually has one; tests make several. Fork rule: in the
 * child the instance goes on by itself (new thread, new ids, empty ring, own
 * connection) at its first span; spans that the parent had open or waiting stay the
 * parent's. */
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

/* Language facts for the resource and the User-Agent, for example {"python",
 * "3.11.2", "cpython", "3.11.2"}. Borrowed. */
typedef struct djp_sdk_language {
    const char *language; /* telemetry.sdk.language */
    const char *runtime_name; /* process.runtime.name */
    const char *runtime_version; /* process.runtime.version */
} djp_sdk_language;

/* Own messages (level as in djp_options.log_level). Called from any thread, also the
 * worker; must not call back into the SDK. The default writes "djp-telemetry: ..."
 * lines to standard error. */
typedef void (*djp_sdk_log)(void *user, int level, const char *message);

/* Copies options. Starts no thread: that happens at the first span. Returns 0,
 * DJP_ENOMEM or DJP_EINVAL. */
int djp_sdk_new(djp_sdk **out, const djp_options *options,
                const djp_sdk_language *language, djp_sdk_log log, void *log_user);
/* Shuts down with no wait if that has not happened, then frees what no live span
 * still needs. Accepts NULL. */
void djp_sdk_free(djp_sdk *sdk);

djp_recorder *djp_sdk_recorder(djp_sdk *sdk); /* borrows; NULL when traces are off */
djp_registry *djp_sdk_registry(djp_sdk *sdk); /* borrows; NULL when metrics are off */
djp_builtin *djp_sdk_builtin(djp_sdk *sdk); /* borrows; NULL when metrics are off */
const djp_options *djp_sdk_options(const djp_sdk *sdk);

/* Sends everything that ended before the call. Returns 0 only when every span since
 * the flush before was accepted by the receiver (or written), DJP_ETIMEOUT when the
 * deadline passed first, DJP_EREJECTED when the receiver refused some, DJP_EIO when
 * some were lost otherwise; a loss is reported by one flush. Spans whose local trace
 * is still open wait for it. Any thread; may block. */
int djp_sdk_flush(djp_sdk *sdk, uint64_t timeout_ns);
/* Flush, then end the worker, all within the time; recording calls become no-ops.
 * Returns what the flush gave; a second call returns DJP_ESHUTDOWN. */
int djp_sdk_shutdown(djp_sdk *sdk, uint64_t timeout_ns);

/* Takes the signals that end a process where the application has no handler; once
 * more after somebody gave one back. Does nothing without the setting
 * handle_sigterm, and once shutdown has begun. Any thread. */
void djp_sdk_take_signals(djp_sdk *sdk);

/* Turns the recording of spans off and on again. While it is off, starts give NULL
 * and nothing leaves, not even what waits; metrics go on. Returns 0 when that holds
 * now, DJP_EUNSUPPORTED when it does not: traces are off by configuration, or the
 * overrides file says otherwise. Any thread. */
int djp_sdk_set_enabled(djp_sdk *sdk, int enabled);
/* The part of the traces that begin here which the head samples, 0 .. 1; below 0: as
 * configured. 0: nothing leaves, errors neither. Returns as above, DJP_EINVAL for
 * NaN and above 1. An SDK that was configured to let nothing out stays so. Any
 * thread. */
int djp_sdk_set_sample_ratio(djp_sdk *sdk, double ratio);

/* The part of all local traces, those below remote parents included, that is
 * recorded at all, 0 .. 1; below 0: as configured. The same trace is inside or
 * outside in every process with that ratio. Returns as above. Any thread. */
int djp_sdk_set_canary_ratio(djp_sdk *sdk, double ratio);

/* Opens the stand-alone /metrics listener as the setting prometheus_port does. host:
 * a numeric address or a name (borrowed; NULL or "": 127.0.0.1); port: 1 .. 65535.
 * Returns 0 when it listens on that port now, DJP_EEXIST when it does on another
 * one, DJP_EUNSUPPORTED when metrics are off, DJP_EINVAL, DJP_EIO (one warning says
 * why) or DJP_ESHUTDOWN. May block for a host name. Any thread; a forked child opens
 * its own. */
int djp_sdk_listen(djp_sdk *sdk, const char *host, int port);

/* The state as JSON text (keys in docs/threads-and-fork.md): enabled, backend,
 * effective settings with their sources, worker, spans by outcome (started, ended,
 * sampled, exported, dropped by reason), ring fill, export attempts, failures and
 * latency, last error. The caller frees with djp_free. Any thread. */
int djp_sdk_status_json(char **out, size_t *out_size, djp_sdk *sdk);

/* The same report, with the same keys, for settings that nothing was started with:
 * nothing is on, and `problem` says why. Starts no thread and opens no file. The
 * caller frees with djp_free. Returns 0, DJP_ENOMEM or DJP_EINVAL. */
int djp_status_off_json(char **out, size_t *out_size, const djp_options *options);

/* Memory exporter: moves out what was exported so far, a concatenation of [u32
 * little-endian size][ExportTraceServiceRequest]. The caller frees with djp_free.
 * Returns DJP_EUNSUPPORTED with another exporter. */
int djp_sdk_take_exported(char **out, size_t *out_size, djp_sdk *sdk);

#ifdef __cplusplus
}
#endif
#endif
