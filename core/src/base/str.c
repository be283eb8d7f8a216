/* Text slices and strict number parsing. Nothing here depends on the locale or allocates. */
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

djp_text
djp__text(const char *nul_terminated)
{
    djp_text text = {nul_terminated, nul_terminated != NULL ? strlen(nul_terminated) : 0};
    return text;
}

static int
str_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

djp_text
djp__text_trim(djp_text text)
{
    while (text.size > 0 && str_is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && str_is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

int
djp__text_equal(djp_text text, const char *nul_terminated)
{
    size_t size = nul_terminated != NULL ? strlen(nul_terminated) : 0;
    return text.size == size && (size == 0 || memcmp(text.data, nul_terminated, size) == 0);
}

int
djp__text_fits(djp_text text, djp_text pattern, int is_prefix)
{
    return (is_prefix ? text.size >= pattern.size : text.size == pattern.size) &&
           (pattern.size == 0 || memcmp(text.data, pattern.data, pattern.size) == 0);
}

char *
djp__digits_before(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return end;
}

djp_text
djp__digits(char room[24], int64_t value)
{
    char *at = djp__digits_before(room + 24, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (value < 0) {
        *--at = '-';
    }
    return (djp_text){at, (size_t)(room + 24 - at)};
}

static unsigned char
str_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

int
djp__text_equal_nocase(djp_text text, const char *nul_terminated)
{
    size_t size = nul_terminated != NULL ? strlen(nul_terminated) : 0;
    if (text.size != size) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (str_lower(text.data[i]) != str_lower(nul_terminated[i])) {
            return 0;
        }
    }
    return 1;
}

int
djp__text_split(djp_text *part, djp_text *rest, char separator)
{
    if (!rest->data) {
        return 0;
    }
    const char *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    part->data = rest->data;
    if (end != NULL) {
        part->size = (size_t)(end - rest->data);
        rest->size -= part->size + 1;
        rest->data = end + 1;
    } else {
        part->size = rest->size;
        rest->data = NULL;
        rest->size = 0;
    }
    return 1;
}

static size_t
str_digits(const char *text, size_t size)
{
    size_t count = 0;
    while (count < size && text[count] >= '0' && text[count] <= '9') {
        count++;
    }
    return count;
}

/* 1 when text is [+-] digits [. digits] [e [+-] digits] with a digit before the exponent. *point is
 * the '.' or size. */
static int
str_is_decimal(djp_text text, size_t *point)
{
    size_t at = text.size > 0 && (text.data[0] == '+' || text.data[0] == '-');
    size_t whole = str_digits(text.data + at, text.size - at);
    size_t fraction = 0;
    at += whole;
    *point = text.size;
    if (at < text.size && text.data[at] == '.') {
        *point = at++;
        fraction = str_digits(text.data + at, text.size - at);
        at += fraction;
    }
    if (whole + fraction == 0) {
        return 0;
    }
    if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += at < text.size && (text.data[at] == '+' || text.data[at] == '-');
        size_t exponent = str_digits(text.data + at, text.size - at);
        if (exponent == 0) {
            return 0;
        }
        at += exponent;
    }
    return at == text.size;
}

int
djp__parse_double(djp_text text, double *out)
{
    char copy[400];
    char local_point[16];
    size_t point;
    text = djp__text_trim(text);
    /* strtod expects the locale's decimal separator: formatting 0.5 shows it. */
    int shown = snprintf(local_point, sizeof local_point, "%.1f", 0.5);
    if (shown < 3 || text.size + sizeof local_point >= sizeof copy ||
        !str_is_decimal(text, &point)) {
        return 0;
    }
    size_t point_size = (size_t)shown - 2;
    size_t size = point;
    memcpy(copy, text.data, point);
    if (point < text.size) {
        memcpy(copy + size, local_point + 1, point_size);
        size += point_size;
        memcpy(copy + size, text.data + point + 1, text.size - point - 1);
        size += text.size - point - 1;
    }
    copy[size] = '\0';
    char *end = NULL;
    double value = strtod(copy, &end);
    if (end != copy + size || !isfinite(value)) {
        return 0;
    }
    *out = value;
    return 1;
}

int
djp__parse_u64(djp_text text, uint64_t *out)
{
    text = djp__text_trim(text);
    if (text.size == 0) {
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return 1;
}
