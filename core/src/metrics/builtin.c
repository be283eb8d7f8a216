/* The documented families of a service, and the call that records a request. Labels are resolved
 * once per route and status; later requests cost a hash, a comparison and a few atomic
 * additions. */
#include "metrics/builtin.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "metrics/exemplar.h"

#define BUILTIN_PROBES 8u
#define BUILTIN_METHOD_OTHER UINT32_MAX
#define BUILTIN_METHODS "GET,POST,PUT,DELETE,HEAD,PATCH,OPTIONS,CONNECT,TRACE,QUERY"

/* Placeholder of a family whose name another declaration uses. */
static djp_family builtin_taken;

static djp_family *
builtin_make_family(djp_builtin *builtin, size_t i)
{
    const djp__builtin_definition *definition = &djp__builtin_definitions[i];
    const char *const *labels = definition->labels;
    if (builtin->path_style && definition->path_labels[0]) {
        labels = definition->path_labels;
    }
    djp_family_options options = {
        .type = definition->type,
        .name = definition->name,
        .help = definition->help,
        .unit = definition->unit,
        .labels = labels,
        .buckets = definition->buckets,
        .bucket_count = definition->bucket_count,
        /* The requests of all processes; the others measure something outside of a process: a
         * queue, a device. */
        .mode = i == DJP__BUILTIN_SERVER_ACTIVE ? DJP_GAUGE_LIVESUM : DJP_GAUGE_LIVEMOSTRECENT,
    };
    while (options.label_count < DJP__BUILTIN_LABELS_MAX && labels[options.label_count]) {
        options.label_count++;
    }
    djp_family *family = NULL, *empty = NULL;
    int error = djp_family_new(&family, builtin->registry, &options);
    if (error >= 0) {
        djp__store_release(&builtin->families[i], family);
    } else if (error == DJP_EEXIST &&
               djp__cas_strong_acq_rel(&builtin->families[i], &empty, &builtin_taken) &&
               builtin->on_taken) {
        builtin->on_taken(builtin->user, definition->name);
    }
    return family;
}

djp_family *
djp__builtin_family_at(djp_builtin *builtin, size_t i)
{
    djp_family *family = djp__load_acquire(&builtin->families[i]);
    family = family != NULL ? family : builtin_make_family(builtin, i);
    return family == &builtin_taken ? NULL : family;
}

static void
builtin_lost(djp_builtin *builtin)
{
    djp__add_relaxed(&builtin->registry->dropped, 1);
}

djp_family *
djp_builtin_family(djp_builtin *builtin, const char *name)
{
    if (builtin == NULL || name == NULL) {
        return NULL;
    }
    size_t i = djp__builtin_find(name);
    return i < djp__builtin_count ? djp__builtin_family_at(builtin, i) : NULL;
}

int
djp__builtin_record_at(djp_builtin *builtin, size_t index, const djp_text *labels,
                       size_t label_count, double value, const djp_span_context *context,
                       uint64_t unix_ns)
{
    const djp__builtin_definition *definition = &djp__builtin_definitions[index];
    djp_family *family = djp__builtin_family_at(builtin, index);
    if (family == NULL || label_count != family->entry->label_count || !isfinite(value) ||
        (definition->type != DJP_GAUGE && value < 0)) {
        builtin_lost(builtin);
        return DJP_EINVAL;
    }
    djp_series *series = djp_family_series(family, labels);
    if (definition->type == DJP_COUNTER) {
        djp__counter_add_at(series, value, context, unix_ns);
    } else if (definition->type == DJP_GAUGE) {
        djp_gauge_set(series, value);
    } else {
        djp__histogram_observe_at(series, value, context, unix_ns);
    }
    return 0;
}

int
djp_builtin_record(djp_builtin *builtin, const char *name, const djp_text *labels,
                   size_t label_count, double value, const djp_span_context *context)
{
    size_t i = name != NULL ? djp__builtin_find(name) : djp__builtin_count;
    if (builtin == NULL || i >= djp__builtin_count || i < DJP__BUILTIN_OTHERS) {
        return DJP_EINVAL;
    }
    return djp__builtin_record_at(builtin, i, labels, label_count, value, context, 0);
}

static uint32_t
builtin_find_method(const djp_builtin *builtin, djp_text method)
{
    size_t found = djp__words_find(&builtin->methods, method);
    return found < builtin->methods.count ? (uint32_t)found : BUILTIN_METHOD_OTHER;
}

int
djp_builtin_new(djp_builtin **out, djp_registry *registry, const djp_builtin_options *options)
{
    if (out == NULL || registry == NULL) {
        return DJP_EINVAL;
    }
    *out = NULL;
    djp_builtin *builtin = djp__calloc(1, sizeof *builtin);
    if (builtin == NULL) {
        return DJP_ENOMEM;
    }
    const djp_builtin_options none = DJP_BUILTIN_OPTIONS_INIT;
    options = options != NULL ? options : &none;
    builtin->registry = registry;
    builtin->status_class = options->status_class;
    builtin->conventions = options->conventions;
    builtin->path_style = options->label_style_path;
    builtin->on_taken = options->on_taken;
    builtin->user = options->user;
    builtin->service = djp__strdup(options->service ? options->service : "");
    int has_methods = options->known_methods != NULL && options->known_methods[0];
    int result =
        djp__words_init(&builtin->methods, has_methods ? options->known_methods : BUILTIN_METHODS);
    if (!builtin->service || result != 0) {
        djp_builtin_free(builtin);
        return DJP_ENOMEM;
    }
    *out = builtin;
    return 0;
}

void
djp_builtin_free(djp_builtin *builtin)
{
    if (builtin == NULL) {
        return;
    }
    djp__builtin_route *route = djp__load_acquire(&builtin->routes);
    while (route != NULL) {
        djp__builtin_route *next = route->next;
        djp__free(route);
        route = next;
    }
    djp__free(builtin->service);
    djp__words_fini(&builtin->methods);
    djp__free(builtin);
}

/* The class has the same fixed set of first digits, so that a regular expression like 5.. matches
 * both forms. */
static djp_text
builtin_status(const djp_builtin *builtin, char out[8], int status)
{
    if (status < 100 || status > 599) {
        return djp__text("other");
    }
    snprintf(out, 8, builtin->status_class ? "%dxx" : "%d",
             builtin->status_class ? status / 100 : status);
    return (djp_text){out, 3};
}

static djp_text
builtin_method_text(const djp_builtin *builtin, uint32_t method)
{
    return method == BUILTIN_METHOD_OTHER ? djp__text("_OTHER")
                                          : builtin->methods.items[method].text;
}

/* The series of one of the three HTTP families for a request's labels. */
static djp_series *
builtin_series(djp_builtin *builtin, size_t which, uint32_t method, djp_text endpoint, int status)
{
    char digits[8];
    djp_text method_text = builtin_method_text(builtin, method);
    djp_text status_text = builtin_status(builtin, digits, status);
    djp_text plain[3] = {method_text, endpoint, status_text};
    djp_text path[4] = {djp__text(builtin->service), method_text, endpoint, status_text};
    return djp_family_series(djp__builtin_family_at(builtin, which),
                             builtin->path_style ? path : plain);
}

/* Eight bytes at a time; the last word overlaps the one before. */
static uint64_t
builtin_hash(djp_text endpoint, uint32_t method, int status)
{
    uint64_t hash = ((uint64_t)method << 32 ^ (uint32_t)status ^ (uint64_t)endpoint.size << 16) *
                    0x9e3779b97f4a7c15u,
             word;
    const char *at = endpoint.data;
    size_t left = endpoint.size;
    for (; left > 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    if (endpoint.size >= 8) {
        memcpy(&word, endpoint.data + endpoint.size - 8, 8);
    } else {
        word = 0;
        for (size_t i = 0; i < left; i++) {
            word = word << 8 | (unsigned char)at[i];
        }
    }
    hash = (hash ^ word) * 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

/* Eight bytes at a time as above: endpoints are short, and a call of memcmp costs more than the
 * comparison. */
static inline int
builtin_same_bytes(const char *a, const char *b, size_t size)
{
    if (size <= DJP__TEXT_WORDS_SIZE) {
        djp__text_words left = djp__text_to_words((djp_text){a, size}),
                        right = djp__text_to_words((djp_text){b, size});
        return djp__text_words_equal(&left, &right);
    }
    uint64_t left, right, differences = 0;
    for (size_t at = 0; at < size; at += 8) {
        size_t from = at + 8 <= size ? at : size - 8;
        memcpy(&left, a + from, 8);
        memcpy(&right, b + from, 8);
        differences |= left ^ right;
    }
    return differences == 0;
}

static int
builtin_route_matches(const djp__builtin_route *route, uint64_t hash, uint32_t method,
                      djp_text endpoint, int status)
{
    return route->hash == hash && route->method == method && route->status == status &&
           route->size == endpoint.size &&
           builtin_same_bytes(route->endpoint, endpoint.data, endpoint.size);
}

/* 1: later requests of the same labels may use the series, or it will never be available. */
static int
builtin_is_lasting(const djp_builtin *builtin, size_t which, const djp_series *series)
{
    if (series == NULL) {
        return djp__load_acquire(&builtin->families[which]) == &builtin_taken;
    }
    return !(series->entry->is_overflow && series->family->entry->label_count > 0);
}

/* Caches a route. Overflow series are not cached: unbounded endpoints must not fill the cache. */
static void
builtin_keep(djp_builtin *builtin, const djp__builtin_route *made, djp_text endpoint)
{
    if (!builtin_is_lasting(builtin, DJP__BUILTIN_DURATION, made->duration) ||
        !builtin_is_lasting(builtin, DJP__BUILTIN_REQUESTS, made->requests)) {
        return;
    }
    djp__builtin_route *empty = NULL;
    for (uint32_t i = 0; i < BUILTIN_PROBES; i++) {
        DJP__ATOMIC(djp__builtin_route *) *place =
            &builtin->cache[(made->hash + i) & (DJP__BUILTIN_CACHE - 1)];
        djp__builtin_route *old = djp__load_acquire(place);
        int stale =
            old && builtin_route_matches(old, made->hash, made->method, endpoint, made->status);
        if (old != NULL && !stale) {
            continue;
        }
        djp__builtin_route *route = djp__alloc(sizeof *route + endpoint.size);
        if (route == NULL) {
            return;
        }
        memcpy(route, made, sizeof *made);
        memcpy(route->endpoint, endpoint.data, endpoint.size);
        empty = old;
        if (!djp__cas_strong_acq_rel(place, &empty, route)) {
            djp__free(route);
            return;
        }
        /* A replaced route may still be in use: it remains in the list until the end. */
        route->next = djp__load_relaxed(&builtin->routes);
        while (!djp__cas_weak_acq_rel(&builtin->routes, &route->next, route)) {
        }
        return;
    }
}

/* A series that will never be available counts as live: another look-up would not find it. */
static inline int
builtin_is_alive(const djp_series *series)
{
    return series == NULL || djp__series_is_live(series);
}

static djp__builtin_route *
builtin_find(djp_builtin *builtin, uint64_t hash, uint32_t method, djp_text endpoint, int status)
{
    for (uint32_t i = 0; i < BUILTIN_PROBES; i++) {
        djp__builtin_route *route =
            djp__load_acquire(&builtin->cache[(hash + i) & (DJP__BUILTIN_CACHE - 1)]);
        if (route == NULL) {
            return NULL;
        }
        if (builtin_route_matches(route, hash, method, endpoint, status)) {
            return builtin_is_alive(route->duration) && builtin_is_alive(route->requests) ? route
                                                                                          : NULL;
        }
    }
    return NULL;
}

static void
builtin_record(djp_builtin *builtin, djp__builtin_route *route, djp_text endpoint,
               uint64_t duration_ns, int64_t request_bytes, const djp_span_context *context,
               uint64_t unix_ns)
{
    if (route->duration && duration_ns != DJP_DURATION_UNKNOWN) {
        djp__histogram_observe_at(route->duration, (double)duration_ns / 1e9, context, unix_ns);
    } else {
        builtin_lost(builtin);
    }
    if (route->requests != NULL) {
        djp__counter_add_at(route->requests, 1, context, unix_ns);
    } else {
        builtin_lost(builtin);
    }
    if (request_bytes < 0) {
        return;
    }
    djp_series *bytes = djp__load_relaxed(&route->bytes);
    if (bytes == NULL || !djp__series_is_live(bytes)) {
        bytes = builtin_series(builtin, DJP__BUILTIN_SIZE, route->method, endpoint, route->status);
        djp__store_release(&route->bytes, bytes);
    }
    djp_histogram_observe(bytes, (double)request_bytes);
}

void
djp_builtin_http_request(djp_builtin *builtin, djp_text method, djp_text endpoint, int status_code,
                         uint64_t duration_ns, int64_t request_bytes,
                         const djp_span_context *context)
{
    djp__builtin_http_request_at(builtin, method, endpoint, status_code, duration_ns, request_bytes,
                                 context, 0);
}

void
djp__builtin_http_request_at(djp_builtin *builtin, djp_text method, djp_text endpoint,
                             int status_code, uint64_t duration_ns, int64_t request_bytes,
                             const djp_span_context *context, uint64_t unix_ns)
{
    if (builtin == NULL) {
        return;
    }
    if (!endpoint.data) {
        endpoint = (djp_text){"", 0};
    }
    if (endpoint.size > DJP_LABEL_SIZE_MAX) {
        endpoint.size = djp__utf8_cut(endpoint.data, endpoint.size, DJP_LABEL_SIZE_MAX);
    }
    uint32_t known = builtin_find_method(builtin, method);
    int status = status_code < 100 || status_code > 599 ? 0 : status_code;
    uint64_t hash = builtin_hash(endpoint, known, status);
    djp__builtin_route *route = builtin_find(builtin, hash, known, endpoint, status);
    if (route != NULL) {
        builtin_record(builtin, route, endpoint, duration_ns, request_bytes, context, unix_ns);
        return;
    }
    djp__builtin_route made;
    memset(&made, 0, sizeof made);
    made.hash = hash;
    made.method = known;
    made.status = status;
    made.size = endpoint.size;
    made.duration = builtin_series(builtin, DJP__BUILTIN_DURATION, known, endpoint, status);
    made.requests = builtin_series(builtin, DJP__BUILTIN_REQUESTS, known, endpoint, status);
    builtin_record(builtin, &made, endpoint, duration_ns, request_bytes, context, unix_ns);
    builtin_keep(builtin, &made, endpoint);
}
