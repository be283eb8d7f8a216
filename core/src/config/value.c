/* The syntax of settings: booleans, durations, counts, ratios, words. Parsing accepts any text,
 * returns whether it is valid, and has no side effect. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

static int
value_is_one_of(djp_text text, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (djp__text_equal_nocase(text, words[i])) {
            return 1;
        }
    }
    return 0;
}

static int
value_parse_bool(djp__config_value *out, djp_text text)
{
    static const char *const yes[] = {"true", "1", "yes", "on", NULL};
    static const char *const no[] = {"false", "0", "no", "off", NULL};
    out->integer = value_is_one_of(text, yes);
    return out->integer || value_is_one_of(text, no);
}

static int
value_parse_true(djp__config_value *out, djp_text text)
{
    out->integer = djp__text_equal_nocase(text, "true");
    return out->integer || djp__text_equal_nocase(text, "false") ? 1 : 2;
}

static int
value_parse_real(double *out, djp_text text, double minimum, double maximum)
{
    return djp__parse_double(text, out) && *out >= minimum && *out <= maximum;
}

static int
value_parse_whole(uint64_t *out, djp_text text, double minimum, double maximum)
{
    return djp__parse_u64(text, out) && (double)*out >= minimum && (double)*out <= maximum;
}

static int
value_parse_duration(djp__config_value *out, const djp__config_row *row, djp_text text,
                     double unit_ns)
{
    double scale = unit_ns / 1e9;
    double amount;
    if (!value_parse_real(&amount, text, row->minimum / scale, row->maximum / scale)) {
        return 0;
    }
    out->number = (uint64_t)(amount * unit_ns + 0.5);
    return 1;
}

/* A queue length of the standard batch processor: any number is valid, but clamped to the range; 3:
 * it was reduced. */
static int
value_parse_spans(djp__config_value *out, const djp__config_row *row, djp_text text)
{
    uint64_t spans;
    if (!djp__parse_u64(text, &spans) || spans == 0) {
        return 0;
    }
    double wanted = (double)spans * DJP_CONFIG_SPAN_BYTES;
    double bytes = wanted < row->minimum ? row->minimum : wanted;
    bytes = bytes > row->maximum ? row->maximum : bytes;
    out->number = (uint64_t)bytes;
    return bytes < wanted ? 3 : 1;
}

static int
value_parse_word(djp__config_value *out, const djp__config_row *row, djp_text text)
{
    for (const djp__config_word *word = row->words; word != NULL && word->text != NULL; word++) {
        if (djp__text_equal_nocase(text, word->text)) {
            out->integer = word->value;
            return 1;
        }
    }
    return 0;
}

int
djp__config_parse(djp__config_value *out, const djp__config_row *row, djp__form form, djp_text text)
{
    memset(out, 0, sizeof *out);
    int good = 1;
    switch (form) {
    case DJP_FORM_BOOL:
        return value_parse_bool(out, text);
    case DJP_FORM_TRUE:
        return value_parse_true(out, text);
    case DJP_FORM_SECONDS:
        return value_parse_duration(out, row, text, 1e9);
    case DJP_FORM_MILLISECONDS:
        return value_parse_duration(out, row, text, 1e6);
    case DJP_FORM_PORT:
        good = value_parse_whole(&out->number, text, row->minimum, row->maximum);
        out->integer = good ? (int)out->number : 0;
        return good;
    case DJP_FORM_COUNT:
    case DJP_FORM_SIZE:
        return value_parse_whole(&out->number, text, row->minimum, row->maximum);
    case DJP_FORM_SPANS:
        return value_parse_spans(out, row, text);
    case DJP_FORM_RATIO:
        return value_parse_real(&out->real, text, row->minimum, row->maximum);
    case DJP_FORM_WORD:
        return value_parse_word(out, row, text);
    case DJP_FORM_TEXT:
    case DJP_FORM_ATTRIBUTE:
        break;
    }
    return good;
}

const char *
djp__config_word_of(const djp__config_row *row, int value)
{
    for (const djp__config_word *word = row->words; word != NULL && word->text != NULL; word++) {
        if (word->value == value) {
            return word->text;
        }
    }
    return "";
}

static void
value_expect_word(djp__buf *out, const djp__config_row *row)
{
    djp__buf_text(out, "one of");
    const char *separator = " ";
    for (const djp__config_word *word = row->words; word != NULL && word->text != NULL; word++) {
        if (djp__config_word_of(row, word->value) == word->text) {
            djp__buf_text(out, separator);
            djp__buf_text(out, word->text);
            separator = ", ";
        }
    }
}

void
djp__config_expectation(djp__buf *out, const djp__config_row *row, djp__form form)
{
    switch (form) {
    case DJP_FORM_BOOL:
    case DJP_FORM_TRUE:
        djp__buf_text(out, "true or false");
        break;
    case DJP_FORM_SECONDS:
        djp__buf_printf(out, "a number of seconds from %.15g to %.15g", row->minimum, row->maximum);
        break;
    case DJP_FORM_MILLISECONDS:
        djp__buf_printf(out, "a number of milliseconds from %.15g to %.15g", row->minimum * 1e3,
                        row->maximum * 1e3);
        break;
    case DJP_FORM_SPANS:
        djp__buf_text(out, "a whole number of spans above 0");
        break;
    case DJP_FORM_PORT:
    case DJP_FORM_COUNT:
    case DJP_FORM_SIZE:
        djp__buf_printf(out, "a whole number from %.0f to %.0f", row->minimum, row->maximum);
        break;
    case DJP_FORM_RATIO:
        djp__buf_printf(out, "a number from %.0f to %.0f", row->minimum, row->maximum);
        break;
    case DJP_FORM_WORD:
        value_expect_word(out, row);
        break;
    case DJP_FORM_TEXT:
    case DJP_FORM_ATTRIBUTE:
        djp__buf_text(out, "a text");
        break;
    }
}
