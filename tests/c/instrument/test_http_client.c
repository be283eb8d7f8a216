/* What is recorded of a request of a client: the shared cases, and what only C can give: odd
 * numbers, long texts, samplers, exemplars, and no memory. */
#include "fixture.h"

#include <time.h>

#include "base/str.h"
#include "djp/sampler.h"
#include "instrument/http_client.h"

static djp_http_call
call_to(const char *url)
{
    djp_http_call call = DJP_HTTP_CALL_INIT;
    call.method = TEXT("GET");
    call.url = djp_text_of(url);
    return call;
}

/* Records one request that took a quarter of a second. */
static void
record(djp_sdk *sdk, djp_http_call call, djp_http_call_result result)
{
    djp_http_client *client = djp_sdk_http_client(sdk);
    djp_span *span = djp_http_client_start(&result.start_ns, client, &call, NULL, NULL);
    result.end_ns = result.start_ns + SECOND / 4;
    djp_http_client_end(client, span, &call, &result);
    djp_span_release(span);
}

/* ---- the shared cases ---- */

static djp_http_call_result
result_of(const json *given)
{
    const json *error = json_get(given, "error");
    const json *cancelled = json_get(given, "cancelled");
    djp_http_call_result result = {.status = (int)json_number(json_get(given, "status"), 0),
                                   .resend_count =
                                       (uint32_t)json_number(json_get(given, "resend_count"), 0),
                                   .version = text_of(json_get(given, "version")),
                                   .error_type = text_of(json_at(error, 0)),
                                   .error_message = text_of(json_at(error, 1)),
                                   .cancelled = cancelled != NULL && cancelled->boolean};
    if (result.cancelled) { /* what a binding may pass with it does not count */
        result.error_type = TEXT("AbortError");
        result.error_message = TEXT("aborted");
    }
    return result;
}

static void
check_case(const json *given, const char *semconv)
{
    djp_sdk *sdk = sdk_of(semconv, "hybrid");
    djp_http_call call = {.method = text_of(json_get(given, "method")),
                          .url = text_of(json_get(given, "url")),
                          .target = text_of(json_get(given, "target"))};
    record(sdk, call, result_of(given));
    const char *line = exported(sdk);
    const json *labels = json_get(given, "metrics");
    int stable = strcmp(semconv, "stable") == 0;
    int failed = strcmp(json_string(json_get(given, "span_status"), ""), "error") == 0;
    char begin[256], end[256], sample[512];
    snprintf(begin, sizeof begin, "%s|%d;",
             stable ? json_string(json_get(given, "stable_name"), "") : "http.client",
             failed ? 2 : 0);
    if (strncmp(line, begin, strlen(begin)) != 0) {
        fail_msg("%s does not begin with %s", line, begin);
    }
    assert_attributes(line, json_get(given, semconv));
    snprintf(end, sizeof end, ";|3|%s|250000000|", json_string(json_get(given, "description"), ""));
    assert_non_null(strstr(line, end));
    char version[64] = "";
    if (strcmp(semconv, "old") != 0) {
        snprintf(version, sizeof version, ",network_protocol_version=\"%s\"",
                 json_string(json_get(json_get(given, "stable"), "network.protocol.version"), ""));
    }
    snprintf(sample, sizeof sample,
             "http_client_request_duration_seconds_sum{http_request_method=\"%s\",server_address="
             "\"%s\",server_port=\"%s\",http_response_status_code=\"%s\",error_type=\"%s\"%s} "
             "0.25\n",
             json_string(json_at(labels, 0), ""), json_string(json_at(labels, 1), ""),
             json_string(json_at(labels, 2), ""), json_string(json_at(labels, 3), ""),
             json_string(json_at(labels, 4), ""), version);
    if (!shows(sdk, sample)) {
        fail_msg("no %s in: %s", sample, exposed);
    }
    sdk_free(sdk);
}

static void
test_vectors(void **state)
{
    (void)state;
    json *vectors = json_load("http_client.json");
    const json *cases = json_get(vectors, "cases");
    assert_true(json_count(cases) >= 18);
    for (size_t i = 0; i < json_count(cases); i++) {
        check_case(json_at(cases, i), "old");
        check_case(json_at(cases, i), "stable");
    }
    json_free(vectors);
}

/* ---- the rest ---- */

static void
test_both_conventions(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("both", "otel");
    djp_http_call_result result = DJP_HTTP_CALL_RESULT_INIT;
    result.status = 200;
    record(sdk, call_to("http://example.com/"), result);
    const char *line = exported(sdk);
    static const char *const parts[] = {"http.client|0;",
                                        "url.full=http://example.com/;",
                                        "http.method=GET;",
                                        "http.scheme=http;",
                                        "net.peer.name=example.com;",
                                        "net.peer.port=80;",
                                        "http.status_code=200;",
                                        "http.request.method=GET;",
                                        "url.scheme=http;",
                                        "server.address=example.com;",
                                        "server.port=80;",
                                        "http.response.status_code=200;"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_non_null(strstr(line, parts[i]));
    }
    assert_int_equal(attributes_in(line), 11);
    sdk_free(sdk);
}

static void
test_metrics_without_traces_and_the_reverse(void **state)
{
    (void)state;
    const char *sample = "http_client_request_duration_seconds_count{http_request_method=\"GET\"";
    djp_http_call call = call_to("http://example.com/");
    djp_http_call_result result = {.status = 200};
    djp_sdk *sdk = sdk_of("old", "prom");
    assert_null(
        djp_http_client_start(&result.start_ns, djp_sdk_http_client(sdk), &call, NULL, NULL));
    assert_true(result.start_ns > 0 && result.start_ns <= djp_http_now());
    record(sdk, call, result);
    assert_true(shows(sdk, sample));
    sdk_free(sdk);
    sdk = sdk_with((const djp_config_override[]){{"backend", "otel"}, {"sample_ratio", "1"}}, 2);
    record(sdk, call, result);
    assert_non_null(strstr(exported(sdk), "http.client|"));
    sdk_free(sdk);
    assert_null(djp_sdk_http_client(NULL));
}

/* A request that ends now, and one whose times are in the wrong order. */
static void
test_times(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("old", "hybrid");
    djp_http_client *client = djp_sdk_http_client(sdk);
    djp_http_call call = call_to("http://example.com/");
    djp_http_call_result result = {.status = 200};
    uint64_t before = djp_http_now();
    djp_span *span = djp_http_client_start(&result.start_ns, client, &call, NULL, NULL);
    assert_true(result.start_ns >= before);
    djp_http_client_end(client, span, &call, &result);
    djp_span_release(span);
    uint64_t took = djp_http_now() - before;
    const char *line = exported(sdk);
    const char *end = strstr(line, ";|3||");
    assert_non_null(end);
    assert_true(strtoull(end + 5, NULL, 10) <= took);
    result.start_ns = before + SECOND;
    result.end_ns = before;
    djp_http_client_end(client, NULL, &call, &result);
    assert_true(shows(sdk, "error_type=\"\"} 2\n")); /* the count */
    assert_true(shows(sdk, "le=\"0.005\"} "));
    sdk_free(sdk);
}

static void
test_a_request_is_below_its_parent(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("old", "otel");
    djp_http_client *client = djp_sdk_http_client(sdk);
    djp_http_call call = call_to("http://example.com/");
    uint64_t start_ns;
    djp_span_context outer, inner;
    djp_span *parent = djp_span_start(djp_sdk_recorder(sdk), TEXT("parent"), NULL);
    djp_span *span = djp_http_client_start(&start_ns, client, &call, parent, NULL);
    djp_span_get_context(&outer, parent);
    djp_span_get_context(&inner, span);
    assert_memory_equal(outer.trace_id, inner.trace_id, 16);
    djp_span_release(span);
    djp_span_context remote = {.trace_id = {1}, .span_id = {2}, .flags = 1, .is_remote = 1};
    span = djp_http_client_start(&start_ns, client, &call, NULL, &remote);
    djp_span_get_context(&inner, span);
    assert_memory_equal(remote.trace_id, inner.trace_id, 16);
    djp_span_release(span);
    djp_span_release(parent);
    sdk_free(sdk);
}

/* Where the URL is none, the rest is recorded; nothing of the text leaves. */
static void
test_what_is_no_url(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "secret",
                                        "//secret/x",
                                        "http:secret",
                                        "http:/secret",
                                        "http://",
                                        "://secret",
                                        "http://user:pa/secret@host/"};
    djp_sdk *sdk = sdk_of("stable", "hybrid");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        djp_http_call_result result = {.status = 200};
        record(sdk, call_to(texts[i]), result);
        const char *line = exported(sdk);
        assert_non_null(strstr(line, "GET|0;http.request.method=GET;"));
        assert_null(strstr(line, "url.full"));
        assert_null(strstr(line, "server."));
        assert_null(strstr(line, "secret"));
    }
    assert_true(shows(sdk, "_count{http_request_method=\"GET\",server_address=\"\",server_port="
                           "\"\",http_response_status_code=\"200\",error_type=\"\",network_"
                           "protocol_version=\"\"} 8\n"));
    sdk_free(sdk);
}

static void
test_odd_numbers_and_long_texts(void **state)
{
    (void)state;
    static char longest[100000];
    djp_sdk *sdk = sdk_of("both", "hybrid");
    memset(longest, 'x', sizeof longest);
    djp_http_call call = {
        {longest, sizeof longest}, TEXT("http://example.com"), {longest, sizeof longest}};
    longest[0] = '/';
    djp_http_call_result result = {.status = -7, .error_type = TEXT("Boom")};
    result.error_message = (djp_text){longest, sizeof longest};
    record(sdk, call, result);
    const char *line = exported(sdk);
    const char *description = strstr(line, ";|3|/xxxx");
    assert_non_null(description);
    assert_int_equal(strcspn(description + 4, "|"), 1000); /* it is cut */
    assert_memory_equal(line, "http.client|2;", 14);
    assert_null(strstr(line, "status_code"));
    assert_null(strstr(line, "method_original"));
    result = (djp_http_call_result){.status = 99999, .resend_count = UINT32_MAX};
    call = (djp_http_call){{NULL, 0}, {NULL, 0}, {NULL, 0}};
    record(sdk, call, result);
    assert_non_null(strstr(exported(sdk), "error.type=99999;"));
    sdk_free(sdk);
}

/* The statuses beside the first that is an error, and the shortest type of an error. */
static void
test_errors_at_their_edges(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *status_text, *type, *shown;
    } cases[] = {{399, "399", "", ""},   {400, "400", "", "400"}, {401, "401", "", "401"},
                 {400, "400", "E", "E"}, {0, "", "E", "E"},       {1, "1", "", ""}};
    djp_sdk *sdk = sdk_of("stable", "hybrid");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_http_call_result result = {.status = cases[i].status,
                                       .error_type = djp_text_of(cases[i].type)};
        char part[64], sample[64];
        record(sdk, call_to("http://example.com/"), result);
        const char *line = exported(sdk);
        snprintf(part, sizeof part, ";error.type=%s;", cases[i].shown);
        assert_int_equal(strstr(line, part) != NULL, cases[i].shown[0] != '\0');
        assert_int_equal(line[4], cases[i].shown[0] != '\0' ? '2' : '0');
        snprintf(part, sizeof part, ";http.response.status_code=%s;", cases[i].status_text);
        assert_int_equal(strstr(line, part) != NULL, cases[i].status != 0);
        snprintf(sample, sizeof sample,
                 "status_code=\"%s\",error_type=\"%s\",network_protocol_version=\"\"} 0.25\n",
                 cases[i].status_text, cases[i].shown);
        assert_true(shows(sdk, sample));
    }
    sdk_free(sdk);
}

/* A tree of samplers sees the attributes of a request that begins a trace. */
static void
test_samplers_see_the_request(void **state)
{
    (void)state;
    const djp_config_override more[] = {
        {"backend", "otel"},
        {"sampler",
         "rule_based(kind(client) & attribute(\"server.address\"=\"kept.example\") => always_on)"},
        {"semconv", "stable"}};
    djp_sdk *sdk = sdk_with(more, 3);
    assert_int_not_equal(djp_recorder_needs(djp_sdk_recorder(sdk)) & DJP_NEEDS_ATTRIBUTES, 0);
    djp_http_call_result result = {.status = 200};
    record(sdk, call_to("http://other.example/"), result);
    record(sdk, call_to("http://kept.example/"), result);
    const char *text = exported(sdk);
    assert_null(strstr(text, "other.example"));
    assert_non_null(strstr(text, "server.address=kept.example;"));
    sdk_free(sdk);
}

/* The trace of a request below a sampled span will be exported, and its exemplar has the time of
 * its end. */
static void
test_an_exemplar_of_an_open_trace(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("old", "hybrid");
    djp_http_client *client = djp_sdk_http_client(sdk);
    djp_http_call call = call_to("http://example.com/");
    djp_http_call_result result = {.status = 200};
    djp_span *parent = djp_span_start(djp_sdk_recorder(sdk), TEXT("parent"), NULL);
    djp_span *span = djp_http_client_start(&result.start_ns, client, &call, parent, NULL);
    djp_http_client_end(client, span, &call, &result);
    const char *exemplar = exemplar_of(sdk, "status_code=\"200\"");
    assert_non_null(exemplar);
    const char *value = strstr(exemplar, "} ");
    assert_non_null(value);
    double seconds = strtod(strchr(value + 2, ' '), NULL);
    assert_true(seconds > (double)time(NULL) - 3600 && seconds < (double)time(NULL) + 3600);
    djp_span_release(span);
    djp_span_end(parent, 0);
    djp_span_release(parent);
    assert_non_null(strstr(exported(sdk), "parent|"));
    sdk_free(sdk);
}

/* An exemplar leads to a trace that is exported. */
static void
test_exemplars(void **state)
{
    (void)state;
    const djp_config_override more[] = {
        {"backend", "hybrid"}, {"sample_ratio", "1e-12"}, {"semconv", "old"}};
    djp_sdk *sdk = sdk_with(more, 3);
    for (int failed = 0; failed < 2; failed++) {
        djp_http_call_result result = {.status = failed ? 503 : 200};
        record(sdk, call_to("http://example.com/"), result);
        const char *text = failed ? "status_code=\"503\"" : "status_code=\"200\"";
        assert_int_equal(exemplar_of(sdk, text) != NULL, failed);
    }
    sdk_free(sdk);
}

static void
test_every_failing_allocation(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("both", "hybrid");
    for (long n = 1; n < 40; n++) {
        djp_http_call_result result = {.status = 404};
        djp__alloc_fail_after(n);
        record(sdk, call_to("http://example.com/"), result);
        djp__alloc_fail_after(0);
    }
    sdk_free(sdk);
    djp_options options;
    djp_http_client *client;
    memset(&options, 0, sizeof options);
    for (long n = 1; n < 3; n++) {
        djp__alloc_fail_after(n);
        int error = djp__http_client_new(&client, &options, NULL, NULL);
        djp__alloc_fail_after(0);
        assert_int_equal(error, DJP_ENOMEM);
        assert_null(client);
    }
    djp__http_client_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_both_conventions),
        cmocka_unit_test(test_metrics_without_traces_and_the_reverse),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_a_request_is_below_its_parent),
        cmocka_unit_test(test_what_is_no_url),
        cmocka_unit_test(test_odd_numbers_and_long_texts),
        cmocka_unit_test(test_errors_at_their_edges),
        cmocka_unit_test(test_samplers_see_the_request),
        cmocka_unit_test(test_an_exemplar_of_an_open_trace),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
