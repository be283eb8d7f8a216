/* The forms of settings at their edges: for every row of the table the least and the most that it
 * takes and what lies beyond, every word, and what is expected where a text is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static int
parse(djp__config_value *out, const djp__config_row *row, djp__form form, const char *text)
{
    memset(out, 0x55, sizeof *out);
    return djp__config_parse(out, row, form, (djp_text){text, strlen(text)});
}

/* A whole number, or thousandths of it. */
static const char *
number(double value, const char *format)
{
    static char text[64];
    snprintf(text, sizeof text, format, value);
    return text;
}

static void
whole_numbers_have_their_ends(const djp__config_row *row)
{
    djp__config_value value;
    assert_int_equal(parse(&value, row, row->form, number(row->minimum, "%.0f")), 1);
    assert_true((double)value.number == row->minimum);
    assert_int_equal(parse(&value, row, row->form, number(row->maximum, "%.0f")), 1);
    assert_true((double)value.number == row->maximum);
    if (row->form == DJP_FORM_PORT) {
        assert_int_equal(value.integer, (int)row->maximum);
    }
    if (row->minimum > 0) {
        assert_int_equal(parse(&value, row, row->form, number(row->minimum - 1, "%.0f")), 0);
    }
    if (row->maximum < 9e15) {
        assert_int_equal(parse(&value, row, row->form, number(row->maximum + 1, "%.0f")), 0);
    }
    assert_int_equal(parse(&value, row, row->form, "1.5"), 0);
    assert_int_equal(parse(&value, row, row->form, "-1"), 0);
    assert_int_equal(parse(&value, row, row->form, "x"), 0);
}

static void
ratios_have_their_ends(const djp__config_row *row)
{
    djp__config_value value;
    assert_int_equal(parse(&value, row, row->form, number(row->minimum, "%.17g")), 1);
    assert_true(value.real == row->minimum);
    assert_int_equal(parse(&value, row, row->form, number(row->maximum, "%.17g")), 1);
    assert_true(value.real == row->maximum);
    assert_int_equal(parse(&value, row, row->form, number(row->minimum - 0.0001, "%.17g")), 0);
    assert_int_equal(parse(&value, row, row->form, number(row->maximum * 1.0001, "%.17g")), 0);
    assert_int_equal(parse(&value, row, row->form, "nan"), 0);
}

static void
durations_have_their_ends(const djp__config_row *row, djp__form form, double scale)
{
    djp__config_value value;
    assert_int_equal(parse(&value, row, form, number(row->minimum * scale, "%.15g")), 1);
    assert_true(value.number == (uint64_t)(row->minimum * 1e9 + 0.5));
    assert_int_equal(parse(&value, row, form, number(row->maximum * scale, "%.15g")), 1);
    assert_true(value.number == (uint64_t)(row->maximum * 1e9 + 0.5));
    assert_int_equal(parse(&value, row, form, number(row->maximum * scale * 1.0001, "%.15g")), 0);
    assert_int_equal(parse(&value, row, form, number(row->minimum * scale - 0.0001, "%.15g")), 0);
}

static void
every_row_has_its_ends(void **state)
{
    int seen = 0;
    (void)state;
    for (int i = 0; i < DJP_SETTINGS; i++) {
        const djp__config_row *row = &djp__config_table[i];
        switch (row->form) {
        case DJP_FORM_COUNT:
        case DJP_FORM_SIZE:
        case DJP_FORM_PORT:
            whole_numbers_have_their_ends(row);
            break;
        case DJP_FORM_RATIO:
            ratios_have_their_ends(row);
            break;
        case DJP_FORM_SECONDS:
            durations_have_their_ends(row, DJP_FORM_SECONDS, 1);
            durations_have_their_ends(row, DJP_FORM_MILLISECONDS, 1000);
            break;
        default:
            continue;
        }
        seen++;
    }
    assert_true(seen > 25);
}

static void
every_word_is_known(void **state)
{
    (void)state;
    for (int i = 0; i < DJP_SETTINGS; i++) {
        const djp__config_row *row = &djp__config_table[i];
        for (const djp__config_word *word = row->words; word && word->text; word++) {
            djp__config_value value;
            char capitals[64];
            snprintf(capitals, sizeof capitals, "%s", word->text);
            capitals[0] =
                capitals[0] >= 'a' && capitals[0] <= 'z' ? (char)(capitals[0] - 32) : capitals[0];
            assert_int_equal(parse(&value, row, DJP_FORM_WORD, word->text), 1);
            assert_int_equal(value.integer, word->value);
            assert_int_equal(parse(&value, row, DJP_FORM_WORD, capitals), 1);
            assert_int_equal(value.integer, word->value);
            assert_int_equal(parse(&value, row, DJP_FORM_WORD, ""), 0);
            /* The report shows the first word of a value. */
            const char *shown = djp__config_word_of(row, word->value);
            assert_true(shown == word->text || shown < word->text ||
                        strcmp(shown, word->text) != 0);
            assert_int_equal(parse(&value, row, DJP_FORM_WORD, shown), 1);
            assert_int_equal(value.integer, word->value);
        }
        assert_string_equal(djp__config_word_of(row, 4711), "");
    }
}

static void
booleans_in_every_word(void **state)
{
    static const struct {
        const char *text;
        int boolean, truth; /* what each form says: -1 refused, 2 with a warning for the second */
    } cases[] = {{"true", 1, 1}, {"TRUE", 1, 1},  {"1", 1, -1},  {"yes", 1, -1},
                 {"on", 1, -1},  {"false", 0, 0}, {"0", 0, -1},  {"no", 0, -1},
                 {"oFF", 0, -1}, {"", -1, -1},    {"2", -1, -1}, {"tru", -1, -1}};
    djp__config_value value;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int good =
            parse(&value, &djp__config_table[DJP_SETTING_ENABLED], DJP_FORM_BOOL, cases[i].text);
        assert_int_equal(good, cases[i].boolean >= 0);
        assert_int_equal(value.integer, cases[i].boolean > 0);
        good = parse(&value, &djp__config_table[DJP_SETTING_ENABLED], DJP_FORM_TRUE, cases[i].text);
        assert_int_equal(good, cases[i].truth >= 0 ? 1 : 2); /* anything else counts as false */
        assert_int_equal(value.integer, cases[i].truth > 0);
    }
}

/* A number of spans becomes bytes in the range of the ring; 3 says that it is less than was asked
 * for. */
static void
queues_of_spans_become_bytes(void **state)
{
    const djp__config_row *row = &djp__config_table[DJP_SETTING_RING_BYTES];
    uint64_t least = (uint64_t)row->minimum / DJP_CONFIG_SPAN_BYTES,
             most = (uint64_t)row->maximum / DJP_CONFIG_SPAN_BYTES;
    djp__config_value value;
    (void)state;
    assert_int_equal(parse(&value, row, DJP_FORM_SPANS, "0"), 0);
    assert_int_equal(parse(&value, row, DJP_FORM_SPANS, "x"), 0);
    assert_int_equal(parse(&value, row, DJP_FORM_SPANS, "1"), 1);
    assert_true((double)value.number == row->minimum);
    assert_int_equal(parse(&value, row, DJP_FORM_SPANS, number((double)least + 1, "%.0f")), 1);
    assert_int_equal(value.number, (least + 1) * DJP_CONFIG_SPAN_BYTES);
    assert_int_equal(parse(&value, row, DJP_FORM_SPANS, number((double)most, "%.0f")), 1);
    assert_int_equal(value.number, most * DJP_CONFIG_SPAN_BYTES);
    assert_int_equal(parse(&value, row, DJP_FORM_SPANS, number((double)most + 1, "%.0f")), 3);
    assert_true((double)value.number == row->maximum);
}

static void
durations_are_rounded(void **state)
{
    const djp__config_row *row = &djp__config_table[DJP_SETTING_EXPORT_TIMEOUT];
    djp__config_value value;
    (void)state;
    assert_int_equal(parse(&value, row, DJP_FORM_SECONDS, "1.0000000004"), 1);
    assert_int_equal(value.number, 1000000000);
    assert_int_equal(parse(&value, row, DJP_FORM_SECONDS, "1.0000000006"), 1);
    assert_int_equal(value.number, 1000000001);
    assert_int_equal(parse(&value, row, DJP_FORM_MILLISECONDS, "1500"), 1);
    assert_int_equal(value.number, 1500000000);
}

static void
expects(const djp__config_row *row, djp__form form, const char *want)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__config_expectation(&out, row, form);
    djp__buf_char(&out, '\0');
    assert_string_equal(out.data, want);
    djp__buf_fini(&out);
}

static void
what_is_expected(void **state)
{
    static const djp__config_word words[] = {{"a", 1}, {"b", 2}, {"alias", 1}, {NULL, 0}};
    djp__config_row row = {.minimum = 0.5, .maximum = 3600, .words = words};
    djp__config_value value;
    (void)state;
    expects(&row, DJP_FORM_BOOL, "true or false");
    expects(&row, DJP_FORM_TRUE, "true or false");
    expects(&row, DJP_FORM_SECONDS, "a number of seconds from 0.5 to 3600");
    expects(&row, DJP_FORM_MILLISECONDS, "a number of milliseconds from 500 to 3600000");
    expects(&row, DJP_FORM_SPANS, "a whole number of spans above 0");
    row.minimum = 1;
    expects(&row, DJP_FORM_COUNT, "a whole number from 1 to 3600");
    expects(&row, DJP_FORM_PORT, "a whole number from 1 to 3600");
    expects(&row, DJP_FORM_SIZE, "a whole number from 1 to 3600");
    expects(&row, DJP_FORM_RATIO, "a number from 1 to 3600");
    expects(&row, DJP_FORM_WORD, "one of a, b"); /* each value once, by its first word */
    expects(&row, DJP_FORM_TEXT, "a text");
    expects(&row, DJP_FORM_ATTRIBUTE, "a text");
    assert_int_equal(parse(&value, &row, DJP_FORM_WORD, "alias"), 1);
    assert_int_equal(value.integer, 1);
    assert_string_equal(djp__config_word_of(&row, 1), "a");
    assert_int_equal(parse(&value, &row, DJP_FORM_TEXT, "anything"), 1);
    row.words = NULL;
    assert_int_equal(parse(&value, &row, DJP_FORM_WORD, "a"), 0);
    assert_string_equal(djp__config_word_of(&row, 1), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_its_ends), cmocka_unit_test(every_word_is_known),
        cmocka_unit_test(booleans_in_every_word), cmocka_unit_test(queues_of_spans_become_bytes),
        cmocka_unit_test(durations_are_rounded),  cmocka_unit_test(what_is_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
