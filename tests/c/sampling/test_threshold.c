/* Thresholds of ratios, their hex digits, and the "ot" member of tracestate that carries them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/str.h"
#include "model/record.h"
#include "sampling/threshold.h"

static void
thresholds_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        double ratio;
        const char *hex;
    } cases[] = {
        {1, "0"},          {0.5, "8"},
        {0.25, "c"},       {0.75, "4"},
        {0.1, "e666"},     {0.01, "fd70a"},
        {0.001, "ffbe77"}, {1.0 / 3, "aaab"},
        {2.0 / 3, "5555"}, {0x1p-56, "ffffffffffffff"},
        {1.5, "0"},        {0, ""},
        {-1, ""},          {NAN, ""},
        {1e-30, ""},
    };
    char text[15];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t threshold = djp__threshold_of(cases[i].ratio), again = 7;
        assert_int_equal(djp__threshold_hex(text, threshold), strlen(cases[i].hex));
        assert_string_equal(text, cases[i].hex);
        assert_int_equal(djp__threshold_parse(&again, djp__text(text)), text[0] != '\0');
        assert_true(text[0] == '\0' ? threshold == DJP__THRESHOLD_NEVER : again == threshold);
    }
    uint64_t value;
    static const char *const bad[] = {"", "E666", "123456789012345", "1g", " 1"};
    for (size_t i = 0; i < 5; i++) {
        assert_false(djp__threshold_parse(&value, djp__text(bad[i])));
    }
}

static djp_tracestate *
read_state(const char *text)
{
    djp_tracestate *state = NULL;
    djp_header field = djp__text(text);
    djp_tracestate_parse(&state, &field, 1);
    return state;
}

static void
assert_set(const char *before, uint64_t threshold, const char *after)
{
    djp_tracestate *old = read_state(before), *changed;
    assert_int_equal(djp__ot_set_threshold(&changed, old, threshold), 1);
    djp_text text = djp_tracestate_text(changed);
    assert_int_equal(text.size, strlen(after));
    assert_memory_equal(text.size ? text.data : "", after, text.size);
    djp_tracestate_unref(changed);
    djp_tracestate_unref(old);
}

static void
other_keys_stay_when_a_threshold_is_set(void **state)
{
    (void)state;
    assert_set("", 0xc0ull << 48, "ot=th:c");
    assert_set("ot=th:8", 0xc0ull << 48, "ot=th:c");
    assert_set("ot=th:8;rv:abcdef01234567,a=b", 0xc0ull << 48, "ot=th:c;rv:abcdef01234567,a=b");
    assert_set("a=b,ot=rv:abcdef01234567;th:8", DJP__THRESHOLD_NONE, "ot=rv:abcdef01234567,a=b");
    assert_set("ot=th:8", DJP__THRESHOLD_NONE, "");
}

static void
sub_keys_are_found_whole(void **state)
{
    (void)state;
    djp_text member = djp__text("xth:1;th:c;rv:;th:d");
    assert_true(djp__text_equal(djp__ot_get(member, "th"), "c"));
    assert_int_equal(djp__ot_get(member, "rv").size, 0);
    assert_null(djp__ot_get(member, "t").data);
    assert_null(djp__ot_get((djp_text){NULL, 0}, "th").data);
}

static void
randomness_is_the_end_of_the_id_or_what_the_state_says(void **state)
{
    (void)state;
    const uint8_t id[16] = {9, 9, 9, 9, 9, 9, 9, 9, 0xff, 1, 2, 3, 4, 5, 6, 7};
    assert_true(djp__randomness(id) == 0x01020304050607ull);
    assert_true(djp__randomness_of(id, NULL) == 0x01020304050607ull);
    assert_true(djp__randomness_in(id, djp__text("rv:abcdef01234567")) == 0xabcdef01234567ull);
    assert_true(djp__randomness_in(id, djp__text("rv:abc")) == 0x01020304050607ull);
    djp_tracestate *given = read_state("ot=rv:abcdef01234567");
    assert_true(djp__randomness_of(id, given) == 0xabcdef01234567ull);
    djp_tracestate_unref(given);
    /* all 56 bits and no more, wherever the list has it, and only in its whole length */
    static const struct {
        const char *text;
        uint64_t want;
    } cases[] = {
        {"a=b,ot=th:8;rv:00000000000001", 1},
        {"ot=rv:ffffffffffffff,a=b", DJP__THRESHOLD_NEVER - 1},
        {"ot=rv:0000000000000", 0x01020304050607ull},
        {"ot=rv:FFFFFFFFFFFFFF", 0x01020304050607ull},
        {"ot=xrv:00000000000001", 0x01020304050607ull},
        {"otx=rv:00000000000001", 0x01020304050607ull},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        given = read_state(cases[i].text);
        assert_non_null(given);
        assert_int_equal(djp__randomness_of(id, given), cases[i].want);
        djp_tracestate_unref(given);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_are_the_published_ones),
        cmocka_unit_test(other_keys_stay_when_a_threshold_is_set),
        cmocka_unit_test(sub_keys_are_found_whole),
        cmocka_unit_test(randomness_is_the_end_of_the_id_or_what_the_state_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
