/* Settings are resolved with the parsers of the sampling: the configuration itself knows only their
 * text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "djp/djp.h"

typedef struct warnings {
    unsigned count;
    char last[512];
} warnings;

static void
note(void *user, const char *message)
{
    warnings *self = user;
    self->count++;
    snprintf(self->last, sizeof self->last, "%s", message);
}

static const char *
look_up(void *user, const char *name)
{
    const char *const *pairs = user;
    for (; pairs != NULL && pairs[0] != NULL; pairs += 2) {
        if (strcmp(pairs[0], name) == 0) {
            return pairs[1];
        }
    }
    return NULL;
}

static void
both_forms_resolve_alike(void **state)
{
    (void)state;
    static const char *const variables[] = {"DJP_TELEMETRY_ENABLED", "true",
                                            "DJP_TELEMETRY_SAMPLE_RATIO", "0.25", NULL};
    const djp_config_override overrides[] = {{"service_version", "7"}, {"exporter", "memory"}};
    djp_options by_arguments, by_request;
    warnings first = {0}, second = {0};
    assert_int_equal(djp_config_resolve(&by_arguments, look_up, (void *)variables, overrides, 2,
                                        "the default", note, &first),
                     0);
    const djp_config_request request = {.lookup = look_up,
                                        .lookup_user = (void *)variables,
                                        .overrides = overrides,
                                        .override_count = 2,
                                        .default_service_name = "the default",
                                        .warn = note,
                                        .warn_user = &second};
    assert_int_equal(djp_config_resolve_request(&by_request, &request), 0);
    const djp_options *const both[] = {&by_arguments, &by_request};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(both[i]->enabled, 1);
        assert_true(both[i]->sample_ratio == 0.25);
        assert_string_equal(both[i]->service_version, "7");
        assert_string_equal(both[i]->service_name, "the default");
        assert_int_equal(both[i]->exporter, DJP_EXPORTER_MEMORY);
    }
    assert_string_equal(by_arguments.report_json, by_request.report_json);
    assert_int_equal(first.count, second.count);
    djp_options_fini(&by_arguments);
    djp_options_fini(&by_request);
}

/* Both forms, with one option. Returns the number of warnings. */
static unsigned
resolve(djp_options *out, warnings *found, const char *name, const char *value)
{
    const djp_config_override overrides[] = {{"enabled", "true"}, {name, value}};
    memset(found, 0, sizeof *found);
    assert_int_equal(djp_config_resolve(out, NULL, NULL, overrides, 2, NULL, note, found), 0);
    return found->count;
}

static void
samplers_and_rules_are_parsed(void **state)
{
    (void)state;
    djp_options options;
    warnings found;
    static const char tree[] = "rule_based(name(\"GET /h*\") => drop, any => probability(0.5))";
    static const char wrong[] = "rule_based(name(\"GET /h*\") => drop, any => probability(2))";
    assert_int_equal(resolve(&options, &found, "sampler", tree), 0);
    assert_int_equal(options.sampler, DJP_SAMPLER_TREE);
    assert_string_equal(options.sampler_text, tree);
    djp_options_fini(&options);
    assert_int_equal(resolve(&options, &found, "sampler", wrong), 1);
    assert_int_not_equal(options.sampler, DJP_SAMPLER_TREE);
    djp_options_fini(&options);
    assert_int_equal(resolve(&options, &found, "tail_sampling_rules", "name GET; rare 60s"), 0);
    djp_options_fini(&options);
    assert_int_equal(resolve(&options, &found, "tail_sampling_rules", "colour red"), 1);
    assert_non_null(strstr(found.last, "colour red"));
    djp_options_fini(&options);
}

/* Without a function for warnings, an invalid value is the default all the same. */
static void
warnings_may_be_left_out(void **state)
{
    (void)state;
    djp_options options;
    const djp_config_override overrides[] = {{"enabled", "true"}, {"sample_ratio", "much"}};
    assert_int_equal(djp_config_resolve(&options, NULL, NULL, overrides, 2, NULL, NULL, NULL), 0);
    assert_int_equal(options.enabled, 1);
    assert_true(options.sample_ratio > 0 && options.sample_ratio < 1);
    djp_options_fini(&options);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_resolve_alike),
        cmocka_unit_test(samplers_and_rules_are_parsed),
        cmocka_unit_test(warnings_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
