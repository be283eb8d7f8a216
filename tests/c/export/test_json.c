/* The pieces of JSON: commas, numbers that are none, identifiers, texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "export/json.h"

static djp__buf json_out;

static int
json_begin(void **state)
{
    (void)state;
    djp__buf_init(&json_out, 0);
    return 0;
}

static int
json_end(void **state)
{
    (void)state;
    djp__buf_fini(&json_out);
    return 0;
}

static void
json_is(const char *expected)
{
    assert_int_equal(json_out.size, strlen(expected));
    assert_memory_equal(json_out.data, expected, json_out.size);
    djp__buf_clear(&json_out);
}

static void
commas_stand_between_members_only(void **state)
{
    (void)state;
    djp__json_comma(&json_out);
    json_is("");
    djp__buf_char(&json_out, '{');
    djp__json_name(&json_out, "a");
    djp__buf_text(&json_out, "[");
    djp__json_comma(&json_out);
    djp__buf_text(&json_out, "1");
    djp__json_comma(&json_out);
    djp__buf_text(&json_out, "2]");
    djp__json_name(&json_out, "b");
    djp__buf_text(&json_out, "{}}\n");
    djp__json_comma(&json_out);
    djp__buf_text(&json_out, "{");
    json_is("{\"a\":[1,2],\"b\":{}}\n{");
}

static void
numbers_that_json_has_not_are_texts(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{NAN, "\"NaN\""},
                 {INFINITY, "\"Infinity\""},
                 {-INFINITY, "\"-Infinity\""},
                 {-0.0, "-0.0"},
                 {0, "0"},
                 {0.5, "0.5"},
                 {1e300, "1e+300"},
                 {-3, "-3"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__json_double(&json_out, cases[i].value);
        json_is(cases[i].text);
    }
    djp__json_u64_text(&json_out, UINT64_MAX);
    json_is("\"18446744073709551615\"");
}

static void
identifiers_and_counts_are_members(void **state)
{
    static const uint8_t id[] = {0x00, 0xab, 0xff};
    (void)state;
    djp__json_id(&json_out, "id", id, sizeof id);
    djp__json_count(&json_out, "none", 0);
    djp__json_count(&json_out, "some", 7);
    json_is("\"id\":\"00abff\",\"some\":7");
}

static void
texts_are_escaped_and_may_be_absent(void **state)
{
    (void)state;
    djp__json_text(&json_out, (djp_text){NULL, 0});
    json_is("\"\"");
    djp__json_text(&json_out, DJP_TEXT("a\"b\\c\n\x01"));
    json_is("\"a\\\"b\\\\c\\n\\u0001\"");
}

static void
an_attribute_has_two_forms(void **state)
{
    (void)state;
    djp__json_attribute_text(&json_out, DJP_TEXT("k"), DJP_TEXT("v"), DJP__JSON_OTLP);
    json_is("{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}");
    djp__json_attribute_text(&json_out, DJP_TEXT("k"), DJP_TEXT("v"), DJP__JSON_PLAIN);
    json_is("\"k\":\"v\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commas_stand_between_members_only, json_begin, json_end),
        cmocka_unit_test_setup_teardown(numbers_that_json_has_not_are_texts, json_begin, json_end),
        cmocka_unit_test_setup_teardown(identifiers_and_counts_are_members, json_begin, json_end),
        cmocka_unit_test_setup_teardown(texts_are_escaped_and_may_be_absent, json_begin, json_end),
        cmocka_unit_test_setup_teardown(an_attribute_has_two_forms, json_begin, json_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
