/* Console lines: each is one JSON object, with the members that docs/console-format.md describes.
 */
#include "span_encoder.h"

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

static void
test_console_lines_are_json(void **state)
{
    (void)state;
    djp__encoder *encoder = test_encoder(DJP__ENCODE_CONSOLE);
    for (uint64_t seed = 0; seed < 500; seed++) {
        rb_source source;
        rb_span span;
        djp__buf out;
        rb_source_init(&source, 5000 + seed);
        djp__buf_init(&out, 0);
        rb_span_random(&span, &source);
        test_add(encoder, &span);
        assert_int_equal(djp__encoder_finish(encoder, &out), 0);
        json *read = json_parse(out.data, out.size - 1);
        assert_non_null(read);
        assert_null(memchr(out.data, '\n', out.size - 1));
        json_free(read);
        djp__buf_fini(&out);
        rb_source_fini(&source);
    }
    djp__encoder_free(encoder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console_line),
        cmocka_unit_test(test_many_map_keys),
        cmocka_unit_test(test_console_lines_are_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
