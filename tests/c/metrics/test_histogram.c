/* Histograms: every value falls into the right bucket for every number of buckets, and exemplars
 * are never torn. */
#include "metrics_fixture.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <stdlib.h>

#include "metrics/exemplar.h"

static djp_series *
histogram_of(djp_registry *registry, const char *name, const double *bounds, size_t count)
{
    djp_family *family = NULL;
    djp_family_options options = {DJP_HISTOGRAM, name, "", "", NULL, 0, bounds, count, 0, 0, 0};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return djp_family_series(family, NULL);
}

static uint64_t
bucket_of(djp_series *series, uint32_t index)
{
    return fixture_word(series, 1 + index);
}

static void
assert_falls_into(djp_series *series, const double *bounds, uint32_t count, double value)
{
    uint32_t expected = 0;
    while (expected < count && !(value <= bounds[expected])) {
        expected++;
    }
    uint64_t before = bucket_of(series, expected);
    djp_histogram_observe(series, value);
    assert_int_equal(bucket_of(series, expected), before + 1);
}

static void
values_fall_into_the_right_bucket(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    double bounds[DJP_BUCKETS_MAX];
    for (uint32_t i = 0; i < DJP_BUCKETS_MAX; i++) {
        bounds[i] = (double)i * 0.1 - 1;
    }
    uint64_t total = 0;
    for (uint32_t count = 0; count <= DJP_BUCKETS_MAX; count++) {
        char name[16];
        snprintf(name, sizeof name, "h%u", count);
        djp_series *series = histogram_of(r, name, bounds, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_falls_into(series, bounds, count, bounds[i]);
            assert_falls_into(series, bounds, count, nextafter(bounds[i], -INFINITY));
            assert_falls_into(series, bounds, count, nextafter(bounds[i], INFINITY));
        }
        assert_falls_into(series, bounds, count, 1e308);
        assert_falls_into(series, bounds, count, -1e308);
        assert_falls_into(series, bounds, count, -0.0);
        assert_int_equal(djp_series_count(series), 3 * count + 3);
        total += djp_series_count(series);
    }
    assert_true(total > 0);
    djp_registry_free(r);
}

static void
infinite_values_are_counted_but_not_summed(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    double bounds[] = {1, 2};
    djp_series *series = histogram_of(r, "h", bounds, 2);
    djp_histogram_observe(series, INFINITY);
    djp_histogram_observe(series, -INFINITY);
    djp_histogram_observe(series, 1.5);
    assert_int_equal(djp_series_count(series), 3);
    assert_true(djp_series_value(series) == 1.5);
    assert_int_equal(bucket_of(series, 0), 1);
    assert_int_equal(bucket_of(series, 2), 1);
    djp_registry_free(r);
}

static void
the_counts_of_all_buckets_are_read(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    double bounds[] = {1, 2};
    djp_series *series = histogram_of(r, "h", bounds, 2);
    djp_histogram_observe(series, 1);
    djp_histogram_observe(series, 5);
    djp_histogram_observe(series, 6);
    uint64_t counts[4] = {9, 9, 9, 9};
    double sum = 0;
    assert_int_equal(djp_series_counts(&sum, counts, 2, series), 3);
    assert_true(sum == 12 && counts[0] == 1 && counts[1] == 0 && counts[2] == 9);
    assert_int_equal(djp_series_counts(&sum, counts, 4, series), 3);
    assert_true(counts[2] == 2 && counts[3] == 9);
    assert_int_equal(djp_series_counts(&sum, counts, 4, NULL), 0);
    djp_histogram_add(series, (uint64_t[]){1, 2, 3}, 3, 0.5);
    djp_histogram_add(series, (uint64_t[]){1, 2, 3}, 2, 0.5);
    djp_histogram_add(series, (uint64_t[]){1, 2, 3}, 3, NAN);
    djp_histogram_add(NULL, NULL, 0, 1);
    assert_int_equal(djp_series_counts(&sum, counts, 4, series), 3);
    assert_true(sum == 12.5 && counts[0] == 2 && counts[1] == 2 && counts[2] == 5);
    djp_registry_free(r);
}

static void
exemplars_come_from_sampled_spans_only(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    double bounds[] = {1, 2};
    djp_series *series = histogram_of(r, "h", bounds, 2);
    djp_span_context unsampled = {{1}, {1}, 0, 0, NULL},
                     zero = {{0}, {1}, DJP_FLAG_SAMPLED, 0, NULL};
    djp_span_context no_span = {{1}, {0}, DJP_FLAG_SAMPLED, 0, NULL},
                     good = {{1}, {2}, DJP_FLAG_SAMPLED, 0, NULL};
    djp__exemplar exemplar;
    djp_histogram_observe_with_context(series, 1, &unsampled);
    djp_histogram_observe_with_context(series, 1, &zero);
    djp_histogram_observe_with_context(series, 1, &no_span);
    djp_histogram_observe_with_context(series, 1, NULL);
    assert_false(djp__exemplar_load(&exemplar, r, series->entry, 0));
    djp_histogram_observe_with_context(series, 1.75, &good);
    assert_false(djp__exemplar_load(&exemplar, r, series->entry, 0));
    assert_true(djp__exemplar_load(&exemplar, r, series->entry, 1));
    assert_true(exemplar.value == 1.75 && exemplar.trace_id[0] == 1 && exemplar.span_id[0] == 2);
    fixture_assert_shows(
        r, DJP_OPENMETRICS_1_0_0,
        "h_bucket{le=\"2.0\"} 5 # {trace_id=\"01000000000000000000000000000000\",span_id="
        "\"0200000000000000\"} 1.75 ");
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "trace_id");
    djp_family_clear(series->family);
    series = djp_family_series(series->family, NULL);
    assert_false(djp__exemplar_load(&exemplar, r, series->entry, 1));
    djp_registry_free(r);
}

typedef struct tear {
    djp_series *series;
    uint8_t byte;
    DJP__ATOMIC(int) * stop;
} tear;

static void *
write_exemplars(void *argument)
{
    tear *t = argument;
    djp_span_context context = {.flags = DJP_FLAG_SAMPLED};
    memset(context.trace_id, t->byte, 16);
    memset(context.span_id, t->byte, 8);
    while (!djp__load_acquire(t->stop)) {
        djp_histogram_observe_with_context(t->series, t->byte, &context);
    }
    return NULL;
}

static void
exemplars_are_never_torn(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    double bounds[] = {1000};
    DJP__ATOMIC(int) stop = 0;
    djp_series *series = histogram_of(r, "h", bounds, 1);
    tear tears[3];
    pthread_t threads[3];
    for (uint8_t i = 0; i < 3; i++) {
        tears[i] = (tear){series, (uint8_t)(i + 1), &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, write_exemplars, &tears[i]), 0);
    }
    int seen = 0;
    /* A writer that lost its core in the middle keeps the slot closed for a while: wait for it
     * rather than count tries. */
    for (time_t end = time(NULL) + 20; seen < 50000 && time(NULL) < end;) {
        djp__exemplar exemplar;
        if (!djp__exemplar_load(&exemplar, r, series->entry, 0)) {
            sched_yield();
            continue;
        }
        seen++;
        for (int k = 0; k < 16; k++) {
            assert_int_equal(exemplar.trace_id[k], exemplar.span_id[k % 8]);
        }
        assert_true(exemplar.value == exemplar.trace_id[0]);
    }
    djp__store_release(&stop, 1);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(seen > 0);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_fall_into_the_right_bucket),
        cmocka_unit_test(infinite_values_are_counted_but_not_summed),
        cmocka_unit_test(the_counts_of_all_buckets_are_read),
        cmocka_unit_test(exemplars_come_from_sampled_spans_only),
        cmocka_unit_test(exemplars_are_never_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
