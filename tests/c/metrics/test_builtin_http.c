/* One request in the families of the conventions: which labels it has when facts are missing,
 * numbers at their edges, and from when to when it is active. */
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
    djp_builtin_options options = DJP_BUILTIN_OPTIONS_INIT;
    options.conventions = 1;
    assert_int_equal(djp_builtin_new(&r.builtin, r.registry, &options), 0);
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

static int
shows_active(rig *r, const char *method, const char *scheme, int count)
{
    char line[200];
    snprintf(line, sizeof line,
             "\nhttp_server_active_requests{http_request_method=\"%s\",url_scheme=\"%s\"} %d\n",
             method, scheme, count);
    return shows(r, line);
}

static void
requests_are_active_from_enter_to_leave(void **state)
{
    (void)state;
    rig r = rig_of(0);
    uint32_t first = djp_builtin_http_enter(r.builtin, DJP_TEXT("GET"), DJP_TEXT("https")),
             second = djp_builtin_http_enter(r.builtin, DJP_TEXT("GET"), DJP_TEXT("https")),
             other = djp_builtin_http_enter(r.builtin, DJP_TEXT("BREW"), DJP_TEXT("http")),
             odd = djp_builtin_http_enter(r.builtin, DJP_TEXT("TRACE"), DJP_TEXT("chosen"));
    assert_true(shows_active(&r, "GET", "https", 2));
    assert_true(shows_active(&r, "_OTHER", "http", 1));
    assert_true(shows_active(&r, "TRACE", "", 1));
    djp_builtin_http_leave(r.builtin, first);
    assert_true(shows_active(&r, "GET", "https", 1));
    djp_builtin_http_leave(r.builtin, second);
    djp_builtin_http_leave(r.builtin, other);
    djp_builtin_http_leave(r.builtin, odd);
    djp_builtin_http_leave(r.builtin, 0);
    assert_true(shows_active(&r, "GET", "https", 0));
    assert_true(shows_active(&r, "_OTHER", "http", 0));
    assert_true(shows_active(&r, "TRACE", "", 0));
    rig_fini(&r);
}

static void
nothing_is_active_without_the_conventions(void **state)
{
    (void)state;
    rig r = rig_of(0);
    djp_builtin_free(r.builtin);
    assert_int_equal(djp_builtin_new(&r.builtin, r.registry, NULL), 0);
    assert_int_equal(djp_builtin_http_enter(r.builtin, DJP_TEXT("GET"), DJP_TEXT("http")), 0);
    assert_int_equal(djp_builtin_http_enter(NULL, DJP_TEXT("GET"), DJP_TEXT("http")), 0);
    djp_builtin_http_leave(r.builtin, 0);
    djp_builtin_http_leave(NULL, 1);
    assert_false(shows(&r, "active_requests"));
    rig_fini(&r);
}

/* A mark of another builtin, or any number, harms nothing. */
static void
any_mark_is_accepted(void **state)
{
    (void)state;
    rig r = rig_of(0);
    djp_builtin_http_leave(r.builtin, UINT32_MAX);
    assert_true(shows(&r, "http_request_method=\"_OTHER\""));
    rig_fini(&r);
}

static void
another_declaration_of_the_name_is_left_alone(void **state)
{
    (void)state;
    rig r = rig_of(0);
    djp_family *theirs = NULL;
    djp_family_options options = {
        .type = DJP_GAUGE, .name = "http_server_active_requests", .help = "Theirs."};
    assert_int_equal(djp_family_new(&theirs, r.registry, &options), 0);
    djp_gauge_set(djp_family_series(theirs, NULL), 7);
    djp_builtin_http_leave(r.builtin,
                           djp_builtin_http_enter(r.builtin, DJP_TEXT("GET"), DJP_TEXT("http")));
    assert_true(shows(&r, "\nhttp_server_active_requests 7\n"));
    assert_int_equal(djp__load_relaxed(&r.registry->dropped), 2);
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
        cmocka_unit_test(requests_are_active_from_enter_to_leave),
        cmocka_unit_test(nothing_is_active_without_the_conventions),
        cmocka_unit_test(any_mark_is_accepted),
        cmocka_unit_test(another_declaration_of_the_name_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
