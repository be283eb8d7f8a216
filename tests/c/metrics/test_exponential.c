/* The arithmetic of exponential histograms: every index holds its value at every scale, counts are
 * conserved by growth, change of scale and merging, and the limit of buckets holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "base/rand.h"
#include "metrics/exponential.h"

/* Any positive finite double, by its bits: subnormal ones, too. */
static double
exponential_random(void)
{
    union {
        uint64_t bits;
        double value;
    } number;
    do {
        number.bits = djp__rand64() & INT64_MAX;
    } while (!isfinite(number.value) || number.value == 0);
    return number.value;
}

static void
powers_of_two_are_upper_bounds(void **state)
{
    (void)state;
    for (int32_t scale = DJP__EXPONENTIAL_SCALE_MIN; scale <= DJP__EXPONENTIAL_SCALE_MAX; scale++) {
        for (int exponent = -1074; exponent < 1024; exponent++) {
            double value = ldexp(1, exponent);
            int32_t index = djp__exponential_index(value, scale);
            int32_t expected = scale > 0 ? exponent * (1 << scale) - 1 : (exponent - 1) >> -scale;
            assert_int_equal(index, expected);
            if (value < DBL_MAX / 2 && value >= DBL_MIN) {
                assert_true(djp__exponential_index(nextafter(value, INFINITY), scale) >= index);
            }
        }
    }
    assert_int_equal(djp__exponential_index(1.5, 0), 0);
    assert_int_equal(djp__exponential_index(2, 0), 0);
    assert_int_equal(djp__exponential_index(2.1, 0), 1);
    assert_int_equal(djp__exponential_index(4, -1), 0);
    assert_int_equal(djp__exponential_index(4.1, -1), 1);
    assert_int_equal(djp__exponential_index(1, 20), -1);
    assert_int_equal(djp__exponential_index(DBL_MAX, 20), (1 << 30) - 1);
    assert_int_equal(djp__exponential_index(5e-324, 0), -1075);
}

/* Within one bucket: the specification allows that error of the logarithm. */
static void
a_bucket_holds_its_value(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        int32_t scale = (int32_t)(djp__rand64() % 25) - 4;
        double value = exponential_random(), exact = log2(value) * pow(2, scale);
        int32_t index = djp__exponential_index(value, scale);
        double error = fabs(exact) * 1e-15 + 1e-9;
        assert_true((double)index <= exact + error && (double)index + 1 >= exact - error);
        int32_t coarser = djp__exponential_index(value, scale - 1);
        if (fabs(exact - round(exact)) > 1e-6) {
            assert_int_equal(index >> 1, coarser);
        }
    }
}

static void
record(djp__exponential *histogram, double value)
{
    if (value == 0) {
        histogram->zero_count++;
        return;
    }
    int32_t index = djp__exponential_index(fabs(value), histogram->scale);
    djp__exponential_add(histogram, value < 0, histogram->scale, index, 1);
}

static void
assert_fits(const djp__exponential *histogram, uint64_t count)
{
    assert_int_equal(djp__exponential_count(histogram), count);
    assert_true(histogram->positive.size + histogram->negative.size <= DJP__EXPONENTIAL_BUCKETS);
    assert_in_range(histogram->scale + 10, 0, 30);
}

static uint64_t
count_at(const djp__exponential_side *side, int32_t index)
{
    return index >= side->offset && index < side->offset + (int32_t)side->size
               ? side->counts[index - side->offset]
               : 0;
}

static void
the_scale_is_the_finest_that_fits(void **state)
{
    (void)state;
    djp__exponential histogram;
    djp__exponential_init(&histogram);
    record(&histogram, 3);
    assert_int_equal(histogram.scale, 20);
    assert_int_equal(histogram.positive.size, 1);
    record(&histogram, 6);
    /* 3 and 6 lie 2^scale buckets apart */
    assert_int_equal(histogram.scale, 7);
    assert_int_equal(histogram.positive.size, 129);
    record(&histogram, 6);
    record(&histogram, 0);
    assert_int_equal(histogram.zero_count, 1);
    assert_int_equal(count_at(&histogram.positive, djp__exponential_index(6, 7)), 2);
    assert_int_equal(count_at(&histogram.positive, djp__exponential_index(3, 7)), 1);
    record(&histogram, -3);
    assert_int_equal(histogram.scale, 7);
    record(&histogram, -6);
    assert_int_equal(histogram.scale, 6);
    assert_int_equal(histogram.negative.size, 65);
    assert_fits(&histogram, 6);
}

/* Any values: every count is in the bucket of its value at the last scale. */
static void
growth_keeps_every_count(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        djp__exponential histogram;
        double values[64];
        djp__exponential_init(&histogram);
        for (int i = 0; i < 64; i++) {
            values[i] = round % 2 ? exponential_random() : 0.001 * (double)(djp__rand64() % 10000);
            values[i] = round % 3 && djp__rand64() % 2 ? -values[i] : values[i];
            record(&histogram, values[i]);
            assert_fits(&histogram, (uint64_t)i + 1);
        }
        for (int i = 0; i < 64; i++) {
            if (values[i] == 0) {
                continue; /* it has no index */
            }
            int32_t index = djp__exponential_index(fabs(values[i]), histogram.scale);
            const djp__exponential_side *side =
                values[i] < 0 ? &histogram.negative : &histogram.positive;
            assert_true(
                count_at(side, index) + count_at(side, index - 1) + count_at(side, index + 1) > 0);
        }
    }
}

/* As if all had been recorded in one, whatever the scales. */
static void
merging_is_as_recording_in_one(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        djp__exponential parts[4], whole, merged;
        djp__exponential_init(&whole);
        djp__exponential_init(&merged);
        for (int p = 0; p < 4; p++) {
            djp__exponential_init(&parts[p]);
        }
        for (int i = 0; i < 400; i++) {
            double value = ldexp(1 + (double)(djp__rand64() % 1000) / 1000,
                                 (int)(djp__rand64() % (1 + (uint64_t)round)));
            value = djp__rand64() % 10 ? value : djp__rand64() % 2 ? 0 : -value;
            record(&parts[djp__rand64() % 4], value);
            record(&whole, value);
        }
        for (int p = 0; p < 4; p++) {
            djp__exponential_merge(&merged, &parts[p]);
        }
        assert_fits(&merged, 400);
        assert_int_equal(merged.scale, whole.scale);
        assert_int_equal(merged.zero_count, whole.zero_count);
        uint64_t difference = 0;
        for (int32_t index = whole.positive.offset - 1;
             index <= whole.positive.offset + (int32_t)whole.positive.size; index++) {
            uint64_t a = count_at(&whole.positive, index), b = count_at(&merged.positive, index);
            difference += a > b ? a - b : b - a;
        }
        assert_true(difference <= 4); /* values at a bound, by the error of the logarithm */
    }
}

static void
counts_of_zero_add_nothing(void **state)
{
    (void)state;
    djp__exponential empty, histogram;
    djp__exponential_init(&empty);
    djp__exponential_init(&histogram);
    djp__exponential_merge(&histogram, &empty);
    assert_int_equal(histogram.scale, DJP__EXPONENTIAL_SCALE_MAX);
    assert_fits(&histogram, 0);
    record(&histogram, 1e-9);
    record(&histogram, 1e9);
    int32_t scale = histogram.scale;
    djp__exponential_merge(&histogram, &empty);
    djp__exponential_downscale(&histogram, 0);
    assert_int_equal(histogram.scale, scale);
    djp__exponential_downscale(&histogram, 2);
    assert_int_equal(histogram.scale, scale - 2);
    assert_fits(&histogram, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_two_are_upper_bounds),
        cmocka_unit_test(a_bucket_holds_its_value),
        cmocka_unit_test(the_scale_is_the_finest_that_fits),
        cmocka_unit_test(growth_keeps_every_count),
        cmocka_unit_test(merging_is_as_recording_in_one),
        cmocka_unit_test(counts_of_zero_add_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
