/* Settings that are lists: what is taken, what is left out with one warning, and which
 * form the result has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/config.h"
#include "djp/error.h"

static const char *variable, *content;
static int warnings;
static char last[1024];

static const char *
look_up(void *user, const char *name)
{
    (void)user;
    return variable && strcmp(name, variable) == 0 ? content : NULL;
}

static void
note(void *user, const char *message)
{
    (void)user;
    warnings++;
    snprintf(last, sizeof last, "%s", message);
}

static int
resolve(djp_options *out, const char *keyword, const char *value)
{
    const djp_config_override overrides[] = {
        {"enabled", "true"}, {"backend", "hybrid"}, {keyword, value}};
    warnings = 0;
    last[0] = '\0';
    return djp_config_resolve(out, look_up, NULL, overrides, 3, "test", note, NULL);
}

/* Resolves one setting; its field afterwards, in a buffer. */
static const char *
field(const char *keyword, const char *value)
{
    static char text[4096];
    djp_options options;
    assert_int_equal(resolve(&options, keyword, value), 0);
    const char *found = strcmp(keyword, "propagators") == 0          ? options.propagators
                        : strcmp(keyword, "known_methods") == 0      ? options.known_methods
                        : strcmp(keyword, "baggage_attributes") == 0 ? options.baggage_attributes
                                                                     : options.excluded_paths;
    snprintf(text, sizeof text, "%s", found);
    djp_options_fini(&options);
    return text;
}

static void
propagators(void **state)
{
    (void)state;
    assert_string_equal(field("propagators", "tracecontext"), "tracecontext");
    assert_string_equal(field("propagators", " Baggage , TraceContext "), "baggage,tracecontext");
    assert_string_equal(field("propagators", "baggage,baggage"), "baggage");
    assert_int_equal(warnings, 0);
    assert_string_equal(field("propagators", "none"), "");
    assert_string_equal(field("propagators", "none,baggage"), "baggage");
    assert_string_equal(field("propagators", ",,baggage,"), "baggage");
    assert_int_equal(warnings, 0);
    assert_string_equal(field("propagators", "b3,baggage,jaeger"), "baggage");
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last, "where tracecontext, baggage or none are expected"));
    assert_string_equal(field("propagators", "b3"), "tracecontext,baggage"); /* the default */
    assert_int_equal(warnings, 1);
}

static void
methods(void **state)
{
    (void)state;
    assert_string_equal(field("known_methods", "GET,get,A-b_9"), "GET,get,A-b_9");
    assert_string_equal(field("known_methods", "azAZ09,AG"), "azAZ09,AG");
    assert_int_equal(warnings, 0);
    assert_string_equal(field("known_methods", "G{,GET"), "GET");
    assert_string_equal(field("known_methods", "/G,GET"), "GET");
    assert_string_equal(field("known_methods", "GET,GET,POST,PO"), "GET,POST,PO");
    static const char *const bad[] = {"G/T", "G:T", "G@T", "G[T", "G`T", "G{T", "G T"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s,GET", bad[i]);
        assert_string_equal(field("known_methods", text), "GET");
        assert_int_equal(warnings, 1);
    }
    for (size_t size = 31; size <= 33; size++) {
        char text[64];
        memset(text, 'M', size);
        strcpy(text + size, ",GET");
        char want[64];
        strcpy(want, size <= 32 ? text : "GET");
        assert_string_equal(field("known_methods", text), want);
    }
}

static void
paths(void **state)
{
    (void)state;
    assert_string_equal(field("excluded_paths", "/health, /api/* ,/health"), "/health,/api/*");
    assert_string_equal(field("excluded_paths", "*"), "*");
    assert_int_equal(warnings, 0);
    assert_string_equal(field("excluded_paths", "health,/a"), "/a");
    assert_int_equal(warnings, 1);
    assert_string_equal(field("excluded_paths", "/a*b,/c"), "/c");
    assert_int_equal(warnings, 1);
    assert_string_equal(field("excluded_paths", "*/a,/**"), "");
    assert_int_equal(warnings, 1);
    /* Of a long text the beginning is shown, cut between characters. */
    char text[200];
    memset(text, 'x', 59);
    strcpy(text + 59, "\xc3\xa9rest");
    field("excluded_paths", text);
    char shown[80];
    snprintf(shown, sizeof shown, "is \"%.59s\", where", text);
    assert_non_null(strstr(last, shown));
}

/* Tokens of W3C Baggage; a star may end one. */
static void
baggage_keys(void **state)
{
    static const char *const bad[] = {"a*b", "**",   "a b", "a/b",   "a:b", "a@b",      "a[b",
                                      "a{b", "a\"b", "a(b", "a\x7f", "/a",  "a\xc3\xa4"};
    (void)state;
    assert_string_equal(field("baggage_attributes", "user.id, azAZ09 ,a*,*"),
                        "user.id,azAZ09,a*,*");
    assert_string_equal(field("baggage_attributes", "!#$%&'+-.^_`|~,x,x"), "!#$%&'+-.^_`|~,x");
    assert_int_equal(warnings, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s,good", bad[i]);
        assert_string_equal(field("baggage_attributes", text), "good");
        assert_int_equal(warnings, 1);
    }
}

static djp_semconv
semconv(const char *name, const char *text)
{
    djp_options options;
    variable = name;
    content = text;
    assert_int_equal(resolve(&options, "log_level", NULL), 0);
    djp_semconv found = options.semconv;
    djp_options_fini(&options);
    variable = NULL;
    return found;
}

static void
conventions(void **state)
{
    static const char standard[] = "OTEL_SEMCONV_STABILITY_OPT_IN", own[] = "DJP_TELEMETRY_SEMCONV";
    (void)state;
    assert_int_equal(semconv(NULL, NULL), DJP_SEMCONV_OLD);
    assert_int_equal(semconv(standard, "http"), DJP_SEMCONV_STABLE);
    assert_int_equal(semconv(standard, "http/dup"), DJP_SEMCONV_BOTH);
    assert_int_equal(semconv(standard, "HTTP, database"), DJP_SEMCONV_STABLE);
    assert_int_equal(semconv(standard, "http/dup,http"), DJP_SEMCONV_BOTH);
    assert_int_equal(semconv(standard, "http,http/dup"), DJP_SEMCONV_BOTH);
    assert_int_equal(semconv(standard, "database"), DJP_SEMCONV_OLD);
    assert_int_equal(warnings, 0);
    assert_int_equal(semconv(own, "stable"), DJP_SEMCONV_STABLE);
    assert_int_equal(semconv(own, "http"), DJP_SEMCONV_STABLE);
    assert_int_equal(warnings, 0);
    assert_int_equal(semconv(own, "nonsense"), DJP_SEMCONV_OLD);
    assert_int_equal(warnings, 1);
}

/* Without memory the whole resolution says so, and keeps nothing. */
static void
no_memory(void **state)
{
    static const char *const settings[][2] = {
        {"propagators", "baggage"}, {"known_methods", "GET,POST"}, {"excluded_paths", "/a,/b"}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        long n = 0;
        int result;
        do {
            djp_options options;
            djp__alloc_fail_after(++n);
            result = resolve(&options, settings[i][0], settings[i][1]);
            djp__alloc_fail_after(0);
            assert_true(result == 0 || result == DJP_ENOMEM);
            djp_options_fini(&options);
        } while (result != 0 && n < 3000);
        assert_true(n > 20 && n < 3000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(propagators),  cmocka_unit_test(methods),
        cmocka_unit_test(baggage_keys), cmocka_unit_test(paths),
        cmocka_unit_test(conventions),  cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
