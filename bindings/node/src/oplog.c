/* Operation logs for JavaScript: one per copy of the package in an environment, an ArrayBuffer over
 * memory of the core. A log is attached to the active SDK. Recording enters no function here; only
 * rare operations do. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "djp/oplog.h"

/* 4 MiB for a typical load of the main thread; pages are allocated at first use. */
enum { LOG_UNITS = 1 << 19 };

/* Lives as long as the ArrayBuffer. */
typedef struct node_log {
    djp_oplog *log; /* a reference */
    djp_node_env *self; /* JavaScript thread; NULL after the environment has released it */
    struct node_log *next; /* of the same environment */
    struct node_log *next_open; /* of the process, under log_mutex */
} node_log;

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static node_log *log_open; /* all logs that JavaScript can write; under log_mutex */

/* If the SDK is ending, there is nothing to attach to. */
void
djp_node_log_activated(djp_node_sdk *sdk)
{
    pthread_mutex_lock(&log_mutex);
    for (node_log *item = log_open; item != NULL; item = item->next_open) {
        (void)djp_oplog_attach(item->log, sdk->sdk);
    }
    pthread_mutex_unlock(&log_mutex);
}

/* Removes the log from both lists and replays published operations. JavaScript thread. */
static void
log_let_go(node_log *item)
{
    node_log **link = (node_log **)&item->self->log;
    while (*link != item) {
        link = &(*link)->next;
    }
    *link = item->next;
    item->self = NULL;
    pthread_mutex_lock(&log_mutex);
    for (link = &log_open; *link != item;) {
        link = &(*link)->next_open;
    }
    *link = item->next_open;
    pthread_mutex_unlock(&log_mutex);
    djp_oplog_detach(item->log);
}

void
djp_node_log_env_end(djp_node_env *self)
{
    while (self->log != NULL) {
        log_let_go(self->log);
    }
}

/* The ArrayBuffer was collected, or its environment ends: JavaScript cannot access the memory. The
 * data of the environment may be freed. */
static void
log_memory_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)data;
    node_log *item = hint;
    if (item->self != NULL) {
        log_let_go(item);
    }
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
    if (active != NULL) {
        (void)djp_oplog_attach(item->log, active->sdk);
    }
    djp_node_sdk_release(active);
}

/* logOpen(): the memory of a new log. Throws without memory, or if the runtime forbids ArrayBuffers
 * over native memory. */
static napi_value
log_open_new(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_env *self = djp_node_env_of(env);
    node_log *item = calloc(1, sizeof *item);
    napi_value buffer = NULL;
    if (self == NULL || item == NULL || djp_oplog_new(&item->log, LOG_UNITS) != 0) {
        free(item);
        djp_node_throw(env, "no memory for the operation log");
        return NULL;
    }
    if (!djp_node_ok(env, napi_create_external_arraybuffer(env, djp_oplog_memory(item->log),
                                                           djp_oplog_size(item->log),
                                                           log_memory_gone, item, &buffer))) {
        djp_oplog_unref(item->log);
        free(item);
        djp_node_throw(env, "this runtime does not allow ArrayBuffers over native memory");
        return NULL;
    }
    log_add(self, item);
    return buffer;
}

/* Returns the last opened log of the environment, for calls that do not depend on the log.
 * Borrowed; NULL without one. */
static djp_oplog *
log_of(napi_env env)
{
    djp_node_env *self = djp_node_env_of(env);
    node_log *item = self == NULL ? NULL : self->log;
    return item == NULL ? NULL : item->log;
}

/* logWake(): wakes the worker. */
static napi_value
log_wake(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_env *self = djp_node_env_of(env);
    for (node_log *item = self == NULL ? NULL : self->log; item != NULL; item = item->next) {
        djp_oplog_wake(item->log);
    }
    return NULL;
}

/* logDrain(units): replays up to this number of units of each log of the environment; true if that
 * freed space. */
static napi_value
log_drain(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    djp_node_env *self = djp_node_env_of(env);
    int freed = 0;
    if (self == NULL || !djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    int units = djp_node_int(env, given[0], 0);
    for (node_log *item = self->log; item != NULL; item = item->next) {
        freed |= djp_oplog_drain(item->log, units > 0 ? (size_t)units : 0);
    }
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
        djp_node_ok(env,
                    napi_get_typedarray_info(env, given[0], &type, &count, &data, NULL, NULL)) &&
        type == napi_int32_array && data != NULL) {
        djp_oplog_random(data, count);
    }
    return NULL;
}

/* Writes the five decision words of a START: flag, outcome and reason, then threshold and recorded,
 * lower half first. */
static void
log_decision_words(int32_t *words, const djp_oplog_decision *decision)
{
    words[0] = (int32_t)((uint32_t)decision->flag << DJP_OPLOG_DECISION_FLAG |
                         (uint32_t)decision->outcome << DJP_OPLOG_DECISION_OUTCOME |
                         (uint32_t)decision->reason << DJP_OPLOG_DECISION_REASON);
    words[1] = (int32_t)(uint32_t)decision->threshold;
    words[2] = (int32_t)(decision->threshold >> 32);
    words[3] = (int32_t)(uint32_t)decision->recorded;
    words[4] = (int32_t)(decision->recorded >> 32);
}

/* logHead(words): the decision of roots. words receive the lower 32 and upper 25 bits of the
 * threshold, then the decision words of sampled and of other roots. Returns the tracestate of
 * sampled roots, '' for none. */
static napi_value
log_head(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    djp_oplog_roots roots = {0};
    djp_oplog *log = log_of(env);
    if (log == NULL || !djp_node_arguments(env, info, given, 1)) {
        return djp_node_null(env);
    }
    int32_t *words = djp_node_words(env, given[0], 12);
    if (words == NULL) {
        return djp_node_null(env);
    }
    djp_oplog_head(&roots, log);
    words[0] = (int32_t)(uint32_t)roots.threshold;
    words[1] = (int32_t)(roots.threshold >> 32);
    log_decision_words(words + 2, &roots.sampled);
    log_decision_words(words + 7, &roots.unsampled);
    napi_value result = djp_node_string(env, djp_tracestate_text(roots.state));
    djp_tracestate_unref(roots.state);
    return result;
}

/* Input of composite samplers: a name, a kind, and either encoded attributes or a request. */
typedef struct log_shown {
    djp_node_text name;
    djp_node_texts request; /* method, path, scheme, route, and "websocket" for a websocket */
} log_shown;

/* Reads four values: name, kind, bytes or undefined, an array of texts or undefined. Release in any
 * case. */
static void
log_show(djp_oplog_root *out, log_shown *shown, napi_env env, napi_value *given)
{
    uint8_t *bytes;
    size_t size;
    (void)djp_node_text_get(&shown->name, env, given[0]);
    out->name = shown->name.text;
    out->kind = (unsigned)djp_node_int(env, given[1], 0);
    memset(&shown->request, 0, sizeof shown->request);
    if (djp_node_type(env, given[3]) == napi_object &&
        djp_node_texts_get(&shown->request, env, given[3], 5, 1) && shown->request.count >= 4) {
        djp_text *texts = shown->request.texts;
        out->http = shown->request.count == 5 ? 2 : 1;
        out->request = (djp_http_request){
            .method = texts[0], .path = texts[1], .scheme = texts[2], .route = texts[3]};
    } else if (djp_node_type(env, given[2]) == napi_object &&
               djp_node_bytes(env, given[2], &bytes, &size)) {
        /* borrowed until JavaScript runs again, which is after the decision */
        out->attributes = bytes;
        out->attributes_size = size;
    }
}

static void
log_shown_release(log_shown *shown)
{
    djp_node_text_release(&shown->name);
    djp_node_texts_release(&shown->request);
}

/* Returns '' or [incoming tracestate, tracestate to propagate, payload of KEYED or null]. Releases
 * the contents of the reply. */
static napi_value
log_reply(napi_env env, djp_text incoming, djp_oplog_reply *reply)
{
    napi_value list = NULL, keyed = NULL;
    djp_text outgoing = djp_tracestate_text(reply->state);
    if (incoming.size == 0 && outgoing.size == 0 && reply->keyed == NULL) {
        list = djp_node_string(env, incoming);
    } else if (djp_node_ok(env, napi_create_array_with_length(env, 3, &list))) {
        napi_value first = djp_node_string(env, incoming), second = djp_node_string(env, outgoing);
        int good = first != NULL && second != NULL &&
                   djp_node_ok(env, napi_set_element(env, list, 0, first)) &&
                   djp_node_ok(env, napi_set_element(env, list, 1, second));
        if (good && reply->keyed != NULL &&
            djp_node_ok(
                env, napi_create_buffer_copy(env, reply->keyed_size, reply->keyed, NULL, &keyed))) {
            good = djp_node_ok(env, napi_set_element(env, list, 2, keyed));
        }
        list = good ? list : NULL;
    }
    djp_tracestate_unref(reply->state);
    djp_free((char *)reply->keyed);
    return list == NULL ? djp_node_null(env) : list;
}

/* logContext(traceparent, tracestate, words, name, kind, attributes, request): null without a
 * remote context; else the result of log_reply. words receive trace id (4), span id (2), flags of
 * the parent, and from word 7 the decision words. */
static napi_value
log_context(napi_env env, napi_callback_info info)
{
    napi_value given[7];
    djp_span_context context;
    log_shown shown;
    djp_oplog_root root = {.parent = &context};
    djp_oplog_reply reply;
    if (!djp_node_arguments(env, info, given, 7) ||
        !djp_node_context_read(&context, env, given[0], given[1])) {
        return djp_node_null(env);
    }
    log_show(&root, &shown, env, given + 3);
    /* Only now: the getter of an element may have detached the words. */
    int32_t *words = djp_node_words(env, given[2], 12);
    djp_oplog *log = log_of(env);
    napi_value result = NULL;
    if (words != NULL && log != NULL) {
        djp_node_context_to_words(words, &context);
        djp_oplog_decide(&reply, log, &root);
        log_decision_words(words + 7, &reply.decision);
        result = log_reply(env, djp_tracestate_text(context.state), &reply);
    }
    log_shown_release(&shown);
    djp_span_context_clear(&context);
    return result == NULL ? djp_node_null(env) : result;
}

/* logDecide(words, name, kind, attributes, request): the decision for a new trace, whose id is in
 * the first four words. The result of log_reply; null without a log. */
static napi_value
log_decide(napi_env env, napi_callback_info info)
{
    napi_value given[5];
    log_shown shown;
    djp_oplog_root root = {0};
    djp_oplog_reply reply;
    uint8_t trace_id[16];
    djp_oplog *log = log_of(env);
    if (log == NULL || !djp_node_arguments(env, info, given, 5)) {
        return djp_node_null(env);
    }
    log_show(&root, &shown, env, given + 1);
    int32_t *words = djp_node_words(env, given[0], 12);
    napi_value result = NULL;
    if (words != NULL) {
        for (size_t i = 0; i < 16; i++) {
            trace_id[i] = (uint8_t)((uint32_t)words[i / 4] >> (24 - 8 * (i % 4)));
        }
        root.trace_id = trace_id;
        djp_oplog_decide(&reply, log, &root);
        log_decision_words(words + 7, &reply.decision);
        result = log_reply(env, (djp_text){"", 0}, &reply);
    }
    log_shown_release(&shown);
    return result == NULL ? djp_node_null(env) : result;
}

void
djp_node_log_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"logOpen", log_open_new}, {"logWake", log_wake}, {"logDrain", log_drain},
        {"logRandom", log_random}, {"logHead", log_head}, {"logContext", log_context},
        {"logDecide", log_decide},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
