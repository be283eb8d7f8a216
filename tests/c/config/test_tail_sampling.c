/* The tail-sampling rules as a setting: which source applies, and how invalid rules are
 * reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "djp/error.h"
#include "settings_fixture.h"

#define OWN "DJP_TELEMETRY_TAIL_SAMPLING_RULES"

static void
the_first_source_with_a_rule_applies(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS(OWN, "slowest 5%"), ON("tail_sampling_rules", " slowest 3% "));
    assert_string_equal(got.options.tail_sampling_rules, "slowest 3%");
    assert_string_equal(settings_source(&got, "tail_sampling_rules"), "option tail_sampling_rules");
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
    settings_resolve(&got, PAIRS(OWN, "slowest 5%"), ON("tail_sampling_rules", "nonsense"));
    assert_string_equal(got.options.tail_sampling_rules, "slowest 5%");
    assert_string_equal(settings_source(&got, "tail_sampling_rules"), OWN);
    settings_assert_warnings(&got, 1);
    settings_fini(&got);
    settings_resolve(&got, PAIRS(OWN, "nonsense"), ONLY_ON);
    assert_string_equal(got.options.tail_sampling_rules, "");
    assert_string_equal(settings_source(&got, "tail_sampling_rules"), "default");
    settings_assert_warnings(&got, 1);
    settings_fini(&got);
}

static void
invalid_rules_are_reported_once(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, NO_PAIRS, ON("tail_sampling_rules", "bad one;slowest 3%"));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "option tail_sampling_rules has the rule \"bad one\", which "
                                      "is left out: "));
    assert_true(settings_warned(&got, ". Correct or remove what is wrong."));
    assert_false(settings_warned(&got, "more") || settings_warned(&got, "(null)"));
    assert_string_equal(got.options.tail_sampling_rules, "bad one;slowest 3%");
    settings_fini(&got);
    settings_resolve(&got, NO_PAIRS, ON("tail_sampling_rules", "bad one;worse;slowest 3%;worst"));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "the rule \"bad one\""));
    assert_true(settings_warned(&got, ". So are 2 more. Correct"));
    settings_fini(&got);
}

static void
a_long_rule_is_cut_between_characters(void **state)
{
    settings got;
    char rule[100], shown[100];
    (void)state;
    memset(rule, 'x', 59);
    strcpy(rule + 59, "\xc3\xa4yz");
    snprintf(shown, sizeof shown, "\"%.59s\",", rule);
    settings_resolve(&got, NO_PAIRS, ON("tail_sampling_rules", rule));
    assert_true(settings_warned(&got, shown));
    settings_fini(&got);
    rule[58] = '\0';
    strcat(rule, "\xc3\xa4yz");
    snprintf(shown, sizeof shown, "\"%.60s\",", rule);
    settings_resolve(&got, NO_PAIRS, ON("tail_sampling_rules", rule));
    assert_true(settings_warned(&got, shown));
    settings_fini(&got);
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(PAIRS(OWN, "bad one;worse;slowest 3%"), ONLY_ON);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_source_with_a_rule_applies),
        cmocka_unit_test(invalid_rules_are_reported_once),
        cmocka_unit_test(a_long_rule_is_cut_between_characters),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
