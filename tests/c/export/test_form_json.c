/* The JSON form: every batch is valid JSON on one line, with a list for each scope. */
#include "span_encoder.h"

static void
test_json_valid(void **state)
{
    (void)state;
    djp__encoder *encoder = test_encoder(DJP__ENCODE_JSON);
    for (uint64_t seed = 0; seed < 500; seed++) {
        rb_source source;
        rb_span span;
        djp__buf out;
        rb_source_init(&source, 5000 + seed);
        djp__buf_init(&out, 0);
        rb_span_random(&span, &source);
        test_add(encoder, &span);
        assert_int_equal(djp__encoder_finish(encoder, &out), 0);
        json *read = json_parse(out.data, out.size);
        assert_non_null(read);
        assert_null(memchr(out.data, '\n', out.size - 1));
        json_free(read);
        djp__buf_fini(&out);
        rb_source_fini(&source);
    }
    djp__encoder_free(encoder);
}

/* Spans of two scopes: one request, a list for each scope, in order of arrival. */
static void
test_scopes_are_lists(void **state)
{
    (void)state;
    rb_source source;
    rb_span span;
    rb_source_init(&source, 8);
    rb_span_typical(&span, &source);
    djp__encoder *encoder = test_encoder(DJP__ENCODE_JSON);
    uint32_t scope = span.header.scope;
    for (int i = 0; i < 5; i++) {
        span.header.scope = i % 2 == 0 ? scope : 0;
        test_add(encoder, &span);
    }
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    json *request = json_parse(out.data, out.size);
    const json *resources = json_get(request, "resourceSpans");
    assert_int_equal(json_count(resources), 1);
    const json *scopes = json_get(json_at(resources, 0), "scopeSpans");
    assert_int_equal(json_count(scopes), 2);
    assert_int_equal(json_count(json_get(json_at(scopes, 0), "spans")), 3);
    assert_int_equal(json_count(json_get(json_at(scopes, 1), "spans")), 2);
    assert_string_equal(json_string(json_get(json_get(json_at(scopes, 0), "scope"), "name"), ""),
                        "builder");
    json_free(request);
    djp__buf_fini(&out);
    djp__encoder_free(encoder);
    rb_source_fini(&source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_valid),
        cmocka_unit_test(test_scopes_are_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
