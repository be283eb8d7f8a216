/* The documented families as data. Every duration list has a bound at each usual alert objective
 * (0.3, 0.5, 2 and 5 seconds), because a quantile between two bounds is an estimate. */
#include "metrics/builtin_table.h"

#include <string.h>

#define BUILTIN_BUCKETS(list) (list), sizeof list / sizeof((list)[0])
#define BUILTIN_SERVER_LABELS                                                       \
    "http_request_method", "url_scheme", "http_route", "http_response_status_code", \
        "network_protocol_version", "error_type"

static const double builtin_job_buckets[] = {0.1, 0.3, 0.5, 1, 2, 2.5, 5, 10, 30, 60, 120};
static const double builtin_call_buckets[] = {0.1, 0.25, 0.3, 0.5, 1, 2, 2.5, 5, 10, 30};
static const double builtin_task_buckets[] = {0.1, 0.3, 0.5, 1, 2, 2.5, 5, 10, 30, 60, 120, 300};
/* The boundaries of the conventions, word by word. */
static const double builtin_convention_buckets[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                                    0.5,   0.75, 1,     2.5,  5,     7.5, 10};
static const double builtin_size_buckets[] = {256,    1024,    4096,    16384,    65536,
                                              262144, 1048576, 4194304, 16777216, 67108864};

const djp__builtin_definition djp__builtin_definitions[] = {
    [DJP__BUILTIN_DURATION] = {"http_request_duration_seconds",
                               NULL,
                               DJP_HISTOGRAM,
                               "seconds",
                               "Duration of HTTP requests in seconds.",
                               {"method", "endpoint", "status_code"},
                               {"service", "method", "path"},
                               NULL,
                               0},
    [DJP__BUILTIN_REQUESTS] = {"http_requests_total",
                               NULL,
                               DJP_COUNTER,
                               "",
                               "Completed HTTP requests.",
                               {"method", "endpoint", "status_code"},
                               {"service", "method", "path", "status"},
                               NULL,
                               0},
    [DJP__BUILTIN_SIZE] = {"http_request_size_bytes",
                           NULL,
                           DJP_HISTOGRAM,
                           "bytes",
                           "Size of HTTP request bodies, in bytes.",
                           {"method", "endpoint"},
                           {"service", "method", "path"},
                           BUILTIN_BUCKETS(builtin_size_buckets)},
    [DJP__BUILTIN_CLIENT] = {"http_client_request_duration_seconds",
                             NULL,
                             DJP_HISTOGRAM,
                             "seconds",
                             "Duration of HTTP client requests in seconds.",
                             {"http_request_method", "server_address", "server_port",
                              "http_response_status_code", "error_type"},
                             {NULL},
                             NULL,
                             0},
    [DJP__BUILTIN_SERVER_DURATION] = {"http_server_request_duration_seconds",
                                      NULL,
                                      DJP_HISTOGRAM,
                                      "seconds",
                                      "Duration of HTTP server requests.",
                                      {BUILTIN_SERVER_LABELS},
                                      {NULL},
                                      BUILTIN_BUCKETS(builtin_convention_buckets)},
    [DJP__BUILTIN_SERVER_ACTIVE] = {"http_server_active_requests",
                                    NULL,
                                    DJP_GAUGE,
                                    "",
                                    "Requests to the HTTP server that have not ended.",
                                    {"http_request_method", "url_scheme"},
                                    {NULL},
                                    NULL,
                                    0},
    [DJP__BUILTIN_SERVER_REQUEST_SIZE] = {"http_server_request_body_size_bytes",
                                          NULL,
                                          DJP_HISTOGRAM,
                                          "bytes",
                                          "Size of HTTP server request bodies.",
                                          {BUILTIN_SERVER_LABELS},
                                          {NULL},
                                          BUILTIN_BUCKETS(builtin_size_buckets)},
    [DJP__BUILTIN_CLIENT_DURATION] = {"http_client_request_duration_seconds",
                                      NULL,
                                      DJP_HISTOGRAM,
                                      "seconds",
                                      "Duration of HTTP client requests.",
                                      {"http_request_method", "server_address", "server_port",
                                       "http_response_status_code", "error_type",
                                       "network_protocol_version"},
                                      {NULL},
                                      BUILTIN_BUCKETS(builtin_convention_buckets)},
    {"queue_job_latency_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "Time that jobs took, in seconds.",
     {"job_type"},
     {NULL},
     BUILTIN_BUCKETS(builtin_job_buckets)},
    {"queue_depth",
     "queue_depth_total",
     DJP_GAUGE,
     "",
     "Jobs that wait in a queue.",
     {"queue_name"},
     {NULL},
     NULL,
     0},
    {"queue_job_failures_total",
     NULL,
     DJP_COUNTER,
     "",
     "Jobs that failed.",
     {"error_type"},
     {NULL},
     NULL,
     0},
    {"external_api_calls_total",
     NULL,
     DJP_COUNTER,
     "",
     "Calls of external services.",
     {"service", "operation"},
     {NULL},
     NULL,
     0},
    {"external_api_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "Time of external calls, in seconds.",
     {"service", "operation"},
     {NULL},
     BUILTIN_BUCKETS(builtin_call_buckets)},
    {"external_api_errors_total",
     NULL,
     DJP_COUNTER,
     "",
     "External calls that failed.",
     {"service", "status_code"},
     {NULL},
     NULL,
     0},
    {"token_cost_usd_total",
     NULL,
     DJP_COUNTER,
     "usd",
     "Cost of model tokens, in US dollars.",
     {"model", "tenant"},
     {NULL},
     NULL,
     0},
    {"workflow_cost_usd_total",
     NULL,
     DJP_COUNTER,
     "usd",
     "Cost of workflows, in US dollars.",
     {NULL},
     {NULL},
     NULL,
     0},
    {"model_requests_total",
     NULL,
     DJP_COUNTER,
     "",
     "Requests to models.",
     {"provider", "model", "status"},
     {NULL},
     NULL,
     0},
    {"model_tokens_total",
     NULL,
     DJP_COUNTER,
     "",
     "Tokens that models read and wrote; type is input or output.",
     {"provider", "model", "type"},
     {NULL},
     NULL,
     0},
    {"model_cost_usd_total",
     NULL,
     DJP_COUNTER,
     "usd",
     "Cost of model requests, in US dollars.",
     {"provider", "model"},
     {NULL},
     NULL,
     0},
    {"task_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "Time that tasks took, in seconds.",
     {"status", "priority"},
     {NULL},
     BUILTIN_BUCKETS(builtin_task_buckets)},
    {"task_queue_depth", NULL, DJP_GAUGE, "", "Tasks that wait.", {"priority"}, {NULL}, NULL, 0},
    {"gpu_utilization_percent",
     NULL,
     DJP_GAUGE,
     "percent",
     "GPU utilisation in percent.",
     {"device", "model"},
     {NULL},
     NULL,
     0},
};
const size_t djp__builtin_count =
    sizeof djp__builtin_definitions / sizeof djp__builtin_definitions[0];

static int
builtin_is_named(const djp__builtin_definition *definition, const char *name)
{
    size_t size = strlen(name), whole = strlen(definition->name);
    if (definition->alias && strcmp(definition->alias, name) == 0) {
        return 1;
    }
    if (definition->type == DJP_COUNTER && whole == size + 6 &&
        strcmp(definition->name + size, "_total") == 0) {
        return memcmp(definition->name, name, size) == 0;
    }
    return strcmp(definition->name, name) == 0;
}

static int
builtin_has_labels(const char *const *labels, const djp_family_options *options)
{
    size_t i = 0;
    for (; i < options->label_count && i < DJP__BUILTIN_LABELS_MAX && labels[i]; i++) {
        if (strcmp(labels[i], options->labels[i]) != 0) {
            return 0;
        }
    }
    return i == options->label_count && (i == DJP__BUILTIN_LABELS_MAX || !labels[i]);
}

size_t
djp__builtin_find(const char *name)
{
    size_t i = 0;
    while (i < djp__builtin_count && !builtin_is_named(&djp__builtin_definitions[i], name)) {
        i++;
    }
    return i;
}

const djp__builtin_definition *
djp__builtin_documented(const djp_family_options *options)
{
    for (size_t i = djp__builtin_find(options->name); i < djp__builtin_count; i++) {
        const djp__builtin_definition *definition = &djp__builtin_definitions[i];
        int is_path =
            definition->path_labels[0] && builtin_has_labels(definition->path_labels, options);
        if (definition->type == options->type && builtin_is_named(definition, options->name) &&
            (is_path || builtin_has_labels(definition->labels, options))) {
            return definition;
        }
    }
    return NULL;
}
