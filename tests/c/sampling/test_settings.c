/* The sampling settings in text form, as the configuration reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/error.h"
#include "heap.h"
#include "sampling/settings.h"

static int
read_sampler(djp__config_sampler *out, const char *text)
{
    memset(out, 0xee, sizeof *out);
    return djp__sampling_parsers.sampler(out, djp_text_of(text));
}

static void
a_sampler_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
        int is_ratio, parent_based;
        double ratio;
    } cases[] = {
        {"probability( 0.25 )", "probability(0.25)", 1, 0, 0.25},
        {"Parent_Threshold(probability(0.5))", "parent_threshold(probability(0.5))", 1, 1, 0.5},
        {"always_off", "always_off", 1, 0, 0},
        {"always_on", "always_on", 0, 0, 0},
        {"probability(0)", "probability(0)", 1, 0, 0},
        {"drop", "drop", 1, 0, 0},
        {"annotating({\"a\"=1}, probability(0.5))", "annotating({\"a\"=1}, probability(0.5))", 0, 0,
         0.5},
        {"annotating({\"a\"=1}, always_off)", "annotating({\"a\"=1}, always_off)", 1, 0, 0},
        {"parent_threshold(rate_limited(5))", "parent_threshold(rate_limited(5))", 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__config_sampler out;
        assert_int_equal(read_sampler(&out, cases[i].text), 0);
        assert_string_equal(out.text, cases[i].canonical);
        assert_int_equal(out.is_ratio, cases[i].is_ratio);
        assert_int_equal(out.parent_based, cases[i].parent_based);
        assert_true(out.ratio == cases[i].ratio);
        assert_int_equal(out.error_at, 0);
        assert_null(out.expected);
        djp__free(out.text);
    }
}

static void
a_mistake_has_its_place(void **state)
{
    (void)state;
    djp__config_sampler out;
    assert_int_equal(read_sampler(&out, "probability(2)"), DJP_EINVAL);
    assert_int_equal(out.error_at, 12);
    assert_string_equal(out.expected, "a number from 0 to 1");
    assert_null(out.text);
    assert_int_equal(out.is_ratio, 0);
}

static void
read_and_free(void)
{
    djp__config_sampler out;
    read_sampler(&out, "rule_based(name(\"a\") => annotating({\"k\"=\"v\"}, probability(0.5)))");
    djp__free(out.text);
    read_sampler(&out, "rule_based(name(\"a\") => x");
    for (long n = 1; n < 20; n++) {
        djp__alloc_fail_after(n);
        int result = read_sampler(&out, "annotating({\"k\"=\"v\"}, probability(0.5))");
        djp__alloc_fail_after(0);
        assert_true(result == 0 ? out.text != NULL : result == DJP_ENOMEM && out.text == NULL);
        djp__free(out.text);
    }
}

static void
nothing_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(read_and_free, 30), 0);
}

static int bad_rules;
static char last_bad[64];

static void
note_bad(void *user, djp_text rule, const char *why)
{
    assert_ptr_equal(user, &bad_rules);
    assert_non_null(why);
    bad_rules++;
    snprintf(last_bad, sizeof last_bad, "%.*s", (int)rule.size, rule.data);
}

static void
tail_rules_are_counted(void **state)
{
    (void)state;
    size_t good = djp__sampling_parsers.tail_rules(
        DJP_TEXT("name a; no such rule; rare 5m; slowest 1%"), note_bad, &bad_rules);
    assert_int_equal(good, 3);
    assert_int_equal(bad_rules, 1);
    assert_string_equal(last_bad, "no such rule");
    assert_int_equal(djp__sampling_parsers.tail_rules((djp_text){NULL, 0}, note_bad, &bad_rules),
                     0);
    assert_int_equal(bad_rules, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sampler_is_read),
        cmocka_unit_test(a_mistake_has_its_place),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(tail_rules_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
