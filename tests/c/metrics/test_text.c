/* Escapes of label values and help texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "metrics/text.h"

static void
text_is(djp_text text, int quote, const char *expected)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__text_escape(&out, text, quote);
    assert_int_equal(out.failed, 0);
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(out.data, expected, out.size);
    djp__buf_fini(&out);
}

static void
lines_stay_lines(void **state)
{
    (void)state;
    text_is(DJP_TEXT(""), 1, "");
    text_is(DJP_TEXT("plain \xc3\xa4"), 1, "plain \xc3\xa4");
    text_is(DJP_TEXT("\n"), 1, "\\n");
    text_is(DJP_TEXT("a\\b\nc\"d"), 1, "a\\\\b\\nc\\\"d");
    text_is(DJP_TEXT("a\\b\nc\"d"), 0, "a\\\\b\\nc\"d");
    text_is(DJP_TEXT("\"\""), 1, "\\\"\\\"");
    text_is(DJP_TEXT("\r\t"), 1, "\r\t");
}

static void
bad_bytes_are_repaired(void **state)
{
    (void)state;
    text_is(DJP_TEXT("\xff"), 1, "\xef\xbf\xbd");
    text_is(DJP_TEXT("a\xff\"\xc3"), 1, "a\xef\xbf\xbd\\\"\xef\xbf\xbd");
}

static void
memory_that_fails_is_told(void **state)
{
    djp__buf out;
    (void)state;
    djp__buf_init(&out, 0);
    djp__alloc_fail_after(1);
    djp__text_escape(&out, DJP_TEXT("\xff"), 1);
    djp__alloc_fail_after(0);
    assert_int_equal(out.failed, 1);
    djp__buf_fini(&out);
}

static void
labels_are_read_back(void **state)
{
    (void)state;
    djp_text labels = DJP_TEXT("a=\"x\\\"\\\\\\n,=\",b_2=\"\""), name;
    djp__buf value;
    djp__buf_init(&value, 0);
    assert_int_equal(djp__text_next_label(&name, &value, &labels), 1);
    assert_int_equal(name.size, 1);
    assert_int_equal(value.size, 6);
    assert_memory_equal(value.data, "x\"\\\n,=", 6);
    assert_int_equal(djp__text_next_label(&name, &value, &labels), 1);
    assert_memory_equal(name.data, "b_2", name.size);
    assert_int_equal(value.size, 0);
    assert_int_equal(djp__text_next_label(&name, &value, &labels), 0);
    static const char *const others[] = {"a", "a=", "a=\"", "a=b", "=\"", "a=\"x", "a=\"x\\"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        labels = djp_text_of(others[i]);
        while (djp__text_next_label(&name, &value, &labels)) {
        }
        assert_true(labels.size <= strlen(others[i]));
    }
    djp__buf_fini(&value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_stay_lines),
        cmocka_unit_test(labels_are_read_back),
        cmocka_unit_test(bad_bytes_are_repaired),
        cmocka_unit_test(memory_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
