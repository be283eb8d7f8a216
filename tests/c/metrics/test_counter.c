/* Counters: what is added is what is read, what makes no sense is counted as dropped,
 * from many threads as well. */
#include "metrics_fixture.h"

#include <float.h>
#include <math.h>
#include <pthread.h>

static void
counters_add_whole_and_fractional_amounts(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_counter_add(c, 1);
    djp_counter_add(c, 0);
    djp_counter_add(c, 0.25);
    djp_counter_add(c, 41);
    assert_true(djp_series_value(c) == 42.25);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nc_total 42.25\n");
    djp_counter_add(c, 1e300);
    assert_true(djp_series_value(c) == 1e300);
    djp_registry_free(r);
}

static void
whole_counts_stay_exact_beyond_two_to_the_53(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_counter_add(c, 9007199254740991.0);
    djp_counter_add(c, 1);
    djp_counter_add(c, 1);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nc_total 9007199254740993\n");
    djp_registry_free(r);
}

static void
nonsense_is_dropped_and_counted(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_series *g = djp_family_series(fixture_family(r, DJP_GAUGE, "g", 0), NULL);
    djp_series *h = djp_family_series(fixture_family(r, DJP_HISTOGRAM, "h", 0), NULL);
    double bad[] = {-1, -DBL_MIN, NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 5; i++) {
        djp_counter_add(c, bad[i]);
    }
    assert_int_equal(fixture_counters(r).dropped, 5);
    djp_counter_add(g, 1);
    djp_counter_add(h, 1);
    djp_gauge_set(c, 1);
    djp_gauge_add(h, 1);
    djp_histogram_observe(c, 1);
    djp_histogram_observe(g, 1);
    djp_histogram_observe(h, NAN);
    assert_int_equal(fixture_counters(r).dropped, 12);
    assert_true(djp_series_value(c) == 0 && djp_series_value(g) == 0 && djp_series_value(h) == 0);
    assert_int_equal(djp_series_count(h), 0);
    djp_counter_add(NULL, 1);
    djp_counter_add_with_context(NULL, 1, NULL);
    djp_histogram_observe(NULL, 1);
    djp_histogram_observe_with_context(NULL, 1, NULL);
    assert_true(djp_series_value(NULL) == 0 && djp_series_count(NULL) == 0);
    djp_registry_free(r);
}

enum { THREADS = 4, ROUNDS = 20000, VALUES = 40 };

typedef struct storm {
    djp_registry *registry;
    djp_family *counters, *histograms, *gauges;
    DJP__ATOMIC(int) stop;
} storm;

static void *
storm_record(void *argument)
{
    storm *s = argument;
    djp_span_context context = {{1, 2}, {3}, DJP_FLAG_SAMPLED, 0, NULL};
    for (int i = 0; i < ROUNDS; i++) {
        djp_counter_add_with_context(fixture_numbered(s->counters, i % VALUES), i % 2 ? 1 : 0.5,
                                     &context);
        djp_histogram_observe_with_context(fixture_numbered(s->histograms, i % VALUES), i % 7,
                                           &context);
        djp_gauge_add(fixture_numbered(s->gauges, i % 3), i % 2 ? 1 : -1);
    }
    return NULL;
}

static void *
storm_scrape(void *argument)
{
    storm *s = argument;
    while (!djp__load_acquire(&s->stop)) {
        char *text = NULL;
        size_t size;
        assert_int_equal(djp_registry_expose(&text, &size, s->registry, DJP_OPENMETRICS_1_0_0), 0);
        assert_non_null(strstr(text, "# EOF\n"));
        djp_free(text);
    }
    return NULL;
}

/* Makes and removes series of the same families, whose memory is reused at once. */
static void *
storm_churn(void *argument)
{
    storm *s = argument;
    for (int i = 0; !djp__load_acquire(&s->stop); i++) {
        char value[32];
        djp_text text = {value, (size_t)snprintf(value, sizeof value, "churn%d", i % 1000)};
        djp_counter_add(djp_family_series(s->counters, &text), 1);
        djp_histogram_observe(djp_family_series(s->histograms, &text), 1);
        djp_family_remove(s->counters, &text);
        djp_family_remove(s->histograms, &text);
    }
    return NULL;
}

static void
threads_lose_nothing(void **state)
{
    (void)state;
    storm s = {.registry = fixture_registry(0, 0)};
    s.registry->reuse_after_ns = 0;
    s.counters = fixture_family(s.registry, DJP_COUNTER, "c", 1);
    s.histograms = fixture_family(s.registry, DJP_HISTOGRAM, "h", 1);
    s.gauges = fixture_family(s.registry, DJP_GAUGE, "g", 1);
    pthread_t threads[THREADS], scraper, churner;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, storm_record, &s), 0);
    }
    assert_int_equal(pthread_create(&scraper, NULL, storm_scrape, &s), 0);
    assert_int_equal(pthread_create(&churner, NULL, storm_churn, &s), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    djp__store_release(&s.stop, 1);
    pthread_join(scraper, NULL);
    pthread_join(churner, NULL);
    double total = 0, sum = 0;
    uint64_t count = 0;
    for (int i = 0; i < VALUES; i++) {
        total += djp_series_value(fixture_numbered(s.counters, i));
        sum += djp_series_value(fixture_numbered(s.histograms, i));
        count += djp_series_count(fixture_numbered(s.histograms, i));
    }
    double expected = 0;
    for (int i = 0; i < ROUNDS; i++) {
        expected += i % 7;
    }
    assert_true(total == THREADS * ROUNDS * 0.75);
    assert_int_equal(count, THREADS * ROUNDS);
    assert_true(sum == THREADS * expected);
    for (int i = 0; i < 3; i++) {
        double value = 0;
        for (int k = i; k < ROUNDS; k += 3) {
            value += k % 2 ? 1 : -1;
        }
        assert_true(djp_series_value(fixture_numbered(s.gauges, i)) == THREADS * value);
    }
    assert_int_equal(fixture_counters(s.registry).refused, 0);
    djp_registry_free(s.registry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_add_whole_and_fractional_amounts),
        cmocka_unit_test(whole_counts_stay_exact_beyond_two_to_the_53),
        cmocka_unit_test(nonsense_is_dropped_and_counted),
        cmocka_unit_test(threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
