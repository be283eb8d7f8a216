/* The verbs of export/emit.h as members of a console line. Independent of signals. */
#include "export/emit_console.h"

#include <string.h>

#define EMIT_CONSOLE_UNUSED ((void)number, (void)name)

djp__buf *
djp__console_id(DJP__EMIT_FIELD_PARAMETERS, const uint8_t *id, size_t size)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_id(out, label, id, size);
    return out;
}

djp__buf *
djp__console_id_or_none(DJP__EMIT_FIELD_PARAMETERS, const uint8_t id[8])
{
    static const uint8_t none[8];
    if (memcmp(id, none, sizeof none) != 0) {
        return djp__console_id(out, number, name, label, id, sizeof none);
    }
    djp__json_name(out, label);
    djp__buf_text(out, "null");
    return out;
}

djp__buf *
djp__console_title(DJP__EMIT_FIELD_PARAMETERS, djp_text text)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_name(out, label);
    djp__json_text(out, text);
    return out;
}

djp__buf *
djp__console_text(DJP__EMIT_FIELD_PARAMETERS, djp_text text)
{
    return text.size != 0 ? djp__console_title(out, number, name, label, text) : out;
}

djp__buf *
djp__console_count(DJP__EMIT_FIELD_PARAMETERS, uint32_t count)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_count(out, label, count);
    return out;
}

djp__buf *
djp__console_word(DJP__EMIT_FIELD_PARAMETERS, uint32_t value, const char *const *words,
                  size_t word_count)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_name(out, label);
    djp__buf_char(out, '"');
    djp__buf_text(out, words[value < word_count ? value : 0]);
    djp__buf_char(out, '"');
    return out;
}

static char *
console_digits(char *at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

/* Counts days in years that begin in March, so that the leap day is the last. */
djp__buf *
djp__console_time(DJP__EMIT_FIELD_PARAMETERS, uint64_t unix_ns)
{
    uint64_t seconds = unix_ns / 1000000000u, days = seconds / 86400u + 719468u,
             second = seconds % 86400u;
    uint64_t era = days / 146097u, of_era = days % 146097u;
    uint64_t year = (of_era - of_era / 1460u + of_era / 36524u - of_era / 146096u) / 365u;
    uint64_t of_year = of_era - (365u * year + year / 4u - year / 100u);
    uint64_t march = (5u * of_year + 2u) / 153u, day = of_year - (153u * march + 2u) / 5u + 1u;
    uint64_t month = march < 10 ? march + 3 : march - 9;
    char text[32], *at = text;
    at = console_digits(at, era * 400u + year + (month <= 2), 4);
    *at++ = '-';
    at = console_digits(at, month, 2);
    *at++ = '-';
    at = console_digits(at, day, 2);
    *at++ = 'T';
    at = console_digits(at, second / 3600u, 2);
    *at++ = ':';
    at = console_digits(at, second / 60u % 60u, 2);
    *at++ = ':';
    at = console_digits(at, second % 60u, 2);
    *at++ = '.';
    at = console_digits(at, unix_ns / 1000u % 1000000u, 6);
    *at++ = 'Z';
    djp_text value = {text, (size_t)(at - text)};
    return djp__console_title(out, number, name, label, value);
}

djp__buf *
djp__console_duration(DJP__EMIT_FIELD_PARAMETERS, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / 1000u : 0;
    char fraction[3];
    EMIT_CONSOLE_UNUSED;
    console_digits(fraction, us % 1000u, 3);
    djp__json_name(out, label);
    djp__buf_u64(out, us / 1000u);
    djp__buf_char(out, '.');
    djp__buf_append(out, fraction, sizeof fraction);
    return out;
}

djp__buf *
djp__console_open(djp__buf *out, const char *name, const char *label)
{
    (void)name;
    return djp__otlp_json_open(out, label, NULL);
}

djp__buf *
djp__console_list_begin(DJP__EMIT_FIELD_PARAMETERS)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_name(out, label);
    djp__buf_char(out, '[');
    return out;
}

djp__buf *
djp__console_list_end(DJP__EMIT_FIELD_PARAMETERS)
{
    EMIT_CONSOLE_UNUSED;
    (void)label;
    djp__buf_char(out, ']');
    return out;
}

djp__buf *
djp__console_attributes_begin(DJP__EMIT_FIELD_PARAMETERS)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_name(out, label);
    djp__buf_char(out, '{');
    return out;
}

djp__buf *
djp__console_attributes_end(DJP__EMIT_FIELD_PARAMETERS)
{
    EMIT_CONSOLE_UNUSED;
    (void)label;
    djp__buf_char(out, '}');
    return out;
}

djp__buf *
djp__console_attributes(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, djp__walk_list list)
{
    EMIT_CONSOLE_UNUSED;
    (void)label;
    djp__json_attributes(out, walk, list, DJP__JSON_PLAIN);
    return out;
}

djp__buf *
djp__console_map(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, uint32_t from, uint32_t to)
{
    EMIT_CONSOLE_UNUSED;
    (void)label;
    djp__json_map(out, walk, from, to, DJP__JSON_PLAIN, 1);
    return out;
}

djp__buf *
djp__console_own_attribute(DJP__EMIT_FIELD_PARAMETERS, djp_text key, djp_text text)
{
    EMIT_CONSOLE_UNUSED;
    (void)label;
    if (text.size != 0) {
        djp__json_attribute_text(out, key, text, DJP__JSON_PLAIN);
    }
    return out;
}

static void
emit_console_own(djp__buf *out, djp_text key)
{
    djp__json_comma(out);
    djp__json_text(out, key);
    djp__buf_char(out, ':');
}

djp__buf *
djp__console_own_number(DJP__EMIT_FIELD_PARAMETERS, djp_text key, int64_t value)
{
    EMIT_CONSOLE_UNUSED;
    (void)label;
    emit_console_own(out, key);
    djp__buf_i64(out, value);
    return out;
}

djp__buf *
djp__console_own_truth(DJP__EMIT_FIELD_PARAMETERS, djp_text key)
{
    EMIT_CONSOLE_UNUSED;
    (void)label;
    emit_console_own(out, key);
    djp__buf_text(out, "true");
    return out;
}

djp__buf *
djp__console_truth(DJP__EMIT_FIELD_PARAMETERS, int value)
{
    EMIT_CONSOLE_UNUSED;
    return djp__otlp_json_truth(out, number, label, NULL, value);
}

djp__buf *
djp__console_real(DJP__EMIT_FIELD_PARAMETERS, double value)
{
    EMIT_CONSOLE_UNUSED;
    return djp__otlp_json_real(out, number, label, NULL, value);
}

djp__buf *
djp__console_total(DJP__EMIT_FIELD_PARAMETERS, uint64_t value)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_name(out, label);
    djp__buf_u64(out, value);
    return out;
}

djp__buf *
djp__console_totals(DJP__EMIT_FIELD_PARAMETERS, const uint64_t *values, size_t count)
{
    djp__console_list_begin(out, number, name, label);
    for (size_t i = 0; i < count; i++) {
        djp__json_comma(out);
        djp__buf_u64(out, values[i]);
    }
    return djp__console_list_end(out, number, name, label);
}

djp__buf *
djp__console_signed_number(DJP__EMIT_FIELD_PARAMETERS, int32_t value)
{
    EMIT_CONSOLE_UNUSED;
    djp__json_name(out, label);
    djp__buf_i64(out, value);
    return out;
}

djp__buf *
djp__console_reals(DJP__EMIT_FIELD_PARAMETERS, const double *values, size_t count)
{
    djp__console_list_begin(out, number, name, label);
    djp__json_doubles(out, values, count);
    return djp__console_list_end(out, number, name, label);
}

djp__buf *
djp__console_value(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, const djp__item *item)
{
    EMIT_CONSOLE_UNUSED;
    if (item != NULL) {
        djp__json_name(out, label);
        djp__json_value(out, walk, item, DJP__JSON_PLAIN);
    }
    return out;
}
