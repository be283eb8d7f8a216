/* The documented families word by word: names, types, labels and every bound, and which declaration
 * means which of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/builtin_table.h"

typedef struct row {
    const char *name, *alias;
    djp_metric_type type;
    const char *unit, *labels, *path_labels;
    double bounds[15]; /* 0: the end */
} row;

#define SERVER                                                             \
    "http_request_method url_scheme http_route http_response_status_code " \
    "network_protocol_version error_type "
/* in the order of the table */
static const row rows[] = {
    {"http_request_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "method endpoint status_code ",
     "service method path ",
     {0}},
    {"http_requests_total",
     NULL,
     DJP_COUNTER,
     "",
     "method endpoint status_code ",
     "service method path status ",
     {0}},
    {"http_request_size_bytes",
     NULL,
     DJP_HISTOGRAM,
     "bytes",
     "method endpoint ",
     "service method path ",
     {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}},
    {"http_client_request_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "http_request_method server_address server_port http_response_status_code error_type ",
     "",
     {0}},
    {"http_server_request_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     SERVER,
     "",
     {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}},
    {"http_server_active_requests",
     NULL,
     DJP_GAUGE,
     "",
     "http_request_method url_scheme ",
     "",
     {0}},
    {"http_server_request_body_size_bytes",
     NULL,
     DJP_HISTOGRAM,
     "bytes",
     SERVER,
     "",
     {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}},
    {"http_client_request_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "http_request_method server_address server_port http_response_status_code error_type "
     "network_protocol_version ",
     "",
     {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}},
    {"queue_job_latency_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "job_type ",
     "",
     {0.1, 0.3, 0.5, 1, 2, 2.5, 5, 10, 30, 60, 120}},
    {"queue_depth", "queue_depth_total", DJP_GAUGE, "", "queue_name ", "", {0}},
    {"queue_job_failures_total", NULL, DJP_COUNTER, "", "error_type ", "", {0}},
    {"external_api_calls_total", NULL, DJP_COUNTER, "", "service operation ", "", {0}},
    {"external_api_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "service operation ",
     "",
     {0.1, 0.25, 0.3, 0.5, 1, 2, 2.5, 5, 10, 30}},
    {"external_api_errors_total", NULL, DJP_COUNTER, "", "service status_code ", "", {0}},
    {"token_cost_usd_total", NULL, DJP_COUNTER, "usd", "model tenant ", "", {0}},
    {"workflow_cost_usd_total", NULL, DJP_COUNTER, "usd", "", "", {0}},
    {"model_requests_total", NULL, DJP_COUNTER, "", "provider model status ", "", {0}},
    {"model_tokens_total", NULL, DJP_COUNTER, "", "provider model type ", "", {0}},
    {"model_cost_usd_total", NULL, DJP_COUNTER, "usd", "provider model ", "", {0}},
    {"task_duration_seconds",
     NULL,
     DJP_HISTOGRAM,
     "seconds",
     "status priority ",
     "",
     {0.1, 0.3, 0.5, 1, 2, 2.5, 5, 10, 30, 60, 120, 300}},
    {"task_queue_depth", NULL, DJP_GAUGE, "", "priority ", "", {0}},
    {"gpu_utilization_percent", NULL, DJP_GAUGE, "percent", "device model ", "", {0}},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void
joined(const char *const *labels, const char *want)
{
    char text[256] = "";
    for (size_t i = 0; i < DJP__BUILTIN_LABELS_MAX && labels[i]; i++) {
        strcat(text, labels[i]);
        strcat(text, " ");
    }
    assert_string_equal(text, want);
}

static void
every_family_is_as_documented(void **state)
{
    (void)state;
    assert_int_equal(djp__builtin_count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        const djp__builtin_definition *found = &djp__builtin_definitions[i];
        assert_true(djp__builtin_find(rows[i].name) <= i);
        assert_string_equal(found->name, rows[i].name);
        assert_true((found->alias == NULL) == (rows[i].alias == NULL));
        assert_true(!found->alias || strcmp(found->alias, rows[i].alias) == 0);
        assert_int_equal(found->type, rows[i].type);
        assert_string_equal(found->unit, rows[i].unit);
        assert_true(strlen(found->help) > 10 && found->help[strlen(found->help) - 1] == '.');
        joined(found->labels, rows[i].labels);
        joined(found->path_labels, rows[i].path_labels);
        size_t count = 0;
        while (count < 15 && rows[i].bounds[count] != 0) {
            assert_true(count < found->bucket_count &&
                        found->buckets[count] == rows[i].bounds[count]);
            count++;
        }
        assert_int_equal(found->bucket_count, count);
    }
}

static void
names_are_found_in_all_their_forms(void **state)
{
    (void)state;
    assert_int_equal(djp__builtin_find("http_requests"), DJP__BUILTIN_REQUESTS);
    assert_int_equal(djp__builtin_find("http_requests_total"), DJP__BUILTIN_REQUESTS);
    assert_int_equal(djp__builtin_find("queue_depth_total"), djp__builtin_find("queue_depth"));
    assert_int_equal(djp__builtin_find("http_request"), djp__builtin_count);
    assert_int_equal(djp__builtin_find("http_requests_tota"), djp__builtin_count);
    assert_int_equal(djp__builtin_find("http_requests_total_total"), djp__builtin_count);
    assert_int_equal(djp__builtin_find("xttp_requests"), djp__builtin_count);
    assert_int_equal(djp__builtin_find("task_queue_depth_total"), djp__builtin_count);
    assert_int_equal(djp__builtin_find("queue_dept"), djp__builtin_count);
    assert_int_equal(djp__builtin_find(""), djp__builtin_count);
}

static int
means(const char *name, djp_metric_type type, const char *const *labels, size_t count)
{
    djp_family_options options = {
        .type = type, .name = name, .labels = labels, .label_count = count};
    const djp__builtin_definition *found = djp__builtin_documented(&options);
    return found != NULL ? (int)(found - djp__builtin_definitions) : -1;
}

/* Name, type and labels together, in one style or the other. */
static void
declarations_mean_one_of_them_or_none(void **state)
{
    (void)state;
    const char *plain[] = {"method", "endpoint", "status_code", "x", "y"};
    const char *path[] = {"service", "method", "path", "status", "x"};
    assert_int_equal(means("http_requests", DJP_COUNTER, plain, 3), DJP__BUILTIN_REQUESTS);
    assert_int_equal(means("http_requests", DJP_COUNTER, path, 4), DJP__BUILTIN_REQUESTS);
    assert_int_equal(means("http_requests", DJP_COUNTER, plain, 2), -1);
    assert_int_equal(means("http_requests", DJP_COUNTER, plain, 4), -1);
    assert_int_equal(means("http_requests", DJP_COUNTER, path, 3), -1);
    assert_int_equal(means("http_requests", DJP_COUNTER, path, 5), -1);
    assert_int_equal(means("http_requests", DJP_GAUGE, plain, 3), -1);
    assert_int_equal(means("http_request_duration_seconds", DJP_HISTOGRAM, path, 3),
                     DJP__BUILTIN_DURATION);
    assert_int_equal(means("http_request_duration_seconds", DJP_HISTOGRAM, path, 4), -1);
    assert_int_equal(means("http_request_size_bytes", DJP_HISTOGRAM, plain, 2), DJP__BUILTIN_SIZE);
    assert_int_equal(means("workflow_cost_usd", DJP_COUNTER, NULL, 0),
                     (int)djp__builtin_find("workflow_cost_usd"));
    assert_int_equal(means("workflow_cost_usd", DJP_COUNTER, plain, 1), -1);
    assert_int_equal(means("queue_depth", DJP_GAUGE, NULL, 0), -1);
    const char *client[] = {"http_request_method",       "server_address", "server_port",
                            "http_response_status_code", "error_type",     NULL};
    const char *name = "http_client_request_duration_seconds";
    assert_int_equal(djp__builtin_find(name), DJP__BUILTIN_CLIENT);
    assert_int_equal(means(name, DJP_HISTOGRAM, client, 5), DJP__BUILTIN_CLIENT);
    client[5] = "network_protocol_version";
    assert_int_equal(means(name, DJP_HISTOGRAM, client, 6), DJP__BUILTIN_CLIENT_DURATION);
    client[5] = "url_scheme";
    assert_int_equal(means(name, DJP_HISTOGRAM, client, 6), -1);
    const char *queue[] = {"queue_name"}, *other[] = {"queue"};
    assert_int_equal(means("queue_depth", DJP_GAUGE, queue, 1),
                     (int)djp__builtin_find("queue_depth"));
    assert_int_equal(means("queue_depth_total", DJP_GAUGE, queue, 1),
                     (int)djp__builtin_find("queue_depth"));
    assert_int_equal(means("queue_depth", DJP_GAUGE, other, 1), -1);
    assert_int_equal(means("unknown", DJP_GAUGE, other, 1), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_is_as_documented),
        cmocka_unit_test(names_are_found_in_all_their_forms),
        cmocka_unit_test(declarations_mean_one_of_them_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
