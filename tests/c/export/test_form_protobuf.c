/* The protobuf form against protobuf-c, byte for byte, over thousands of random spans. */
#include "span_encoder.h"

static void
test_protobuf_random(void **state)
{
    (void)state;
    djp__encoder *encoder = test_encoder(DJP__ENCODE_PROTOBUF);
    for (uint64_t seed = 0; seed < 300; seed++) {
        rb_source source;
        rb_span spans[24];
        rb_source_init(&source, seed);
        size_t count = 1 + rb_below(&source, 24);
        for (size_t i = 0; i < count; i++) {
            rb_span_random(&spans[i], &source);
        }
        test_compare(encoder, &source, spans, count);
        rb_source_fini(&source);
    }
    djp__encoder_free(encoder);
}

static void
test_protobuf_typical(void **state)
{
    (void)state;
    rb_source source;
    rb_span spans[100];
    djp__encoder *encoder = test_encoder(DJP__ENCODE_PROTOBUF);
    rb_source_init(&source, 1);
    for (size_t i = 0; i < 100; i++) {
        rb_span_typical(&spans[i], &source);
    }
    test_compare(encoder, &source, spans, 100);
    rb_source_fini(&source);
    djp__encoder_free(encoder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf_random),
        cmocka_unit_test(test_protobuf_typical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
