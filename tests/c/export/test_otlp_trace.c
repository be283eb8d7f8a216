/* Records that are no span: nesting beyond the limit, and damage of every byte. */
#include "span_encoder.h"

#include "djp/error.h"

/* The deepest nesting is written, one more is damage in all encodings. */
static void
test_depth(void **state)
{
    (void)state;
    for (int map = 0; map < 2; map++) {
        rb_source source;
        rb_span span;
        rb_source_init(&source, 2);
        rb_span_typical(&span, &source);
        span.attributes[2].value = rb_nested(&source, DJP_VALUE_DEPTH_MAX, map);
        djp__encoder *encoder = test_encoder(DJP__ENCODE_PROTOBUF);
        test_compare(encoder, &source, &span, 1);
        djp__encoder_free(encoder);
        span.attributes[2].value = rb_nested(&source, DJP_VALUE_DEPTH_MAX + 1, map);
        djp__span_record *record = rb_record(&span);
        for (int encoding = DJP__ENCODE_PROTOBUF; encoding <= DJP__ENCODE_PRETTY; encoding++) {
            encoder = test_encoder((djp__encoding)encoding);
            assert_int_equal(djp__encoder_add(encoder, record), DJP_EPROTO);
            assert_int_equal(djp__encoder_items(encoder), 0);
            djp__encoder_free(encoder);
        }
        free(record);
        rb_source_fini(&source);
    }
}

/* Every byte of a record set to wrong values: any answer but a read outside the record, and the
 * batch stays whole. */
static void
test_damage(void **state)
{
    (void)state;
    djp__encoder *encoders[3];
    for (int i = 0; i < 3; i++) {
        encoders[i] = test_encoder((djp__encoding)i);
    }
    unsigned refused = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        rb_source source;
        rb_span span;
        rb_source_init(&source, 1000 + seed);
        rb_span_random(&span, &source);
        djp__span_record *record = rb_record(&span);
        uint8_t *bytes = (uint8_t *)record;
        uint32_t size = record->size;
        for (uint32_t at = 0; at < size && at < 3000; at++) {
            uint8_t old = bytes[at], wrong[] = {0, 0xff, (uint8_t)(old + 8),
                                                (uint8_t)(old ^ (1u << rb_below(&source, 8)))};
            for (size_t k = 0; k < sizeof wrong; k++) {
                bytes[at] = wrong[k];
                /* The ring says how large a record is; a header that says more is not handed on. */
                if (record->size <= size) {
                    refused += djp__encoder_add(encoders[(at + k) % 3], record) == DJP_EPROTO;
                }
            }
            bytes[at] = old;
        }
        free(record);
        rb_source_fini(&source);
        djp__buf out;
        djp__buf_init(&out, 0);
        for (int i = 0; i < 3; i++) {
            djp__buf_clear(&out);
            assert_int_equal(djp__encoder_finish(encoders[i], &out), 0);
        }
        djp__buf_fini(&out);
    }
    assert_true(refused > 1000);
    for (int i = 0; i < 3; i++) {
        djp__encoder_free(encoders[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
