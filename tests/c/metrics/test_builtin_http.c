/* One request in the families of the conventions: which labels it has when facts are missing, and
 * numbers at their edges. */
#include "metrics_fixture.h"

#include "metrics/builtin.h"

#define FAMILY "http_server_request_duration_seconds_count"

typedef struct rig {
    djp_registry *registry;
    djp_builtin *builtin;
} rig;

static rig
rig_of(uint32_t limit)
{
    rig r = {fixture_registry(0, limit), NULL};
    assert_int_equal(djp_builtin_new(&r.builtin, r.registry, NULL), 0);
    return r;
}

static void
rig_fini(rig *r)
{
    djp_builtin_free(r->builtin);
    djp_registry_free(r->registry);
}

static int
shows(rig *r, const char *line)
{
    char *text;
    size_t size;
    assert_int_equal(djp_registry_expose(&text, &size, r->registry, DJP_TEXT_0_0_4), 0);
    int found = strstr(text, line) != NULL;
    djp_free(text);
    return found;
}

static djp__builtin_exchange
exchange_of(int status)
{
    return (djp__builtin_exchange){.method = DJP_TEXT("GET"),
                                   .scheme = DJP_TEXT("https"),
                                   .route = DJP_TEXT("/a/{b}"),
                                   .version = DJP_TEXT("2"),
                                   .status = status,
                                   .duration_ns = 250000000,
                                   .request_bytes = -1};
}

static void
every_fact_is_a_label(void **state)
{
    (void)state;
    rig r = rig_of(0);
    djp__builtin_exchange exchange = exchange_of(503);
    exchange.error_type = DJP_TEXT("KeyError");
    djp__builtin_http_exchange(r.builtin, &exchange);
    const char *labels = "{http_request_method=\"GET\",url_scheme=\"https\",http_route=\"/a/{b}\","
                         "http_response_status_code=\"503\",network_protocol_version=\"2\","
                         "error_type=\"KeyError\"";
    char line[512];
    snprintf(line, sizeof line, "\nhttp_server_request_duration_seconds_sum%s} 0.25\n", labels);
    assert_true(shows(&r, line));
    snprintf(line, sizeof line, "_seconds_bucket%s,le=\"0.1\"} 0\n", labels);
    assert_true(shows(&r, line));
    snprintf(line, sizeof line, "_seconds_bucket%s,le=\"0.25\"} 1\n", labels);
    assert_true(shows(&r, line));
    assert_false(shows(&r, "http_server_request_body_size"));
    exchange.request_bytes = 0;
    djp__builtin_http_exchange(r.builtin, &exchange);
    snprintf(line, sizeof line, "http_server_request_body_size_bytes_count%s} 1\n", labels);
    assert_true(shows(&r, line));
    rig_fini(&r);
}

static void
what_is_not_known_is_empty(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *shown;
    } cases[] = {{0, ""}, {99, ""}, {100, "100"}, {999, "999"}, {1000, ""}, {-200, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig r = rig_of(0);
        djp__builtin_exchange exchange = {.status = cases[i].status, .request_bytes = -1};
        char line[256];
        djp__builtin_http_exchange(r.builtin, &exchange);
        snprintf(line, sizeof line,
                 FAMILY "{http_request_method=\"\",url_scheme=\"\",http_route=\"\","
                        "http_response_status_code=\"%s\",network_protocol_version=\"\","
                        "error_type=\"\"} 1\n",
                 cases[i].shown);
        assert_true(shows(&r, line));
        rig_fini(&r);
    }
}

static void
classes_of_errors_without_bound_share_a_series(void **state)
{
    (void)state;
    rig r = rig_of(3);
    for (int i = 0; i < 10; i++) {
        char type[16];
        djp__builtin_exchange exchange = exchange_of(500);
        snprintf(type, sizeof type, "E%d", i);
        exchange.error_type = djp_text_of(type);
        djp__builtin_http_exchange(r.builtin, &exchange);
    }
    assert_true(shows(&r, "error_type=\"E2\"} 1\n"));
    assert_true(shows(&r, "error_type=\"__overflow__\"} 7\n"));
    rig_fini(&r);
}

static void
an_exemplar_refers_to_the_sampled_request(void **state)
{
    (void)state;
    rig r = rig_of(0);
    djp_span_context context = {.flags = DJP_FLAG_SAMPLED};
    context.trace_id[15] = context.span_id[7] = 0xab;
    djp__builtin_exchange exchange = exchange_of(200);
    exchange.context = &context;
    exchange.unix_ns = 1700000000000000000u;
    djp__builtin_http_exchange(r.builtin, &exchange);
    char *text;
    size_t size;
    assert_int_equal(djp_registry_expose(&text, &size, r.registry, DJP_OPENMETRICS_1_0_0), 0);
    assert_non_null(strstr(text, "# {trace_id=\"000000000000000000000000000000ab\""));
    assert_non_null(strstr(text, "} 0.25 1700000000"));
    djp_free(text);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fact_is_a_label),
        cmocka_unit_test(what_is_not_known_is_empty),
        cmocka_unit_test(classes_of_errors_without_bound_share_a_series),
        cmocka_unit_test(an_exemplar_refers_to_the_sampled_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
