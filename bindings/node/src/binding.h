/* Shared by the files of the addon: the environment of one JavaScript thread, references to the SDK
 * of the process, and conversions between JavaScript and core values. JavaScript values are not
 * stored between calls. A failing Node-API call is cleared and the function returns undefined; it
 * never ends the process. */
#ifndef DJP_NODE_BINDING_H
#define DJP_NODE_BINDING_H

#include <stdatomic.h>
#include <stdint.h>

#include <node_api.h>

#include "djp/http.h"
#include "djp/sdk.h"

/* ---- checking (value.c) ---- */
/* Clears a pending exception. Returns 0. */
int djp_node_failed(napi_env env);
/* Wraps every call of Node-API: 1 if it succeeded. */
#define djp_node_ok(env, call) ((call) == napi_ok || djp_node_failed(env))

/* ---- the environment: one per JavaScript thread that loaded the addon (module.c) ---- */
typedef struct djp_node_env {
    napi_env env;
    char version[32]; /* of Node */
    void *log; /* owned by oplog.c; NULL without a log */
} djp_node_env;
/* Borrowed; NULL only during start and end of the environment. JavaScript thread. */
djp_node_env *djp_node_env_of(napi_env env);

/* ---- the SDK of the process (instance.c) ---- */
/* A running SDK and the objects of its lifetime. Reference-counted. Fields are set once, before it
 * is shared. */
typedef struct djp_node_sdk {
    djp_sdk *sdk;
    djp_recorder *recorder; /* borrowed from sdk; NULL if traces are off */
    djp_registry *registry; /* borrowed from sdk; NULL if metrics are off */
    djp_builtin *standard;
    djp_http_server *http; /* never NULL */
    uint32_t epoch; /* number of this start, from 1 */
    uint32_t references; /* under the instance mutex */
    struct djp_node_table *table; /* families and series by number */
    _Atomic(uint32_t)
        shards_over; /* 1: ends, and takes no new shards; any thread, acquire/release */
} djp_node_sdk;

/* Returns the active SDK with a reference for the caller, or NULL. Any thread. */
djp_node_sdk *djp_node_sdk_acquire(void);
void djp_node_sdk_release(djp_node_sdk *sdk); /* accepts NULL */
/* Starts an SDK with these options unless one is active; *out is the active one, with a reference.
 * Returns 1 if it was active before, 0 if it is new, or a negative code. */
int
djp_node_sdk_activate(djp_node_sdk **out, const djp_options *options, const char *runtime_version);

/* The end of an SDK, for which several threads can wait. Reference-counted under the instance
 * mutex. */
typedef struct djp_node_ending djp_node_ending;
/* Deactivates the SDK, or joins its running end; NULL if there is none. The caller runs the result,
 * then releases it. */
djp_node_ending *djp_node_ending_begin(void);
/* Ends the SDK within the time, or waits for the thread that does. Returns 1 if everything was
 * delivered. *status becomes a copy of the last status as JSON text (free it) or NULL; status may
 * be NULL. Any thread. */
int djp_node_ending_run(djp_node_ending *ending, uint64_t timeout_ns, char **status);
void djp_node_ending_release(djp_node_ending *ending);

/* ---- SIGTERM (signal.c), under the instance mutex ---- */
/* Node installs a SIGTERM handler that only ends the process. The core takes a signal only if it
 * has the default action, so this replaces the handler of Node by that. */
void djp_node_signal_prepare(const djp_options *options);
/* Restores the handler of Node, unless the signal has another one now. */
void djp_node_signal_restore(void);
/* Takes signals whose last listener in the application was removed. */
void djp_node_signal_take(void);

/* ---- the operation log of the environment (oplog.c) ---- */
/* The starting thread calls this once per SDK, under the instance mutex: it attaches open logs to
 * the SDK. */
void djp_node_log_activated(djp_node_sdk *sdk);
/* Exports the functions of the log. JavaScript thread. */
void djp_node_log_exports(napi_env env, napi_value exports);
/* Releases the log of an environment that ends. JavaScript thread. */
void djp_node_log_env_end(djp_node_env *self);

/* ---- metric shards (shards.c) ---- */
/* Notifies environments of a started SDK: they look their series up again. Under the instance
 * mutex. Any thread. */
void djp_node_shards_activated(void);
/* Adds the contents of all shards to the registry, and detaches them from the SDK. Any thread. */
void djp_node_shards_before_stop(djp_node_sdk *sdk);

/* ---- numbers of families and series (table.c) ---- */
/* A number is the epoch above 32 bits and a place below, so that the number of an earlier SDK is
 * invalid. 0 is none. */
double djp_node_family_number(djp_node_sdk *sdk, djp_family *family);
double djp_node_series_number(djp_node_sdk *sdk, djp_series *series);
/* Borrowed from the SDK; NULL for an unknown number and without an SDK. Any thread. */
djp_family *djp_node_family_at(djp_node_sdk *sdk, double number);
djp_series *djp_node_series_at(djp_node_sdk *sdk, double number);
struct djp_node_table *djp_node_table_new(uint32_t epoch);
void djp_node_table_free(struct djp_node_table *table); /* accepts NULL */

/* ---- values (value.c) ---- */
/* UTF-8 of a JavaScript string; lone surrogates become U+FFFD. */
typedef struct djp_node_text {
    djp_text text; /* NUL-terminated */
    char *owned; /* freed by release; NULL: the text is in small, or empty */
    char small[192];
} djp_node_text;
/* Returns 1; 0 and an empty text for a value that is not a string, or without memory. Do not move
 * it before its release. */
int djp_node_text_get(djp_node_text *out, napi_env env, napi_value value);
void djp_node_text_release(djp_node_text *text);
/* Up to limit strings of an array, or one string. Other items are skipped, or are empty texts if
 * keep_places is 1. */
typedef struct djp_node_texts {
    djp_node_text *items;
    djp_text *texts; /* one per item, borrowed from items */
    size_t count;
} djp_node_texts;
/* Returns 1; 0 and no items for another type or without memory. Release in any case. */
int djp_node_texts_get(djp_node_texts *out, napi_env env, napi_value value, size_t limit,
                       int keep_places);
void djp_node_texts_release(djp_node_texts *texts);

/* Reads up to `count` arguments; missing ones become undefined. Returns 1 on success. */
int djp_node_arguments(napi_env env, napi_callback_info info, napi_value *out, size_t count);
napi_valuetype djp_node_type(napi_env env, napi_value value);
/* Returns a number, or `otherwise` for another type. */
double djp_node_number(napi_env env, napi_value value, double otherwise);
int djp_node_int(napi_env env, napi_value value, int otherwise);
/* Converts milliseconds to nanoseconds: 0 for negative numbers, NaN and other types; no limit for
 * infinity, null and undefined. */
uint64_t djp_node_timeout(napi_env env, napi_value value);
/* Bytes of a Uint8Array (or Buffer), borrowed until JavaScript runs again; 0 for another type. */
int djp_node_bytes(napi_env env, napi_value value, uint8_t **data, size_t *size);
/* Words of an Int32Array of at least `least` words; NULL for another type. */
int32_t *djp_node_words(napi_env env, napi_value value, size_t least);

/* New values; NULL (undefined in JavaScript) on failure. Text must be UTF-8. */
napi_value djp_node_string(napi_env env, djp_text text);
napi_value djp_node_string_or_null(napi_env env, const char *text);
napi_value djp_node_boolean(napi_env env, int value);
napi_value djp_node_double(napi_env env, double value);
napi_value djp_node_null(napi_env env);
napi_value djp_node_object(napi_env env);
/* value may be NULL */
void djp_node_put(napi_env env, napi_value object, const char *name, napi_value value);
void djp_node_put_text(napi_env env, napi_value object, const char *name, const char *text);
/* Throws an Error with this text; the return value of the function is then ignored. */
void djp_node_throw(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- span contexts (context.c) ---- */
/* Reads eight words: trace id as 4 big-endian numbers, span id as 2, flags, unused. The tracestate
 * is NULL. Returns 1 if it is valid. */
int djp_node_context_from_words(djp_span_context *out, const int32_t *words);
/* Reads header values (a string or an array) by the W3C rules. Returns 1 for a valid context, which
 * the caller clears. */
int djp_node_context_read(djp_span_context *out, napi_env env, napi_value traceparent,
                          napi_value tracestate);
void djp_node_context_to_words(int32_t *words, const djp_span_context *context);

/* ---- parts: each exports its functions ---- */
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
void djp_node_runtime_metrics_exports(napi_env env, napi_value exports);
void djp_node_shards_exports(napi_env env, napi_value exports);
void djp_node_exposition_exports(napi_env env, napi_value exports);
void djp_node_http_exports(napi_env env, napi_value exports);
void djp_node_sampler_exports(napi_env env, napi_value exports);

#endif
