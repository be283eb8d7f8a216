/* An encoder of spans with a resource of three attributes, one of them repeated. For one test
 * program: everything is static. */
#ifndef TESTS_C_EXPORT_SPAN_ENCODER_H
#define TESTS_C_EXPORT_SPAN_ENCODER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/otlp_trace.h"
#include "json.h"
#include "otlp_oracle.h"

static const djp_attribute test_resource[] = {
    {{"service.name", 12}, {DJP_STRING, {.text = {"wrong", 5}}}},
    {{"process.pid", 11}, {DJP_INT, {.integer = 4711}}},
    {{"service.name", 12}, {DJP_STRING, {.text = {"orders", 6}}}},
};
enum { TEST_RESOURCE_COUNT = sizeof test_resource / sizeof test_resource[0] };

static inline djp__encoder *
test_encoder(djp__encoding encoding)
{
    djp__encoder *encoder;
    assert_int_equal(
        djp__encoder_new(&encoder, &djp__otlp_trace, encoding, test_resource, TEST_RESOURCE_COUNT),
        0);
    return encoder;
}

static inline void
test_add(djp__encoder *encoder, const rb_span *span)
{
    djp__span_record *record = rb_record(span);
    assert_int_equal(djp__encoder_add(encoder, record), 0);
    free(record);
}

/* Adds the spans, finishes, and compares with protobuf-c. */
static inline void
test_compare(djp__encoder *encoder, rb_source *source, const rb_span *spans, size_t count)
{
    djp__buf ours, oracle;
    djp__buf_init(&ours, 0);
    djp__buf_init(&oracle, 0);
    for (size_t i = 0; i < count; i++) {
        test_add(encoder, &spans[i]);
    }
    assert_int_equal(djp__encoder_items(encoder), count);
    size_t estimate = djp__encoder_bytes(encoder);
    assert_int_equal(djp__encoder_finish(encoder, &ours), 0);
    assert_int_equal(djp__encoder_items(encoder), 0);
    oracle_pack(&oracle, source, spans, count, test_resource, TEST_RESOURCE_COUNT);
    assert_true(ours.size <= estimate);
    assert_int_equal(ours.size, oracle.size);
    assert_memory_equal(ours.data, oracle.data, ours.size);
    djp__buf_fini(&ours);
    djp__buf_fini(&oracle);
}

#endif
