/* Families and series: definitions, limits, removal and reuse, exhaustion, failing allocations,
 * forks and dead lock holders. */
#include "metrics_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_1023 1023

static int
try_family(djp_registry *registry, djp_family_options options)
{
    djp_family *family = (djp_family *)1;
    int result = djp_family_new(&family, registry, &options);
    assert_true(result == 0 ? family != NULL : family == NULL);
    return result;
}

static void
definitions_are_checked(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    const char *le[] = {"le"}, *twice[] = {"a", "a"}, *reserved[] = {"__a"}, *bad[] = {"--"},
               *null[] = {NULL};
    double down[] = {2, 1}, nan[] = {1, NAN}, minus[] = {-INFINITY, 1}, same[] = {1, 1},
           inf[] = {1, INFINITY};
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_COUNTER, .name = NULL}),
                     DJP_EINVAL);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_COUNTER, .name = ""}),
                     DJP_EINVAL);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_COUNTER, .name = "\xc3\xa9"}),
                     DJP_EINVAL);
    assert_int_equal(try_family(r, (djp_family_options){.type = 0, .name = "a"}), DJP_EINVAL);
    assert_int_equal(try_family(r, (djp_family_options){.type = 4, .name = "a"}), DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", le, 1, NULL, 0, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_COUNTER, "a", "", "", twice, 2, NULL, 0, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(try_family(r, (djp_family_options){DJP_COUNTER, "a", "", "", reserved, 1, NULL,
                                                        0, 0, 0, 0}),
                     DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_COUNTER, "a", "", "", bad, 1, NULL, 0, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_COUNTER, "a", "", "", null, 1, NULL, 0, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_COUNTER, "a", "", "", NULL, 1, NULL, 0, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_COUNTER, "a", "", "", bad, 33, NULL, 0, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", NULL, 0, down, 2, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", NULL, 0, nan, 2, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", NULL, 0, minus, 2, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", NULL, 0, same, 2, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", NULL, 0, inf, 161, 0, 0, 0}),
        DJP_EINVAL);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_COUNTER, "le", "", "", le, 1, NULL, 0, 0, 0, 0}), 0);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", NULL, 0, inf, 2, 0, 0, 0}),
        0);
    assert_int_equal(
        try_family(r, (djp_family_options){DJP_HISTOGRAM, "a", "", "", NULL, 0, inf, 1, 0, 0, 0}),
        0);
    assert_int_equal(djp_family_new(NULL, r, NULL), DJP_EINVAL);
    djp_registry_free(r);
    djp_registry_free(NULL);
    assert_int_equal(djp_registry_new(NULL, NULL), DJP_EINVAL);
}

static void
one_name_has_one_definition(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    const char *labels[] = {"a"};
    djp_family *first = fixture_family(r, DJP_COUNTER, "requests_total", 1), *again = NULL;
    assert_string_equal(djp_family_name(first), "requests");
    djp_family_options same = {DJP_COUNTER, "requests", "other words", "", labels, 1, NULL, 0, 0,
                               0,           0};
    assert_int_equal(djp_family_new(&again, r, &same), 0);
    assert_ptr_equal(first, again);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_COUNTER, .name = "requests"}),
                     DJP_EEXIST);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_GAUGE, .name = "requests"}),
                     DJP_EEXIST);
    /* Samples of two families must never have one name. */
    assert_int_equal(
        try_family(r, (djp_family_options){.type = DJP_GAUGE, .name = "requests_total"}),
        DJP_EEXIST);
    assert_int_equal(
        try_family(r, (djp_family_options){.type = DJP_GAUGE, .name = "requests_created"}),
        DJP_EEXIST);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_GAUGE, .name = "lat_count"}),
                     0);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_HISTOGRAM, .name = "lat"}),
                     DJP_EEXIST);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_HISTOGRAM, .name = "h"}), 0);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_GAUGE, .name = "h_bucket"}),
                     DJP_EEXIST);
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_GAUGE, .name = "h_buckets"}),
                     0);
    djp_registry_free(r);
}

static void
label_sets_are_told_apart(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 100);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 3);
    djp_text sets[][3] = {{{"a", 1}, {"b", 1}, {"c", 1}},   {{"ab", 2}, {"", 0}, {"c", 1}},
                          {{"", 0}, {"ab", 2}, {"c", 1}},   {{"a", 1}, {"bc", 2}, {"", 0}},
                          {{"a\0", 2}, {"b", 1}, {"c", 1}}, {{"a", 1}, {"b\n", 2}, {"c", 1}},
                          {{NULL, 0}, {NULL, 0}, {NULL, 0}}};
    djp_series *found[7];
    for (int i = 0; i < 7; i++) {
        found[i] = djp_family_series(f, sets[i]);
        assert_non_null(found[i]);
        djp_counter_add(found[i], i + 1);
        for (int k = 0; k < i; k++) {
            assert_ptr_not_equal(found[i], found[k]);
        }
    }
    for (int i = 0; i < 7; i++) {
        assert_ptr_equal(djp_family_series(f, sets[i]), found[i]);
        assert_true(djp_series_value(found[i]) == i + 1);
    }
    assert_null(djp_family_series(f, NULL));
    assert_null(djp_family_series(NULL, sets[0]));
    djp_registry_free(r);
}

static void
bad_and_long_values_are_repaired_and_cut(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 100);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    size_t huge_size = 10u << 20;
    char *huge = malloc(huge_size);
    memset(huge, 'x', huge_size);
    djp_text text = {huge, huge_size}, cut = {huge, DJP_LABEL_SIZE_MAX},
             bad = {"\xff\xed\xa0\x80", 4};
    djp_series *series = djp_family_series(f, &text);
    assert_ptr_equal(djp_family_series(f, &cut), series);
    djp_counter_add(series, 1);
    /* A character on the border is left out as a whole. */
    memcpy(huge + LONG_1023, "\xe2\x82\xac", 3);
    djp_series *border = djp_family_series(f, &text);
    djp_text shorter = {huge, LONG_1023};
    assert_ptr_equal(djp_family_series(f, &shorter), border);
    djp_counter_add(djp_family_series(f, &bad), 7);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\xef\xbf\xbd\"} 7\n");
    free(huge);
    djp_registry_free(r);
}

static void
further_label_sets_share_the_overflow_series(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 10);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            djp_counter_add(fixture_numbered(f, i), 1);
        }
    }
    assert_ptr_equal(fixture_numbered(f, 500), fixture_series(f, DJP__OVERFLOW));
    assert_ptr_not_equal(fixture_numbered(f, 5), fixture_series(f, DJP__OVERFLOW));
    assert_true(djp_series_value(fixture_numbered(f, 9)) == 2);
    assert_true(djp_series_value(fixture_numbered(f, 10)) == 1980);
    assert_int_equal(fixture_counters(r).series, 11);
    assert_true(fixture_counters(r).overflowed >= 1980);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "f_total{a=\"__overflow__\"} 1980\n");
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "v10\"");
    /* A removed series makes room. */
    djp_text first = {"v0", 2};
    assert_true(djp_family_remove(f, &first));
    djp_counter_add(fixture_numbered(f, 10), 3);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "f_total{a=\"v10\"} 3\n");
    djp_registry_free(r);
}

static void
removed_series_are_gone_and_may_come_back(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    djp_series *old = fixture_series(f, "x");
    djp_counter_add(old, 5);
    djp_text x = {"x", 1};
    assert_true(djp_family_remove(f, &x));
    assert_false(djp_family_remove(f, &x));
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "\"x\"");
    djp_counter_add(old, 5);
    assert_int_equal(fixture_counters(r).dropped, 1);
    assert_true(djp_series_value(old) == 0);
    djp_series *back = fixture_series(f, "x");
    djp_counter_add(back, 2);
    djp_counter_add(old, 100);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "f_total{a=\"x\"} 2\n");
    djp_family_clear(f);
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "\"x\"");
    djp_family_clear(NULL);
    assert_false(djp_family_remove(NULL, &x));
    djp_registry_free(r);
}

static void
churn_reuses_memory_and_never_crosses_handles(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 50);
    r->reuse_after_ns = 0;
    djp_family *f = fixture_family(r, DJP_HISTOGRAM, "f_seconds", 1);
    djp_series *kept = NULL;
    uint64_t used = 0;
    for (int i = 0; i < 20000; i++) {
        char value[32];
        snprintf(value, sizeof value, "value-%06d", i);
        djp_series *series = fixture_series(f, value);
        assert_non_null(series);
        djp_histogram_observe(series, 1);
        assert_int_equal(djp_series_count(series), 1);
        if (i == 100) {
            kept = series;
        }
        djp_text text = {value, strlen(value)};
        assert_true(djp_family_remove(f, &text));
        if (i == 200) {
            used = fixture_counters(r).segment_bytes;
        }
        djp_histogram_observe(kept, 1);
    }
    assert_int_equal(fixture_counters(r).segment_bytes, used);
    assert_int_equal(fixture_counters(r).refused, 0);
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "value-");
    djp_registry_free(r);
}

static void
a_full_segment_leads_to_the_overflow_series(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(1, 1u << 30);
    djp_family *f = fixture_family(r, DJP_HISTOGRAM, "f", 1);
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        djp_series *series = fixture_numbered(f, i);
        assert_non_null(series);
        djp_histogram_observe(series, 1);
        refused += series->entry->is_overflow != 0;
    }
    assert_true(refused > 100 && refused < 3000);
    assert_int_equal(djp_series_count(fixture_series(f, DJP__OVERFLOW)), refused);
    assert_int_equal(fixture_counters(r).refused, refused);
    djp_family_options more = {.type = DJP_HISTOGRAM, .name = "more"};
    assert_int_equal(try_family(r, more), DJP_EFULL);
    fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, "__overflow__");
    djp_registry_free(r);
}

static void
families_are_limited(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    for (unsigned i = 0; i < DJP__FAMILIES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "family_%u", i);
        fixture_family(r, DJP_GAUGE, name, 1);
    }
    assert_int_equal(try_family(r, (djp_family_options){.type = DJP_GAUGE, .name = "one_more"}),
                     DJP_EFULL);
    djp_registry_free(r);
}

/* Everything that allocates, until it went through without a failure. */
static void
failing_allocations_leave_a_working_registry(void **state)
{
    (void)state;
    int done = 0;
    for (long n = 1; !done; n++) {
        djp_registry *r = NULL;
        djp_family *f = NULL, *g = NULL;
        djp_builtin *standard = NULL;
        const char *labels[] = {"a"};
        djp_family_options options = {DJP_HISTOGRAM, "f", "help", "", labels, 1, NULL, 0, 0, 0, 0};
        djp_family_options other = {DJP_COUNTER, "g", "help", "", labels, 1, NULL, 0, 0, 0, 0};
        char *text = NULL;
        size_t size = 0;
        djp__alloc_fail_after(n);
        int made = djp_registry_new(&r, NULL);
        if (made == 0) {
            djp_family_new(&f, r, &options);
            djp_family_new(&g, r, &other);
            djp_histogram_observe(fixture_series(f, "x"), 1);
            djp_counter_add(fixture_series(g, "y"), 1);
            djp_registry_add_process(r);
            djp_builtin_new(&standard, r, NULL);
            djp_builtin_http_request(standard, (djp_text){"GET", 3}, (djp_text){"/", 1}, 200, 1000,
                                     5, NULL);
            done = djp_registry_expose(&text, &size, r, DJP_TEXT_0_0_4) == 0 && f != NULL && g &&
                   standard != NULL && fixture_counters(r).refused == 0 &&
                   strstr(text, "http_requests_total{") && strstr(text, "f_sum{") &&
                   strstr(text, "process_threads ") && strstr(text, "g_total{a=\"y\"} 1");
            djp_free(text);
        }
        djp__alloc_fail_after(0);
        if (made == 0) {
            djp_family *again = NULL;
            assert_int_equal(djp_family_new(&again, r, &other), 0);
            djp_counter_add(fixture_series(again, "z"), 4);
            fixture_assert_shows(r, DJP_TEXT_0_0_4, "g_total{a=\"z\"} 4\n");
        } else {
            assert_null(r);
        }
        djp_builtin_free(standard);
        djp_registry_free(r);
        assert_true(n < 10000);
    }
}

static void *
die_while_adding(void *argument)
{
    djp_registry *r = argument;
    djp__registry_lock(r);
    djp__family_entry *family = r->families[0]->entry;
    family->last = family->first;
    family->free_first = 12345;
    djp__store_relaxed(&family->live, 77);
    djp__store_relaxed(&family->version, 1);
    DJP__ATOMIC(uint32_t) *places =
        djp__segment_at(&r->segment, (uint32_t)(djp__load_relaxed(&family->table) >> 32));
    djp__store_relaxed(&places[3], 0);
    djp__store_relaxed(&places[5], 0);
    return NULL;
}

static void
a_killed_writer_is_repaired(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 20);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    for (int i = 0; i < 10; i++) {
        djp_counter_add(fixture_numbered(f, i), i + 1);
    }
    djp_text three = {"v3", 2};
    djp_family_remove(f, &three);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, die_while_adding, r), 0);
    pthread_join(thread, NULL);
    djp_counter_add(fixture_numbered(f, 11), 12);
    for (int i = 0; i < 10; i++) {
        assert_true(djp_series_value(fixture_numbered(f, i)) == (i == 3 ? 0 : i + 1));
    }
    assert_true(djp_series_value(fixture_numbered(f, 11)) == 12);
    assert_int_equal(fixture_counters(r).series, 11);
    djp_registry_free(r);
}

static void
a_forked_child_goes_on(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 20);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    djp_counter_add(fixture_series(f, "x"), 5);
    pid_t child = fork();
    if (child == 0) {
        alarm(120);
        char *text = NULL;
        size_t size = 0;
        djp_counter_add(fixture_series(f, "x"), 1);
        djp_counter_add(fixture_series(f, "y"), 1);
        int bad = djp_registry_expose(&text, &size, r, DJP_TEXT_0_0_4) < 0 ||
                  !strstr(text, "{a=\"x\"} 6\n") || !strstr(text, "{a=\"y\"} 1\n");
        djp_free(text);
        djp_registry_free(r);
        _exit(bad);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "{a=\"x\"} 5\n");
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "\"y\"");
    djp_registry_free(r);
}

static int collected;

static void
collect(void *user)
{
    collected++;
    djp_gauge_set(djp_family_series(user, NULL), collected);
}

static void
collectors_run_before_each_exposition(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_GAUGE, "collected", 0);
    collected = 0;
    assert_int_equal(djp__registry_on_collect(r, collect, f), 0);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "collected 1\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "collected 2\n");
    djp__registry_off_collect(r, collect, f);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "collected 2\n");
    for (unsigned i = 0; i < DJP__COLLECTORS_MAX; i++) {
        assert_int_equal(djp__registry_on_collect(r, collect, f), 0);
    }
    assert_int_equal(djp__registry_on_collect(r, collect, f), DJP_EFULL);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_are_checked),
        cmocka_unit_test(one_name_has_one_definition),
        cmocka_unit_test(label_sets_are_told_apart),
        cmocka_unit_test(bad_and_long_values_are_repaired_and_cut),
        cmocka_unit_test(further_label_sets_share_the_overflow_series),
        cmocka_unit_test(removed_series_are_gone_and_may_come_back),
        cmocka_unit_test(churn_reuses_memory_and_never_crosses_handles),
        cmocka_unit_test(a_full_segment_leads_to_the_overflow_series),
        cmocka_unit_test(families_are_limited),
        cmocka_unit_test(failing_allocations_leave_a_working_registry),
        cmocka_unit_test(a_killed_writer_is_repaired),
        cmocka_unit_test(a_forked_child_goes_on),
        cmocka_unit_test(collectors_run_before_each_exposition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
