/* The state behind djp_standard: families made on demand and the cache from a request's labels to its series. */
#ifndef DJP_METRICS_STANDARD_H
#define DJP_METRICS_STANDARD_H

#include "base/str.h"
#include "metrics/registry.h"
#include "metrics/standard_table.h"

#define DJP_STANDARD_FAMILIES_MAX 32u
#define DJP_STANDARD_METHODS_MAX 32u
#define DJP_STANDARD_CACHE 4096u /* places; a power of two */

typedef struct djp_standard_method {
    djp_text_words words;
    djp_text text;
} djp_standard_method;

/* The series of one (method, endpoint, status). Immutable once published. */
typedef struct djp_standard_route {
    uint64_t hash;
    uint32_t method;
    int status;
    size_t size;
    djp_series *duration, *requests; /* NULL: the family has been taken by another declaration */
    DJP_ATOMIC(djp_series *) bytes; /* found at the first request with a size; relaxed: all writers write the same */
    struct djp_standard_route *next; /* all routes, for the end */
    char endpoint[];
} djp_standard_route;

struct djp_standard {
    djp_registry *registry; /* borrowed */
    int status_class;
    int path_style;
    void (*on_taken)(void *user, const char *name); /* or NULL */
    void *user; /* borrowed */
    char *service; /* owned, "" when none */
    char *methods_text;
    djp_standard_method methods[DJP_STANDARD_METHODS_MAX];
    uint32_t method_count;
    DJP_ATOMIC(djp_family *) families[DJP_STANDARD_FAMILIES_MAX]; /* release, made once each */
    DJP_ATOMIC(djp_standard_route *) cache[DJP_STANDARD_CACHE]; /* release */
    DJP_ATOMIC(djp_standard_route *) routes; /* owned list, newest first; acq_rel */
};

/* djp_standard_http_request with the time of the exemplar, for callers that know it. 0: now. */
void djp__standard_http_request_at(djp_standard *standard, djp_text method, djp_text endpoint, int status_code,
                                   uint64_t duration_ns, int64_t request_bytes, const djp_span_context *context,
                                   uint64_t unix_ns);

#endif
