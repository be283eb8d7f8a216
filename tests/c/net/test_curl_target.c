/* Addresses and headers of an exporter: what is sent where, what is shown, and that no line
 * smuggles in another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/error.h"
#include "heap.h"
#include "net/curl_headers.h"
#include "net/curl_target.h"
#include "export/destination.h"
#include "export/transport.h"

#define METHOD "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

static djp__destination
destination_of(const char *endpoint, djp_protocol protocol)
{
    return (djp__destination){.endpoint = endpoint,
                              .protocol = protocol,
                              .http_path = "/v1/traces",
                              .grpc_method = METHOD};
}

static void
addresses_are_completed_and_shown_without_secrets(void **state)
{
    static const struct {
        const char *endpoint;
        djp_protocol protocol;
        const char *url;
        const char *shown;
        int is_https;
    } cases[] = {
        {"http://collector:4318/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF,
         "http://collector:4318/v1/traces", "http://collector:4318/v1/traces", 0},
        {"http://collector:4318", DJP_PROTOCOL_HTTP_JSON, "http://collector:4318/",
         "http://collector:4318/", 0},
        {"https://me:pw@c/v1/traces?key=1#x", DJP_PROTOCOL_HTTP_PROTOBUF,
         "https://me:pw@c/v1/traces?key=1#x", "https://c/v1/traces", 1},
        {"http://collector:4317", DJP_PROTOCOL_GRPC, "http://collector:4317" METHOD,
         "http://collector:4317/", 0},
        {"https://collector:4317/", DJP_PROTOCOL_GRPC, "https://collector:4317" METHOD,
         "https://collector:4317/", 1},
        {"https://gateway/otlp/", DJP_PROTOCOL_GRPC, "https://gateway/otlp" METHOD,
         "https://gateway/otlp/", 1},
        {"collector:4317", DJP_PROTOCOL_GRPC, "https://collector:4317" METHOD,
         "https://collector:4317/", 1},
        {"http://[::1]:4317", DJP_PROTOCOL_GRPC, "http://[::1]:4317" METHOD, "http://[::1]:4317/",
         0},
        {"unix:/run/otlp.sock", DJP_PROTOCOL_GRPC, "http://localhost" METHOD, "http://localhost/",
         0},
        {"unix:///run/otlp.sock", DJP_PROTOCOL_HTTP_PROTOBUF, "http://localhost/v1/traces",
         "http://localhost/v1/traces", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__destination destination = destination_of(cases[i].endpoint, cases[i].protocol);
        djp__curl_target target;
        assert_int_equal(djp__curl_target_init(&target, &destination), 0);
        assert_string_equal(target.url, cases[i].url);
        assert_string_equal(target.shown, cases[i].shown);
        assert_int_equal(target.is_https, cases[i].is_https);
        if (strncmp(cases[i].endpoint, "unix:", 5) == 0) {
            assert_string_equal(target.unix_socket, "/run/otlp.sock");
        } else {
            assert_null(target.unix_socket);
        }
        djp__curl_target_fini(&target);
    }
}

static void
endpoints_that_cannot_work_are_refused(void **state)
{
    static const char *const endpoints[] = {
        "",  "ftp://x", "http://", "://x", "http://a b", "http://x:99999", "file:///etc/passwd",
        NULL};
    (void)state;
    for (size_t i = 0; endpoints[i]; i++) {
        djp__destination destination = destination_of(endpoints[i], DJP_PROTOCOL_HTTP_PROTOBUF);
        djp__curl_target target;
        assert_int_equal(djp__curl_target_init(&target, &destination), DJP_EINVAL);
        assert_null(target.url);
    }
    djp__destination none = destination_of(NULL, DJP_PROTOCOL_GRPC);
    djp__curl_target target;
    assert_int_equal(djp__curl_target_init(&target, &none), DJP_EINVAL);
}

/* What a signal adds to an address is its own; the rest comes from the settings. */
static void
each_signal_has_its_own_destination(void **state)
{
    static const djp__route logs = {"/v1/logs",
                                    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
                                    djp__response_partial};
    static const djp__route traces = DJP__ROUTE_TRACES;
    djp_options options = {.endpoint = (char *)"unix:/run/otlp.sock",
                           .protocol = DJP_PROTOCOL_HTTP_PROTOBUF,
                           .headers = (char *)"a: b",
                           .compress = 1,
                           .export_concurrency = 3};
    djp__curl_target target;
    (void)state;
    djp__destination of_spans = djp__destination_of_traces(&options, &traces), of_logs = of_spans;
    of_logs.http_path = logs.http_path;
    of_logs.grpc_method = logs.grpc_method;
    assert_int_equal(djp__curl_target_init(&target, &of_spans), 0);
    assert_string_equal(target.url, "http://localhost/v1/traces");
    djp__curl_target_fini(&target);
    assert_int_equal(djp__curl_target_init(&target, &of_logs), 0);
    assert_string_equal(target.url, "http://localhost/v1/logs");
    djp__curl_target_fini(&target);
    of_logs.protocol = DJP_PROTOCOL_GRPC;
    of_logs.endpoint = "http://other:4317/gate";
    assert_int_equal(djp__curl_target_init(&target, &of_logs), 0);
    assert_string_equal(
        target.url,
        "http://other:4317/gate/opentelemetry.proto.collector.logs.v1.LogsService/Export");
    djp__curl_target_fini(&target);
    assert_string_equal(of_spans.headers, "a: b");
    assert_int_equal(of_spans.compress, 1);
    assert_int_equal(of_spans.concurrency, 3);
    options.export_concurrency = UINT64_MAX;
    assert_int_equal(djp__destination_of_traces(&options, &traces).concurrency, UINT32_MAX);
}

static void
assert_proxy(const char *endpoint, const char *proxy, const char *no_proxy)
{
    djp__destination destination = destination_of(endpoint, DJP_PROTOCOL_HTTP_PROTOBUF);
    djp__curl_target target;
    assert_int_equal(djp__curl_target_init(&target, &destination), 0);
    assert_string_equal(target.proxy, "");
    djp__curl_target_fini(&target);
    destination.http_proxy = "http://plain:1";
    destination.https_proxy = "http://secure:1";
    destination.no_proxy = "near,.example";
    assert_int_equal(djp__curl_target_init(&target, &destination), 0);
    assert_string_equal(target.proxy, proxy);
    assert_string_equal(target.no_proxy, no_proxy);
    djp__curl_target_fini(&target);
}

static void
proxies_are_chosen_by_scheme_except_for_loopback(void **state)
{
    (void)state;
    setenv("http_proxy", "http://environment:1", 1); /* not read here */
    assert_proxy("http://far/", "http://plain:1", "near,.example");
    assert_proxy("https://far/", "http://secure:1", "near,.example");
    assert_proxy("http://127.0.0.1:4318/", "", "*");
    assert_proxy("https://localhost:4318/", "", "*");
    assert_proxy("http://[::1]:4318/", "", "*");
    assert_proxy("unix:/x", "", "*");
    unsetenv("http_proxy");
}

static void
an_exception_with_the_port_needs_no_proxy(void **state)
{
    (void)state;
    static const char *const endpoints[] = {"http://far:4318/", "http://far:4317/"};
    for (int i = 0; i < 2; i++) {
        djp__destination destination = destination_of(endpoints[i], DJP_PROTOCOL_HTTP_PROTOBUF);
        djp__curl_target target;
        destination.http_proxy = "http://plain:1";
        destination.no_proxy = "far:4318";
        assert_int_equal(djp__curl_target_init(&target, &destination), 0);
        assert_string_equal(target.proxy, i == 0 ? "" : "http://plain:1");
        assert_string_equal(target.no_proxy, i == 0 ? "*" : "far:4318");
        djp__curl_target_fini(&target);
    }
}

static void
assert_lines(const djp__curl_headers *headers, const char *const *expected)
{
    size_t i = 0;
    for (const struct curl_slist *node = headers->nodes; node; node = node->next, i++) {
        assert_non_null(expected[i]);
        assert_string_equal(node->data, expected[i]);
    }
    assert_null(expected[i]);
}

static void
headers_are_checked_line_by_line(void **state)
{
    static const char *const fixed[] = {"TE: trailers", "Expect:", NULL};
    static const char *const expected[] = {
        "TE: trailers", "Expect:",          "Authorization: Basic a:b=",
        "X-Empty;",     "x-utf8: \xc3\xa4", NULL};
    (void)state;
    djp__curl_headers headers;
    assert_int_equal(
        djp__curl_headers_init(&headers, fixed,
                               "  Authorization :  Basic a:b=  \nno colon\nX-Empty:\n\n: "
                               "nameless\nbad name: 1\nContent-Length: 5\n"
                               "gRPC-Timeout: 1H\nx-cr: a\rX-Evil: 1\nx-utf8: \xc3\xa4"),
        0);
    assert_lines(&headers, expected);
    assert_int_equal(headers.ignored, 6);
    djp__curl_headers_fini(&headers);
    assert_int_equal(djp__curl_headers_init(&headers, fixed, NULL), 0);
    assert_int_equal(headers.count, 2);
    djp__curl_headers_fini(&headers);
    static const char *const nothing[] = {NULL};
    assert_int_equal(djp__curl_headers_init(&headers, nothing, ""), 0);
    djp__curl_headers_fini(&headers);
}

static void
secrets_are_hidden_in_messages(void **state)
{
    (void)state;
    char text[] = "no Bearer abcdef123 here, abcdef123 there, and the word blue stays";
    djp__curl_headers_hide(text, "Authorization: Bearer abcdef123\nX-Tenant: blue\nbroken");
    assert_string_equal(text, "no **************** here, ********* there, and the word blue stays");
    char empty[] = "";
    djp__curl_headers_hide(empty, "Authorization: Bearer abcdef123");
    djp__curl_headers_hide(empty, NULL);
    assert_string_equal(empty, "");
}

static int
init(djp__curl_target *target, const char *endpoint, djp_protocol protocol)
{
    djp__destination destination = destination_of(endpoint, protocol);
    destination.https_proxy = destination.http_proxy = "http://proxy";
    destination.no_proxy = "elsewhere";
    memset(target, 0x55, sizeof *target);
    int code = djp__curl_target_init(target, &destination);
    if (code != 0) {
        static const djp__curl_target empty = {0};
        assert_memory_equal(target, &empty, sizeof empty);
    } else {
        assert_non_null(target->url);
        assert_non_null(target->shown);
        assert_non_null(target->proxy);
        assert_non_null(target->no_proxy);
    }
    return code;
}

static void
init_each(void)
{
    static const struct {
        const char *endpoint;
        djp_protocol protocol;
        int code;
    } cases[] = {{"https://u:p@gateway/otlp/", DJP_PROTOCOL_GRPC, 0},
                 {"gateway:4317", DJP_PROTOCOL_GRPC, 0},
                 {"http://gateway/v1/traces?a=b", DJP_PROTOCOL_HTTP_PROTOBUF, 0},
                 {"unix:///run/socket", DJP_PROTOCOL_GRPC, 0},
                 {"unix:/run/socket", DJP_PROTOCOL_HTTP_JSON, 0},
                 {"ftp://gateway", DJP_PROTOCOL_GRPC, DJP_EINVAL},
                 {"http://a b", DJP_PROTOCOL_GRPC, DJP_EINVAL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__curl_target target;
        int code = DJP_ENOMEM, n = 0;
        for (; code == DJP_ENOMEM; n++) {
            djp__alloc_fail_after(n + 1);
            code = init(&target, cases[i].endpoint, cases[i].protocol);
            djp__alloc_fail_after(0);
        }
        assert_int_equal(code, cases[i].code);
        djp__curl_target_fini(&target);
        while (--n > 0) {
            djp__alloc_fail_once(n);
            assert_int_equal(init(&target, cases[i].endpoint, cases[i].protocol), DJP_ENOMEM);
            djp__alloc_fail_after(0);
        }
    }
}

static void
nothing_is_left_of_a_target(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(init_each, 20), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_completed_and_shown_without_secrets),
        cmocka_unit_test(endpoints_that_cannot_work_are_refused),
        cmocka_unit_test(each_signal_has_its_own_destination),
        cmocka_unit_test(proxies_are_chosen_by_scheme_except_for_loopback),
        cmocka_unit_test(an_exception_with_the_port_needs_no_proxy),
        cmocka_unit_test(headers_are_checked_line_by_line),
        cmocka_unit_test(secrets_are_hidden_in_messages),
        cmocka_unit_test(nothing_is_left_of_a_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
