/* The documented families of a service and the one call that records a request. Labels are resolved once per route and
 * status; afterwards a request costs a hash, a compare and a few atomic additions. */
#include "metrics/standard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "metrics/exemplar.h"

#define STANDARD_PROBES 8u
#define STANDARD_METHOD_OTHER UINT32_MAX
#define STANDARD_METHODS "GET,POST,PUT,DELETE,HEAD,PATCH,OPTIONS,CONNECT,TRACE,QUERY"

/* Stands in a place whose family another declaration has taken for good. */
static djp_family standard_taken;

static djp_family *
standard_make_family(djp_standard *standard, size_t i)
{
    const djp_standard_definition *definition = &djp__standard_definitions[i];
    const char *const *labels = definition->labels;
    if (standard->path_style && definition->path_labels[0]) {
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
    };
    while (options.label_count < DJP_STANDARD_LABELS_MAX && labels[options.label_count]) {
        options.label_count++;
    }
    djp_family *family = NULL, *empty = NULL;
    int error = djp_family_new(&family, standard->registry, &options);
    if (error >= 0) {
        djp_store_release(&standard->families[i], family);
    } else if (error == DJP_EEXIST && djp_cas_strong_acq_rel(&standard->families[i], &empty, &standard_taken) &&
               standard->on_taken) {
        standard->on_taken(standard->user, definition->name);
    }
    return family;
}

/* NULL when it cannot be had; each recording that is lost by it is counted. */
static djp_family *
standard_family(djp_standard *standard, size_t i)
{
    djp_family *family = djp_load_acquire(&standard->families[i]);
    family = family ? family : standard_make_family(standard, i);
    return family == &standard_taken ? NULL : family;
}

static void
standard_lost(djp_standard *standard)
{
    djp_add_relaxed(&standard->registry->dropped, 1);
}

djp_family *
djp_standard_family(djp_standard *standard, const char *name)
{
    if (!standard || !name) {
        return NULL;
    }
    size_t i = djp__standard_find(name);
    return i < djp__standard_count ? standard_family(standard, i) : NULL;
}

int
djp_standard_record(djp_standard *standard, const char *name, const djp_text *labels, size_t label_count, double value,
                    const djp_span_context *context)
{
    size_t i = name ? djp__standard_find(name) : djp__standard_count;
    if (!standard || i >= djp__standard_count || i < DJP_STANDARD_OTHERS) {
        return DJP_EINVAL;
    }
    const djp_standard_definition *definition = &djp__standard_definitions[i];
    djp_family *family = standard_family(standard, i);
    if (!family || label_count != family->entry->label_count || !isfinite(value) ||
        (definition->type != DJP_GAUGE && value < 0)) {
        standard_lost(standard);
        return DJP_EINVAL;
    }
    djp_series *series = djp_family_series(family, labels);
    if (definition->type == DJP_COUNTER) {
        djp_counter_add_with_context(series, value, context);
    } else if (definition->type == DJP_GAUGE) {
        djp_gauge_set(series, value);
    } else {
        djp_histogram_observe_with_context(series, value, context);
    }
    return 0;
}

static void
standard_read_methods(djp_standard *standard)
{
    djp_text rest = djp__text(standard->methods_text), part;
    while (standard->method_count < DJP_STANDARD_METHODS_MAX && djp__text_split(&part, &rest, ',')) {
        part = djp__text_trim(part);
        if (part.size > 0 && part.size <= DJP_TEXT_WORDS_SIZE) {
            djp_standard_method *method = &standard->methods[standard->method_count++];
            method->words = djp__text_words(part);
            method->text = part;
        }
    }
}

static uint32_t
standard_find_method(const djp_standard *standard, djp_text method)
{
    if (method.size == 0 || method.size > DJP_TEXT_WORDS_SIZE || !method.data) {
        return STANDARD_METHOD_OTHER;
    }
    djp_text_words words = djp__text_words(method);
    for (uint32_t i = 0; i < standard->method_count; i++) {
        if (djp__text_words_equal(&standard->methods[i].words, &words)) {
            return i;
        }
    }
    return STANDARD_METHOD_OTHER;
}

int
djp_standard_new(djp_standard **out, djp_registry *registry, const djp_standard_options *options)
{
    if (!out || !registry) {
        return DJP_EINVAL;
    }
    *out = NULL;
    djp_standard *standard = djp__calloc(1, sizeof *standard);
    if (!standard) {
        return DJP_ENOMEM;
    }
    standard->registry = registry;
    standard->status_class = options ? options->status_class : 0;
    standard->path_style = options ? options->label_style_path : 0;
    standard->on_taken = options ? options->on_taken : NULL;
    standard->user = options ? options->user : NULL;
    standard->service = djp__strdup(options && options->service ? options->service : "");
    standard->methods_text = djp__strdup(
        options && options->known_methods && options->known_methods[0] ? options->known_methods : STANDARD_METHODS);
    if (!standard->service || !standard->methods_text) {
        djp_standard_free(standard);
        return DJP_ENOMEM;
    }
    standard_read_methods(standard);
    *out = standard;
    return 0;
}

void
djp_standard_free(djp_standard *standard)
{
    if (!standard) {
        return;
    }
    djp_standard_route *route = djp_load_acquire(&standard->routes);
    while (route) {
        djp_standard_route *next = route->next;
        djp__free(route);
        route = next;
    }
    djp__free(standard->service);
    djp__free(standard->methods_text);
    djp__free(standard);
}

/* The class is written from the same fixed set, so that a regular expression like 5.. finds both forms. */
static djp_text
standard_status(const djp_standard *standard, char out[8], int status)
{
    if (status < 100 || status > 599) {
        return djp__text("other");
    }
    snprintf(out, 8, standard->status_class ? "%dxx" : "%d", standard->status_class ? status / 100 : status);
    return (djp_text){out, 3};
}

static djp_text
standard_method_text(const djp_standard *standard, uint32_t method)
{
    return method == STANDARD_METHOD_OTHER ? djp__text("_OTHER") : standard->methods[method].text;
}

/* The series of one of the three HTTP families for a request's labels. */
static djp_series *
standard_series(djp_standard *standard, size_t which, uint32_t method, djp_text endpoint, int status)
{
    char digits[8];
    djp_text method_text = standard_method_text(standard, method);
    djp_text status_text = standard_status(standard, digits, status);
    djp_text plain[3] = {method_text, endpoint, status_text};
    djp_text path[4] = {djp__text(standard->service), method_text, endpoint, status_text};
    return djp_family_series(standard_family(standard, which), standard->path_style ? path : plain);
}

/* Eight bytes at a time; the last word overlaps the one before. */
static uint64_t
standard_hash(djp_text endpoint, uint32_t method, int status)
{
    uint64_t hash = ((uint64_t)method << 32 ^ (uint32_t)status ^ (uint64_t)endpoint.size << 16) * 0x9e3779b97f4a7c15u,
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

/* Eight bytes at a time as above: endpoints are short, and a call of memcmp costs more than the comparison. */
static inline int
standard_same_bytes(const char *a, const char *b, size_t size)
{
    if (size <= DJP_TEXT_WORDS_SIZE) {
        djp_text_words left = djp__text_words((djp_text){a, size}), right = djp__text_words((djp_text){b, size});
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
standard_route_matches(const djp_standard_route *route, uint64_t hash, uint32_t method, djp_text endpoint, int status)
{
    return route->hash == hash && route->method == method && route->status == status && route->size == endpoint.size &&
           standard_same_bytes(route->endpoint, endpoint.data, endpoint.size);
}

/* 1 for a series that later requests of the same labels may use, and for one that never will be there. */
static int
standard_is_lasting(const djp_standard *standard, size_t which, const djp_series *series)
{
    if (!series) {
        return djp_load_acquire(&standard->families[which]) == &standard_taken;
    }
    return !(series->entry->is_overflow && series->family->entry->label_count > 0);
}

/* Keeps a route for the next request. Overflow series are not kept: unbounded endpoints must not fill the cache. */
static void
standard_keep(djp_standard *standard, const djp_standard_route *made, djp_text endpoint)
{
    if (!standard_is_lasting(standard, DJP_STANDARD_DURATION, made->duration) ||
        !standard_is_lasting(standard, DJP_STANDARD_REQUESTS, made->requests)) {
        return;
    }
    djp_standard_route *empty = NULL;
    for (uint32_t i = 0; i < STANDARD_PROBES; i++) {
        DJP_ATOMIC(djp_standard_route *) *place = &standard->cache[(made->hash + i) & (DJP_STANDARD_CACHE - 1)];
        djp_standard_route *old = djp_load_acquire(place);
        int stale = old && standard_route_matches(old, made->hash, made->method, endpoint, made->status);
        if (old && !stale) {
            continue;
        }
        djp_standard_route *route = djp__alloc(sizeof *route + endpoint.size);
        if (!route) {
            return;
        }
        memcpy(route, made, sizeof *made);
        memcpy(route->endpoint, endpoint.data, endpoint.size);
        empty = old;
        if (!djp_cas_strong_acq_rel(place, &empty, route)) {
            djp__free(route);
            return;
        }
        /* A replaced route may still be in use: it stays in the list until the end. */
        route->next = djp_load_relaxed(&standard->routes);
        while (!djp_cas_weak_acq_rel(&standard->routes, &route->next, route)) {
        }
        return;
    }
}

/* A series that never will be there is as good as a live one: asking again would not find it. */
static inline int
standard_is_alive(const djp_series *series)
{
    return !series || djp__series_is_live(series);
}

static djp_standard_route *
standard_find(djp_standard *standard, uint64_t hash, uint32_t method, djp_text endpoint, int status)
{
    for (uint32_t i = 0; i < STANDARD_PROBES; i++) {
        djp_standard_route *route = djp_load_acquire(&standard->cache[(hash + i) & (DJP_STANDARD_CACHE - 1)]);
        if (!route) {
            return NULL;
        }
        if (standard_route_matches(route, hash, method, endpoint, status)) {
            return standard_is_alive(route->duration) && standard_is_alive(route->requests) ? route : NULL;
        }
    }
    return NULL;
}

static void
standard_record(djp_standard *standard, djp_standard_route *route, djp_text endpoint, uint64_t duration_ns,
                int64_t request_bytes, const djp_span_context *context, uint64_t unix_ns)
{
    if (route->duration && duration_ns != DJP_DURATION_UNKNOWN) {
        djp__histogram_observe_at(route->duration, (double)duration_ns / 1e9, context, unix_ns);
    } else {
        standard_lost(standard);
    }
    if (route->requests) {
        djp__counter_add_at(route->requests, 1, context, unix_ns);
    } else {
        standard_lost(standard);
    }
    if (request_bytes < 0) {
        return;
    }
    djp_series *bytes = djp_load_relaxed(&route->bytes);
    if (!bytes || !djp__series_is_live(bytes)) {
        bytes = standard_series(standard, DJP_STANDARD_SIZE, route->method, endpoint, route->status);
        djp_store_release(&route->bytes, bytes);
    }
    djp_histogram_observe(bytes, (double)request_bytes);
}

void
djp_standard_http_request(djp_standard *standard, djp_text method, djp_text endpoint, int status_code,
                          uint64_t duration_ns, int64_t request_bytes, const djp_span_context *context)
{
    djp__standard_http_request_at(standard, method, endpoint, status_code, duration_ns, request_bytes, context, 0);
}

void
djp__standard_http_request_at(djp_standard *standard, djp_text method, djp_text endpoint, int status_code,
                              uint64_t duration_ns, int64_t request_bytes, const djp_span_context *context,
                              uint64_t unix_ns)
{
    if (!standard) {
        return;
    }
    if (!endpoint.data) {
        endpoint = (djp_text){"", 0};
    }
    if (endpoint.size > DJP_LABEL_SIZE_MAX) {
        endpoint.size = djp__utf8_cut(endpoint.data, endpoint.size, DJP_LABEL_SIZE_MAX);
    }
    uint32_t known = standard_find_method(standard, method);
    int status = status_code < 100 || status_code > 599 ? 0 : status_code;
    uint64_t hash = standard_hash(endpoint, known, status);
    djp_standard_route *route = standard_find(standard, hash, known, endpoint, status);
    if (route) {
        standard_record(standard, route, endpoint, duration_ns, request_bytes, context, unix_ns);
        return;
    }
    djp_standard_route made;
    memset(&made, 0, sizeof made);
    made.hash = hash;
    made.method = known;
    made.status = status;
    made.size = endpoint.size;
    made.duration = standard_series(standard, DJP_STANDARD_DURATION, known, endpoint, status);
    made.requests = standard_series(standard, DJP_STANDARD_REQUESTS, known, endpoint, status);
    standard_record(standard, &made, endpoint, duration_ns, request_bytes, context, unix_ns);
    standard_keep(standard, &made, endpoint);
}
