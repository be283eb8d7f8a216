/* Resource attributes, the service's name and the environment: which member of which list applies,
 * which is left out, and what the rest of the SDK sees of them. */
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

#define STANDARD "OTEL_RESOURCE_ATTRIBUTES"

static void
assert_list(const char *given, const char *wanted, size_t bad, const char *first_bad)
{
    settings got;
    char warning[120];
    settings_resolve(&got, PAIRS(STANDARD, given), ONLY_ON);
    if (strcmp(got.options.resource_attributes, wanted) != 0) {
        fail_msg("%s: %s", given, got.options.resource_attributes);
    }
    settings_assert_warnings(&got, bad != 0);
    snprintf(warning, sizeof warning,
             STANDARD " has %zu of its entries left out, the first is "
                      "\"%s\":",
             bad, first_bad);
    assert_true(bad == 0 || settings_warned(&got, warning));
    assert_string_equal(settings_source(&got, "resource_attributes"),
                        wanted[0] != '\0' ? STANDARD : "default");
    settings_fini(&got);
}

static void
members_are_decoded_and_encoded_again(void **state)
{
    (void)state;
    assert_list("a=1,b=2", "a=1,b=2", 0, "");
    assert_list(" a = 1 ,, , b=2,", "a=1,b=2", 0, "");
    assert_list("a=1,b=2,a=3", "a=3,b=2", 0, ""); /* the last of a key, at the place of the first */
    assert_list("a=", "a=", 0, "");
    assert_list("a=b=c", "a=b%3Dc", 0, "");
    assert_list("%41=%42", "A=B", 0, "");
    assert_list("a=%20x%2C%c3%a4", "a=%20x%2C%C3%A4", 0, "");
    assert_list("a%20b=%7e", "a%20b=~", 0, "");
    assert_list("ab=1,a=2,b=3,aa=4", "ab=1,a=2,b=3,aa=4", 0, "");
}

static void
malformed_members_are_left_out(void **state)
{
    (void)state;
    assert_list("a=1,b,c=3", "a=1,c=3", 1, "b");
    assert_list("a=%41%1f,b=2", "b=2", 1, "a");
    assert_list("=1,a=2,b", "a=2", 2, "");
    assert_list("%=1,b=2", "b=2", 1, "%");
    assert_list("a=%zzsecret,b=2", "b=2", 1, "a");
    assert_list("a=%1f,b=%20", "b=%20", 1, "a");
    assert_list("a=%00,b=%7e", "b=~", 1, "a");
    assert_list("a=%7f,b=2", "b=2", 1, "a");
    assert_list("%0a=1,b=2", "b=2", 1, "%0a");
    assert_list("a=%ff,b=2", "b=2", 1, "a");
    assert_list("b,c,d=1,e", "d=1", 3, "b");
}

/* 40 bytes of the key are shown, of whole characters, and nothing of the value. */
static void
a_bad_member_is_shown_in_part(void **state)
{
    char given[100], shown[100];
    settings got;
    (void)state;
    for (size_t size = 38; size <= 40; size++) {
        memset(given, 'k', size);
        strcpy(given + size, "\xc3\xa4k=%zzsecret");
        snprintf(shown, sizeof shown, "\"%.*s\":", size == 38 ? 40 : (int)size, given);
        settings_resolve(&got, PAIRS(STANDARD, given), ONLY_ON);
        settings_assert_warnings(&got, 1);
        assert_true(settings_warned(&got, shown));
        assert_false(settings_warned(&got, "secret"));
        settings_fini(&got);
    }
}

/* Lists of any length keep their order; from 1024 keys on further ones are left out, but the value
 * of a present key still changes. */
static void
lists_grow_to_the_limit(void **state)
{
    static const int counts[] = {1, 15, 16, 17, 31, 32, 33, 64, 65, 1024, 1025};
    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        char *given = malloc(32768), *wanted = malloc(32768);
        size_t size = 0, wanted_size = 0;
        settings got;
        for (int i = 0; i < counts[c]; i++) {
            size += (size_t)sprintf(given + size, "k%d=%d,", i, i);
            if (i < 1024) {
                wanted_size += (size_t)sprintf(wanted + wanted_size, "%sk%d=%d", i > 0 ? "," : "",
                                               i, i == 0 ? 9 : i);
            }
        }
        sprintf(given + size, "k0=9");
        settings_resolve(&got, PAIRS(STANDARD, given), ONLY_ON);
        assert_string_equal(got.options.resource_attributes, wanted);
        settings_assert_warnings(&got, counts[c] > 1024);
        assert_true(counts[c] <= 1024 || settings_warned(&got, "the first is \"k1024\""));
        assert_true(counts[c] <= 1024 || settings_warned(&got, "or more than 1024"));
        settings_fini(&got);
        free(given);
        free(wanted);
    }
}

static void
lists_precede_each_other_key_by_key(void **state)
{
    settings got;
    (void)state;
    settings_resolve(
        &got,
        PAIRS(STANDARD, "a=1,b=1,c=1,d=1", "DJP_TELEMETRY_RESOURCE_ATTRIBUTES", "b=2,c=2,e=2"),
        ON("resource_attributes", "c=3,f=3"));
    assert_string_equal(got.options.resource_attributes, "a=1,b=2,c=3,d=1,e=2,f=3");
    assert_string_equal(settings_source(&got, "resource_attributes"), "option resource_attributes");
    settings_fini(&got);
    settings_resolve(&got, PAIRS(STANDARD, "a=1", "DJP_TELEMETRY_RESOURCE_ATTRIBUTES", "b=2"),
                     ON("resource_attributes", "bad"));
    assert_string_equal(got.options.resource_attributes, "a=1,b=2");
    assert_string_equal(settings_source(&got, "resource_attributes"),
                        "DJP_TELEMETRY_RESOURCE_ATTRIBUTES");
    settings_fini(&got);
}

static void
keys_with_a_setting_leave_the_list(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got,
                     PAIRS(STANDARD, "service.name=s,service.namespace=n,service.version=v,"
                                     "deployment.environment.name=prod,env=x,host=h,"
                                     "service.names=t"),
                     ONLY_ON);
    assert_string_equal(got.options.resource_attributes, "host=h,service.names=t");
    assert_string_equal(got.options.service_name, "s");
    assert_string_equal(got.options.service_namespace, "n");
    assert_string_equal(got.options.service_version, "v");
    assert_string_equal(got.options.environment, "prod");
    assert_string_equal(settings_source(&got, "service_name"), STANDARD);
    settings_fini(&got);
}

/* A setting may have several keys; the first key has priority, not the first member. */
static void
keys_of_a_setting_precede_each_other(void **state)
{
    static const struct {
        const char *given, *namespace, *version, *environment;
    } cases[] = {
        {"app=a,version=1,env=e", "a", "1", "e"},
        {"app=a,service.namespace=n,version=1,service.version=2", "n", "2", ""},
        {"env=e,deployment.environment=d", "", "", "d"},
        {"env=e,deployment.environment=d,deployment.environment.name=n", "", "", "n"},
        {"apps=a,versio=1,en=e", "", "", ""},
        {"app=,env=e", "", "", "e"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, PAIRS(STANDARD, cases[i].given), ONLY_ON);
        assert_string_equal(got.options.service_namespace, cases[i].namespace);
        assert_string_equal(got.options.service_version, cases[i].version);
        assert_string_equal(got.options.environment, cases[i].environment);
        settings_fini(&got);
    }
}

static void
the_service_has_a_name(void **state)
{
    static const struct {
        const char *variables[5], *options[3], *fallback, *name, *source;
    } cases[] = {
        {{NULL}, {NULL}, NULL, "unknown_service", "default"},
        {{NULL}, {NULL}, " unknown_service:app\t", "unknown_service:app", "default"},
        {{NULL}, {NULL}, " ", "unknown_service", "default"},
        {{STANDARD, "service=a"}, {NULL}, "app", "a", STANDARD},
        {{STANDARD, "service="}, {NULL}, "app", "app", "default"},
        {{STANDARD, "x=1,service=a"}, {NULL}, "app", "a", STANDARD},
        {{STANDARD, "services=a"}, {NULL}, "app", "app", "default"},
        {{STANDARD, "service=a,service.name=b"}, {NULL}, "app", "b", STANDARD},
        {{STANDARD, "service=a"},
         {"resource_attributes", "service=o"},
         "app",
         "o",
         "option resource_attributes"},
        {{STANDARD, "service=a", "DJP_TELEMETRY_RESOURCE_ATTRIBUTES", "service=w"},
         {NULL},
         "app",
         "w",
         "DJP_TELEMETRY_RESOURCE_ATTRIBUTES"},
        {{STANDARD, "service=a", "SERVICE_NAME", "c"}, {NULL}, "app", "c", "SERVICE_NAME"},
        {{STANDARD, "service.name=a", "SERVICE_NAME", "c"}, {NULL}, "app", "a", STANDARD},
        {{STANDARD, "service.name=a", "OTEL_SERVICE_NAME", "d"},
         {NULL},
         "app",
         "d",
         "OTEL_SERVICE_NAME"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        const char *options[5] = {"enabled", "true"};
        memcpy(options + 2, cases[i].options, sizeof cases[i].options);
        settings_request(&got, cases[i].variables, options,
                         (djp_config_request){.default_service_name = cases[i].fallback});
        assert_string_equal(got.options.service_name, cases[i].name);
        assert_string_equal(settings_source(&got, "service_name"), cases[i].source);
        settings_fini(&got);
    }
}

static void
environments_have_short_names(void **state)
{
    static const char *const cases[][2] = {
        {"prod", "prod"},       {"Production", "prod"}, {"DEV", "dev"},    {"local", "dev"},
        {"development", "dev"}, {"stage", "staging"},   {"", ""},          {"Staging", "staging"},
        {"qa", "qa"},           {"PROD", "prod"},       {"prods", "prods"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, PAIRS("NODE_ENV", cases[i][0]), ONLY_ON);
        assert_string_equal(got.options.environment, cases[i][0]);
        assert_string_equal(got.options.environment_short, cases[i][1]);
        settings_fini(&got);
    }
}

static void
lack_of_memory_is_reported(void **state)
{
    char many[400] = "";
    (void)state;
    for (int i = 0; i < 20; i++) {
        sprintf(many + strlen(many), "k%d=%%41,", i);
    }
    settings_without_memory(PAIRS(STANDARD, many), ON("resource_attributes", "service=x,bad"));
    settings_without_memory(PAIRS("ENV", "local"), ONLY_ON);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_decoded_and_encoded_again),
        cmocka_unit_test(malformed_members_are_left_out),
        cmocka_unit_test(a_bad_member_is_shown_in_part),
        cmocka_unit_test(lists_grow_to_the_limit),
        cmocka_unit_test(lists_precede_each_other_key_by_key),
        cmocka_unit_test(keys_with_a_setting_leave_the_list),
        cmocka_unit_test(keys_of_a_setting_precede_each_other),
        cmocka_unit_test(the_service_has_a_name),
        cmocka_unit_test(environments_have_short_names),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
