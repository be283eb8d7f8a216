/* The span encoders: the protobuf writer against protobuf-c byte for byte over thousands of random
 * spans, damage of every byte, memory failing at every allocation, and the JSON and console forms
 * read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/error.h"
#include "export/otlp_trace.h"
#include "json.h"
#include "otlp_oracle.h"

static const djp_attribute test_resource[] = {
    {{"service.name", 12}, {DJP_STRING, {.text = {"wrong", 5}}}},
    {{"process.pid", 11}, {DJP_INT, {.integer = 4711}}},
    {{"service.name", 12}, {DJP_STRING, {.text = {"orders", 6}}}},
};
enum { TEST_RESOURCE_COUNT = sizeof test_resource / sizeof test_resource[0] };

static djp__encoder *
test_encoder(djp__encoding encoding)
{
    djp__encoder *encoder;
    assert_int_equal(
        djp__encoder_new(&encoder, &djp__otlp_trace, encoding, test_resource, TEST_RESOURCE_COUNT),
        0);
    return encoder;
}

static void
test_add(djp__encoder *encoder, const rb_span *span)
{
    djp__span_record *record = rb_record(span);
    assert_int_equal(djp__encoder_add(encoder, record), 0);
    free(record);
}

/* Adds the spans, finishes, and compares with protobuf-c. */
static void
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

/* Text with NUL bytes and repeated keys by the thousand, which the oracle is too plain or too slow
 * for. */
static void
test_many_map_keys(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    rb_source source;
    rb_span span;
    rb_source_init(&source, 3);
    rb_span_typical(&span, &source);
    djp_attribute *items = calloc(COUNT, sizeof *items);
    char(*names)[8] = calloc(COUNT, sizeof *names);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "k%zu", i % 100);
        items[i].key = rb_text(names[i]);
        items[i].value = (djp_value){DJP_INT, {.integer = (int64_t)i}};
    }
    djp_value map = {DJP_MAP, {.map = {items, COUNT}}};
    span.attributes[0].value = map;
    djp__span_record *record = rb_record(&span);
    djp__encoder *encoder = test_encoder(DJP__ENCODE_CONSOLE);
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__encoder_add(encoder, record), 0);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    json *line = json_parse(out.data, out.size);
    const json *value = json_get(json_get(line, "attributes"), "http.method");
    assert_int_equal(value->count, 100);
    assert_int_equal((int)json_number(json_get(value, "k7"), -1), COUNT - 100 + 7);
    json_free(line);
    djp__buf_fini(&out);
    djp__encoder_free(encoder);
    free(record);
    free(items);
    free(names);
    rb_source_fini(&source);
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

static void
test_console_line(void **state)
{
    (void)state;
    rb_source source;
    rb_span span;
    rb_source_init(&source, 7);
    rb_span_typical(&span, &source);
    span.header.start_unix_ns = 1709210096000001999u; /* 29 February 2024 */
    span.header.end_unix_ns = span.header.start_unix_ns + 12345678u;
    span.header.local_root = 1;
    span.header.reason = DJP_REASON_SLOW;
    span.header.status = 2;
    span.status = rb_text("went\nwrong");
    span.attributes[4].value = (djp_value){DJP_DOUBLE, {.real = 0.0 / 0.0}};
    djp__encoder *encoder = test_encoder(DJP__ENCODE_CONSOLE);
    test_add(encoder, &span);
    test_add(encoder, &span);
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    char *end = memchr(out.data, '\n', out.size);
    assert_non_null(end);
    assert_int_equal((size_t)(end + 1 - out.data) * 2, out.size);
    json *line = json_parse(out.data, (size_t)(end - out.data));
    assert_non_null(line);
    assert_string_equal(json_string(json_get(line, "name"), ""), "GET /orders/{order_id}");
    assert_string_equal(json_string(json_get(line, "kind"), ""), "SERVER");
    assert_string_equal(json_string(json_get(line, "start"), ""), "2024-02-29T12:34:56.000001Z");
    assert_string_equal(json_string(json_get(line, "end"), ""), "2024-02-29T12:34:56.012347Z");
    assert_string_equal(json_get(line, "duration_ms")->text, "12.345");
    assert_string_equal(json_string(json_get(json_get(line, "status"), "code"), ""), "ERROR");
    assert_string_equal(json_string(json_get(json_get(line, "status"), "message"), ""),
                        "went\nwrong");
    const json *attributes = json_get(line, "attributes");
    assert_int_equal((int)json_number(json_get(attributes, "http.status_code"), 0), 200);
    assert_string_equal(json_string(json_get(attributes, "server.port"), ""), "NaN");
    assert_string_equal(json_string(json_get(attributes, "sampling.reason"), ""), "slow");
    assert_string_equal(json_string(json_get(json_get(line, "resource"), "service.name"), ""),
                        "orders");
    assert_string_equal(json_string(json_get(json_get(line, "scope"), "name"), ""), "builder");
    assert_int_equal(json_count(json_get(line, "events")), 0);
    json_free(line);
    djp__buf_fini(&out);
    djp__encoder_free(encoder);
    rb_source_fini(&source);
}

static void
test_json_valid(void **state)
{
    (void)state;
    for (int encoding = DJP__ENCODE_JSON; encoding <= DJP__ENCODE_CONSOLE; encoding++) {
        djp__encoder *encoder = test_encoder((djp__encoding)encoding);
        for (uint64_t seed = 0; seed < 500; seed++) {
            rb_source source;
            rb_span span;
            djp__buf out;
            rb_source_init(&source, 5000 + seed);
            djp__buf_init(&out, 0);
            rb_span_random(&span, &source);
            test_add(encoder, &span);
            assert_int_equal(djp__encoder_finish(encoder, &out), 0);
            json *read = json_parse(out.data, out.size - (encoding == DJP__ENCODE_CONSOLE));
            assert_non_null(read);
            assert_null(memchr(out.data, '\n', out.size - 1));
            json_free(read);
            djp__buf_fini(&out);
            rb_source_fini(&source);
        }
        djp__encoder_free(encoder);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf_random),
        cmocka_unit_test(test_protobuf_typical),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many_map_keys),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_resource_replaced),
        cmocka_unit_test(test_console_line),
        cmocka_unit_test(test_json_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
