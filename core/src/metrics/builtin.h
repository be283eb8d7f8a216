/* The state of djp_builtin: families created on demand, and the cache from a request's labels to
 * its series. */
#ifndef DJP_METRICS_BUILTIN_H
#define DJP_METRICS_BUILTIN_H

#include "base/words.h"
#include "metrics/registry.h"
#include "metrics/builtin_table.h"

#define DJP__BUILTIN_FAMILIES_MAX 32u
#define DJP__BUILTIN_CACHE 4096u /* places; a power of two */

/* The series of one (method, endpoint, status). Immutable once published. */
typedef struct djp__builtin_route {
    uint64_t hash;
    uint32_t method;
    int status;
    size_t size;
    djp_series *duration, *requests; /* NULL: another declaration uses the family's name */
    /* set at the first request with a size; relaxed: all writers store the same value */
    DJP__ATOMIC(djp_series *) bytes;
    struct djp__builtin_route *next; /* all routes, to free them */
    char endpoint[];
} djp__builtin_route;

struct djp_builtin {
    djp_registry *registry; /* borrowed */
    int status_class;
    int path_style;
    int conventions;
    void (*on_taken)(void *user, const char *name); /* or NULL */
    void *user; /* borrowed */
    char *service; /* owned, "" when none */
    djp__words methods;
    DJP__ATOMIC(djp_family *) families[DJP__BUILTIN_FAMILIES_MAX]; /* release, made once each */
    DJP__ATOMIC(djp__builtin_route *) cache[DJP__BUILTIN_CACHE]; /* release */
    DJP__ATOMIC(djp__builtin_route *) routes; /* owned list, newest first; acq_rel */
};

/* The family of an index, created by the first call; NULL if it is unavailable: each recording lost
 * by that is counted by the caller. */
djp_family *djp__builtin_family_at(djp_builtin *builtin, size_t index);

/* djp_builtin_record by the index of the table, with the time of the exemplar. 0: now. */
int djp__builtin_record_at(djp_builtin *builtin, size_t index, const djp_text *labels,
                           size_t label_count, double value, const djp_span_context *context,
                           uint64_t unix_ns);

/* djp_builtin_http_request with the time of the exemplar. 0: now. */
void djp__builtin_http_request_at(djp_builtin *builtin, djp_text method, djp_text endpoint,
                                  int status_code, uint64_t duration_ns, int64_t request_bytes,
                                  const djp_span_context *context, uint64_t unix_ns);

/* A request to a server, by the attributes of the conventions. Texts may be empty: unknown. */
typedef struct djp__builtin_exchange {
    djp_text method, scheme, route, version, error_type;
    int status; /* 0: none was sent */
    uint64_t duration_ns;
    int64_t request_bytes; /* -1: unknown */
    const djp_span_context *context; /* or NULL */
    uint64_t unix_ns; /* of the exemplar */
} djp__builtin_exchange;
/* Records it in the families of the conventions. Borrows all. */
void djp__builtin_http_exchange(djp_builtin *builtin, const djp__builtin_exchange *exchange);

#endif
