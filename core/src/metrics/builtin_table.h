/* The documented families: names, labels, buckets, and the match with a declaration. */
#ifndef DJP_METRICS_BUILTIN_TABLE_H
#define DJP_METRICS_BUILTIN_TABLE_H

#include "djp/metrics.h"

#define DJP__BUILTIN_LABELS_MAX 6u

typedef struct djp__builtin_definition {
    const char *name; /* as documented, "_total" of counters included */
    const char *alias; /* gauges: a second documented name, only in text 0.0.4; or NULL */
    djp_metric_type type;
    const char *unit;
    const char *help;
    const char *labels[DJP__BUILTIN_LABELS_MAX];
    const char *path_labels[DJP__BUILTIN_LABELS_MAX]; /* in the path style; all NULL: the same */
    const double *buckets;
    size_t bucket_count;
} djp__builtin_definition;

enum {
    DJP__BUILTIN_DURATION, /* http_request_duration_seconds */
    DJP__BUILTIN_REQUESTS, /* http_requests_total */
    DJP__BUILTIN_SIZE, /* http_request_size_bytes */
    DJP__BUILTIN_OTHERS,
    DJP__BUILTIN_CLIENT = DJP__BUILTIN_OTHERS, /* http_client_request_duration_seconds */
    /* under the OpenTelemetry conventions (settings.semconv): */
    DJP__BUILTIN_SERVER_DURATION, /* http_server_request_duration_seconds */
    DJP__BUILTIN_SERVER_ACTIVE, /* http_server_active_requests */
    DJP__BUILTIN_SERVER_REQUEST_SIZE, /* http_server_request_body_size_bytes */
    DJP__BUILTIN_CLIENT_DURATION /* http_client_request_duration_seconds, in place of the other */
};

extern const djp__builtin_definition djp__builtin_definitions[];
extern const size_t djp__builtin_count;

/* Returns the index of the first family of a documented name (with or without "_total"), or
 * djp__builtin_count. */
size_t djp__builtin_find(const char *name);

/* Returns the documented family of a declaration with the same name (a counter's without "_total",
 * or a gauge's second name), type and labels in either style; NULL for any other declaration. */
const djp__builtin_definition *djp__builtin_documented(const djp_family_options *options);

#endif
