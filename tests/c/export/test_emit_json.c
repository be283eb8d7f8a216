/* The verbs of OTLP JSON: what is left out, and lists that were never there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/emit_json.h"

static void
emit_is(djp__buf *out, const char *expected)
{
    assert_int_equal(out->failed, 0);
    assert_int_equal(out->size, strlen(expected));
    assert_memory_equal(out->data, expected, out->size);
    djp__buf_fini(out);
    djp__buf_init(out, 0);
}

static void
an_empty_list_was_never_there(void **state)
{
    djp__buf out;
    (void)state;
    djp__buf_init(&out, 0);
    djp__otlp_json_open(&out, NULL, NULL);
    djp__otlp_json_list_begin(&out, 1, "first", NULL);
    djp__otlp_json_list_end(&out, 1, "first", NULL);
    djp__otlp_json_text(&out, 2, "name", NULL, DJP_TEXT("["));
    djp__otlp_json_list_begin(&out, 3, "second", NULL);
    djp__otlp_json_list_end(&out, 3, "second", NULL);
    djp__otlp_json_list_begin(&out, 4, "third", NULL);
    djp__otlp_json_open(&out, NULL, NULL);
    djp__otlp_json_close(&out, 4, NULL);
    djp__otlp_json_open(&out, NULL, NULL);
    djp__otlp_json_close(&out, 4, NULL);
    djp__otlp_json_list_end(&out, 4, "third", NULL);
    djp__otlp_json_close(&out, 0, NULL);
    emit_is(&out, "{\"name\":\"[\",\"third\":[{},{}]}");
    djp__buf_fini(&out);
}

static void
zero_and_empty_are_left_out(void **state)
{
    static const uint8_t none[8], some[8] = {0, 0, 0, 0, 0, 0, 0, 1};
    static const char *const words[] = {"UNSET"};
    djp__buf out;
    (void)state;
    djp__buf_init(&out, 0);
    djp__otlp_json_text(&out, 1, "text", NULL, (djp_text){NULL, 0});
    djp__otlp_json_id_or_none(&out, 2, "id", NULL, none);
    djp__otlp_json_time(&out, 3, "time", NULL, 0);
    djp__otlp_json_word(&out, 4, "word", NULL, 0, words, 1);
    djp__otlp_json_flags(&out, 5, "flags", NULL, 0);
    djp__otlp_json_own_attribute(&out, 6, "attributes", NULL, DJP_TEXT("k"), (djp_text){NULL, 0});
    djp__otlp_json_value(&out, 7, "value", NULL, NULL, NULL);
    assert_int_equal(out.size, 0);
    djp__otlp_json_id_or_none(&out, 2, "id", NULL, some);
    djp__otlp_json_time(&out, 3, "time", NULL, UINT64_MAX);
    djp__otlp_json_word(&out, 4, "word", NULL, 9, words, 1);
    emit_is(&out, "\"id\":\"0000000000000001\",\"time\":\"18446744073709551615\",\"word\":9");
    djp__buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_was_never_there),
        cmocka_unit_test(zero_and_empty_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
