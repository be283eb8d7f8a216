/* The cache of routes: which requests share an entry, what is kept and what is made anew, endpoints
 * of every length, statuses and methods at their edges. */
#include "metrics_fixture.h"

#include "metrics/builtin.h"

typedef struct rig {
    djp_registry *registry;
    djp_builtin *builtin;
} rig;

static rig
rig_of(uint32_t limit, const djp_builtin_options *options)
{
    rig r = {fixture_registry(0, limit), NULL};
    assert_int_equal(djp_builtin_new(&r.builtin, r.registry, options), 0);
    return r;
}

static void
rig_fini(rig *r)
{
    djp_builtin_free(r->builtin);
    djp_registry_free(r->registry);
}

static void
request(rig *r, const char *method, const char *endpoint, int status)
{
    djp_builtin_http_request(r->builtin, (djp_text){method, strlen(method)},
                             (djp_text){endpoint, strlen(endpoint)}, status, 1000000, -1, NULL);
}

static int
routes_kept(const rig *r)
{
    int count = 0;
    for (djp__builtin_route *route = djp__load_relaxed(&r->builtin->routes); route;
         route = route->next) {
        count++;
    }
    return count;
}

static double
requests_of(rig *r, const char *method, const char *endpoint, const char *status)
{
    djp_text labels[3] = {
        {method, strlen(method)}, {endpoint, strlen(endpoint)}, {status, strlen(status)}};
    return djp_series_value(
        djp_family_series(djp_builtin_family(r->builtin, "http_requests_total"), labels));
}

static void
each_set_of_labels_is_kept_once(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST", "BREW"};
    static const char *const endpoints[] = {"/a", "/b", ""};
    static const int statuses[] = {200, 404, 99};
    rig r = rig_of(0, NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 27; i++) {
            request(&r, methods[i / 9], endpoints[i / 3 % 3], statuses[i % 3]);
        }
        assert_int_equal(routes_kept(&r), 27);
    }
    /* Requests with the same labels share an entry. */
    request(&r, "TEAPOT", "/a", 200);
    request(&r, "GET", "/a", 600);
    request(&r, "GET", "/a", -1);
    assert_int_equal(routes_kept(&r), 27);
    assert_true(requests_of(&r, "GET", "/a", "200") == 3);
    assert_true(requests_of(&r, "_OTHER", "/a", "200") == 4);
    assert_true(requests_of(&r, "GET", "/a", "other") == 5);
    request(&r, "GET", "/a", 100);
    request(&r, "GET", "/a", 599);
    assert_int_equal(routes_kept(&r), 29);
    rig_fini(&r);
}

/* Endpoints that differ in one byte anywhere, or in length alone, are not each other. */
static void
endpoints_are_told_apart(void **state)
{
    (void)state;
    rig r = rig_of(100000, NULL);
    char text[64], other[64];
    for (size_t size = 0; size <= 40; size++) {
        memset(text, 'e', size);
        text[size] = '\0';
        request(&r, "GET", text, 200);
        request(&r, "GET", text, 200);
        assert_true(requests_of(&r, "GET", text, "200") == 2);
        for (size_t at = 0; at < size; at++) {
            memcpy(other, text, sizeof other);
            other[at] = 'f';
            request(&r, "GET", other, 200);
            assert_true(requests_of(&r, "GET", other, "200") == 1);
        }
    }
    assert_int_equal(routes_kept(&r), 41 + 40 * 41 / 2);
    rig_fini(&r);
}

static void
an_entry_of_removed_series_is_made_anew(void **state)
{
    (void)state;
    static const char *const names[] = {"http_requests_total", "http_request_duration_seconds"};
    for (int which = 0; which < 2; which++) {
        rig r = rig_of(0, NULL);
        request(&r, "GET", "/a", 200);
        djp_family_clear(djp_builtin_family(r.builtin, names[which]));
        request(&r, "GET", "/a", 200);
        assert_int_equal(routes_kept(&r), 2); /* the old one may be in use */
        request(&r, "GET", "/a", 200);
        assert_int_equal(routes_kept(&r), 2);
        assert_true(requests_of(&r, "GET", "/a", "200") == (which == 0 ? 2 : 3));
        assert_int_equal(fixture_counters(r.registry).dropped, 0);
        rig_fini(&r);
    }
}

static void
overflow_series_are_not_kept(void **state)
{
    (void)state;
    rig r = rig_of(2, NULL);
    char endpoint[16];
    for (int i = 0; i < 10; i++) {
        snprintf(endpoint, sizeof endpoint, "/%d", i);
        request(&r, "GET", endpoint, 200);
        request(&r, "GET", endpoint, 200);
        assert_int_equal(routes_kept(&r), i < 2 ? i + 1 : 2);
    }
    rig_fini(&r);
}

/* More routes than places: what finds none is recorded all the same. */
static void
a_full_cache_loses_nothing(void **state)
{
    (void)state;
    enum { ROUTES = DJP__BUILTIN_CACHE + 2000 };
    rig r = rig_of(ROUTES + 1, NULL);
    char endpoint[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ROUTES; i++) {
            snprintf(endpoint, sizeof endpoint, "/%d", i);
            request(&r, "GET", endpoint, 200);
        }
    }
    assert_true(routes_kept(&r) <= (int)DJP__BUILTIN_CACHE &&
                routes_kept(&r) > (int)DJP__BUILTIN_CACHE * 9 / 10);
    for (int i = 0; i < ROUTES; i += 97) {
        snprintf(endpoint, sizeof endpoint, "/%d", i);
        assert_true(requests_of(&r, "GET", endpoint, "200") == 2);
    }
    rig_fini(&r);
}

static void
methods_have_a_length_and_a_number(void **state)
{
    (void)state;
    char known[1024] = "";
    for (int i = 0; i < 40; i++) {
        char one[24];
        snprintf(one, sizeof one, "%sM%d", i ? "," : "", i);
        strcat(known, one);
    }
    djp_builtin_options options = {.known_methods = known};
    rig r = rig_of(0, &options);
    request(&r, "M0", "/", 200);
    request(&r, "M31", "/", 200);
    request(&r, "M32", "/", 200); /* the 33rd is none any more */
    assert_true(requests_of(&r, "M0", "/", "200") == 1);
    assert_true(requests_of(&r, "M31", "/", "200") == 1);
    assert_true(requests_of(&r, "_OTHER", "/", "200") == 1);
    rig_fini(&r);
    options.known_methods = "ABCDEFGHIJKLMNOP,ABCDEFGHIJKLMNOPQ"; /* 16 and 17 letters */
    r = rig_of(0, &options);
    request(&r, "ABCDEFGHIJKLMNOP", "/", 200);
    request(&r, "ABCDEFGHIJKLMNOPQ", "/", 200);
    request(&r, "ABCDEFGHIJKLMNOX", "/", 200);
    assert_true(requests_of(&r, "ABCDEFGHIJKLMNOP", "/", "200") == 1);
    assert_true(requests_of(&r, "ABCDEFGHIJKLMNOPQ", "/", "200") == 1); /* as spans have it */
    assert_true(requests_of(&r, "_OTHER", "/", "200") == 1);
    rig_fini(&r);
    options.known_methods = "";
    r = rig_of(0, &options);
    static const char *const usual[] = {"GET",   "POST",    "PUT",     "DELETE", "HEAD",
                                        "PATCH", "OPTIONS", "CONNECT", "TRACE",  "QUERY"};
    for (size_t i = 0; i < 10; i++) {
        request(&r, usual[i], "/", 200);
        assert_true(requests_of(&r, usual[i], "/", "200") == 1);
    }
    rig_fini(&r);
}

static void
sizes_and_durations_may_be_unknown(void **state)
{
    (void)state;
    rig r = rig_of(0, NULL);
    const djp_text get = {"GET", 3}, endpoint = {"/", 1};
    djp_builtin_http_request(r.builtin, get, endpoint, 200, DJP_DURATION_UNKNOWN, -1, NULL);
    assert_int_equal(fixture_counters(r.registry).dropped, 1);
    djp_builtin_http_request(r.builtin, get, endpoint, 200, DJP_DURATION_UNKNOWN - 1, 0, NULL);
    assert_int_equal(fixture_counters(r.registry).dropped, 1);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "http_request_duration_seconds_count{method=\"GET\",endpoint=\"/"
                         "\",status_code=\"200\"} 1\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "http_request_size_bytes_sum{method=\"GET\",endpoint=\"/\"} 0\n"
                         "http_request_size_bytes_count{method=\"GET\",endpoint=\"/\"} 1\n");
    rig_fini(&r);
}

static void
recordings_by_name_are_checked(void **state)
{
    (void)state;
    rig r = rig_of(0, NULL);
    const djp_text labels[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    static const struct {
        const char *name;
        size_t labels;
        double value;
        int good;
    } cases[] = {
        {"queue_depth", 1, 3, 1},
        {"queue_depth", 1, -3, 1},
        {"queue_depth", 2, 3, 0},
        {"queue_depth", 0, 3, 0},
        {"queue_depth", 1, 1.0 / 0.0, 0},
        {"queue_job_latency_seconds", 1, 0, 1},
        {"queue_job_latency_seconds", 1, -0.5, 0},
        {"queue_job_failures_total", 1, 2, 1},
        {"queue_job_failures", 1, 2, 1},
        {"queue_job_failures_total", 1, -1, 0},
        {"queue_job_failures_total", 1, 0.0 / 0.0, 0},
        {"workflow_cost_usd_total", 0, 1.5, 1},
        {"unknown", 0, 1, 0},
        {"http_requests_total", 3, 1, 0}, /* those of requests are not recorded by name */
    };
    uint64_t lost = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int result = djp_builtin_record(r.builtin, cases[i].name, labels, cases[i].labels,
                                        cases[i].value, NULL);
        if ((result == 0) != cases[i].good) {
            fail_msg("case %zu", i);
        }
        lost += i < 12 && !cases[i].good;
        assert_int_equal(fixture_counters(r.registry).dropped, lost);
    }
    assert_true(djp_builtin_record(NULL, "queue_depth", labels, 1, 1, NULL) < 0);
    assert_true(djp_builtin_record(r.builtin, NULL, labels, 1, 1, NULL) < 0);
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "queue_depth{queue_name=\"a\"} -3\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "queue_job_failures_total{error_type=\"a\"} 4\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4,
                         "queue_job_latency_seconds_count{job_type=\"a\"} 1\n");
    fixture_assert_shows(r.registry, DJP_TEXT_0_0_4, "workflow_cost_usd_total 1.5\n");
    rig_fini(&r);
}

static void
no_memory_is_said(void **state)
{
    (void)state;
    djp_registry *registry = fixture_registry(0, 0);
    long n = 0;
    int result;
    do {
        djp_builtin *builtin = (djp_builtin *)1;
        djp__alloc_fail_after(++n);
        result = djp_builtin_new(&builtin, registry, NULL);
        djp__alloc_fail_after(0);
        assert_int_equal(result, n <= 3 ? DJP_ENOMEM : 0);
        assert_true((builtin == NULL) == (result != 0));
        djp_builtin_free(builtin);
    } while (result != 0);
    djp_registry_free(registry);
}

static int taken;

static void
note_taken(void *user, const char *name)
{
    assert_string_equal(name, user);
    taken++;
}

/* A family that the application took for good is asked for once; the route is kept without it. */
static void
a_taken_family_is_not_asked_for_again(void **state)
{
    (void)state;
    char name[] = "http_request_duration_seconds";
    djp_builtin_options options = {.on_taken = note_taken, .user = name};
    rig r = rig_of(0, &options);
    fixture_family(r.registry, DJP_HISTOGRAM, name, 0);
    taken = 0;
    for (int i = 0; i < 3; i++) {
        request(&r, "GET", "/a", 200);
        assert_int_equal(routes_kept(&r), 1);
        /* its recordings are lost, and counted */
        assert_int_equal(fixture_counters(r.registry).dropped, i + 1);
    }
    assert_int_equal(taken, 1);
    assert_true(requests_of(&r, "GET", "/a", "200") == 3);
    rig_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_set_of_labels_is_kept_once),
        cmocka_unit_test(endpoints_are_told_apart),
        cmocka_unit_test(an_entry_of_removed_series_is_made_anew),
        cmocka_unit_test(overflow_series_are_not_kept),
        cmocka_unit_test(a_full_cache_loses_nothing),
        cmocka_unit_test(methods_have_a_length_and_a_number),
        cmocka_unit_test(sizes_and_durations_may_be_unknown),
        cmocka_unit_test(recordings_by_name_are_checked),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(a_taken_family_is_not_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
