/* The sampler and its ratio: which of several sources decide, what a tree means, and which settings
 * then have no effect. */
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

#define NAME "OTEL_TRACES_SAMPLER"
#define ARGUMENT "OTEL_TRACES_SAMPLER_ARG"
#define OWN_NAME "DJP_TELEMETRY_SAMPLER"
#define OWN_RATIO "DJP_TELEMETRY_SAMPLE_RATIO"

typedef struct sampler_case {
    const char *variables[8];
    const char *options[8];
    djp_sampler_kind sampler;
    int parent_based;
    double ratio;
    int is_explicit;
    const char *ratio_source;
    const char *warning; /* the only one; NULL: none */
} sampler_case;

static void
assert_sampler(const sampler_case *wanted)
{
    settings got;
    const char *options[12] = {"enabled", "true"};
    memcpy(options + 2, wanted->options, sizeof wanted->options);
    settings_resolve(&got, wanted->variables, options);
    settings_assert_warnings(&got, wanted->warning != NULL);
    if (wanted->warning != NULL && !settings_warned(&got, wanted->warning)) {
        fail_msg("another warning: %s", got.warnings[0]);
    }
    assert_int_equal(got.options.sampler, wanted->sampler);
    assert_int_equal(got.options.parent_based, wanted->parent_based);
    assert_true(got.options.sample_ratio == wanted->ratio);
    assert_int_equal(got.options.sample_ratio_explicit, wanted->is_explicit);
    assert_string_equal(settings_source(&got, "sample_ratio"), wanted->ratio_source);
    assert_true((got.options.sampler_text[0] != '\0') == (wanted->sampler == DJP_SAMPLER_TREE));
    settings_fini(&got);
}

static void
assert_samplers(const sampler_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_sampler(&cases[i]);
    }
}

static void
names_give_kind_parent_and_ratio(void **state)
{
    static const sampler_case cases[] = {
        {{NULL}, {NULL}, DJP_SAMPLER_RATIO, 1, 0.02, 0, "default", NULL},
        {{NAME, "always_on"}, {NULL}, DJP_SAMPLER_ALWAYS_ON, 0, 1, 1, NAME, NULL},
        {{NAME, "always_off"}, {NULL}, DJP_SAMPLER_ALWAYS_OFF, 0, 0, 1, NAME, NULL},
        {{NAME, "traceidratio"}, {NULL}, DJP_SAMPLER_RATIO, 0, 1, 0, NAME, NULL},
        {{NAME, "parentbased_always_on"}, {NULL}, DJP_SAMPLER_ALWAYS_ON, 1, 1, 1, NAME, NULL},
        {{NAME, "ParentBased_Always_Off"}, {NULL}, DJP_SAMPLER_ALWAYS_OFF, 1, 0, 0, NAME, NULL},
        {{NAME, "parentbased_traceidratio", ARGUMENT, "0.5"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         ARGUMENT,
         NULL},
        {{NAME, "traceidratio", ARGUMENT, "2"},
         {NULL},
         DJP_SAMPLER_RATIO,
         0,
         1,
         0,
         NAME,
         ARGUMENT " is \"2\""},
        {{NAME, "traceidratio", "OTEL_TRACE_SAMPLE", "0.5"},
         {NULL},
         DJP_SAMPLER_RATIO,
         0,
         1,
         0,
         NAME,
         NULL},
        {{NAME, "always_on", ARGUMENT, "0.5"}, {NULL}, DJP_SAMPLER_ALWAYS_ON, 0, 1, 1, NAME, NULL},
        {{NAME, "parentbased_jaeger_remote"},
         {NULL},
         DJP_SAMPLER_JAEGER_REMOTE,
         1,
         0.02,
         0,
         "default",
         NULL},
    };
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
}

static void
a_ratio_without_a_sampler_applies(void **state)
{
    static const sampler_case cases[] = {
        {{"OTEL_TRACE_SAMPLE", "0.5", "TRACES_SAMPLE_RATE", "0.25"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         "OTEL_TRACE_SAMPLE",
         NULL},
        {{"OTEL_TRACE_SAMPLE", "x", "TRACES_SAMPLE_RATE", "0.25"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.25,
         1,
         "TRACES_SAMPLE_RATE",
         "OTEL_TRACE_SAMPLE is \"x\""},
        {{"OTEL_TRACE_SAMPLE", "0"}, {NULL}, DJP_SAMPLER_RATIO, 1, 0, 1, "OTEL_TRACE_SAMPLE", NULL},
        {{ARGUMENT, "0.5"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.02,
         0,
         "default",
         ARGUMENT " has no effect without a sampler"},
        {{ARGUMENT, "0.5", "OTEL_TRACE_SAMPLE", "0.25"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.25,
         1,
         "OTEL_TRACE_SAMPLE",
         ARGUMENT " has no effect without a sampler"},
        {{NAME, "xray", ARGUMENT, "0.5"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.02,
         0,
         "default",
         NAME " is xray"},
        {{"OTEL_TRACE_SAMPLE", "0.5"},
         {"sample_ratio", "0.25"},
         DJP_SAMPLER_RATIO,
         1,
         0.25,
         1,
         "option sample_ratio",
         NULL},
        {{OWN_RATIO, "0.5"},
         {"sample_ratio", "9"},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         OWN_RATIO,
         "option sample_ratio is \"9\""},
    };
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
}

static void
the_environment_decides_without_a_ratio(void **state)
{
    static const sampler_case cases[] = {
        {{"ENVIRONMENT", "dev"}, {NULL}, DJP_SAMPLER_RATIO, 1, 1, 0, "ENVIRONMENT", NULL},
        {{"ENVIRONMENT", "stage"}, {NULL}, DJP_SAMPLER_RATIO, 1, 1, 0, "ENVIRONMENT", NULL},
        {{"ENVIRONMENT", "prod"}, {NULL}, DJP_SAMPLER_RATIO, 1, 0.02, 0, "default", NULL},
        {{"ENVIRONMENT", "devel"}, {NULL}, DJP_SAMPLER_RATIO, 1, 0.02, 0, "default", NULL},
        {{"ENVIRONMENT", "dev", "OTEL_TRACE_SAMPLE", "0.5"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         "OTEL_TRACE_SAMPLE",
         NULL},
        {{"ENVIRONMENT", "dev", NAME, "always_off"},
         {NULL},
         DJP_SAMPLER_ALWAYS_OFF,
         0,
         0,
         1,
         NAME,
         NULL},
        {{"ENVIRONMENT", "dev", NAME, "jaeger_remote"},
         {NULL},
         DJP_SAMPLER_JAEGER_REMOTE,
         0,
         1,
         0,
         "ENVIRONMENT",
         NULL},
    };
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
}

/* A ratio of the program stands before a sampler of a lower source. */
static void
a_sampler_counts_from_its_ratios_source_on(void **state)
{
    static const sampler_case cases[] = {
        {{NAME, "always_on"},
         {"sample_ratio", "0.5"},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         "option sample_ratio",
         NULL},
        {{OWN_NAME, "always_on"},
         {"sample_ratio", "0.5"},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         "option sample_ratio",
         NULL},
        {{OWN_NAME, "always_on", OWN_RATIO, "0.5"},
         {NULL},
         DJP_SAMPLER_ALWAYS_ON,
         0,
         1,
         1,
         OWN_NAME,
         NULL},
        {{NAME, "always_on", OWN_RATIO, "0.5"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         OWN_RATIO,
         NULL},
        {{OWN_RATIO, "0.5"},
         {"sampler", "traceidratio"},
         DJP_SAMPLER_RATIO,
         0,
         0.5,
         1,
         OWN_RATIO,
         NULL},
        {{NULL},
         {"sampler", "traceidratio", "sample_ratio", "0.5"},
         DJP_SAMPLER_RATIO,
         0,
         0.5,
         1,
         "option sample_ratio",
         NULL},
        {{NAME, "always_off"},
         {"sampler", "always_on"},
         DJP_SAMPLER_ALWAYS_ON,
         0,
         1,
         1,
         "option sampler",
         NULL},
        {{NAME, "always_off"},
         {"sampler", "nonsense"},
         DJP_SAMPLER_ALWAYS_OFF,
         0,
         0,
         1,
         NAME,
         "option sampler is \"nonsense\", which is not one of always_on"},
    };
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
}

static void
trees_that_are_a_ratio_become_one(void **state)
{
    static const sampler_case cases[] = {
        {{NAME, "probability(0.5)"}, {NULL}, DJP_SAMPLER_RATIO, 0, 0.5, 1, NAME, NULL},
        {{NAME, "probability(1)"}, {NULL}, DJP_SAMPLER_RATIO, 0, 1, 1, NAME, NULL},
        {{NAME, "probability(0)"}, {NULL}, DJP_SAMPLER_ALWAYS_OFF, 0, 0, 1, NAME, NULL},
        {{NAME, "parent_threshold(probability(0.5))"},
         {NULL},
         DJP_SAMPLER_RATIO,
         1,
         0.5,
         1,
         NAME,
         NULL},
        {{NAME, "parent_threshold(always_off)"},
         {NULL},
         DJP_SAMPLER_ALWAYS_OFF,
         1,
         0,
         0,
         NAME,
         NULL},
        {{NAME, "parent_threshold(always_on)"}, {NULL}, DJP_SAMPLER_TREE, 1, 1, 0, NAME, NULL},
    };
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
}

#define TREE "rule_based(root=>always_on)"

static void
a_tree_makes_ratios_useless(void **state)
{
    static const sampler_case cases[] = {
        {{NAME, TREE}, {NULL}, DJP_SAMPLER_TREE, 0, 1, 0, NAME, NULL},
        {{NAME, "parent_threshold(" TREE ")"}, {NULL}, DJP_SAMPLER_TREE, 1, 1, 0, NAME, NULL},
        {{NAME, TREE, ARGUMENT, "0.5"},
         {NULL},
         DJP_SAMPLER_TREE,
         0,
         1,
         0,
         NAME,
         ARGUMENT " has no effect beside a tree"},
        {{NAME, TREE, "OTEL_TRACE_SAMPLE", "0.5"}, {NULL}, DJP_SAMPLER_TREE, 0, 1, 0, NAME, NULL},
        {{OWN_NAME, TREE, OWN_RATIO, "0.5"},
         {NULL},
         DJP_SAMPLER_TREE,
         0,
         1,
         0,
         OWN_NAME,
         OWN_RATIO " has no effect beside a tree"},
        {{NULL},
         {"sampler", TREE, "sample_ratio", "0.5"},
         DJP_SAMPLER_TREE,
         0,
         1,
         0,
         "option sampler",
         "option sample_ratio has no effect beside a tree"},
    };
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
}

/* Zero of the program or of this SDK's variable means that nothing leaves, whatever else is set. */
static void
a_zero_of_the_program_stands(void **state)
{
    static const sampler_case cases[] = {
        {{NULL}, {"sample_ratio", "0"}, DJP_SAMPLER_RATIO, 1, 0, 1, "option sample_ratio", NULL},
        {{NULL},
         {"sample_ratio", "0", "sampler", "always_on"},
         DJP_SAMPLER_RATIO,
         0,
         0,
         1,
         "option sample_ratio",
         "option sample_ratio is 0, so nothing is exported"},
        {{OWN_RATIO, "0", OWN_NAME, "always_on"},
         {NULL},
         DJP_SAMPLER_RATIO,
         0,
         0,
         1,
         OWN_RATIO,
         OWN_RATIO " is 0, so nothing is exported"},
        {{OWN_RATIO, "0"},
         {"sampler", TREE},
         DJP_SAMPLER_RATIO,
         0,
         0,
         1,
         OWN_RATIO,
         OWN_RATIO " is 0, so nothing is exported"},
        {{OWN_RATIO, "0"},
         {"sampler", "jaeger_remote"},
         DJP_SAMPLER_RATIO,
         0,
         0,
         1,
         OWN_RATIO,
         OWN_RATIO " is 0, so nothing is exported"},
        {{OWN_RATIO, "0"},
         {"sampler", "always_off"},
         DJP_SAMPLER_ALWAYS_OFF,
         0,
         0,
         1,
         "option sampler",
         NULL},
        {{OWN_RATIO, "0"},
         {"sampler", "parentbased_always_off"},
         DJP_SAMPLER_RATIO,
         1,
         0,
         1,
         OWN_RATIO,
         OWN_RATIO " is 0, so nothing is exported"},
        {{OWN_RATIO, "0"},
         {"sampler", "traceidratio"},
         DJP_SAMPLER_RATIO,
         0,
         0,
         1,
         OWN_RATIO,
         NULL},
        {{NAME, "always_on", "OTEL_TRACE_SAMPLE", "0"},
         {NULL},
         DJP_SAMPLER_ALWAYS_ON,
         0,
         1,
         1,
         NAME,
         NULL},
    };
    settings got;
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
    /* The source that is 0 is named, not an invalid one before it. */
    settings_resolve(&got, PAIRS(OWN_RATIO, "0"), ON("sample_ratio", "x", "sampler", "always_on"));
    settings_assert_warnings(&got, 2);
    assert_true(settings_warned(&got, "option sample_ratio is \"x\", which is not"));
    assert_true(settings_warned(&got, OWN_RATIO " is 0, so nothing is exported"));
    settings_fini(&got);
}

static void
the_option_parent_based_adds_to_the_sampler(void **state)
{
    static const sampler_case cases[] = {
        {{NAME, "always_on"}, {"parent_based", "true"}, DJP_SAMPLER_ALWAYS_ON, 1, 1, 1, NAME, NULL},
        {{NAME, "parentbased_always_on"},
         {"parent_based", "false"},
         DJP_SAMPLER_ALWAYS_ON,
         0,
         1,
         1,
         NAME,
         NULL},
        {{NAME, "parentbased_always_on"},
         {"parent_based", "perhaps"},
         DJP_SAMPLER_ALWAYS_ON,
         1,
         1,
         1,
         NAME,
         "option parent_based is \"perhaps\""},
        {{NULL}, {"parent_based", "false"}, DJP_SAMPLER_RATIO, 0, 0.02, 0, "default", NULL},
        {{"DJP_TELEMETRY_PARENT_BASED", "off"},
         {NULL},
         DJP_SAMPLER_RATIO,
         0,
         0.02,
         0,
         "default",
         NULL},
        {{NAME, "parent_threshold(" TREE ")"},
         {"parent_based", "true"},
         DJP_SAMPLER_TREE,
         1,
         1,
         0,
         NAME,
         NULL},
        {{NAME, TREE}, {"parent_based", "false"}, DJP_SAMPLER_TREE, 0, 1, 0, NAME, NULL},
        {{NAME, "parent_threshold(" TREE ")"},
         {"parent_based", "false"},
         DJP_SAMPLER_TREE,
         1,
         1,
         0,
         NAME,
         "option parent_based has no effect: the sampler has parent_threshold at its top"},
    };
    settings got;
    (void)state;
    assert_samplers(cases, sizeof cases / sizeof cases[0]);
    settings_resolve(&got, PAIRS(NAME, TREE), ON("parent_based", "true"));
    assert_non_null(strstr(got.options.sampler_text, "parent_threshold(rule_based("));
    assert_int_equal(got.options.parent_based, 1);
    assert_string_equal(settings_source(&got, "parent_based"), "option parent_based");
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
    /* A tree below its parent stays as it is. */
    settings_resolve(&got, PAIRS(NAME, "parent_threshold(" TREE ")"), ON("parent_based", "true"));
    assert_null(strstr(got.options.sampler_text + 1, "parent_threshold"));
    settings_fini(&got);
}

/* 16 levels are the most, so the deepest tree fits below no parent. */
static void
a_lone_argument_is_named_only_without_a_sampler(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS(ARGUMENT, "0.5"), ON("sampler", "nonsense"));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "option sampler is \"nonsense\""));
    settings_fini(&got);
    settings_resolve(&got, PAIRS(NAME, TREE), ON("parent_based", "false"));
    assert_null(strstr(got.options.sampler_text, "parent_threshold"));
    settings_fini(&got);
}

static void
the_deepest_tree_goes_below_no_parent(void **state)
{
    char text[512] = "";
    settings got;
    (void)state;
    for (int i = 0; i < 15; i++) {
        strcat(text, "at_least(1,");
    }
    strcat(text, "always_off");
    for (int i = 0; i < 15; i++) {
        strcat(text, ")");
    }
    settings_resolve(&got, PAIRS(NAME, text), ON("parent_based", "true"));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "option parent_based has no effect: the sampler has too many "
                                      "levels to go below a parent."));
    assert_int_equal(got.options.parent_based, 0);
    assert_string_equal(settings_source(&got, "parent_based"), NAME);
    assert_null(strstr(got.options.sampler_text, "parent_threshold"));
    settings_fini(&got);
}

static void
invalid_samplers_are_named_with_the_place(void **state)
{
    static const char *const cases[][2] = {
        {"XRAY", NAME " is xray, which is not supported"},
        {"sometimes", "is \"sometimes\", which is not one of always_on"},
        {"parentbased_", "is \"parentbased_\", which is not one of always_on"},
        {"parentbased_sometimes", "is \"parentbased_sometimes\", which is not one of always_on"},
        {"probability(2)", NAME " is not a sampler: at character 13 (\"2)\")"},
        {"probability(", NAME " is not a sampler: at character 13 (\"\")"},
        {"rule_based{", NAME " is not a sampler: at character"},
        {"at_least(1,x123456789012345678901)", "(\"x1234567890123456789\")"},
        {"at_least(1,x123456789012345678\xc3\xa4)", "(\"x123456789012345678\")"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, PAIRS(NAME, cases[i][0]), ONLY_ON);
        settings_assert_warnings(&got, 1);
        if (!settings_warned(&got, cases[i][1])) {
            fail_msg("%s: %s", cases[i][0], got.warnings[0]);
        }
        assert_int_equal(got.options.sampler, DJP_SAMPLER_RATIO);
        assert_string_equal(settings_source(&got, "sampler"), "default");
        settings_fini(&got);
    }
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(PAIRS(NAME, TREE, ARGUMENT, "1"), ON("parent_based", "true"));
    settings_without_memory(PAIRS(NAME, "parent_threshold(probability(0.5))"), ONLY_ON);
    settings_without_memory(NO_PAIRS, ON("sample_ratio", "0", "sampler", TREE));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_give_kind_parent_and_ratio),
        cmocka_unit_test(a_ratio_without_a_sampler_applies),
        cmocka_unit_test(the_environment_decides_without_a_ratio),
        cmocka_unit_test(a_sampler_counts_from_its_ratios_source_on),
        cmocka_unit_test(trees_that_are_a_ratio_become_one),
        cmocka_unit_test(a_tree_makes_ratios_useless),
        cmocka_unit_test(a_zero_of_the_program_stands),
        cmocka_unit_test(the_option_parent_based_adds_to_the_sampler),
        cmocka_unit_test(a_lone_argument_is_named_only_without_a_sampler),
        cmocka_unit_test(the_deepest_tree_goes_below_no_parent),
        cmocka_unit_test(invalid_samplers_are_named_with_the_place),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
