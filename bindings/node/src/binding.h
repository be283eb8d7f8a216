/* What the files of the addon share: the environment of one JavaScript thread, the process's one
 * SDK with references, and conversions between JavaScript values and the core's. Nothing here keeps
 * a JavaScript value beyond a call, and no call of Node-API may end the process: a failing one is
 * cleared and the function answers undefined. */
#ifndef DJP_NODE_BINDING_H
#define DJP_NODE_BINDING_H

#include <stdatomic.h>
#include <stdint.h>

#include <node_api.h>

#include "djp/http.h"
#include "djp/sdk.h"

/* ---- checking (value.c) ---- */
/* Clears a pending exception. Always 0. */
int djp_node_failed(napi_env env);
/* The one way to call Node-API: 1 when the call succeeded. */
#define djp_node_ok(env, call) ((call) == napi_ok || djp_node_failed(env))

/* ---- the environment: one per JavaScript thread that loaded the addon (module.c) ---- */
typedef struct djp_node_env {
    napi_env env;
    char version[32]; /* of Node */
    void *log; /* belongs to log.c, NULL without one */
} djp_node_env;
/* Borrowed; NULL only while the environment comes up or goes down. JavaScript thread. */
djp_node_env *djp_node_env_of(napi_env env);

/* ---- the process's SDK (holder.c) ---- */
/* A running SDK and what is made once for it. Counted references; the last one frees it. Fields are
 * set once, before it is shared. */
typedef struct djp_node_sdk {
    djp_sdk *sdk;
    djp_recorder *recorder; /* borrowed from sdk; NULL when traces are off */
    djp_registry *registry; /* the same for metrics */
    djp_builtin *standard;
    djp_http_server *http; /* never NULL */
    uint32_t epoch; /* names this start, 1 and up */
    uint32_t references; /* under the holder's mutex */
    struct djp_node_table *table; /* families and series by number */
    _Atomic(uint32_t)
        shards_over; /* 1: ends, and takes no new cells; any thread, acquire/release */
} djp_node_sdk;

/* The active SDK with a reference that the caller releases, or NULL. Any thread. */
djp_node_sdk *djp_node_sdk_acquire(void);
void djp_node_sdk_release(djp_node_sdk *sdk); /* accepts NULL */
/* Makes options the active SDK unless there is one; *out is the active one in either case, with a
 * reference. Returns 1 when it was there before, 0 when it is new, or a negative code. */
int
djp_node_sdk_activate(djp_node_sdk **out, const djp_options *options, const char *runtime_version);

/* One end of an SDK, which several may wait for. Counted references under the holder's mutex. */
typedef struct djp_node_ending djp_node_ending;
/* Takes the active SDK out of use, or joins the end under way; NULL when there is none. The caller
 * runs it, then releases it. */
djp_node_ending *djp_node_ending_begin(void);
/* Ends the SDK within the time, or waits for whoever does. Returns 1 when all was delivered;
 * *status becomes a copy of the last status as JSON text (free it) or NULL; status may be NULL. Any
 * thread. */
int djp_node_ending_run(djp_node_ending *ending, uint64_t timeout_ns, char **status);
void djp_node_ending_release(djp_node_ending *ending);

/* ---- SIGTERM (signal.c), under the holder's mutex ---- */
/* Node answers SIGTERM with a handler that only ends the process. The core takes the signal where
 * nobody else does: this makes the default of Node look like the system's. */
void djp_node_signal_prepare(const djp_options *options);
/* Gives Node its handler back, unless somebody took the signal meanwhile. */
void djp_node_signal_restore(void);
/* Takes the signals that the application's last listener gave back to the system. */
void djp_node_signal_take(void);

/* ---- the environment's operation log (log.c) ---- */
/* Called once when an SDK starts, by the starting thread, under the holder's mutex: open logs
 * belong to it from now on. */
void djp_node_log_activated(djp_node_sdk *sdk);
/* Adds the log's functions to the addon. JavaScript thread. */
void djp_node_log_exports(napi_env env, napi_value exports);
/* The environment ends: its log must be let go of. JavaScript thread. */
void djp_node_log_env_end(djp_node_env *self);

/* ---- metric cells (cells.c) ---- */
/* An SDK has started: environments look their series up again. Under the holder's mutex. Any
 * thread. */
void djp_node_shards_activated(void);
/* What is in the cells goes to the registry, and no cell belongs to this SDK afterwards. Any
 * thread. */
void djp_node_shards_before_stop(djp_node_sdk *sdk);

/* ---- numbers of families and series (table.c) ---- */
/* A number holds the epoch above 32 bits and a place below, so that one of an earlier SDK finds
 * nothing. 0 is none. */
double djp_node_family_number(djp_node_sdk *sdk, djp_family *family);
double djp_node_series_number(djp_node_sdk *sdk, djp_series *series);
/* Borrowed from the SDK; NULL for a number that is not (or no longer) known, and without an SDK.
 * Any thread. */
djp_family *djp_node_family_at(djp_node_sdk *sdk, double number);
djp_series *djp_node_series_at(djp_node_sdk *sdk, double number);
struct djp_node_table *djp_node_table_new(uint32_t epoch);
void djp_node_table_free(struct djp_node_table *table); /* accepts NULL */

/* ---- values (value.c) ---- */
/* UTF-8 of a JavaScript string; lone surrogates become U+FFFD. */
typedef struct djp_node_text {
    djp_text text; /* ends in NUL */
    char *owned; /* freed by release; NULL: text lies in small, or is empty */
    char small[192];
} djp_node_text;
/* 1, or 0 (and an empty text) for anything but a string or without memory. Must not be moved before
 * its release. */
int djp_node_text_get(djp_node_text *out, napi_env env, napi_value value);
void djp_node_text_release(djp_node_text *text);
/* Up to limit strings of an array, or one string. Others are skipped, or stand as empty texts when
 * keep_places is 1. */
typedef struct djp_node_texts {
    djp_node_text *items;
    djp_text *texts; /* one per item, borrowed from items */
    size_t count;
} djp_node_texts;
/* 1, or 0 (and nothing) for another type or without memory. Release in any case. */
int djp_node_texts_get(djp_node_texts *out, napi_env env, napi_value value, size_t limit,
                       int keep_places);
void djp_node_texts_release(djp_node_texts *texts);

/* Reads up to `count` arguments; those that are missing become undefined. 1 on success. */
int djp_node_arguments(napi_env env, napi_callback_info info, napi_value *out, size_t count);
napi_valuetype djp_node_type(napi_env env, napi_value value);
/* A number, or `otherwise` for anything else. */
double djp_node_number(napi_env env, napi_value value, double otherwise);
int djp_node_int(napi_env env, napi_value value, int otherwise);
/* Milliseconds as nanoseconds: below zero, NaN and anything that is not a number are 0; infinity,
 * null and undefined wait for ever. */
uint64_t djp_node_timeout(napi_env env, napi_value value);
/* Bytes of a Uint8Array (or Buffer), borrowed until the next JavaScript; 0 for anything else. */
int djp_node_bytes(napi_env env, napi_value value, uint8_t **data, size_t *size);
/* The words of an Int32Array with at least `least` of them; NULL for anything else. */
int32_t *djp_node_words(napi_env env, napi_value value, size_t least);

/* New values; NULL (undefined to JavaScript) when that fails. Text must be UTF-8. */
napi_value djp_node_string(napi_env env, djp_text text);
napi_value djp_node_string_or_null(napi_env env, const char *text);
napi_value djp_node_boolean(napi_env env, int value);
napi_value djp_node_double(napi_env env, double value);
napi_value djp_node_null(napi_env env);
napi_value djp_node_object(napi_env env);
/* value may be NULL */
void djp_node_put(napi_env env, napi_value object, const char *name, napi_value value);
void djp_node_put_text(napi_env env, napi_value object, const char *name, const char *text);
/* Throws an Error with this text; what the function returns is ignored then. */
void djp_node_throw(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- span contexts (context.c) ---- */
/* Reads eight words: trace id as 4 big-endian numbers, span id as 2, flags, unused. The tracestate
 * stays NULL. 1 when valid. */
int djp_node_context_from_words(djp_span_context *out, const int32_t *words);
/* Reads header values (a string or an array of them) by the W3C rules; 1 when there is a valid
 * context, which the caller clears. */
int djp_node_context_read(djp_span_context *out, napi_env env, napi_value traceparent,
                          napi_value tracestate);
void djp_node_context_to_words(int32_t *words, const djp_span_context *context);

/* ---- parts: each adds its functions to the exports ---- */
typedef struct djp_node_function {
    const char *name;
    napi_callback call;
} djp_node_function;
void djp_node_functions(napi_env env, napi_value exports, const djp_node_function *functions,
                        size_t count);
#define DJP_NODE_FUNCTIONS(env, exports, list) \
    djp_node_functions((env), (exports), (list), sizeof list / sizeof((list)[0]))
void djp_node_sdk_exports(napi_env env, napi_value exports);
void djp_node_shutdown_exports(napi_env env, napi_value exports);
void djp_node_context_exports(napi_env env, napi_value exports);
void djp_node_baggage_exports(napi_env env, napi_value exports);
void djp_node_metrics_exports(napi_env env, napi_value exports);
void djp_node_shards_exports(napi_env env, napi_value exports);
void djp_node_exposition_exports(napi_env env, napi_value exports);
void djp_node_http_exports(napi_env env, napi_value exports);
void djp_node_sampler_exports(napi_env env, napi_value exports);

#endif
