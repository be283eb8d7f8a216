/* Operation logs for JavaScript: one per copy of the package in an environment, seen as an ArrayBuffer over the core's memory. A log
 * belongs to the process's SDK whenever there is one. Recording never comes here; only its rare needs do. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "djp/oplog.h"

/* 4 MiB for the main thread's usual load; pages are touched only when used. */
enum { LOG_UNITS = 1 << 19 };

/* Lives as long as the ArrayBuffer. */
typedef struct node_log {
    djp_oplog *log; /* a reference */
    djp_node_env *self; /* JavaScript thread; NULL once the environment has let go of it */
    struct node_log *next; /* of the same environment */
    struct node_log *next_open; /* of the process, under log_mutex */
} node_log;

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static node_log *log_open; /* every log that JavaScript still writes; under log_mutex */

/* The SDK may be ending at this moment: then there is nothing to attach to. */
void
djp_node_log_activated(djp_node_sdk *sdk)
{
    pthread_mutex_lock(&log_mutex);
    for (node_log *item = log_open; item != NULL; item = item->next_open)
        (void)djp_oplog_attach(item->log, sdk->sdk);
    pthread_mutex_unlock(&log_mutex);
}

/* Out of both lists; what was published is replayed. JavaScript thread. */
static void
log_let_go(node_log *item)
{
    node_log **link = (node_log **)&item->self->log;
    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
    item->self = NULL;
    pthread_mutex_lock(&log_mutex);
    for (link = &log_open; *link != item;)
        link = &(*link)->next_open;
    *link = item->next_open;
    pthread_mutex_unlock(&log_mutex);
    djp_oplog_detach(item->log);
}

void
djp_node_log_env_end(djp_node_env *self)
{
    while (self->log != NULL)
        log_let_go(self->log);
}

/* The ArrayBuffer was collected with its copy of the package, or its environment ends: nothing in JavaScript sees the memory any
 * more. The data of the environment may be gone. */
static void
log_memory_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)data;
    node_log *item = hint;
    if (item->self != NULL)
        log_let_go(item);
    djp_oplog_unref(item->log);
    free(item);
}

static void
log_add(djp_node_env *self, node_log *item)
{
    item->self = self;
    item->next = self->log;
    self->log = item;
    pthread_mutex_lock(&log_mutex);
    item->next_open = log_open;
    log_open = item;
    pthread_mutex_unlock(&log_mutex);
    djp_node_sdk *active = djp_node_sdk_acquire();
    if (active != NULL)
        (void)djp_oplog_attach(item->log, active->sdk);
    djp_node_sdk_release(active);
}

/* logOpen(): the memory of a new log. Throws without memory, or where ArrayBuffers over foreign memory are not allowed. */
static napi_value
log_open_new(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_env *self = djp_node_env_of(env);
    node_log *item = calloc(1, sizeof(*item));
    napi_value buffer = NULL;
    if (self == NULL || item == NULL || djp_oplog_new(&item->log, LOG_UNITS) != 0) {
        free(item);
        djp_node_throw(env, "no memory for the operation log");
        return NULL;
    }
    if (!djp_node_ok(env, napi_create_external_arraybuffer(env, djp_oplog_memory(item->log), djp_oplog_size(item->log),
                                                           log_memory_gone, item, &buffer))) {
        djp_oplog_unref(item->log);
        free(item);
        djp_node_throw(env, "this runtime does not allow ArrayBuffers over native memory");
        return NULL;
    }
    log_add(self, item);
    return buffer;
}

/* The log that the environment opened last: for questions that any of them answers alike. Borrowed; NULL without one. */
static djp_oplog *
log_of(napi_env env)
{
    djp_node_env *self = djp_node_env_of(env);
    node_log *item = self == NULL ? NULL : self->log;
    return item == NULL ? NULL : item->log;
}

/* logWake(): the worker looks at the logs. */
static napi_value
log_wake(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_env *self = djp_node_env_of(env);
    for (node_log *item = self == NULL ? NULL : self->log; item != NULL; item = item->next)
        djp_oplog_wake(item->log);
    return NULL;
}

/* logDrain(units): replays here what the environment's logs hold, at most units of each; true when that made room. */
static napi_value
log_drain(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    djp_node_env *self = djp_node_env_of(env);
    int freed = 0;
    if (self == NULL || !djp_node_arguments(env, info, given, 1))
        return NULL;
    int units = djp_node_int(env, given[0], 0);
    for (node_log *item = self->log; item != NULL; item = item->next)
        freed |= djp_oplog_drain(item->log, units > 0 ? (size_t)units : 0);
    return djp_node_boolean(env, freed);
}

/* logRandom(words): fills an Int32Array. */
static napi_value
log_random(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    napi_typedarray_type type;
    size_t count = 0;
    void *data = NULL;
    if (djp_node_arguments(env, info, given, 1) &&
        djp_node_ok(env, napi_get_typedarray_info(env, given[0], &type, &count, &data, NULL, NULL)) &&
        type == napi_int32_array && data != NULL)
        djp_oplog_random(data, count);
    return NULL;
}

/* logHead(words): how roots are decided: words get the policy's number, the threshold's upper 25 and lower 32 bits and the canary's;
 * returns the tracestate of sampled roots, '' for none. */
static napi_value
log_head(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    djp_oplog_roots roots = {0};
    djp_oplog *log = log_of(env);
    if (log == NULL || !djp_node_arguments(env, info, given, 1))
        return djp_node_null(env);
    int32_t *words = djp_node_words(env, given[0], 5);
    if (words == NULL)
        return djp_node_null(env);
    djp_oplog_head(&roots, log);
    words[0] = (int32_t)roots.policy;
    words[1] = (int32_t)(roots.threshold >> 32);
    words[2] = (int32_t)(uint32_t)roots.threshold;
    words[3] = (int32_t)(roots.canary >> 32);
    words[4] = (int32_t)(uint32_t)roots.canary;
    napi_value result = djp_node_string(env, djp_tracestate_text(roots.state));
    djp_tracestate_unref(roots.state);
    return result;
}

static napi_value
log_states(napi_env env, djp_text incoming, djp_text outgoing)
{
    napi_value pair;
    if (incoming.size == 0 && outgoing.size == 0)
        return djp_node_string(env, incoming);
    if (!djp_node_ok(env, napi_create_array_with_length(env, 2, &pair)))
        return djp_node_null(env);
    napi_value first = djp_node_string(env, incoming), second = djp_node_string(env, outgoing);
    if (first == NULL || second == NULL || !djp_node_ok(env, napi_set_element(env, pair, 0, first)) ||
        !djp_node_ok(env, napi_set_element(env, pair, 1, second)))
        return djp_node_null(env);
    return pair;
}

/* logContext(traceparent, tracestate, words): null without a remote context; else '' or [state that came, state to propagate], and
 * words hold trace id (4), span id (2), the parent's flags, what the local root is (1: sampled, 0x100: not recorded), and the
 * policy's number. */
static napi_value
log_context(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    djp_span_context context;
    if (!djp_node_arguments(env, info, given, 3) || !djp_node_context_read(&context, env, given[0], given[1]))
        return djp_node_null(env);
    /* Only now: the getter of an element may have taken the words away. */
    int32_t *words = djp_node_words(env, given[2], 9);
    djp_oplog *log = log_of(env);
    if (words == NULL || log == NULL) {
        djp_span_context_clear(&context);
        return djp_node_null(env);
    }
    djp_node_context_to_words(words, &context);
    djp_oplog_root root = {.parent = &context};
    djp_oplog_decision decision;
    djp_oplog_decide(&decision, log, &root);
    words[7] = (decision.sampled != 0) | (decision.drop ? 0x100 : 0);
    words[8] = (int32_t)decision.policy;
    napi_value result = log_states(env, djp_tracestate_text(context.state), djp_tracestate_text(decision.state));
    djp_tracestate_unref(decision.state);
    djp_text_free((char *)decision.keyed);
    djp_span_context_clear(&context);
    return result;
}

void
djp_node_log_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"logOpen", log_open_new}, {"logWake", log_wake}, {"logDrain", log_drain},
        {"logRandom", log_random}, {"logHead", log_head}, {"logContext", log_context},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
