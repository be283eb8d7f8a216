/* The documented families: names, labels, bucket edges, status and method mapping, the cache, and
 * both label styles. */
#include "metrics_fixture.h"

#include <math.h>
#include <pthread.h>

#define TEXT(literal) ((djp_text){literal, sizeof literal - 1})

typedef struct rig {
    djp_registry *registry;
    djp_builtin *standard;
} rig;

static rig
rig_new(const djp_builtin_options *options, uint32_t limit)
{
    rig r = {fixture_registry(0, limit), NULL};
    assert_int_equal(djp_builtin_new(&r.standard, r.registry, options), 0);
    return r;
}

static void
rig_free(rig *r)
{
    djp_builtin_free(r->standard);
    djp_registry_free(r->registry);
}

static void
request(rig *r, const char *method, const char *endpoint, int status)
{
    djp_text m = {method, strlen(method)}, e = {endpoint, strlen(endpoint)};
    djp_builtin_http_request(r->standard, m, e, status, 250000000, -1, NULL);
}

static void
an_idle_service_shows_nothing(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    char *text = fixture_expose(r.registry, DJP_TEXT_0_0_4);
    assert_string_equal(text, "");
    djp_free(text);
    rig_free(&r);
}

static void
every_documented_family_exists(void **state)
{
    (void)state;
    static const char *const names[] = {"http_request_duration_seconds",
                                        "http_requests_total",
                                        "http_request_size_bytes",
                                        "queue_job_latency_seconds",
                                        "queue_depth_total",
                                        "queue_depth",
                                        "queue_job_failures_total",
                                        "external_api_calls_total",
                                        "http_client_request_duration_seconds",
                                        "external_api_duration_seconds",
                                        "external_api_errors_total",
                                        "token_cost_usd",
                                        "token_cost_usd_total",
                                        "workflow_cost_usd",
                                        "model_requests_total",
                                        "model_tokens_total",
                                        "model_cost_usd_total",
                                        "task_duration_seconds",
                                        "task_queue_depth",
                                        "gpu_utilization_percent",
                                        "http_requests"};
    rig r = rig_new(NULL, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        djp_family *family = djp_builtin_family(r.standard, names[i]);
        assert_non_null(family);
        assert_ptr_equal(djp_builtin_family(r.standard, names[i]), family);
    }
    assert_null(djp_builtin_family(r.standard, "nothing"));
    assert_null(djp_builtin_family(r.standard, "queue"));
    assert_null(djp_builtin_family(r.standard, NULL));
    assert_null(djp_builtin_family(NULL, "queue_depth"));
    rig_free(&r);
}

static void
requests_have_the_canonical_labels(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    request(&r, "GET", "/api/{id}", 200);
    request(&r, "GET", "/api/{id}", 200);
    request(&r, "POST", "/api/{id}", 503);
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_requests_total{method=\"GET\",endpoint=\"/api/{id}\",status_code=\"200\"} 2\n");
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_requests_total{method=\"POST\",endpoint=\"/api/{id}\",status_code=\"503\"} 1\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "http_request_duration_seconds_sum{method=\"GET\",endpoint=\"/api/"
                         "{id}\",status_code=\"200\"} 0.5\n");
    fixture_assert_hides(r.registry, DJP_TEXT_0_0_4, "http_request_size_bytes");
    djp_builtin_http_request(r.standard, TEXT("GET"), TEXT("/api/{id}"), 200, 1, 1000, NULL);
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_request_size_bytes_bucket{method=\"GET\",endpoint=\"/api/{id}\",le=\"1024.0\"} 1\n");
    rig_free(&r);
}

static void
assert_edges(const char *text)
{
    static const char *const edges[] = {"le=\"0.3\"} 1", "le=\"0.5\"} 1", "le=\"2.0\"} 1",
                                        "le=\"5.0\"} 1"};
    assert_non_null(text);
    for (int i = 0; i < 4; i++) {
        assert_non_null(strstr(text, edges[i]));
    }
}

/* p95 over 300 ms must not be guessed from the edges at 250 and 500 ms. */
static void
buckets_have_an_edge_at_every_objective(void **state)
{
    (void)state;
    static const char *const durations[] = {
        "http_request_duration_seconds", "http_client_request_duration_seconds",
        "queue_job_latency_seconds", "external_api_duration_seconds", "task_duration_seconds"};
    rig r = rig_new(NULL, 0);
    djp_text labels[5] = {TEXT("v"), TEXT("w"), TEXT("x"), TEXT("y"), TEXT("z")};
    for (int i = 0; i < 5; i++) {
        djp_family *family = djp_builtin_family(r.standard, durations[i]);
        djp_histogram_observe(djp_family_series(family, labels), 0.26);
        char *text = fixture_expose(r.registry, DJP_TEXT_0_0_4);
        assert_edges(strstr(text, durations[i]));
        djp_free(text);
    }
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "le=\"0.25\"} 0\n");
    rig_free(&r);
}

static void
methods_and_codes_are_bounded(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    request(&r, "BREW", "/", 200);
    request(&r, "a method that is longer than any", "/", 200);
    request(&r, "", "/", 200);
    request(&r, "GET", "/", 99);
    request(&r, "GET", "/", 600);
    request(&r, "GET", "/", -5);
    request(&r, "GET", "/", 0);
    request(&r, "GET", "/", 100);
    request(&r, "GET", "/", 599);
    djp_builtin_http_request(r.standard, (djp_text){NULL, 0}, (djp_text){NULL, 0}, 200, 0, -1,
                             NULL);
    djp_builtin_http_request(NULL, (djp_text){NULL, 0}, (djp_text){NULL, 0}, 200, 0, -1, NULL);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "{method=\"_OTHER\",endpoint=\"/\",status_code=\"200\"} 3\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "{method=\"_OTHER\",endpoint=\"\",status_code=\"200\"} 1\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "{method=\"GET\",endpoint=\"/\",status_code=\"other\"} 4\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "{method=\"GET\",endpoint=\"/\",status_code=\"100\"} 1\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "{method=\"GET\",endpoint=\"/\",status_code=\"599\"} 1\n");
    rig_free(&r);
}

static void
known_methods_are_a_choice(void **state)
{
    (void)state;
    djp_builtin_options options = {.known_methods = "GET, BREW,,WHEN"};
    rig r = rig_new(&options, 0);
    request(&r, "BREW", "/", 200);
    request(&r, "POST", "/", 200);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "http_requests_total{method=\"BREW\"");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "http_requests_total{method=\"_OTHER\"");
    rig_free(&r);
}

static void
status_classes_are_a_choice(void **state)
{
    (void)state;
    djp_builtin_options options = {.status_class = 1};
    rig r = rig_new(&options, 0);
    request(&r, "GET", "/", 204);
    request(&r, "GET", "/", 200);
    request(&r, "GET", "/", 503);
    request(&r, "GET", "/", 700);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "status_code=\"2xx\"} 2\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "status_code=\"5xx\"} 1\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "status_code=\"other\"} 1\n");
    rig_free(&r);
}

static void
the_path_style_has_its_own_names(void **state)
{
    (void)state;
    djp_builtin_options options = {.label_style_path = 1, .service = "shop"};
    rig r = rig_new(&options, 0);
    djp_builtin_http_request(r.standard, TEXT("GET"), TEXT("/x"), 200, 250000000, 10, NULL);
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_requests_total{service=\"shop\",method=\"GET\",path=\"/x\",status=\"200\"} 1\n");
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_request_duration_seconds_count{service=\"shop\",method=\"GET\",path=\"/x\"} 1\n");
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_request_size_bytes_count{service=\"shop\",method=\"GET\",path=\"/x\"} 1\n");
    rig_free(&r);
}

static void
queue_depth_keeps_both_names_where_that_is_valid(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    djp_text name = TEXT("batch");
    djp_gauge_set(djp_family_series(djp_builtin_family(r.standard, "queue_depth_total"), &name), 7);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "# TYPE queue_depth gauge\nqueue_depth{queue_name=\"batch\"} 7\n");
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "# TYPE queue_depth_total gauge\nqueue_depth_total{queue_name=\"batch\"} 7\n");
    fixture_assert_shows(r.registry, DJP_OPENMETRICS_1_0_0,
                         "\nqueue_depth{queue_name=\"batch\"} 7\n");
    fixture_assert_hides(r.registry, DJP_OPENMETRICS_1_0_0, "queue_depth_total");
    djp_family *family = NULL;
    djp_family_options taken = {.type = DJP_GAUGE, .name = "queue_depth_total"};
    assert_int_equal(djp_family_new(&family, r.registry, &taken), DJP_EEXIST);
    rig_free(&r);
}

static void
cleared_families_are_found_again(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    for (int i = 0; i < 3; i++) {
        djp_builtin_http_request(r.standard, TEXT("GET"), TEXT("/x"), 200, 1, 10, NULL);
        djp_builtin_http_request(r.standard, TEXT("GET"), TEXT("/x"), 200, 1, 10, NULL);
        fixture_assert_shows(
            r.registry, DJP_TEXT_0_0_4,
            "http_requests_total{method=\"GET\",endpoint=\"/x\",status_code=\"200\"} 2\n");
        fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                             "http_request_size_bytes_count{method=\"GET\",endpoint=\"/x\"} 2\n");
        djp_family_clear(djp_builtin_family(r.standard, "http_requests"));
        djp_family_clear(djp_builtin_family(r.standard, "http_request_duration_seconds"));
        djp_family_clear(djp_builtin_family(r.standard, "http_request_size_bytes"));
    }
    assert_int_equal(fixture_counters(r.registry).dropped, 0);
    rig_free(&r);
}

static void
unbounded_endpoints_are_bounded(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 50);
    char *long_path = djp__alloc(100000);
    memset(long_path, 'p', 100000);
    for (int i = 0; i < 20000; i++) {
        char endpoint[32];
        snprintf(endpoint, sizeof endpoint, "/scan/%d", i);
        request(&r, "GET", endpoint, 404);
    }
    djp_builtin_http_request(r.standard, TEXT("GET"), (djp_text){long_path, 100000}, 200, 1, 10,
                             NULL);
    djp_builtin_http_request(r.standard, TEXT("GET"), TEXT("/bad\xff\xfe"), 200, 1, 10, NULL);
    djp__free(long_path);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "http_requests_total{method=\"__overflow__\",endpoint=\"__overflow__\","
                         "status_code=\"__overflow__\"} 19952\n");
    assert_true(fixture_counters(r.registry).series <= 51 * 3);
    rig_free(&r);
}

static void *
many_requests(void *argument)
{
    rig *r = argument;
    for (int i = 0; i < 20000; i++) {
        char endpoint[32];
        int size = snprintf(endpoint, sizeof endpoint, "/route/%d", i % 300);
        djp_builtin_http_request(r->standard, TEXT("GET"), (djp_text){endpoint, (size_t)size},
                                 200 + i % 2, 1000000, i % 5 ? -1 : 9, NULL);
    }
    return NULL;
}

static void
threads_share_the_cache(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 2000);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, many_requests, &r), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    double total = 0;
    djp_family *family = djp_builtin_family(r.standard, "http_requests");
    for (int i = 0; i < 300; i++) {
        char endpoint[32];
        int size = snprintf(endpoint, sizeof endpoint, "/route/%d", i);
        djp_text labels[3] = {
            TEXT("GET"), {endpoint, (size_t)size}, i % 2 ? TEXT("201") : TEXT("200")};
        total += djp_series_value(djp_family_series(family, labels));
    }
    assert_true(total == 80000);
    rig_free(&r);
}

static const char *const http_labels[] = {"method", "endpoint", "status_code"};

static djp_family *
declare(rig *r, int expected, djp_family_options options)
{
    djp_family *family = NULL;
    assert_int_equal(djp_family_new(&family, r->registry, &options), expected);
    return family;
}

static void
what_the_application_declares_as_documented_is_shared(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    static const double edges[] = {0.1, 1};
    djp_text labels[] = {TEXT("GET"), TEXT("/x"), TEXT("200")}, job = TEXT("nightly");
    /* Before the SDK's own, as applications do: without a unit, with other edges, without edges. */
    djp_family *duration =
        declare(&r, 0,
                (djp_family_options){DJP_HISTOGRAM, "http_request_duration_seconds", "theirs", NULL,
                                     http_labels, 3, edges, 2, 0, 0, 0});
    djp_family *latency = declare(&r, 0,
                                  (djp_family_options){.type = DJP_HISTOGRAM,
                                                       .name = "queue_job_latency_seconds",
                                                       .labels = (const char *const[]){"job_type"},
                                                       .label_count = 1});
    djp_builtin_http_request(r.standard, labels[0], labels[1], 200, 500000000, -1, NULL);
    djp_histogram_observe(djp_family_series(duration, labels), 0.05);
    assert_int_equal(djp_series_count(djp_family_series(duration, labels)), 2);
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_request_duration_seconds_bucket{method=\"GET\",endpoint=\"/x\",status_code=\"200\","
        "le=\"0.1\"} 1\n");
    assert_int_equal(djp_builtin_record(r.standard, "queue_job_latency_seconds", &job, 1, 42, NULL),
                     0);
    assert_int_equal(djp_series_count(djp_family_series(latency, &job)), 1);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "queue_job_latency_seconds_bucket{job_type=\"nightly\",le=\"60.0\"} 1\n");
    /* And after it. */
    djp_family *requests = declare(
        &r, 0,
        (djp_family_options){
            .type = DJP_COUNTER, .name = "http_requests", .labels = http_labels, .label_count = 3});
    assert_true(djp_series_value(djp_family_series(requests, labels)) == 1);
    assert_ptr_equal(
        declare(&r, 1,
                (djp_family_options){DJP_HISTOGRAM, "queue_job_latency_seconds", "", "s",
                                     (const char *const[]){"job_type"}, 1, edges, 2, 0, 0, 0}),
        latency);
    assert_int_equal(fixture_counters(r.registry).dropped, 0);
    rig_free(&r);
}

static void
the_queue_depth_of_either_name_is_one_gauge(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    djp_text queue = TEXT("q");
    djp_family *family = declare(&r, 0,
                                 (djp_family_options){.type = DJP_GAUGE,
                                                      .name = "queue_depth_total",
                                                      .labels = (const char *const[]){"queue_name"},
                                                      .label_count = 1});
    djp_gauge_set(djp_family_series(family, &queue), 4);
    assert_int_equal(djp_builtin_record(r.standard, "queue_depth", &queue, 1, 3, NULL), 0);
    assert_true(djp_series_value(djp_family_series(family, &queue)) == 3);
    char *text = fixture_expose(r.registry, DJP_TEXT_0_0_4),
         *first = strstr(text, "# HELP queue_depth_total ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "# HELP queue_depth_total "));
    djp_free(text);
    rig_free(&r);
    /* A gauge of that name with other labels keeps its name, and the SDK's is shown under the
     * other one only. */
    r = rig_new(NULL, 0);
    family = declare(&r, 0, (djp_family_options){.type = DJP_GAUGE, .name = "queue_depth_total"});
    djp_gauge_set(djp_family_series(family, NULL), 4);
    assert_int_equal(djp_builtin_record(r.standard, "queue_depth", &queue, 1, 3, NULL), 0);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "queue_depth_total 4\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "queue_depth{queue_name=\"q\"} 3\n");
    fixture_assert_hides(r.registry, DJP_TEXT_0_0_4, "queue_depth_total{");
    rig_free(&r);
}

static void
note_taken(void *user, const char *name)
{
    char *names = user;
    strcat(strcat(names, name), " ");
}

static void
a_family_that_cannot_be_had_is_told_and_counted(void **state)
{
    (void)state;
    char names[256] = "";
    djp_builtin_options options = {.on_taken = note_taken, .user = names};
    rig r = rig_new(&options, 0);
    declare(&r, 0,
            (djp_family_options){.type = DJP_GAUGE, .name = "http_request_duration_seconds"});
    djp_text labels[] = {TEXT("s"), TEXT("op")};
    declare(&r, 0,
            (djp_family_options){.type = DJP_COUNTER,
                                 .name = "external_api_calls_total",
                                 .labels = (const char *const[]){"service"},
                                 .label_count = 1});
    for (int i = 0; i < 3; i++) {
        request(&r, "GET", "/x", 200);
        assert_int_equal(
            djp_builtin_record(r.standard, "external_api_calls_total", labels, 2, 1, NULL),
            DJP_EINVAL);
    }
    assert_string_equal(names, "http_request_duration_seconds external_api_calls_total ");
    assert_int_equal(fixture_counters(r.registry).dropped, 6);
    fixture_assert_shows(
        r.registry, DJP_TEXT_0_0_4,
        "http_requests_total{method=\"GET\",endpoint=\"/x\",status_code=\"200\"} 3\n");
    rig_free(&r);
}

static void
bad_numbers_are_counted_and_change_nothing(void **state)
{
    (void)state;
    rig r = rig_new(NULL, 0);
    djp_text job = TEXT("j"), both[] = {TEXT("a"), TEXT("b")};
    static const double bad[] = {-1, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            djp_builtin_record(r.standard, "queue_job_latency_seconds", &job, 1, bad[i], NULL),
            DJP_EINVAL);
        assert_int_equal(djp_builtin_record(r.standard, "workflow_cost_usd", NULL, 0, bad[i], NULL),
                         DJP_EINVAL);
    }
    assert_int_equal(djp_builtin_record(r.standard, "queue_depth", &job, 1, NAN, NULL), DJP_EINVAL);
    assert_int_equal(djp_builtin_record(r.standard, "queue_depth", both, 2, 1, NULL), DJP_EINVAL);
    assert_int_equal(djp_builtin_record(r.standard, "queue_depth", &job, 1, -1, NULL), 0);
    djp_builtin_http_request(r.standard, TEXT("GET"), TEXT("/x"), 200, DJP_DURATION_UNKNOWN, -1,
                             NULL);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "http_requests_total{method=\"GET\",endpoint=\"/x\","
                         "status_code=\"200\"} 1\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "http_request_duration_seconds_count{method=\"GET\",endpoint=\"/"
                         "x\",status_code=\"200\"} 0\n");
    fixture_assert_hides(r.registry, DJP_TEXT_0_0_4, "queue_job_latency_seconds_count");
    assert_int_equal(fixture_counters(r.registry).dropped, 11);
    /* No names of documented families, and those that only a request records. */
    assert_int_equal(djp_builtin_record(r.standard, "nothing", NULL, 0, 1, NULL), DJP_EINVAL);
    assert_int_equal(djp_builtin_record(r.standard, NULL, NULL, 0, 1, NULL), DJP_EINVAL);
    assert_int_equal(djp_builtin_record(r.standard, "http_requests_total", NULL, 0, 1, NULL),
                     DJP_EINVAL);
    assert_int_equal(djp_builtin_record(NULL, "queue_depth", &job, 1, 1, NULL), DJP_EINVAL);
    rig_free(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_service_shows_nothing),
        cmocka_unit_test(every_documented_family_exists),
        cmocka_unit_test(requests_have_the_canonical_labels),
        cmocka_unit_test(buckets_have_an_edge_at_every_objective),
        cmocka_unit_test(methods_and_codes_are_bounded),
        cmocka_unit_test(known_methods_are_a_choice),
        cmocka_unit_test(status_classes_are_a_choice),
        cmocka_unit_test(the_path_style_has_its_own_names),
        cmocka_unit_test(queue_depth_keeps_both_names_where_that_is_valid),
        cmocka_unit_test(cleared_families_are_found_again),
        cmocka_unit_test(unbounded_endpoints_are_bounded),
        cmocka_unit_test(threads_share_the_cache),
        cmocka_unit_test(what_the_application_declares_as_documented_is_shared),
        cmocka_unit_test(the_queue_depth_of_either_name_is_one_gauge),
        cmocka_unit_test(a_family_that_cannot_be_had_is_told_and_counted),
        cmocka_unit_test(bad_numbers_are_counted_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
