#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/error.h"
#include "heap.h"

enum { PAIRS_MAX = 32 };

static void
note(void *user, const char *message)
{
    settings *out = user;
    assert_true(out->warning_count < SETTINGS_WARNINGS_MAX);
    out->warnings[out->warning_count] = strdup(message);
    assert_non_null(out->warnings[out->warning_count]);
    out->warning_count++;
}

/* Returns a copy that the next call frees, so that a sanitizer catches a reader who keeps it. */
static const char *
look_up(void *user, const char *name)
{
    static char *last;
    const char *const *pairs = user;
    free(last);
    last = NULL;
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        if (strcmp(pairs[i], name) == 0) {
            last = strdup(pairs[i + 1]);
        }
    }
    return last;
}

typedef struct given {
    const char *names[PAIRS_MAX];
    djp_config_override overrides[PAIRS_MAX];
} given;

static djp_config_request
request_of(given *given, const char *const *variables, const char *const *options,
           djp_config_request request)
{
    request.lookup = look_up;
    request.lookup_user = (void *)(uintptr_t)variables;
    for (size_t i = 0; variables[i] != NULL; i += 2) {
        assert_true(request.variable_count < PAIRS_MAX);
        given->names[request.variable_count++] = variables[i];
    }
    for (size_t i = 0; options[i] != NULL; i += 2) {
        assert_true(request.override_count < PAIRS_MAX);
        given->overrides[request.override_count++] =
            (djp_config_override){options[i], options[i + 1]};
    }
    request.variables = given->names;
    request.overrides = given->overrides;
    return request;
}

void
settings_request(settings *out, const char *const *variables, const char *const *options,
                 djp_config_request request)
{
    given given;
    memset(out, 0, sizeof *out);
    request = request_of(&given, variables, options, request);
    request.warn = note;
    request.warn_user = out;
    assert_int_equal(djp_config_resolve_request(&out->options, &request), DJP_OK);
    out->report = json_parse(out->options.report_json, strlen(out->options.report_json));
    assert_non_null(out->report);
}

void
settings_resolve(settings *out, const char *const *variables, const char *const *options)
{
    settings_request(out, variables, options, (djp_config_request)DJP_CONFIG_REQUEST_INIT);
}

void
settings_fini(settings *settings)
{
    djp_options_fini(&settings->options);
    json_free(settings->report);
    for (size_t i = 0; i < settings->warning_count; i++) {
        free(settings->warnings[i]);
    }
}

const char *
settings_value(const settings *settings, const char *name)
{
    const json *value = json_get(json_get(settings->report, name), "value");
    return value != NULL && value->text != NULL ? value->text : "";
}

const char *
settings_source(const settings *settings, const char *name)
{
    return json_string(json_get(json_get(settings->report, name), "source"), "");
}

int
settings_warned(const settings *settings, const char *text)
{
    for (size_t i = 0; i < settings->warning_count; i++) {
        if (strstr(settings->warnings[i], text) != NULL) {
            return 1;
        }
    }
    return 0;
}

void
settings_assert_warnings(const settings *settings, size_t count)
{
    if (settings->warning_count != count) {
        fail_msg("%zu warnings, not %zu; the first: %s", settings->warning_count, count,
                 settings->warning_count == 0 ? "none" : settings->warnings[0]);
    }
}

/* The settings of settings_without_memory, and what comes of them without a failure; NULL before
 * that is known. */
static const char *const *swept_variables, *const *swept_options;
static char *swept_report;
static int swept_warnings, warnings;

static void
count_warning(void *user, const char *message)
{
    (void)user;
    (void)message;
    warnings++;
}

/* Returns 1 if the settings were resolved, and then as without a failure. */
static int
resolve_once(void)
{
    static const djp_options nothing;
    given given;
    djp_options options;
    djp_config_request request = request_of(&given, swept_variables, swept_options,
                                            (djp_config_request)DJP_CONFIG_REQUEST_INIT);
    request.warn = count_warning;
    warnings = 0;
    int result = djp_config_resolve_request(&options, &request);
    djp__alloc_fail_after(0);
    if (result != DJP_OK) {
        assert_int_equal(result, DJP_ENOMEM);
        assert_memory_equal(&options, &nothing, sizeof options);
    } else if (swept_report == NULL) {
        swept_report = strdup(options.report_json);
        swept_warnings = warnings;
    } else {
        assert_string_equal(options.report_json, swept_report);
        assert_int_equal(warnings, swept_warnings);
        assert_true(options.environment_short != NULL && options.sampler_text != NULL &&
                    options.endpoint_source != NULL && options.enabled_source != NULL &&
                    options.summary != NULL);
    }
    djp_options_fini(&options);
    return result == DJP_OK;
}

/* First all allocations from one on fail, then a single one does. */
static void
fail_each_allocation(void)
{
    long needed = 1;
    for (djp__alloc_fail_after(needed); !resolve_once(); djp__alloc_fail_after(needed)) {
        needed++;
    }
    for (long n = 1; n < needed; n++) {
        djp__alloc_fail_once(n);
        resolve_once();
    }
}

void
settings_without_memory(const char *const *variables, const char *const *options)
{
    swept_variables = variables;
    swept_options = options;
    assert_int_equal(resolve_once(), 1);
    fail_each_allocation();
    assert_int_equal(heap_growth_after(fail_each_allocation, 2, 3), 0);
    free(swept_report);
    swept_report = NULL;
}
