/* The verbs of console lines: days of the calendar, durations, words, and what a line always
 * has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/emit_console.h"

static djp__buf console_out;

static void
console_is(const char *expected)
{
    assert_int_equal(console_out.size, strlen(expected));
    assert_memory_equal(console_out.data, expected, console_out.size);
    djp__buf_clear(&console_out);
}

static void
times_follow_the_calendar(void **state)
{
    static const struct {
        uint64_t seconds, ns;
        const char *text;
    } cases[] = {
        {0, 0, "1970-01-01T00:00:00.000000Z"},
        {951782400, 0, "2000-02-29T00:00:00.000000Z"},
        {951868799, 999999999, "2000-02-29T23:59:59.999999Z"},
        {951868800, 0, "2000-03-01T00:00:00.000000Z"},
        {1709164800, 0, "2024-02-29T00:00:00.000000Z"},
        {1735689599, 1000, "2024-12-31T23:59:59.000001Z"},
        {4107542400, 0, "2100-03-01T00:00:00.000000Z"}, /* 2100 has no leap day */
        {4107542399, 0, "2100-02-28T23:59:59.000000Z"},
        {18446744073, 709551615, "2554-07-21T23:34:33.709551Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[64] = "\"t\":\"";
        strcat(strcat(expected, cases[i].text), "\"");
        djp__console_time(&console_out, 0, NULL, "t", cases[i].seconds * 1000000000u + cases[i].ns);
        console_is(expected);
    }
}

static void
durations_are_exact_and_never_negative(void **state)
{
    (void)state;
    djp__console_duration(&console_out, 0, NULL, "d", 1000, 1000);
    console_is("\"d\":0.000");
    djp__console_duration(&console_out, 0, NULL, "d", 5000, 1000);
    console_is("\"d\":0.000");
    djp__console_duration(&console_out, 0, NULL, "d", 0, 1234567890);
    console_is("\"d\":1234.567");
    djp__console_duration(&console_out, 0, NULL, "d", 0, UINT64_MAX);
    console_is("\"d\":18446744073709.551");
}

static void
values_without_a_word_have_the_first(void **state)
{
    static const char *const words[] = {"UNSET", "OK"};
    (void)state;
    djp__console_word(&console_out, 0, NULL, "w", 1, words, 2);
    console_is("\"w\":\"OK\"");
    djp__console_word(&console_out, 0, NULL, "w", 2, words, 2);
    console_is("\"w\":\"UNSET\"");
}

static void
a_line_has_a_title_and_a_parent_in_any_case(void **state)
{
    static const uint8_t none[8], some[8] = {1};
    (void)state;
    djp__console_title(&console_out, 0, NULL, "name", (djp_text){NULL, 0});
    console_is("\"name\":\"\"");
    djp__console_text(&console_out, 0, NULL, "message", (djp_text){NULL, 0});
    console_is("");
    djp__console_id_or_none(&console_out, 0, NULL, "parent_id", none);
    console_is("\"parent_id\":null");
    djp__console_id_or_none(&console_out, 0, NULL, "parent_id", some);
    console_is("\"parent_id\":\"0100000000000000\"");
    djp__console_list_begin(&console_out, 0, NULL, "events");
    djp__console_list_end(&console_out, 0, NULL, "events");
    djp__console_attributes_begin(&console_out, 0, NULL, "attributes");
    djp__console_own_attribute(&console_out, 0, NULL, NULL, DJP_TEXT("k"), DJP_TEXT("v"));
    djp__console_attributes_end(&console_out, 0, NULL, "attributes");
    console_is("\"events\":[],\"attributes\":{\"k\":\"v\"}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_follow_the_calendar),
        cmocka_unit_test(durations_are_exact_and_never_negative),
        cmocka_unit_test(values_without_a_word_have_the_first),
        cmocka_unit_test(a_line_has_a_title_and_a_parent_in_any_case),
    };
    djp__buf_init(&console_out, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    djp__buf_fini(&console_out);
    return failed;
}
