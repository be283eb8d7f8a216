/* Exemplars: which are kept, for how long one is enough, where they stand, and that a slot is
 * forgotten with its series. */
#include "metrics_fixture.h"

#include <math.h>

#include "metrics/exemplar.h"

#define SECOND 1000000000ull

static const djp_span_context sampled = {{1, 2}, {3}, DJP_FLAG_SAMPLED, 0, NULL};
static const djp_span_context other = {{9}, {8}, DJP_FLAG_SAMPLED, 0, NULL};

static djp_series *
counter_of(djp_registry *r)
{
    return djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
}

static djp_series *
histogram_of(djp_registry *r, const char *name)
{
    static const double bounds[] = {1, 2, 5};
    djp_family *family = NULL;
    djp_family_options options = {DJP_HISTOGRAM, name, "", "", NULL, 0, bounds, 3, 0, 0, 0};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    return djp_family_series(family, NULL);
}

/* With a time, a counter keeps one a second; without one, each. */
static void
one_a_second_is_enough_for_a_counter(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = counter_of(r);
    djp__exemplar exemplar;
    djp__counter_add_at(c, 1, &sampled, 100 * SECOND);
    djp__counter_add_at(c, 2, &other, 101 * SECOND - 1);
    assert_true(djp__exemplar_load(&exemplar, r, c->entry, 0));
    assert_true(exemplar.value == 1 && exemplar.unix_ns == 100 * SECOND &&
                exemplar.trace_id[1] == 2);
    assert_true(djp__exemplar_is_fresh(c, 0, 101 * SECOND - 1));
    assert_false(djp__exemplar_is_fresh(c, 0, 101 * SECOND));
    djp__counter_add_at(c, 3, &other, 101 * SECOND);
    assert_true(djp__exemplar_load(&exemplar, r, c->entry, 0));
    assert_true(exemplar.value == 3 && exemplar.unix_ns == 101 * SECOND &&
                exemplar.trace_id[0] == 9);
    assert_true(djp_series_value(c) == 6);
    djp_counter_add_with_context(c, 4, &sampled); /* now */
    assert_true(djp__exemplar_load(&exemplar, r, c->entry, 0));
    assert_true(exemplar.value == 4 && exemplar.unix_ns > 101 * SECOND);
    djp_counter_add_with_context(c, -1, &other); /* no amount, no exemplar */
    assert_true(djp__exemplar_load(&exemplar, r, c->entry, 0));
    assert_true(exemplar.value == 4);
    djp_registry_free(r);
}

/* Which recordings of a sampled span, of one that is not, and outside of spans become exemplars. */
static void
the_filter_decides(void **state)
{
    (void)state;
    static const djp_span_context unsampled = {{1}, {1}, 0, 0, NULL}, none = {{0}, {0}, 0, 0, NULL};
    static const struct {
        djp_exemplar_filter filter;
        int sampled, unsampled;
    } cases[] = {{DJP_EXEMPLARS_TRACE_BASED, 1, 0},
                 {DJP_EXEMPLARS_ALWAYS_ON, 1, 1},
                 {DJP_EXEMPLARS_ALWAYS_OFF, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const djp_span_context *contexts[] = {&sampled, &unsampled, &none, NULL};
        int expected[] = {cases[i].sampled, cases[i].unsampled, 0, 0};
        for (size_t k = 0; k < 4; k++) {
            djp_registry *r = NULL;
            djp__exemplar exemplar;
            djp_registry_options options = {.exemplar_filter = cases[i].filter};
            assert_int_equal(djp_registry_new(&r, &options), 0);
            djp_series *c = counter_of(r), *h = histogram_of(r, "h");
            djp_counter_add_with_context(c, 1, contexts[k]);
            djp_histogram_observe_with_context(h, 1, contexts[k]);
            assert_int_equal(djp__exemplar_load(&exemplar, r, c->entry, 0), expected[k]);
            assert_int_equal(djp__exemplar_load(&exemplar, r, h->entry, 0), expected[k]);
            assert_true(djp_series_value(c) == 1 && djp_series_count(h) == 1);
            djp_registry_free(r);
        }
    }
}

static void
each_bucket_has_its_own(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *h = histogram_of(r, "h");
    static const double values[] = {0.5, 1, 1.5, 2, 4, 5, 6, 1e9};
    static const uint32_t buckets[] = {0, 0, 1, 1, 2, 2, 3, 3};
    djp__exemplar exemplar;
    for (size_t i = 0; i < 8; i++) {
        djp__histogram_observe_at(h, values[i], &sampled, 100 * SECOND + i);
        for (uint32_t bucket = 0; bucket < 4; bucket++) {
            int there = djp__exemplar_load(&exemplar, r, h->entry, bucket);
            assert_int_equal(there, bucket <= buckets[i]);
            if (bucket == buckets[i]) {
                assert_true(exemplar.value == values[i] && exemplar.unix_ns == 100 * SECOND + i);
            }
        }
    }
    djp_histogram_observe_with_context(h, NAN, &other);
    djp__histogram_exemplar(h, NAN, &other);
    djp__histogram_exemplar(h, 1.25, &other); /* alone, without an observation */
    assert_int_equal(djp_series_count(h), 8);
    assert_true(djp__exemplar_load(&exemplar, r, h->entry, 1) && exemplar.value == 1.25);
    djp_series_add_exemplar(h, 4.5, &other);
    assert_true(djp__exemplar_load(&exemplar, r, h->entry, 2) && exemplar.value == 4.5);
    djp_registry_free(r);
}

static void
an_exemplar_ends_with_its_series(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *h = histogram_of(r, "h"), *c = counter_of(r);
    djp__exemplar exemplar;
    djp_histogram_observe_with_context(h, 1, &sampled);
    djp_histogram_observe_with_context(h, 100, &sampled);
    djp_counter_add_with_context(c, 1, &sampled);
    djp_family_clear(h->family);
    djp_family_clear(c->family);
    djp_histogram_observe_with_context(h, 1, &sampled); /* dead: nothing is kept */
    djp_series_add_exemplar(h, 1, &sampled);
    djp_series_add_exemplar(c, 1, &sampled);
    djp_series *again = djp_family_series(h->family, NULL);
    assert_ptr_equal(again->entry, h->entry);
    djp_family_series(c->family, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        assert_false(djp__exemplar_load(&exemplar, r, again->entry, i));
    }
    assert_false(djp__exemplar_load(&exemplar, r, c->entry, 0));
    djp_registry_free(r);
}

/* The first exemplar of a series needs the lock, and does without an exemplar rather than wait for
 * it. */
static void
no_caller_waits_for_the_first_one(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *h = histogram_of(r, "h"), *known = histogram_of(r, "known");
    djp__exemplar exemplar;
    djp_histogram_observe_with_context(known, 1, &sampled);
    djp__registry_lock(r);
    djp_histogram_observe_with_context(h, 1, &sampled);
    djp_histogram_observe_with_context(known, 1, &other);
    djp__registry_unlock(r);
    assert_false(djp__exemplar_load(&exemplar, r, h->entry, 0));
    assert_true(djp__exemplar_load(&exemplar, r, known->entry, 0) && exemplar.trace_id[0] == 9);
    djp_histogram_observe_with_context(h, 1, &sampled);
    assert_true(djp__exemplar_load(&exemplar, r, h->entry, 0));
    assert_int_equal(djp_series_count(h), 2);
    djp_registry_free(r);
}

/* Where no room is left for slots, values are recorded all the same. */
static void
a_full_segment_has_no_exemplars(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(1, 1u << 30);
    djp_series *h = histogram_of(r, "h");
    djp__exemplar exemplar;
    while (djp__segment_alloc(&r->segment, 64)) {
    }
    for (int i = 0; i < 3; i++) {
        djp_histogram_observe_with_context(h, 1, &sampled);
    }
    assert_int_equal(djp_series_count(h), 3);
    assert_false(djp__exemplar_load(&exemplar, r, h->entry, 0));
    fixture_assert_hides(r, DJP_OPENMETRICS_1_0_0, "trace_id");
    djp_registry_free(r);
}

/* Seconds with milliseconds, zeros included. */
static void
times_have_milliseconds(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{1700000000 * SECOND, "1700000000.000\n"},
                 {1700000000 * SECOND + 999999, "1700000000.000\n"},
                 {1700000000 * SECOND + 1000000, "1700000000.001\n"},
                 {1700000000 * SECOND + 10000000, "1700000000.010\n"},
                 {1700000000 * SECOND + 789000000, "1700000000.789\n"},
                 {1700000000 * SECOND + 999999999, "1700000000.999\n"}};
    djp_registry *r = fixture_registry(0, 0);
    djp_series *h = histogram_of(r, "h");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[160];
        djp__histogram_observe_at(h, 1.5, &sampled, cases[i].ns);
        snprintf(line, sizeof line,
                 "h_bucket{le=\"2.0\"} %zu # "
                 "{trace_id=\"01020000000000000000000000000000\",span_id=\"0300000000000000\"} "
                 "1.5 %s",
                 i + 1, cases[i].text);
        fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, line);
    }
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_a_second_is_enough_for_a_counter),
        cmocka_unit_test(the_filter_decides),
        cmocka_unit_test(each_bucket_has_its_own),
        cmocka_unit_test(an_exemplar_ends_with_its_series),
        cmocka_unit_test(no_caller_waits_for_the_first_one),
        cmocka_unit_test(a_full_segment_has_no_exemplars),
        cmocka_unit_test(times_have_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
