/* Metric cells for JavaScript: each copy of the package in an environment writes counters and
 * histograms of its own through Float64Arrays over the core's memory, and notices by one control
 * word that telemetry began or ended. Only the look-up of a series, gauges and what is rare come
 * through here. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "binding.h"
#include "djp/shard.h"

enum { CELLS_CONTROL_BYTES = 64, CELLS_SWEEP = 256 };

/* The word that JavaScript sees lives as long as its ArrayBuffer and its environment. */
typedef struct cells_control {
    /* [0] changes when an SDK begins or ends; any thread, release */
    _Atomic(int32_t) words[CELLS_CONTROL_BYTES / 4];
    _Atomic(uint32_t) references;
    struct cells_env *owner; /* JavaScript thread; NULL once that has ended */
} cells_control;

typedef struct cells_env {
    cells_control *control; /* a reference */
    pthread_mutex_t mutex;
    djp_shard *cells; /* a reference, or NULL; under the mutex, as sdk */
    djp_node_sdk *sdk; /* a reference while there are cells: they must end before their registry */
    struct cells_env *next; /* under cells_list_mutex */
} cells_env;

/* Order of locks: the holder's, the list's, an environment's, the table's and the registry's. */
static pthread_mutex_t cells_list_mutex = PTHREAD_MUTEX_INITIALIZER;
static cells_env *cells_list;

static void
cells_control_unref(cells_control *control)
{
    if (atomic_fetch_sub_explicit(&control->references, 1, memory_order_acq_rel) == 1) {
        free(control);
    }
}

/* Lets go of the cells. Returns the SDK, to be released without locks. */
static djp_node_sdk *
cells_env_detach(cells_env *self)
{
    djp_node_sdk *sdk = self->sdk;
    djp_shard_end(self->cells);
    djp_shard_unref(self->cells);
    self->cells = NULL;
    self->sdk = NULL;
    return sdk;
}

/* ---- begin and end ---- */

void
djp_node_cells_activated(void)
{
    pthread_mutex_lock(&cells_list_mutex);
    for (cells_env *item = cells_list; item != NULL; item = item->next) {
        atomic_fetch_add_explicit(&item->control->words[0], 1, memory_order_acq_rel);
    }
    pthread_mutex_unlock(&cells_list_mutex);
}

void
djp_node_cells_before_stop(djp_node_sdk *sdk)
{
    size_t held = 0;
    atomic_store_explicit(&sdk->cells_over, 1u, memory_order_release);
    pthread_mutex_lock(&cells_list_mutex);
    for (cells_env *item = cells_list; item != NULL; item = item->next) {
        pthread_mutex_lock(&item->mutex);
        atomic_fetch_add_explicit(&item->control->words[0], 1, memory_order_acq_rel);
        if (item->sdk == sdk) {
            (void)cells_env_detach(item);
            held++;
        }
        pthread_mutex_unlock(&item->mutex);
    }
    pthread_mutex_unlock(&cells_list_mutex);
    for (size_t i = 0; i < held; i++) {
        djp_node_sdk_release(sdk); /* never the last one: the caller has its own */
    }
}

static void
cells_env_end(void *data)
{
    cells_env *self = data;
    pthread_mutex_lock(&cells_list_mutex);
    for (cells_env **link = &cells_list; *link != NULL; link = &(*link)->next) {
        if (*link == self) {
            *link = self->next;
            break;
        }
    }
    pthread_mutex_unlock(&cells_list_mutex);
    djp_node_sdk *sdk = cells_env_detach(self);
    djp_node_sdk_release(sdk);
    self->control->owner = NULL;
    cells_control_unref(self->control);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

/* The word was collected with its copy of the package: nobody is left to write to the cells. */
static void
cells_control_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)data;
    cells_control *control = hint;
    cells_env *self = control->owner;
    if (self != NULL && atomic_load_explicit(&control->references, memory_order_acquire) ==
                            2) { /* this one and the environment's */
        pthread_mutex_lock(&self->mutex);
        djp_node_sdk *sdk = cells_env_detach(self);
        pthread_mutex_unlock(&self->mutex);
        djp_node_sdk_release(sdk);
    }
    cells_control_unref(control);
}

static cells_env *
cells_arguments(napi_env env, napi_callback_info info, napi_value *out, size_t count)
{
    void *self = NULL;
    size_t given = count;
    return djp_node_ok(env, napi_get_cb_info(env, info, &given, out, NULL, &self)) ? self : NULL;
}

/* cellsOpen(): the memory of the control word. Throws where ArrayBuffers over foreign memory are
 * not allowed. */
static napi_value
cells_open(napi_env env, napi_callback_info info)
{
    napi_value buffer = NULL;
    cells_env *self = cells_arguments(env, info, NULL, 0);
    if (self == NULL) {
        return NULL;
    }
    atomic_fetch_add_explicit(&self->control->references, 1, memory_order_relaxed);
    if (djp_node_ok(env,
                    napi_create_external_arraybuffer(env, self->control, CELLS_CONTROL_BYTES,
                                                     cells_control_gone, self->control, &buffer))) {
        return buffer;
    }
    cells_control_unref(self->control);
    djp_node_throw(env, "this runtime does not allow ArrayBuffers over native memory");
    return NULL;
}

/* ---- places ---- */

/* Makes the cells of *sdk and keeps that reference; *sdk becomes the one to be released without
 * locks. Mutex held. */
static int
cells_attach(cells_env *self, djp_node_sdk **sdk)
{
    djp_shard *cells = NULL;
    if (self->sdk == *sdk) {
        return 1;
    }
    /* After the end has passed by, nobody would take the cells away again. */
    if (atomic_load_explicit(&(*sdk)->cells_over, memory_order_acquire) != 0) {
        return 0;
    }
    if (djp_shard_new(&cells, (*sdk)->registry, (*sdk)->recorder != NULL) != 0) {
        return 0;
    }
    djp_node_sdk *old = cells_env_detach(self);
    self->sdk = *sdk;
    self->cells = cells;
    *sdk = old;
    return 1;
}

/* cellsBind(series): the place of the series' cells, chunk * 8192 + index; -1 for a number that is
 * not known, or without memory. */
static napi_value
cells_bind(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    size_t chunk = 0, index = 0;
    double place = -1;
    cells_env *self = cells_arguments(env, info, given, 1);
    djp_node_sdk *sdk = self == NULL ? NULL : djp_node_sdk_acquire();
    djp_series *series = djp_node_series_at(sdk, djp_node_number(env, given[0], 0));
    if (series != NULL) {
        pthread_mutex_lock(&self->mutex);
        if (cells_attach(self, &sdk) && djp_shard_bind(&chunk, &index, self->cells, series) == 0) {
            place = (double)(chunk * DJP_SHARD_CHUNK_DOUBLES + index);
        }
        pthread_mutex_unlock(&self->mutex);
    }
    djp_node_sdk_release(sdk);
    return djp_node_double(env, place);
}

static void
cells_chunk_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)data;
    djp_shard_unref(hint);
}

/* cellsChunk(chunk, epoch): the memory of a chunk of that SDK's cells, or null. At most once for
 * each. */
static napi_value
cells_chunk(napi_env env, napi_callback_info info)
{
    napi_value given[2], buffer = NULL;
    double *memory = NULL;
    djp_shard *cells = NULL;
    cells_env *self = cells_arguments(env, info, given, 2);
    if (self == NULL) {
        return NULL;
    }
    int chunk = djp_node_int(env, given[0], -1);
    double epoch = djp_node_number(env, given[1], 0);
    pthread_mutex_lock(&self->mutex);
    if (self->sdk != NULL && (double)self->sdk->epoch == epoch && chunk >= 0) {
        memory = djp_shard_chunk(self->cells, (size_t)chunk);
        cells = memory == NULL ? NULL : djp_shard_ref(self->cells);
    }
    pthread_mutex_unlock(&self->mutex);
    if (cells == NULL) {
        return djp_node_null(env);
    }
    if (djp_node_ok(env, napi_create_external_arraybuffer(env, memory,
                                                          DJP_SHARD_CHUNK_DOUBLES * sizeof(double),
                                                          cells_chunk_gone, cells, &buffer))) {
        return buffer;
    }
    djp_shard_unref(cells);
    return djp_node_null(env);
}

/* cellsSweep(epoch): places of removed series, which JavaScript must forget now. */
static napi_value
cells_sweep(napi_env env, napi_callback_info info)
{
    napi_value given[1], list = NULL;
    uint32_t places[CELLS_SWEEP];
    size_t count = 0;
    cells_env *self = cells_arguments(env, info, given, 1);
    double epoch = self == NULL ? 0 : djp_node_number(env, given[0], 0);
    if (self == NULL || !djp_node_ok(env, napi_create_array(env, &list))) {
        return NULL;
    }
    pthread_mutex_lock(&self->mutex);
    if (self->sdk != NULL && (double)self->sdk->epoch == epoch) {
        count = djp_shard_sweep(places, CELLS_SWEEP, self->cells);
    }
    pthread_mutex_unlock(&self->mutex);
    for (uint32_t i = 0; i < count; i++) {
        napi_value place = djp_node_double(env, places[i]);
        if (place != NULL) {
            (void)djp_node_ok(env, napi_set_element(env, list, i, place));
        }
    }
    return list;
}

/* ---- what is not hot ---- */

/* cellsBounds(series): a histogram's bounds as an array of numbers. */
static napi_value
cells_bounds(napi_env env, napi_callback_info info)
{
    napi_value given[1], list = NULL;
    if (cells_arguments(env, info, given, 1) == NULL ||
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

/* cellsFold(): what reads the registry afterwards finds everything that was recorded. */
static napi_value
cells_fold(napi_env env, napi_callback_info info)
{
    (void)env;
    (void)info;
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    if (sdk != NULL) {
        djp_registry_fold(sdk->registry);
    }
    djp_node_sdk_release(sdk);
    return NULL;
}

/* cellsDropped(): counts a recording that named no series. */
static napi_value
cells_dropped(napi_env env, napi_callback_info info)
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

/* cellsExemplar(series, value, words): an exemplar without a recording; words as in
 * djp_node_context_from_words. */
static napi_value
cells_exemplar(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    djp_span_context context;
    if (cells_arguments(env, info, given, 3) == NULL) {
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
cells_gauge_apply(djp_series *series, double call, double value)
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

/* cellsGauge(series, call, value): whether the series was there. */
static napi_value
cells_gauge(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    double number = 0, call = 0, value = 0;
    int done = 0;
    cells_env *self = cells_arguments(env, info, given, 3);
    if (self == NULL || !djp_node_ok(env, napi_get_value_double(env, given[0], &number)) ||
        !djp_node_ok(env, napi_get_value_double(env, given[1], &call)) ||
        !djp_node_ok(env, napi_get_value_double(env, given[2], &value))) {
        return djp_node_boolean(env, 0);
    }
    djp_node_sdk *sdk = NULL;
    pthread_mutex_lock(&self->mutex);
    if (self->sdk != NULL) {
        done = cells_gauge_apply(djp_node_series_at(self->sdk, number), call, value);
    }
    pthread_mutex_unlock(&self->mutex);
    if (!done && (sdk = djp_node_sdk_acquire()) != NULL && sdk->registry != NULL) {
        pthread_mutex_lock(&self->mutex);
        if (self->sdk != sdk && cells_attach(self, &sdk)) {
            done = cells_gauge_apply(djp_node_series_at(self->sdk, number), call, value);
        }
        pthread_mutex_unlock(&self->mutex);
    }
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, done);
}

/* ---- the environment ---- */

static cells_env *
cells_env_new(napi_env env)
{
    cells_env *self = calloc(1, sizeof *self);
    cells_control *control = calloc(1, sizeof *control);
    if (self == NULL || control == NULL) {
        free(self);
        free(control);
        return NULL;
    }
    atomic_store_explicit(&control->references, 1, memory_order_relaxed);
    self->control = control;
    control->owner = self;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_mutex_lock(&cells_list_mutex);
    self->next = cells_list;
    cells_list = self;
    pthread_mutex_unlock(&cells_list_mutex);
    if (djp_node_ok(env, napi_add_env_cleanup_hook(env, cells_env_end, self))) {
        return self;
    }
    cells_env_end(self);
    return NULL;
}

void
djp_node_cells_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"cellsOpen", cells_open},         {"cellsBind", cells_bind},
        {"cellsChunk", cells_chunk},       {"cellsSweep", cells_sweep},
        {"cellsBounds", cells_bounds},     {"cellsFold", cells_fold},
        {"cellsDropped", cells_dropped},   {"cellsGauge", cells_gauge},
        {"cellsExemplar", cells_exemplar},
    };
    cells_env *self = cells_env_new(env);
    for (size_t i = 0; self != NULL && i < sizeof functions / sizeof functions[0]; i++) {
        napi_value function;
        if (djp_node_ok(env, napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                                                  functions[i].call, self, &function))) {
            djp_node_put(env, exports, functions[i].name, function);
        }
    }
}
