/* The encoder in every form: memory that fails at every allocation, and another resource. */
#include "span_encoder.h"

#include "djp/error.h"

/* The whole way with every allocation failing in turn: DJP_ENOMEM or the right bytes. */
static void
test_no_memory(void **state)
{
    (void)state;
    rb_source source;
    rb_span span;
    rb_source_init(&source, 5);
    do {
        rb_span_random(&span, &source);
    } while (span.event_count == 0 || span.link_count == 0 || span.count < 5 ||
             span.header.scope < 2);
    djp__span_record *record = rb_record(&span);
    for (int encoding = 0; encoding < 3; encoding++) {
        djp__buf right;
        int done = 0;
        djp__buf_init(&right, 0);
        djp__encoder *encoder = test_encoder((djp__encoding)encoding);
        assert_int_equal(djp__encoder_add(encoder, record), 0);
        assert_int_equal(djp__encoder_finish(encoder, &right), 0);
        djp__encoder_free(encoder);
        for (long n = 1; !done; n++) {
            djp__buf out;
            djp__buf_init(&out, 0);
            djp__alloc_fail_after(n);
            int rc = djp__encoder_new(&encoder, &djp__otlp_trace, (djp__encoding)encoding,
                                      test_resource, TEST_RESOURCE_COUNT);
            rc = rc != 0 ? rc : djp__encoder_add(encoder, record);
            rc = rc != 0 ? rc : djp__encoder_finish(encoder, &out);
            djp__alloc_fail_after(0);
            assert_true(rc == 0 || rc == DJP_ENOMEM);
            done = rc == 0;
            assert_true(n < 1000);
            if (done) {
                assert_true(n > 3);
                assert_int_equal(out.size, right.size);
                assert_memory_equal(out.data, right.data, out.size);
            } else if (encoder != NULL) {
                /* It goes on after the shortage. */
                djp__buf_clear(&out);
                djp__encoder_finish(encoder, &out);
                djp__buf_clear(&out);
                assert_int_equal(djp__encoder_add(encoder, record), 0);
                assert_int_equal(djp__encoder_finish(encoder, &out), 0);
                assert_int_equal(out.size, right.size);
                assert_memory_equal(out.data, right.data, out.size);
            }
            djp__encoder_free(encoder);
            djp__buf_fini(&out);
        }
        djp__buf_fini(&right);
    }
    free(record);
    rb_source_fini(&source);
}

static void
test_resource_replaced(void **state)
{
    (void)state;
    djp_attribute other = {{"service.instance.id", 19}, {DJP_STRING, {.text = {"child\xff", 6}}}};
    rb_source source;
    rb_span span;
    rb_source_init(&source, 6);
    rb_span_typical(&span, &source);
    djp__encoder *encoder = test_encoder(DJP__ENCODE_JSON);
    assert_int_equal(djp__encoder_set_resource(encoder, &other, 1), 0);
    test_add(encoder, &span);
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    json *request = json_parse(out.data, out.size);
    const json *attributes = json_get(
        json_get(json_at(json_get(request, "resourceSpans"), 0), "resource"), "attributes");
    assert_int_equal(json_count(attributes), 1);
    assert_string_equal(json_string(json_get(json_at(attributes, 0), "key"), ""),
                        "service.instance.id");
    assert_string_equal(
        json_string(json_get(json_get(json_at(attributes, 0), "value"), "stringValue"), ""),
        "child\xef\xbf\xbd");
    json_free(request);
    /* An empty batch writes nothing: empty envelopes must not be sent. */
    djp__buf_clear(&out);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    assert_int_equal(out.size, 0);
    djp__buf_fini(&out);
    djp__encoder_free(encoder);
    rb_source_fini(&source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_resource_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
