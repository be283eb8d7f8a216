/* Numbers as text: every number of digits, and doubles at the edges of each way to write them:
 * shortest, and read back as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "metrics/number.h"

static void
whole(uint64_t value)
{
    char out[32], want[32];
    size_t size = djp__number_u64(out, value);
    int digits = snprintf(want, sizeof want, "%llu", (unsigned long long)value);
    assert_int_equal(size, digits);
    assert_memory_equal(out, want, size);
}

static void
whole_numbers_of_every_size(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 10300; value++) {
        whole(value);
    }
    for (uint64_t power = 1;; power *= 10) {
        whole(power - 1);
        whole(power);
        whole(power + 1);
        whole(power * 9 / 7);
        if (power > UINT64_MAX / 10) {
            break;
        }
    }
    whole(UINT64_MAX);
}

/* Digits of the mantissa in a text, without zeros at its ends. */
static int
digits_of(const char *text)
{
    int count = 0, zeros = 0, begun = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9') {
            begun |= *text != '0';
            zeros = *text == '0' ? zeros + 1 : 0;
            count += begun;
        }
    }
    return begun ? count - (zeros < count ? zeros : count) : 0;
}

static void
reads_back(double value)
{
    char out[DJP__NUMBER_SIZE + 1], shortest[64];
    size_t size = djp__number_double(out, value);
    assert_true(size > 0 && size <= DJP__NUMBER_SIZE);
    out[size] = '\0';
    if (strtod(out, NULL) != value) {
        fail_msg("%s is not %.17g", out, value);
    }
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(shortest, sizeof shortest, "%.*g", precision, value);
        if (strtod(shortest, NULL) == value) {
            break;
        }
    }
    if (digits_of(out) > digits_of(shortest)) {
        fail_msg("%s is longer than %s", out, shortest);
    }
}

static void
doubles_at_their_edges(void **state)
{
    (void)state;
    static const double values[] = {
        0.1,      0.2,    0.3,  1.0 / 3,  2.0 / 3, 0.5,      0.25,     1e-5, 9.9e-6, 1.1e-5,
        0.999999, 1.0001, 1.5,  123.456,  99.99,   1e15 / 7, 1e16 / 3, 4.35, 5e-324, DBL_MIN,
        DBL_MAX,  1e22,   1e23, 1.7e-300, 0.007,   2.675,    8.41e21,  1e-7, 1e300,  0.1 + 0.2};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        reads_back(values[i]);
        reads_back(-values[i]);
        reads_back(nextafter(values[i], 0));
        reads_back(nextafter(values[i], INFINITY) < INFINITY ? nextafter(values[i], INFINITY)
                                                             : values[i]);
    }
    for (int exponent = -30; exponent <= 56; exponent++) {
        double power = ldexp(1, exponent);
        reads_back(power);
        reads_back(nextafter(power, 0)); /* below a power of two neighbours are nearer */
        reads_back(nextafter(power, INFINITY));
        reads_back(power * 1.1);
        reads_back(power / 10);
    }
    for (int exponent = -8; exponent <= 18; exponent++) {
        double power = pow(10, exponent);
        reads_back(power);
        reads_back(nextafter(power, 0));
        reads_back(nextafter(power, INFINITY));
    }
}

static void
is(double value, const char *want)
{
    char out[DJP__NUMBER_SIZE + 1];
    out[djp__number_double(out, value)] = '\0';
    assert_string_equal(out, want);
}

static void
forms_of_doubles(void **state)
{
    (void)state;
    is(0, "0");
    is(-0.0, "0");
    is(1, "1");
    is(-1, "-1");
    is(1.5, "1.5");
    is(-1.5, "-1.5");
    is(0.25, "0.25");
    is(0.001, "0.001");
    is(0.00001, "0.00001");
    is(100.125, "100.125");
    is(9007199254740991, "9007199254740991");
    is(-9007199254740991, "-9007199254740991");
    is(12345.678, "12345.678");
    is(0.1 + 0.2, "0.30000000000000004");
    is(INFINITY, "+Inf");
    is(-INFINITY, "-Inf");
    is(NAN, "NaN");
}

/* Better no value than a wrong one. */
static void
without_memory_it_is_no_number(void **state)
{
    (void)state;
    char out[DJP__NUMBER_SIZE + 1];
    djp__alloc_fail_after(1);
    size_t size = djp__number_double(out, 1e300);
    djp__alloc_fail_after(0);
    assert_int_equal(size, 3);
    assert_memory_equal(out, "NaN", 3);
}

static void
le(double value, const char *want)
{
    char out[DJP__NUMBER_SIZE + 3];
    out[djp__number_le(out, value)] = '\0';
    assert_string_equal(out, want);
}

/* OpenMetrics wants bounds that are floats. */
static void
bounds_are_floats(void **state)
{
    (void)state;
    le(0, "0.0");
    le(1, "1.0");
    le(-3, "-3.0");
    le(10, "10.0");
    le(2.5, "2.5");
    le(0.3, "0.3");
    le(9007199254740991, "9007199254740991.0");
    le(INFINITY, "+Inf");
    char out[DJP__NUMBER_SIZE + 3];
    out[djp__number_le(out, 1e100)] = '\0';
    assert_null(strstr(out, ".0"));
    assert_true(strtod(out, NULL) == 1e100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_of_every_size),
        cmocka_unit_test(doubles_at_their_edges),
        cmocka_unit_test(forms_of_doubles),
        cmocka_unit_test(bounds_are_floats),
        cmocka_unit_test(without_memory_it_is_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
