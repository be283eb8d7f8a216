/* Operation logs for JavaScript: one per copy of the package in an environment, seen as an
 * ArrayBuffer over the core's memory. A log belongs to the process's SDK whenever there is one.
 * Recording never comes here; only its rare needs do. */
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
    for (node_log *item = log_open; item != NULL; item = item->next_open) {
        (void)djp_oplog_attach(item->log, sdk->sdk);
    }
    pthread_mutex_unlock(&log_mutex);
}

/* Out of both lists; what was published is replayed. JavaScript thread. */
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

/* The ArrayBuffer was collected with its copy of the package, or its environment ends: nothing in
 * JavaScript sees the memory any more. The data of the environment may be gone. */
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

/* logOpen(): the memory of a new log. Throws without memory, or where ArrayBuffers over foreign
 * memory are not allowed. */
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

/* The log that the environment opened last: for questions that any of them answers alike. Borrowed;
 * NULL without one. */
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
    for (node_log *item = self == NULL ? NULL : self->log; item != NULL; item = item->next) {
        djp_oplog_wake(item->log);
    }
    return NULL;
}

/* logDrain(units): replays here what the environment's logs hold, at most units of each; true when
 * that made room. */
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

/* The five words of a decision in a START: flag, outcome and reason, then threshold and recorded,
 * the lower half first. */
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

/* logHead(words): how roots are decided: words get the lower 32 and the upper 25 bits of the
 * threshold, then the decision about those that are sampled and about those that are not; returns
 * the tracestate of sampled roots, '' for none. */
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

/* What a tree of samplers may look at: a name, a kind, and either attributes in the log's form or
 * what is known of a request. */
typedef struct log_shown {
    djp_node_text name;
    djp_node_texts request; /* method, path, scheme, route, and "websocket" for one */
} log_shown;

/* From four values: name, kind, bytes or undefined, an array of texts or undefined. Released in any
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
        /* borrowed until the next JavaScript: there is none before the decision */
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

/* '' or [state that came, state to propagate, payload of KEYED or null]. Takes what the reply
 * holds. */
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
 * remote context; else as log_reply, and words hold trace id (4), span id (2), the parent's flags,
 * and in words 7 to 11 what log_decision_words says. */
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
    /* Only now: the getter of an element may have taken the words away. */
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

/* logDecide(words, name, kind, attributes, request): the decision for a trace that begins here,
 * whose id is in the first four words. As log_reply; null when there is nobody to ask. */
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
