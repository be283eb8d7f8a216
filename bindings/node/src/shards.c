/* Metric shards for JavaScript. Each copy of the package in an environment writes counters and
 * histograms through typed arrays over its stripe of the metrics memory. A control word changes
 * when an SDK starts or ends. Only look-ups of series, gauges and rare calls enter C. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "binding.h"
#include "djp/shard.h"

enum { SHARDS_CONTROL_BYTES = 64 };

/* Lives as long as the ArrayBuffer over its words and its environment. */
typedef struct shards_control {
    /* [0] changes when an SDK starts or ends; any thread, release */
    _Atomic(int32_t) words[SHARDS_CONTROL_BYTES / 4];
    _Atomic(uint32_t) references;
    struct shards_env *owner; /* JavaScript thread; NULL after the environment has ended */
} shards_control;

typedef struct shards_env {
    shards_control *control; /* a reference */
    pthread_mutex_t mutex;
    /* a reference; NULL without one, or if no stripe was free; under the mutex, as sdk */
    djp_shard *shard;
    djp_node_sdk *sdk; /* a reference, or NULL: the shard must end before its registry */
    struct shards_env *next; /* under shards_list_mutex */
} shards_env;

/* Order of locks: instance, list, environment, then table and registry. */
static pthread_mutex_t shards_list_mutex = PTHREAD_MUTEX_INITIALIZER;
static shards_env *shards_list;

static void
shards_control_unref(shards_control *control)
{
    if (atomic_fetch_sub_explicit(&control->references, 1, memory_order_acq_rel) == 1) {
        free(control);
    }
}

/* Ends the shard; is_over 1: no code writes to it any more. Returns the SDK, for release without
 * locks. */
static djp_node_sdk *
shards_env_detach(shards_env *self, int is_over)
{
    djp_node_sdk *sdk = self->sdk;
    if (is_over) {
        djp_shard_finish(self->shard);
    } else {
        djp_shard_end(self->shard);
    }
    djp_shard_unref(self->shard);
    self->shard = NULL;
    self->sdk = NULL;
    return sdk;
}

/* ---- begin and end ---- */

void
djp_node_shards_activated(void)
{
    pthread_mutex_lock(&shards_list_mutex);
    for (shards_env *item = shards_list; item != NULL; item = item->next) {
        atomic_fetch_add_explicit(&item->control->words[0], 1, memory_order_acq_rel);
    }
    pthread_mutex_unlock(&shards_list_mutex);
}

void
djp_node_shards_before_stop(djp_node_sdk *sdk)
{
    size_t held = 0;
    atomic_store_explicit(&sdk->shards_over, 1u, memory_order_release);
    pthread_mutex_lock(&shards_list_mutex);
    for (shards_env *item = shards_list; item != NULL; item = item->next) {
        pthread_mutex_lock(&item->mutex);
        atomic_fetch_add_explicit(&item->control->words[0], 1, memory_order_acq_rel);
        if (item->sdk == sdk) {
            (void)shards_env_detach(item, 0);
            held++;
        }
        pthread_mutex_unlock(&item->mutex);
    }
    pthread_mutex_unlock(&shards_list_mutex);
    for (size_t i = 0; i < held; i++) {
        djp_node_sdk_release(sdk); /* never the last reference: the caller has one */
    }
}

static void
shards_env_end(void *data)
{
    shards_env *self = data;
    pthread_mutex_lock(&shards_list_mutex);
    for (shards_env **link = &shards_list; *link != NULL; link = &(*link)->next) {
        if (*link == self) {
            *link = self->next;
            break;
        }
    }
    pthread_mutex_unlock(&shards_list_mutex);
    djp_node_sdk *sdk = shards_env_detach(self, 1);
    djp_node_sdk_release(sdk);
    self->control->owner = NULL;
    shards_control_unref(self->control);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

/* The ArrayBuffer of the control word was collected, so no code writes to the shard. */
static void
shards_control_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)data;
    shards_control *control = hint;
    shards_env *self = control->owner;
    if (self != NULL && atomic_load_explicit(&control->references, memory_order_acquire) ==
                            2) { /* this one and the environment's */
        pthread_mutex_lock(&self->mutex);
        djp_node_sdk *sdk = shards_env_detach(self, 1);
        pthread_mutex_unlock(&self->mutex);
        djp_node_sdk_release(sdk);
    }
    shards_control_unref(control);
}

static shards_env *
shards_arguments(napi_env env, napi_callback_info info, napi_value *out, size_t count)
{
    void *self = NULL;
    size_t given = count;
    return djp_node_ok(env, napi_get_cb_info(env, info, &given, out, NULL, &self)) ? self : NULL;
}

/* shardsOpen(): the memory of the control word. Throws if the runtime forbids ArrayBuffers over
 * native memory. */
static napi_value
shards_open(napi_env env, napi_callback_info info)
{
    napi_value buffer = NULL;
    shards_env *self = shards_arguments(env, info, NULL, 0);
    if (self == NULL) {
        return NULL;
    }
    atomic_fetch_add_explicit(&self->control->references, 1, memory_order_relaxed);
    if (djp_node_ok(env, napi_create_external_arraybuffer(env, self->control, SHARDS_CONTROL_BYTES,
                                                          shards_control_gone, self->control,
                                                          &buffer))) {
        return buffer;
    }
    shards_control_unref(self->control);
    djp_node_throw(env, "this runtime does not allow ArrayBuffers over native memory");
    return NULL;
}

/* ---- places ---- */

/* Creates the shard of *sdk, if a stripe is free, and takes that reference; *sdk becomes the SDK to
 * release without locks. Mutex held. */
static int
shards_attach(shards_env *self, djp_node_sdk **sdk)
{
    djp_shard *shard = NULL;
    if (self->sdk == *sdk) {
        return 1;
    }
    /* A shard created after the end of the SDK would never be ended. */
    if (atomic_load_explicit(&(*sdk)->shards_over, memory_order_acquire) != 0) {
        return 0;
    }
    (void)djp_shard_new(&shard, (*sdk)->registry, (*sdk)->recorder != NULL);
    djp_node_sdk *old = shards_env_detach(self, 0);
    self->sdk = *sdk;
    self->shard = shard;
    *sdk = old;
    return 1;
}

/* shardsBind(series): the place of the series; -1 - place if a removed series had it; NaN without a
 * place. */
static napi_value
shards_bind(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    size_t place = 0;
    int result = -1;
    shards_env *self = shards_arguments(env, info, given, 1);
    djp_node_sdk *sdk = self == NULL ? NULL : djp_node_sdk_acquire();
    djp_series *series = djp_node_series_at(sdk, djp_node_number(env, given[0], 0));
    if (series != NULL) {
        pthread_mutex_lock(&self->mutex);
        if (shards_attach(self, &sdk) && self->shard != NULL) {
            result = djp_shard_bind(&place, self->shard, series);
        }
        pthread_mutex_unlock(&self->mutex);
    }
    djp_node_sdk_release(sdk);
    return djp_node_double(env, result < 0 ? NAN : result > 0 ? -1 - (double)place : (double)place);
}

static void
shards_row_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)data;
    djp_shard_unref(hint);
}

/* shardsRow(row, epoch): the memory of a row of the shard of that SDK, or null. At most one call
 * per row. */
static napi_value
shards_row(napi_env env, napi_callback_info info)
{
    napi_value given[2], buffer = NULL;
    double *memory = NULL;
    djp_shard *shard = NULL;
    shards_env *self = shards_arguments(env, info, given, 2);
    if (self == NULL) {
        return NULL;
    }
    int row = djp_node_int(env, given[0], -1);
    double epoch = djp_node_number(env, given[1], 0);
    pthread_mutex_lock(&self->mutex);
    if (self->sdk != NULL && (double)self->sdk->epoch == epoch && row >= 0) {
        memory = djp_shard_row(self->shard, (size_t)row);
        shard = memory == NULL ? NULL : djp_shard_ref(self->shard);
    }
    pthread_mutex_unlock(&self->mutex);
    if (shard == NULL) {
        return djp_node_null(env);
    }
    if (djp_node_ok(env, napi_create_external_arraybuffer(env, memory,
                                                          DJP_SHARD_ROW_WORDS * sizeof(double),
                                                          shards_row_gone, shard, &buffer))) {
        return buffer;
    }
    djp_shard_unref(shard);
    return djp_node_null(env);
}

/* shardsCarry(place): adds 1 to the count there. */
static napi_value
shards_carry(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    shards_env *self = shards_arguments(env, info, given, 1);
    if (self != NULL) {
        double place = djp_node_number(env, given[0], -1);
        pthread_mutex_lock(&self->mutex);
        if (place >= 0) {
            djp_shard_carry(self->shard, (size_t)place);
        }
        pthread_mutex_unlock(&self->mutex);
    }
    return NULL;
}

/* ---- what is not hot ---- */

/* shardsBounds(series): the bounds of a histogram as an array of numbers. */
static napi_value
shards_bounds(napi_env env, napi_callback_info info)
{
    napi_value given[1], list = NULL;
    if (shards_arguments(env, info, given, 1) == NULL ||
        !djp_node_ok(env, napi_create_array(env, &list))) {
        return NULL;
    }
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    const djp_series *series = djp_node_series_at(sdk, djp_node_number(env, given[0], 0));
    const double *bounds;
    size_t count = djp_series_bounds(&bounds, series);
    for (uint32_t i = 0; i < count; i++) {
        napi_value bound = djp_node_double(env, bounds[i]);
        if (bound != NULL) {
            (void)djp_node_ok(env, napi_set_element(env, list, i, bound));
        }
    }
    djp_node_sdk_release(sdk);
    return list;
}

/* shardsRecord(series, value, isHistogram): adds to a counter, or observes, without a shard.
 * Returns whether the series exists. */
static napi_value
shards_record(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    int done = 0;
    if (shards_arguments(env, info, given, 3) == NULL) {
        return NULL;
    }
    double value = djp_node_number(env, given[1], NAN);
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    djp_series *series = djp_node_series_at(sdk, djp_node_number(env, given[0], 0));
    if (djp_series_is_live(series)) {
        done = 1;
        if (djp_node_int(env, given[2], 0)) {
            djp_histogram_observe(series, value);
        } else {
            djp_counter_add(series, value);
        }
    }
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, done);
}

/* shardsDecline(series): withdraws the request for an exemplar. */
static napi_value
shards_decline(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    shards_env *self = shards_arguments(env, info, given, 1);
    if (self != NULL) {
        pthread_mutex_lock(&self->mutex);
        djp_shard_decline(self->shard,
                          djp_node_series_at(self->sdk, djp_node_number(env, given[0], 0)));
        pthread_mutex_unlock(&self->mutex);
    }
    return NULL;
}

/* shardsDropped(): counts a recording that named no series. */
static napi_value
shards_dropped(napi_env env, napi_callback_info info)
{
    (void)env;
    (void)info;
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    if (sdk != NULL) {
        djp_registry_add_dropped(sdk->registry, 1);
    }
    djp_node_sdk_release(sdk);
    return NULL;
}

/* shardsExemplar(series, value, words): an exemplar without a recording; words as for
 * djp_node_context_from_words. */
static napi_value
shards_exemplar(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    djp_span_context context;
    if (shards_arguments(env, info, given, 3) == NULL) {
        return NULL;
    }
    const int32_t *words = djp_node_words(env, given[2], 7);
    if (words == NULL || !djp_node_context_from_words(&context, words)) {
        return NULL;
    }
    double value = djp_node_number(env, given[1], NAN);
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    djp_series *series = djp_node_series_at(sdk, djp_node_number(env, given[0], 0));
    djp_series_add_exemplar(series, value, &context);
    djp_node_sdk_release(sdk);
    return NULL;
}

enum { GAUGE_SET = 0, GAUGE_ADD = 1, GAUGE_NOW = 2 };

static int
shards_gauge_apply(djp_series *series, double call, double value)
{
    if (!djp_series_is_live(series)) {
        return 0;
    }
    if (call == GAUGE_SET) {
        djp_gauge_set(series, value);
    } else if (call == GAUGE_ADD) {
        djp_gauge_add(series, value);
    } else {
        djp_gauge_set_to_now(series);
    }
    return 1;
}

/* shardsGauge(series, call, value): whether the series exists. */
static napi_value
shards_gauge(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    double number = 0, call = 0, value = 0;
    int done = 0;
    shards_env *self = shards_arguments(env, info, given, 3);
    if (self == NULL || !djp_node_ok(env, napi_get_value_double(env, given[0], &number)) ||
        !djp_node_ok(env, napi_get_value_double(env, given[1], &call)) ||
        !djp_node_ok(env, napi_get_value_double(env, given[2], &value))) {
        return djp_node_boolean(env, 0);
    }
    djp_node_sdk *sdk = NULL;
    pthread_mutex_lock(&self->mutex);
    if (self->sdk != NULL) {
        done = shards_gauge_apply(djp_node_series_at(self->sdk, number), call, value);
    }
    pthread_mutex_unlock(&self->mutex);
    if (!done && (sdk = djp_node_sdk_acquire()) != NULL && sdk->registry != NULL) {
        pthread_mutex_lock(&self->mutex);
        if (self->sdk != sdk && shards_attach(self, &sdk)) {
            done = shards_gauge_apply(djp_node_series_at(self->sdk, number), call, value);
        }
        pthread_mutex_unlock(&self->mutex);
    }
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, done);
}

/* ---- the environment ---- */

static shards_env *
shards_env_new(napi_env env)
{
    shards_env *self = calloc(1, sizeof *self);
    shards_control *control = calloc(1, sizeof *control);
    if (self == NULL || control == NULL) {
        free(self);
        free(control);
        return NULL;
    }
    atomic_store_explicit(&control->references, 1, memory_order_relaxed);
    self->control = control;
    control->owner = self;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_mutex_lock(&shards_list_mutex);
    self->next = shards_list;
    shards_list = self;
    pthread_mutex_unlock(&shards_list_mutex);
    if (djp_node_ok(env, napi_add_env_cleanup_hook(env, shards_env_end, self))) {
        return self;
    }
    shards_env_end(self);
    return NULL;
}

void
djp_node_shards_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"shardsOpen", shards_open},         {"shardsBind", shards_bind},
        {"shardsRow", shards_row},           {"shardsCarry", shards_carry},
        {"shardsBounds", shards_bounds},     {"shardsRecord", shards_record},
        {"shardsDropped", shards_dropped},   {"shardsGauge", shards_gauge},
        {"shardsExemplar", shards_exemplar}, {"shardsDecline", shards_decline},
    };
    shards_env *self = shards_env_new(env);
    for (size_t i = 0; self != NULL && i < sizeof functions / sizeof functions[0]; i++) {
        napi_value function;
        if (djp_node_ok(env, napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                                                  functions[i].call, self, &function))) {
            djp_node_put(env, exports, functions[i].name, function);
        }
    }
}
