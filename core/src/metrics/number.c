/* Formats numbers. Doubles of usual size are converted exactly in 128-bit integers; others use the
 * slower djp__buf_double. Independent of the locale and the rounding mode. */
#include "metrics/number.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"

static const char number_pairs[] = "000102030405060708091011121314151617181920212223242526272829303"
                                   "13233343536373839404142434445464748"
                                   "495051525354555657585960616263646566676869707172737475767778798"
                                   "0818283848586878889909192939495969798"
                                   "99";

size_t
djp__number_u64(char *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    while (value >= 100) {
        at -= 2;
        memcpy(digits + at, number_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, number_pairs + value * 2, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

__extension__ typedef unsigned __int128 number_u128;

/* value * 10^power as an exact fraction with 2^shift below: value = mantissa * 2^-(shift - power -
 * ...). */
typedef struct number_scaled {
    number_u128 exact; /* mantissa * 5^power */
    uint64_t five; /* 5^power: one unit in the last place of the mantissa */
    unsigned shift; /* the scaled value is exact / 2^shift */
    uint64_t mantissa;
} number_scaled;

#define NUMBER_POWER_MAX 27 /* 5^27 < 2^63 */
#define NUMBER_1E16 10000000000000000u
#define NUMBER_1E17 100000000000000000u

static uint64_t
number_pow5(int power)
{
    uint64_t result = 1;
    while (power-- > 0) {
        result *= 5;
    }
    return result;
}

/* Scales by 10^power. Returns 0 if the result is not such a fraction. */
static int
number_scale(number_scaled *out, uint64_t mantissa, int exponent, int power)
{
    if (power < 0 || power > NUMBER_POWER_MAX || -(exponent + power) <= 0 ||
        -(exponent + power) > 120) {
        return 0;
    }
    out->five = number_pow5(power);
    out->exact = (number_u128)mantissa * out->five;
    out->shift = (unsigned)-(exponent + power);
    out->mantissa = mantissa;
    return 1;
}

/* The nearest multiple of step to the scaled value, or 0 if it would parse as another double. */
static uint64_t
number_round(const number_scaled *scaled, uint64_t step)
{
    uint64_t whole = (uint64_t)(scaled->exact >> scaled->shift);
    uint64_t low = whole - whole % step;
    number_u128 below = scaled->exact - ((number_u128)low << scaled->shift);
    number_u128 width = (number_u128)step << scaled->shift;
    uint64_t candidate = low;
    number_u128 distance = below;
    if (below > width - below) {
        candidate = low + step;
        distance = width - below;
    }
    /* Half a unit in the last place is five / 2; below a power of two the neighbour is at half the
     * distance. */
    uint64_t times = scaled->mantissa == (uint64_t)1 << 52 ? 4 : 2;
    return distance * times < scaled->five ? candidate : 0;
}

/* Digits with a point for a value of 17 places scaled by 10^power. */
static size_t
number_layout(char *out, uint64_t digits, int power)
{
    char text[20];
    while (power > 0 && digits % 10 == 0) {
        digits /= 10;
        power--;
    }
    int size = (int)djp__number_u64(text, digits);
    if (power == 0) {
        memcpy(out, text, (size_t)size);
        return (size_t)size;
    }
    int whole = size - power;
    char *end = out;
    if (whole > 0) {
        memcpy(end, text, (size_t)whole);
        end += whole;
        *end++ = '.';
        memcpy(end, text + whole, (size_t)power);
        return (size_t)(end - out) + (size_t)power;
    }
    *end++ = '0';
    *end++ = '.';
    memset(end, '0', (size_t)-whole);
    end += -whole;
    memcpy(end, text, (size_t)size);
    return (size_t)(end - out) + (size_t)size;
}

/* Positive, normal, not whole, 1e-5 <= value < 2^53. Returns 0 if it finds no form. */
static size_t
number_fraction(char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> 52) - 1075;
    uint64_t mantissa = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
    /* 30103 / 100000 is log10(2): an estimate at most one too low. */
    int power = 16 - (int)floor((exponent + 52) * 0.30103);
    number_scaled scaled;
    if (!number_scale(&scaled, mantissa, exponent, power)) {
        return 0;
    }
    uint64_t whole = (uint64_t)(scaled.exact >> scaled.shift);
    if (whole >= NUMBER_1E17 && !number_scale(&scaled, mantissa, exponent, --power)) {
        return 0;
    }
    if (whole < NUMBER_1E16) {
        return 0;
    }
    for (uint64_t step = 100; step > 0; step /= 10) {
        uint64_t digits = number_round(&scaled, step);
        if (digits) {
            return number_layout(out, digits, power);
        }
    }
    return 0;
}

static size_t
number_slow(char *out, double value)
{
    djp__buf buf;
    djp__buf_init(&buf, 0);
    djp__buf_double(&buf, value);
    size_t size = buf.failed ? 0 : buf.size;
    if (size == 0 || size > DJP__NUMBER_SIZE) {
        memcpy(out, "NaN", 3); /* without memory, no value rather than a wrong one */
        size = 3;
    } else {
        memcpy(out, buf.data, size);
    }
    djp__buf_fini(&buf);
    return size;
}

size_t
djp__number_double(char *out, double value)
{
    size_t sign = 0;
    if (value < 0) {
        *out = '-';
        sign = 1;
    }
    double magnitude = fabs(value);
    if (magnitude < 9007199254740992.0) {
        uint64_t whole = (uint64_t)magnitude;
        if ((double)whole == magnitude) {
            return sign + djp__number_u64(out + sign, whole);
        }
        if (magnitude >= 1e-5) {
            size_t size = number_fraction(out + sign, magnitude);
            if (size > 0) {
                return sign + size;
            }
        }
    }
    return number_slow(out, value);
}

size_t
djp__number_le(char *out, double value)
{
    size_t size = djp__number_double(out, value);
    for (size_t i = 0; i < size; i++) {
        if (out[i] == '.' || out[i] == 'e' || out[i] == 'n' || out[i] == 'N') {
            return size;
        }
    }
    memcpy(out + size, ".0", 2);
    return size + 2;
}
