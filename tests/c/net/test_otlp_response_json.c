/* The partial success in JSON: which members count, how counts are written, where a message is cut,
 * and that everything else is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/otlp_response_json.h"

static djp__partial partial;

/* Parses a block of exactly the size, so that a sanitizer sees a read behind it. */
static int
parse(const char *text, size_t size)
{
    char *copy = malloc(size + (size == 0));
    memcpy(copy, text, size);
    memset(&partial, 0, sizeof partial);
    int whole = djp__response_json(&partial, copy, size, "rejectedSpans");
    free(copy);
    return whole;
}

static void
counts_are_digits_with_or_without_quotes(void **state)
{
    static const struct {
        const char *count;
        int64_t rejected;
    } cases[] = {{"0", 0},
                 {"7", 7},
                 {"\"7\"", 7},
                 {" \n\t 12 \r\n", 12},
                 {"\n\"12\"", 12},
                 {"9223372036854775807", INT64_MAX},
                 {"\"9223372036854775807\"", INT64_MAX},
                 {"9223372036854775808", 0},
                 {"99999999999999999999", 0},
                 {"\"\"", 0},
                 {"\"1x\"", 0},
                 {"-1", 0},
                 {"1.5", 0},
                 {"1e3", 0},
                 {"null", 0},
                 {"true", 0},
                 {"[1]", 0},
                 {"{\"rejectedSpans\":1}", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        int size = snprintf(text, sizeof text, "{\"partialSuccess\":{\"rejectedSpans\":%s}}",
                            cases[i].count);
        assert_int_equal(parse(text, (size_t)size), 1);
        assert_int_equal(partial.rejected, cases[i].rejected);
    }
}

/* Only whole names count, and only at their place. */
static void
other_members_are_skipped(void **state)
{
    static const char *const cases[] = {
        "{\"partialFailure\":{\"rejectedSpans\":3,\"errorMessage\":\"m\"}}", /* as long as the name
                                                                              */
        "{\"partial\":{\"rejectedSpans\":3}}",
        "{\"\":{\"rejectedSpans\":3}}",
        "{\"partialSuccesses\":{\"rejectedSpans\":3}}",
        "{\"partialSuccess\":{\"rejectedSpanz\":3,\"errorMessagX\":\"m\"}}",
        "{\"partialSuccess\":{\"rejected\":3,\"error\":\"m\",\"\":1}}",
        "{\"partialSuccess\":{\"rejectedLogRecords\":3}}",
        "{\"partialSuccess\":[{\"rejectedSpans\":3}]}",
        "{\"partialSuccess\":\"rejectedSpans\"}",
        "{\"partialSuccess\":null,\"rejectedSpans\":3,\"errorMessage\":\"m\"}",
        "{\"partialSuccess\":{\"errorMessage\":7}}",
        "{\"partialSuccess\":{\"errorMessage\":[\"m\"]}}",
        "{\"partialSuccess\":{\"x\":{\"rejectedSpans\":3,\"errorMessage\":\"m\"}}}",
        "{\"aNameThatIsLongerThanEveryNameThatIsLookedFor\":1,\"x\":{}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!parse(cases[i], strlen(cases[i])) || partial.rejected != 0 || partial.message[0]) {
            fail_msg("%s: %lld \"%s\"", cases[i], (long long)partial.rejected, partial.message);
        }
    }
}

static void
members_stand_in_any_order(void **state)
{
    static const char text[] = "{\"a\":[{}],\"partialSuccess\":{\"b\":{},\"errorMessage\":\"m\","
                               "\"c\":[1],\"rejectedSpans\":\"4\",\"d\":null},\"e\":\"f\"}";
    static const char twice[] = "{\"partialSuccess\":{\"rejectedSpans\":1,\"rejectedSpans\":2}}";
    (void)state;
    assert_int_equal(parse(text, strlen(text)), 1);
    assert_int_equal(partial.rejected, 4);
    assert_string_equal(partial.message, "m");
    assert_int_equal(parse(twice, strlen(twice)), 1);
    assert_int_equal(partial.rejected, 2); /* the last one */
}

/* A message is cut to 255 bytes of whole characters. */
static void
messages_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t before = 245; before <= 260; before++) {
        char text[400] = "{\"partialSuccess\":{\"errorMessage\":\"", wanted[400] = "";
        size_t at = strlen(text);
        memset(text + at, 'm', before);
        memset(wanted, 'm', before);
        strcpy(text + at + before, "\xf0\x9f\x98\x80xyz\"}}"); /* four bytes */
        strcpy(wanted + before, "\xf0\x9f\x98\x80xyz");
        size_t size = before + 4 <= 255 ? before + 4 : before < 255 ? before : 255;
        size_t rest = before + 4 <= 255 ? 255 - (before + 4) : 0;
        wanted[size + (rest < 3 ? rest : 3)] = '\0';
        assert_int_equal(parse(text, strlen(text)), 1);
        assert_string_equal(partial.message, wanted);
    }
}

static void
only_a_whole_object_is_whole(void **state)
{
    static const char text[] =
        "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"m\"}}";
    (void)state;
    for (size_t size = 0; size < strlen(text); size++) {
        assert_int_equal(parse(text, size), 0);
    }
    assert_int_equal(parse("{}", 2), 1);
    assert_int_equal(parse(" { } ", 5), 1);
    assert_int_equal(parse("[]", 2), 0);
    assert_int_equal(parse("{} {", 4), 0);
    assert_int_equal(parse("{\"partialSuccess\":{\"rejectedSpans\":3]}", 38), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_digits_with_or_without_quotes),
        cmocka_unit_test(other_members_are_skipped),
        cmocka_unit_test(members_stand_in_any_order),
        cmocka_unit_test(messages_are_cut_between_characters),
        cmocka_unit_test(only_a_whole_object_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
