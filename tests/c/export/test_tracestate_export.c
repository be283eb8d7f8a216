/* The tracestate of an exported span: the threshold in its "ot" member, everything else as it
 * came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "export/encoder.h"
#include "record_builder.h"

static const struct {
    const char *state;
    uint64_t threshold;
    const char *out;
} state_cases[] = {
    {"", DJP__THRESHOLD_NONE, ""},
    {"a=1,b=2", DJP__THRESHOLD_NONE, "a=1,b=2"},
    {"", 0, "ot=th:0"},
    {"", (uint64_t)1 << 55, "ot=th:8"},
    {"", 0xfd70a000000000, "ot=th:fd70a"},
    {"", 0xffffffffffffff, "ot=th:ffffffffffffff"},
    {"a=1", 0xc0000000000000, "ot=th:c,a=1"},
    {"a=1,ot=th:c,b=2", 0xc0000000000000, "a=1,ot=th:c,b=2"},
    {"a=1,ot=th:c;rv:00000000000001,b=2", 0x80000000000000, "ot=th:8;rv:00000000000001,a=1,b=2"},
    {"a=1,ot=rv:00000000000001", 0x80000000000000, "ot=th:8;rv:00000000000001,a=1"},
    {"a=1,ot=th:c,b=2", DJP__THRESHOLD_NONE, "a=1,b=2"},
    {"ot=th:c", DJP__THRESHOLD_NONE, ""},
    {"a=1,ot=x:y;th:c;rv:1", DJP__THRESHOLD_NONE, "ot=x:y;rv:1,a=1"},
    {"a=1,ot=x:y", DJP__THRESHOLD_NONE, "a=1,ot=x:y"},
    {"ot=th:c;th:8", 0x80000000000000, "ot=th:8"},
    {"ot=", 0, "ot=th:0"},
    {"xot=th:c, ot=th:c", DJP__THRESHOLD_NONE, "xot=th:c"},
};

static void
test_tracestate(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof state_cases / sizeof state_cases[0]; i++) {
        djp__buf out;
        djp__buf_init(&out, 0);
        djp__export_tracestate(&out, rb_text(state_cases[i].state), state_cases[i].threshold);
        djp__buf_char(&out, '\0');
        assert_string_equal(out.data, state_cases[i].out);
        djp__buf_fini(&out);
    }
}

/* A full list loses its last member to ours; a full ot value loses what does not fit. */
static void
test_tracestate_limits(void **state)
{
    (void)state;
    djp__buf in, out;
    djp__buf_init(&in, 0);
    djp__buf_init(&out, 0);
    for (int i = 0; i < 32; i++) {
        djp__buf_printf(&in, "%sk%d=v", i != 0 ? "," : "", i);
    }
    djp_text text = {in.data, in.size};
    djp__export_tracestate(&out, text, 0);
    djp__buf_char(&out, '\0');
    assert_memory_equal(out.data, "ot=th:0,k0=v,", 13);
    assert_non_null(strstr(out.data, ",k30=v"));
    assert_null(strstr(out.data, "k31=v"));
    djp__buf_clear(&in);
    djp__buf_clear(&out);
    djp__buf_printf(&in, "ot=a:%0250d;b:1", 1);
    text = (djp_text){in.data, in.size};
    djp__export_tracestate(&out, text, (uint64_t)1 << 55);
    djp__buf_char(&out, '\0');
    assert_string_equal(out.data, "ot=th:8;b:1");
    djp__buf_fini(&in);
    djp__buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tracestate),
        cmocka_unit_test(test_tracestate_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
