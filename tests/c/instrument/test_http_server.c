/* What is recorded of a request: names, attributes, status rules and metrics, under each naming
 * convention. Spans are read back from the memory exporter with the generated protobuf code. */
#include "fixture.h"

#include "base/str.h"
#include "instrument/http_server.h"

typedef struct fixture {
    djp_sdk *sdk;
    djp_http_server *server;
} fixture;

static void
fixture_init_at(fixture *it, const char *semconv, const char *backend, const char *ratio)
{
    const djp_config_override more[] = {{"backend", backend},
                                        {"sample_ratio", ratio},
                                        {"semconv", semconv},
                                        {"excluded_paths", "/health, /static/*"}};
    it->sdk = sdk_with(more, 4);
    assert_int_equal(djp_http_server_new(&it->server, it->sdk), 0);
}

static void
fixture_init(fixture *it, const char *semconv, const char *backend)
{
    fixture_init_at(it, semconv, backend, "1");
}

static void
fixture_fini(fixture *it)
{
    djp_http_server_free(it->server);
    sdk_free(it->sdk);
}

/* Records one request and returns the status that was recorded. */
static int
record(fixture *it, djp_http_result result)
{
    djp_span *span = djp_http_server_start(&result.start_ns, it->server, result.type, NULL);
    result.end_ns = result.start_ns + SECOND / 4;
    int status = djp_http_server_end(it->server, span, &result);
    djp_span_release(span);
    return status;
}

static void
test_documented_names(void **state)
{
    (void)state;
    fixture it;
    const char *text;
    fixture_init(&it, "", "hybrid");
    djp_http_result result = {
        .method = TEXT("GET"), .route = TEXT("/a/{b}"), .status = 200, .request_bytes = 10};
    assert_int_equal(record(&it, result), 200);
    text = exported(it.sdk);
    assert_non_null(strstr(text, "http.server|0;"));
    assert_non_null(strstr(text, "http.route=/a/{b};"));
    assert_non_null(
        strstr(text, "http.method=GET;http.status_code=200;http.duration_seconds=0.25d;"));
    assert_true(shows(
        it.sdk, "http_requests_total{method=\"GET\",endpoint=\"/a/{b}\",status_code=\"200\"} 1\n"));
    assert_true(shows(it.sdk, "http_request_duration_seconds_sum{method=\"GET\",endpoint=\"/a/"
                              "{b}\",status_code=\"200\"} 0.25\n"));
    assert_true(
        shows(it.sdk, "http_request_size_bytes_sum{method=\"GET\",endpoint=\"/a/{b}\"} 10\n"));
    fixture_fini(&it);
}

static void
test_stable_names(void **state)
{
    (void)state;
    fixture it;
    const char *text;
    fixture_init(&it, "http", "hybrid");
    djp_http_result result = {.method = TEXT("BREW"),
                              .scheme = TEXT("https"),
                              .version = TEXT("2"),
                              .status = 503,
                              .request_bytes = -1};
    assert_int_equal(record(&it, result), 503);
    text = exported(it.sdk);
    assert_non_null(strstr(text, "HTTP|2;"));
    assert_non_null(strstr(text, "http.request.method=_OTHER;http.request.method_original=BREW;"
                                 "http.response.status_code=503;"));
    assert_non_null(strstr(text, "url.path=/REDACTED;error.type=503;"));
    assert_null(strstr(text, "http.status_code"));
    result.method = TEXT("GET /secret HTTP/1.1"); /* no method: nothing of it may leave */
    assert_int_equal(record(&it, result), 503);
    text = exported(it.sdk);
    assert_null(strstr(text, "method_original"));
    assert_null(strstr(text, "secret"));
    result.route = TEXT("/a");
    result.method = TEXT("PUT");
    result.error_type = TEXT("KeyError");
    result.failed = 1;
    result.status = 0;
    assert_int_equal(record(&it, result), 500);
    text = exported(it.sdk);
    assert_non_null(strstr(text, "PUT /a|2;"));
    assert_non_null(strstr(text, "error.type=KeyError;"));
    assert_non_null(strstr(text, "http.response.status_code=500;"));
    fixture_fini(&it);
}

static void
test_background_work_is_a_span_beneath(void **state)
{
    (void)state;
    fixture it;
    fixture_init(&it, "old", "otel");
    uint64_t start_ns;
    djp_span *span = djp_http_server_start(&start_ns, it.server, DJP_HTTP_REQUEST, NULL);
    djp_span *late = djp_http_server_background(it.server, span, start_ns + 1000);
    assert_non_null(late);
    djp_span_context outer, inner;
    djp_span_get_context(&outer, span);
    djp_span_get_context(&inner, late);
    assert_memory_equal(outer.trace_id, inner.trace_id, 16);
    assert_true(djp_span_end(late, 0) < UINT64_C(60000000000));
    djp_span_release(late);
    djp_span_end(span, 0);
    djp_span_release(span);
    assert_non_null(strstr(exported(it.sdk), "http.server.background|"));
    assert_null(djp_http_server_background(it.server, NULL, start_ns));
    fixture_fini(&it);
}

static void
test_status_without_a_response(void **state)
{
    (void)state;
    fixture it;
    const char *text;
    fixture_init(&it, "", "hybrid");
    djp_http_result result = {.method = TEXT("GET"), .request_bytes = -1, .disconnected = 1};
    assert_int_equal(record(&it, result), DJP_HTTP_CLIENT_CLOSED);
    text = exported(it.sdk);
    assert_non_null(strstr(text, "http.server|0;"));
    assert_non_null(strstr(text, "http.client_disconnected=true;"));
    assert_null(strstr(text, "http.status_code"));
    assert_null(strstr(text, "http.route"));
    assert_true(shows(
        it.sdk,
        "http_requests_total{method=\"GET\",endpoint=\"unmatched\",status_code=\"499\"} 1\n"));
    assert_false(shows(it.sdk, "http_request_size_bytes"));
    fixture_fini(&it);
}

static void
test_websockets_have_a_span_only(void **state)
{
    (void)state;
    fixture it;
    const char *text;
    fixture_init(&it, "http/dup", "hybrid");
    djp_http_result result = {
        .type = DJP_HTTP_WEBSOCKET, .method = TEXT("GET"), .route = TEXT("/ws"), .status = 101};
    assert_int_equal(record(&it, result), 101);
    text = exported(it.sdk);
    assert_non_null(strstr(text, "websocket|0;"));
    assert_non_null(strstr(text, "http.status_code=101;"));
    assert_non_null(strstr(text, "http.response.status_code=101;"));
    assert_false(shows(it.sdk, "http_requests_total{"));
    fixture_fini(&it);
}

static void
test_metrics_without_traces_and_the_reverse(void **state)
{
    (void)state;
    fixture it;
    const char *text;
    djp_http_result result = {.method = TEXT("GET"), .status = 200, .request_bytes = -1};
    fixture_init(&it, "", "prom");
    assert_null(djp_http_server_start(&result.start_ns, it.server, DJP_HTTP_REQUEST, NULL));
    assert_int_equal(record(&it, result), 200);
    assert_true(shows(
        it.sdk,
        "http_requests_total{method=\"GET\",endpoint=\"unmatched\",status_code=\"200\"} 1\n"));
    fixture_fini(&it);
    fixture_init(&it, "", "otel");
    assert_int_equal(record(&it, result), 200);
    text = exported(it.sdk);
    assert_non_null(strstr(text, "http.server|0;"));
    fixture_fini(&it);
}

static void
test_odd_numbers(void **state)
{
    (void)state;
    fixture it;
    fixture_init(&it, "http", "hybrid");
    static char longest[100000];
    memset(longest, 'x', sizeof longest);
    djp_http_result result = {.status = 99999, .request_bytes = INT64_MIN};
    result.route = result.method = result.scheme = result.error_type =
        (djp_text){longest, sizeof longest};
    assert_int_equal(record(&it, result), 99999);
    result.status = -7;
    record(&it, result);
    result.end_ns = 1;
    result.start_ns = 2;
    assert_int_equal(djp_http_server_end(it.server, NULL, &result), -7);
    fixture_fini(&it);
}

static void
test_excluded_paths(void **state)
{
    (void)state;
    fixture it;
    fixture_init(&it, "", "hybrid");
    assert_true(djp_http_server_excludes(it.server, TEXT("/health")));
    assert_true(djp_http_server_excludes(it.server, TEXT("/static/")));
    assert_true(djp_http_server_excludes(it.server, TEXT("/static/a/b")));
    assert_false(djp_http_server_excludes(it.server, TEXT("/healthy")));
    assert_false(djp_http_server_excludes(it.server, TEXT("/static")));
    assert_false(djp_http_server_excludes(it.server, (djp_text){NULL, 0}));
    fixture_fini(&it);
}

/* 1 when the first line of the OpenMetrics text that begins so has an exemplar. */
static int
has_exemplar(fixture *it, const char *line)
{
    size_t size;
    djp_free(exposed);
    djp_registry *registry = djp_sdk_registry(it->sdk);
    assert_int_equal(djp_registry_expose(&exposed, &size, registry, DJP_OPENMETRICS_1_0_0), 0);
    const char *at = strstr(exposed, line);
    assert_non_null(at);
    const char *exemplar = strstr(at, " # {trace_id="), *end = strchr(at, '\n');
    return exemplar != NULL && exemplar < end;
}

/* An exemplar leads to a trace that is exported: the failing one's at any ratio, and none of those
 * that were dropped. */
static void
test_exemplars_of_late_sampled_requests(void **state)
{
    (void)state;
    fixture it;
    fixture_init_at(&it, "", "hybrid", "1e-12");
    djp_http_result result = {
        .method = TEXT("GET"), .route = TEXT("/a"), .status = 200, .request_bytes = -1};
    record(&it, result);
    result.status = 503;
    record(&it, result);
    const char *good = "endpoint=\"/a\",status_code=\"200\"",
               *bad = "endpoint=\"/a\",status_code=\"503\"";
    char line[200];
    for (int failed = 0; failed < 2; failed++) {
        snprintf(line, sizeof line, "http_requests_total{method=\"GET\",%s", failed ? bad : good);
        assert_int_equal(has_exemplar(&it, line), failed);
        snprintf(line, sizeof line,
                 "http_request_duration_seconds_bucket{method=\"GET\",%s,le=\"0.25\"}",
                 failed ? bad : good);
        assert_int_equal(has_exemplar(&it, line), failed);
    }
    fixture_fini(&it);
}

static void
test_every_failing_allocation(void **state)
{
    (void)state;
    fixture it;
    fixture_init(&it, "", "hybrid");
    for (long n = 1; n < 10; n++) {
        djp_http_server *server = NULL;
        djp__alloc_fail_after(n);
        int error = djp_http_server_new(&server, it.sdk);
        djp__alloc_fail_after(0);
        assert_true(error == DJP_ENOMEM ? server == NULL : error == 0);
        djp_http_server_free(server);
    }
    for (long n = 1; n < 40; n++) {
        djp_http_result result = {.method = TEXT("GET"), .route = TEXT("/a"), .status = 200};
        djp__alloc_fail_after(n);
        record(&it, result);
        djp__alloc_fail_after(0);
    }
    fixture_fini(&it);
}

static void
assert_attribute(const char *text, const char *key, const json *value)
{
    char part[256];
    if (value->kind == JSON_STRING && strcmp(value->text, "CLASS") == 0) {
        snprintf(part, sizeof part, ";%s=Boom;", key);
    } else {
        attribute_text(part, sizeof part, key, value);
    }
    if (!strstr(text, part)) {
        fail_msg("missing: %s\nin: %s", part, text);
    }
}

/* What a binding says at the end of a request that behaved so. */
static djp_http_result
result_of(const json *given)
{
    const char *behaviour = json_string(json_get(given, "behaviour"), "");
    int failed = strncmp(behaviour, "throw", 5) == 0,
        early = !strcmp(behaviour, "throw") || !strcmp(behaviour, "leave");
    djp_http_result result = {.method = text_of(json_get(given, "method")),
                              .route = text_of(json_get(given, "route")),
                              .scheme = TEXT("http"),
                              .version = TEXT("1.1"),
                              .error_type = failed ? TEXT("Boom") : TEXT(""),
                              .status = early ? 0 : (int)json_number(json_get(given, "status"), 0),
                              .failed = failed,
                              .disconnected = strncmp(behaviour, "leave", 5) == 0};
    const char *body = json_string(json_get(given, "body"), NULL);
    result.request_bytes = body != NULL ? (int64_t)strlen(body) : -1;
    return result;
}

/* A sample of these labels, or none. */
static void
check_sample(djp_sdk *sdk, int wanted, const char *family, const char *const *names,
             const json *labels, const char *value)
{
    char line[512];
    size_t size = (size_t)snprintf(line, sizeof line, "\n%s{", family);
    for (size_t i = 0; names[i] != NULL; i++) {
        const char *text = json_string(json_at(labels, i), "");
        size += (size_t)snprintf(line + size, sizeof line - size, "%s%s=\"%s\"", i > 0 ? "," : "",
                                 names[i], strcmp(text, "CLASS") == 0 ? "Boom" : text);
    }
    snprintf(line + size, sizeof line - size, "} %s\n", value);
    if (shows(sdk, line) != wanted) {
        fail_msg("%s in: %s", line, exposed);
    }
}

static void
check_metrics(djp_sdk *sdk, const json *given, const char *semconv)
{
    static const char *const plain[] = {"method", "endpoint", "status_code", NULL},
                             *const sized[] = {"method", "endpoint", NULL},
                             *const convention[] = {"http_request_method",
                                                    "url_scheme",
                                                    "http_route",
                                                    "http_response_status_code",
                                                    "network_protocol_version",
                                                    "error_type",
                                                    NULL};
    int documented = strcmp(semconv, "http") != 0, conventions = semconv[0] != '\0';
    const json *labels = json_get(given, "metrics"), *others = json_get(given, "conventions");
    check_sample(sdk, documented, "http_requests_total", plain, labels, "1");
    check_sample(sdk, documented, "http_request_duration_seconds_sum", plain, labels, "0.25");
    check_sample(sdk, conventions, "http_server_request_duration_seconds_sum", convention, others,
                 "0.25");
    if (json_is_null(json_get(given, "size"))) {
        assert_false(shows(sdk, "_size_bytes"));
        return;
    }
    const char *size = json_get(given, "size")->text;
    check_sample(sdk, documented, "http_request_size_bytes_sum", sized, labels, size);
    check_sample(sdk, conventions, "http_server_request_body_size_bytes_sum", convention, others,
                 size);
}

static void
check_case(const json *given, const char *semconv)
{
    fixture it;
    char line[512];
    int stable = strcmp(semconv, "http") == 0;
    fixture_init(&it, semconv, "hybrid");
    record(&it, result_of(given));
    const char *text = exported(it.sdk), *status = json_string(json_get(given, "span_status"), "");
    snprintf(line, sizeof line, "%s|%d;",
             stable ? json_string(json_get(given, "stable_name"), "") : "http.server",
             strcmp(status, "error") == 0 ? 2 : 0);
    assert_memory_equal(text, line, strlen(line));
    for (int part = 0; part < 2; part++) {
        const json *attributes = json_get(given, part ? "stable" : "old");
        for (size_t i = 0; (part ? semconv[0] != '\0' : !stable) && i < json_count(attributes);
             i++) {
            assert_attribute(text, attributes->keys[i], &attributes->items[i]);
        }
    }
    check_metrics(it.sdk, given, semconv);
    fixture_fini(&it);
}

static void
test_vectors(void **state)
{
    (void)state;
    json *vectors = json_load("http_server.json");
    const json *cases = json_get(vectors, "cases");
    assert_true(json_count(cases) >= 12);
    for (size_t i = 0; i < json_count(cases); i++) {
        check_case(json_at(cases, i), "");
        check_case(json_at(cases, i), "http");
        check_case(json_at(cases, i), "http/dup");
    }
    json_free(vectors);
}

/* A sampler is given what is known of a request, and no attribute without a value. */
static void
test_what_a_sampler_is_given(void **state)
{
    static const struct {
        djp_http_type type;
        djp_http_request request;
        const char *name, *attributes;
    } cases[] = {
        {DJP_HTTP_REQUEST,
         {TEXT("GET"), TEXT("/a/1"), TEXT("http"), TEXT("/a/{n}"), NULL},
         "GET /a/{n}",
         "http.request.method=GET;url.path=/a/1;url.scheme=http;http.route=/a/{n};"},
        {DJP_HTTP_REQUEST,
         {TEXT("GET"), TEXT("/a/1"), {NULL, 0}, {NULL, 0}, NULL},
         "GET /a/1",
         "http.request.method=GET;url.path=/a/1;"},
        {DJP_HTTP_REQUEST,
         {TEXT("BREW"), TEXT("/"), TEXT("http"), {NULL, 0}, NULL},
         "HTTP /",
         "http.request.method=_OTHER;url.path=/;url.scheme=http;"},
        {DJP_HTTP_WEBSOCKET,
         {TEXT("GET"), TEXT("/w"), TEXT("ws"), {NULL, 0}, NULL},
         "websocket /w",
         "http.request.method=GET;url.path=/w;url.scheme=ws;"},
        {DJP_HTTP_WEBSOCKET,
         {{NULL, 0}, TEXT("/w"), {NULL, 0}, {NULL, 0}, NULL},
         "websocket /w",
         "url.path=/w;"},
    };
    (void)state;
    fixture it;
    fixture_init(&it, "http", "hybrid");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__http_sampling given;
        char text[512] = "";
        djp__http_sampling_fill(&given, it.server, cases[i].type, &cases[i].request);
        if (!djp__text_equal(given.name_text, cases[i].name)) {
            fail_msg("%.*s", (int)given.name_text.size, given.name_text.data);
        }
        for (size_t k = 0; k < given.count; k++) {
            const djp_attribute *one = &given.attributes[k];
            size_t at = strlen(text);
            snprintf(text + at, sizeof text - at, "%.*s=%.*s;", (int)one->key.size, one->key.data,
                     (int)one->value.as.text.size, one->value.as.text.data);
        }
        assert_string_equal(text, cases[i].attributes);
    }
    fixture_fini(&it);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_documented_names),
        cmocka_unit_test(test_stable_names),
        cmocka_unit_test(test_background_work_is_a_span_beneath),
        cmocka_unit_test(test_status_without_a_response),
        cmocka_unit_test(test_websockets_have_a_span_only),
        cmocka_unit_test(test_metrics_without_traces_and_the_reverse),
        cmocka_unit_test(test_odd_numbers),
        cmocka_unit_test(test_excluded_paths),
        cmocka_unit_test(test_exemplars_of_late_sampled_requests),
        cmocka_unit_test(test_what_a_sampler_is_given),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
