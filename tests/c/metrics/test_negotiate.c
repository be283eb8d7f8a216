/* Content negotiation by the shared vectors, then by noise: every header gives a format and nothing
 * is read out of bounds. */
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
        const char *type = json_string(json_get(json_at(cases, i), "type"), "");
        const char *text = json_string(accept, NULL);
        djp_exposition chosen =
            djp_exposition_negotiate((djp_text){text, text != NULL ? accept->size : 0});
        if (strcmp(djp_exposition_content_type(chosen), type) != 0) {
            print_error("%s: %s instead of %s\n", text, djp_exposition_content_type(chosen), type);
            fail();
        }
    }
    json_free(cases);
}

static void
noise_is_harmless(void **state)
{
    (void)state;
    static const char parts[] =
        "application/openmetrics-text;version=1.0.0;escaping=dots;q=0.5,text/plain\"\\*/, ;=\xff";
    for (int i = 0; i < 20000; i++) {
        size_t size = djp__rand64() % 200;
        /* exactly sized, so that a sanitizer sees one byte too many */
        char *text = malloc(size + 1);
        for (size_t k = 0; k < size; k++) {
            text[k] = parts[djp__rand64() % (sizeof parts - 1)];
        }
        djp_exposition chosen = djp_exposition_negotiate((djp_text){text, size});
        assert_in_range((unsigned)chosen & DJP_EXPOSITION_FORMAT, 0, DJP_OPENMETRICS_0_0_1);
        free(text);
    }
    size_t huge = 10u << 20;
    char *text = malloc(huge);
    memset(text, ',', huge);
    assert_int_equal(djp_exposition_negotiate((djp_text){text, huge}), DJP_TEXT_0_0_4);
    free(text);
}

static int
is_open(const char *accept)
{
    return djp_exposition_negotiate(djp_text_of(accept)) == DJP_OPENMETRICS_1_0_0;
}

#define OPEN "application/openmetrics-text"

/* Qualities: which texts are one, and who wins by how little. */
static void
qualities_at_their_edges(void **state)
{
    (void)state;
    assert_true(is_open(OPEN));
    assert_true(is_open(OPEN ";q=1"));
    assert_true(is_open(OPEN ";q=1."));
    assert_true(is_open(OPEN ";q=1.000"));
    assert_true(is_open(OPEN ";q=0.001"));
    assert_true(is_open(OPEN ";Q=\"0.5\""));
    assert_false(is_open(OPEN ";q=0"));
    assert_false(is_open(OPEN ";q=0.000"));
    assert_false(is_open(OPEN ";q=1.001"));
    assert_false(is_open(OPEN ";q=2"));
    assert_false(is_open(OPEN ";q=0.0001"));
    assert_false(is_open(OPEN ";q=0,5"));
    assert_false(is_open(OPEN ";q=05"));
    assert_false(is_open(OPEN ";q=-1"));
    assert_false(is_open(OPEN ";q=.5"));
    assert_false(is_open(OPEN ";q=0.x"));
    assert_false(is_open(OPEN ";q=0./"));
    assert_false(is_open(OPEN ";q=0.:"));
    assert_false(is_open(OPEN ";q="));
    assert_false(is_open(OPEN ";q=\"0.5"));
    assert_false(is_open(OPEN ";q=0.5\""));
    assert_true(is_open(OPEN ";q=0.5, text/plain;q=0.5")); /* a draw is OpenMetrics */
    assert_true(is_open(OPEN ";q=0.501, text/plain;q=0.5"));
    assert_false(is_open(OPEN ";q=0.499, text/plain;q=0.5"));
    assert_false(is_open(OPEN ";q=0.49, text/plain;q=0.5"));
    assert_false(is_open(OPEN ";q=0.4, text/plain;q=0.5"));
}

/* The most specific range of a format counts, whatever the others say; of equals the best. */
static void
ranges_by_their_rank(void **state)
{
    (void)state;
    assert_false(is_open("*/*"));
    assert_false(is_open("application/*"));
    assert_false(is_open("application/*;q=1, text/plain;q=0.1"));
    assert_true(is_open(OPEN ", */*"));
    assert_true(is_open(OPEN ";q=0.5, */*;q=0.4"));
    assert_false(is_open(OPEN ";q=0.5, */*;q=0.6")); /* plain text by the wildcard */
    assert_true(is_open(OPEN ";q=0.5, */*;q=0.6, text/*;q=0.1"));
    assert_true(is_open(OPEN ";q=0.5, text/*;q=0.6, text/plain;q=0.1"));
    assert_false(is_open(OPEN ";q=0.5, text/*;q=0.1, text/plain;q=0.6"));
    assert_true(is_open(OPEN ";q=0.5, text/plain;q=0.6, text/plain;version=0.0.4;q=0.1"));
    assert_false(is_open(OPEN ";q=0.5, text/plain;q=0.6, text/plain;version=0.0.3;q=0.1"));
    assert_true(is_open(OPEN ";q=0.1, " OPEN ";q=0.9, text/plain;q=0.5"));
    assert_true(is_open(OPEN ";q=0.9, " OPEN ";q=0.1, text/plain;q=0.5"));
    assert_true(is_open(OPEN ";version=1.0.0;q=0.9, " OPEN ";q=0.1, text/plain;q=0.5"));
    assert_true(is_open(OPEN ";version=\"1.0.0\""));
    assert_false(is_open(OPEN ";version=0.0.1"));
    assert_false(is_open(OPEN ";version=\"1.0.0"));
    assert_true(is_open("APPLICATION/OPENMETRICS-TEXT"));
    assert_true(is_open(";q=1, " OPEN));
    assert_true(is_open("a\"b,c\"," OPEN));
    assert_false(is_open("a\"b," OPEN));
    assert_true(is_open("a\"b\\\"c\"," OPEN));
    assert_true(is_open(OPEN ";x=\"q=0;\""));
    assert_true(is_open(OPEN ";flag;;q=0.5"));
}

/* Of a long header only the beginning is read. */
static void
long_headers_are_cut(void **state)
{
    (void)state;
    for (size_t before = 8192 - strlen(OPEN) - 1; before <= 8192 - strlen(OPEN) + 1; before++) {
        char *text = calloc(1, before + 64);
        memset(text, ' ', before);
        memcpy(text + before, OPEN, strlen(OPEN));
        assert_int_equal(is_open(text), before + strlen(OPEN) <= 8192);
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_answered_as_written),
        cmocka_unit_test(qualities_at_their_edges),
        cmocka_unit_test(ranges_by_their_rank),
        cmocka_unit_test(long_headers_are_cut),
        cmocka_unit_test(noise_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
