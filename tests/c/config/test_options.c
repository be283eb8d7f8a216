/* Resolved settings as a value: a copy has each text of the original and none of its memory, and a
 * release leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"
#include "djp/error.h"
#include "settings_fixture.h"

#include "heap.h"

enum { TEXTS_MAX = 64 };

/* All text fields: those of the table, and those that follow from settings. */
static size_t
texts_of(char **texts[TEXTS_MAX], djp_options *options)
{
    char **others[] = {&options->environment_short, &options->report_json,
                       &options->sampler_text,      &options->endpoint_source,
                       &options->enabled_source,    &options->summary};
    size_t count = sizeof others / sizeof others[0];
    memcpy(texts, others, sizeof others);
    for (int i = 0; i < DJP_SETTINGS; i++) {
        if (djp__config_table[i].form == DJP_FORM_TEXT) {
            assert_true(count < TEXTS_MAX);
            texts[count++] = (char **)(void *)((char *)options + djp__config_table[i].offset);
        }
    }
    return count;
}

static void
fill(djp_options *options)
{
    char **texts[TEXTS_MAX], text[32];
    memset(options, 0, sizeof *options);
    size_t count = texts_of(texts, options);
    for (size_t i = 0; i < count; i++) {
        assert_null(*texts[i]); /* no field is listed twice */
        snprintf(text, sizeof text, "text %zu", i);
        *texts[i] = djp__strdup(text);
    }
    options->sample_ratio = 0.5;
    options->log_correlation = 1;
}

static void
a_copy_has_each_text_and_none_of_the_memory(void **state)
{
    static const djp_options nothing;
    djp_options first, second;
    char **firsts[TEXTS_MAX], **seconds[TEXTS_MAX], text[32];
    (void)state;
    fill(&first);
    assert_int_equal(djp_options_copy(&second, &first), DJP_OK);
    size_t count = texts_of(firsts, &first);
    texts_of(seconds, &second);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_not_equal(*firsts[i], *seconds[i]);
    }
    djp_options_fini(&first);
    assert_memory_equal(&first, &nothing, sizeof first);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "text %zu", i);
        assert_string_equal(*seconds[i], text);
    }
    assert_true(second.sample_ratio == 0.5);
    assert_int_equal(second.log_correlation, 1);
    djp_options_fini(&second);
}

static void
texts_that_are_absent_stay_so(void **state)
{
    djp_options first = {.service_name = djp__strdup("web")}, second;
    (void)state;
    assert_int_equal(djp_options_copy(&second, &first), DJP_OK);
    djp_options_fini(&first);
    assert_string_equal(second.service_name, "web");
    assert_null(second.environment);
    assert_null(second.summary);
    djp_options_fini(&second);
}

static void
a_copy_without_memory_is_empty(void **state)
{
    static const djp_options nothing;
    djp_options first, second;
    char **texts[TEXTS_MAX];
    (void)state;
    fill(&first);
    long count = (long)texts_of(texts, &first);
    for (long n = 1; n <= 2 * count; n++) {
        if (n <= count) {
            djp__alloc_fail_after(n);
        } else {
            djp__alloc_fail_once(n - count);
        }
        assert_int_equal(djp_options_copy(&second, &first), DJP_ENOMEM);
        djp__alloc_fail_after(0);
        assert_memory_equal(&second, &nothing, sizeof second);
    }
    djp_options_fini(&first);
    djp_options_fini(&first);
    djp_options_fini(NULL);
}

static void
copy_and_release(void)
{
    djp_options first, second;
    fill(&first);
    assert_int_equal(djp_options_copy(&second, &first), DJP_OK);
    djp_options_fini(&second);
    djp__alloc_fail_after(20);
    assert_int_equal(djp_options_copy(&second, &first), DJP_ENOMEM);
    djp__alloc_fail_after(0);
    djp_options_fini(&first);
}

static void
nothing_stays(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(copy_and_release, 20), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_each_text_and_none_of_the_memory),
        cmocka_unit_test(texts_that_are_absent_stay_so),
        cmocka_unit_test(a_copy_without_memory_is_empty),
        cmocka_unit_test(nothing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
