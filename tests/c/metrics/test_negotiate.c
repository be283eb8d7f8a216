/* Content negotiation by the shared vectors, then by noise: every header gives a format and nothing is read out of bounds. */
#include "metrics_fixture.h"

#include <stdlib.h>

#include "base/rand.h"
#include "json.h"

static void
vectors_are_answered_as_written(void **state)
{
    (void)state;
    json *cases = json_load("negotiation.json");
    assert_true(json_count(cases) > 30);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *accept = json_get(json_at(cases, i), "accept");
        const char *format = json_string(json_get(json_at(cases, i), "format"), "");
        const char *text = json_string(accept, NULL);
        djp_exposition chosen = djp_exposition_negotiate(text, text ? accept->size : 0);
        if ((chosen == DJP_OPENMETRICS_1_0_0) != (strcmp(format, "openmetrics") == 0)) {
            print_error("%s: not %s\n", text, format);
            fail();
        }
    }
    json_free(cases);
}

static void
noise_is_harmless(void **state)
{
    (void)state;
    static const char parts[] = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain\"\\*/, ;=\xff";
    for (int i = 0; i < 20000; i++) {
        size_t size = djp__rand64() % 200;
        char *text = malloc(size + 1); /* exactly sized, so that a sanitizer sees one byte too many */
        for (size_t k = 0; k < size; k++) {
            text[k] = parts[djp__rand64() % (sizeof parts - 1)];
        }
        djp_exposition chosen = djp_exposition_negotiate(text, size);
        assert_true(chosen == DJP_TEXT_0_0_4 || chosen == DJP_OPENMETRICS_1_0_0);
        free(text);
    }
    size_t huge = 10u << 20;
    char *text = malloc(huge);
    memset(text, ',', huge);
    assert_int_equal(djp_exposition_negotiate(text, huge), DJP_TEXT_0_0_4);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_answered_as_written),
        cmocka_unit_test(noise_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
