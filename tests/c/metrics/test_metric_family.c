/* Delimited MetricFamily messages, field by field. The official protobuf library decodes them in
 * tests/python. Compiled in, for the spans of buckets. */
#include "metrics/metric_family.c"
#include "metrics_fixture.h"

#include <math.h>

/* One field of a message. */
typedef struct family_field {
    unsigned number;
    uint64_t value; /* varints, and the bits of doubles */
    djp_text bytes;
} family_field;

static uint64_t
family_varint(djp_text *rest)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(rest->size > 0 && shift < 64);
        unsigned char byte = (unsigned char)*rest->data++;
        rest->size--;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            return value;
        }
    }
}

static int
family_next(family_field *out, djp_text *rest)
{
    if (rest->size == 0) {
        return 0;
    }
    uint64_t tag = family_varint(rest);
    memset(out, 0, sizeof *out);
    out->number = (unsigned)(tag >> 3);
    size_t size = 8;
    if ((tag & 7) == 0) {
        out->value = family_varint(rest);
        return 1;
    }
    if ((tag & 7) == 2) {
        size = (size_t)family_varint(rest);
        out->bytes = (djp_text){rest->data, size};
    } else {
        assert_int_equal(tag & 7, 1);
        memcpy(&out->value, rest->data, 8);
    }
    assert_true(rest->size >= size);
    rest->data += size;
    rest->size -= size;
    return 1;
}

/* The n-th field of that number; its absence fails. */
static family_field
family_get(djp_text message, unsigned number, size_t n)
{
    family_field field;
    while (family_next(&field, &message)) {
        if (field.number == number && n-- == 0) {
            return field;
        }
    }
    print_error("no field %u\n", number);
    fail();
    return field;
}

static size_t
family_count(djp_text message, unsigned number)
{
    family_field field;
    size_t count = 0;
    while (family_next(&field, &message)) {
        count += field.number == number;
    }
    return count;
}

static double
family_double(djp_text message, unsigned number)
{
    return djp__bits_to_double(family_get(message, number, 0).value);
}

static void
assert_text(family_field field, const char *expected)
{
    assert_int_equal(field.bytes.size, strlen(expected));
    assert_memory_equal(field.bytes.data, expected, field.bytes.size);
}

/* The message of a family by its name. */
static djp_text
family_of(djp_text body, const char *name)
{
    while (body.size > 0) {
        size_t size = (size_t)family_varint(&body);
        djp_text message = {body.data, size};
        assert_true(size <= body.size);
        djp_text found = family_get(message, 1, 0).bytes;
        if (found.size == strlen(name) && memcmp(found.data, name, found.size) == 0) {
            return message;
        }
        body.data += size;
        body.size -= size;
    }
    return (djp_text){NULL, 0};
}

static djp_text
family_expose(djp_registry *registry)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_registry_expose(&text, &size, registry, DJP_PROTOBUF_DELIMITED), 0);
    return (djp_text){text, size};
}

static void
every_kind_of_family(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = fixture_series(fixture_family(r, DJP_COUNTER, "c", 1), "x\"\n\\");
    djp_series *g = fixture_series(fixture_family(r, DJP_GAUGE, "g", 1), "");
    djp_series *h = fixture_series(fixture_family(r, DJP_HISTOGRAM, "h_seconds", 1), "y");
    djp_span_context context = {{1}, {2}, DJP_FLAG_SAMPLED, 0, NULL};
    djp_counter_add_with_context(c, 2.5, &context);
    djp_gauge_set(g, -7);
    djp_histogram_observe_with_context(h, 0.3, &context);
    djp_histogram_observe(h, 1e9);
    djp_text body = family_expose(r);

    djp_text family = family_of(body, "c_total"), metric = family_get(family, 4, 0).bytes;
    assert_text(family_get(family, 2, 0), "help");
    assert_int_equal(family_get(family, 3, 0).value, 0);
    djp_text label = family_get(metric, 1, 0).bytes, counter = family_get(metric, 3, 0).bytes;
    assert_text(family_get(label, 1, 0), "a");
    assert_text(family_get(label, 2, 0), "x\"\n\\");
    assert_true(family_double(counter, 1) == 2.5);
    djp_text exemplar = family_get(counter, 2, 0).bytes;
    assert_int_equal(family_count(exemplar, 1), 2);
    assert_text(family_get(family_get(exemplar, 1, 1).bytes, 2, 0), "0200000000000000");
    assert_true(family_double(exemplar, 2) == 2.5);
    assert_true(family_get(family_get(counter, 3, 0).bytes, 1, 0).value > 1600000000);

    family = family_of(body, "g");
    assert_int_equal(family_get(family, 3, 0).value, 1);
    metric = family_get(family, 4, 0).bytes;
    assert_true(family_double(family_get(metric, 2, 0).bytes, 1) == -7);

    family = family_of(body, "h_seconds");
    assert_int_equal(family_get(family, 3, 0).value, 4);
    djp_text histogram = family_get(family_get(family, 4, 0).bytes, 7, 0).bytes;
    assert_int_equal(family_get(histogram, 1, 0).value, 2);
    assert_true(family_double(histogram, 2) == 0.3 + 1e9);
    assert_int_equal(family_count(histogram, 3), 17);
    djp_text bucket = family_get(histogram, 3, 7).bytes;
    assert_int_equal(family_get(bucket, 1, 0).value, 1);
    assert_true(family_double(bucket, 2) == 0.3);
    assert_int_equal(family_count(bucket, 3), 1);
    bucket = family_get(histogram, 3, 16).bytes;
    assert_int_equal(family_get(bucket, 1, 0).value, 2);
    assert_true(isinf(family_double(bucket, 2)));
    assert_int_equal(family_count(bucket, 3), 0);
    assert_int_equal(family_count(histogram, 5), 0); /* no native histogram */
    djp_free((char *)(uintptr_t)body.data);
    djp_registry_free(r);
}

static int64_t
zigzag(family_field field)
{
    return (int64_t)(field.value >> 1) ^ -(int64_t)(field.value & 1);
}

static void
native_histograms_have_spans_and_deltas(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *family;
    djp_family_options options = {
        .type = DJP_HISTOGRAM, .name = "n", .exponential = DJP_EXPONENTIAL_ON};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    djp_series *series = djp_family_series(family, NULL);
    djp_text body = family_expose(r);
    djp_text histogram = family_get(family_get(family_of(body, "n"), 4, 0).bytes, 7, 0).bytes;
    /* An empty one is a native one by its span without buckets. */
    assert_int_equal(zigzag(family_get(histogram, 5, 0)), 8);
    assert_int_equal(family_get(family_get(histogram, 12, 0).bytes, 2, 0).value, 0);
    djp_free((char *)(uintptr_t)body.data);

    djp_span_context context = {{1}, {2}, DJP_FLAG_SAMPLED, 0, NULL};
    static const double values[] = {0, 1, 1, 1, 4, 64, 1 << 30, -1, -4};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        djp_histogram_observe_with_context(series, values[i], i == 4 ? &context : NULL);
    }
    for (int i = 0; i < 20; i++) {
        djp_histogram_observe(series, ldexp(1, -100)); /* scale 0, so that indexes are exponents */
    }
    body = family_expose(r);
    histogram = family_get(family_get(family_of(body, "n"), 4, 0).bytes, 7, 0).bytes;
    assert_int_equal(family_get(histogram, 1, 0).value, 29);
    assert_int_equal(zigzag(family_get(histogram, 5, 0)), 0);
    assert_true(family_double(histogram, 6) == 1e-128);
    assert_int_equal(family_get(histogram, 7, 0).value, 1);
    static const int64_t spans[][2] = {{-100, 1}, {99, 3}, {3, 1}, {23, 1}};
    static const int64_t deltas[] = {20, -17, -3, 1, 0, 0};
    assert_int_equal(family_count(histogram, 12), 4);
    for (size_t i = 0; i < 4; i++) {
        djp_text span = family_get(histogram, 12, i).bytes;
        assert_int_equal(zigzag(family_get(span, 1, 0)), spans[i][0]);
        assert_int_equal(family_get(span, 2, 0).value, spans[i][1]);
    }
    assert_int_equal(family_count(histogram, 13), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(zigzag(family_get(histogram, 13, i)), deltas[i]);
    }
    assert_int_equal(family_count(histogram, 9), 1); /* -1 and -4, one empty bucket between */
    assert_int_equal(family_get(family_get(histogram, 9, 0).bytes, 2, 0).value, 3);
    assert_int_equal(family_count(histogram, 16), 1);
    assert_int_equal(family_count(histogram, 3), 17); /* the explicit buckets, too */
    djp_free((char *)(uintptr_t)body.data);
    djp_registry_free(r);
}

/* Readers of old versions stop at a family without series. */
static void
families_without_series_are_left_out(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    fixture_family(r, DJP_COUNTER, "nothing", 1);
    djp_text body = family_expose(r);
    assert_int_equal(body.size, 0);
    djp_free((char *)(uintptr_t)body.data);
    djp_registry_free(r);
}

static void
the_target_is_a_gauge_of_one(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp__buf labels;
    djp__buf_init(&labels, 0);
    djp__buf_text(&labels, "service_name=\"a\\\"\\\\\\n\",env=\"\"");
    djp__registry_set_target(r, &labels);
    djp_text body = family_expose(r), family = family_of(body, "target_info");
    djp_text metric = family_get(family, 4, 0).bytes;
    assert_int_equal(family_count(metric, 1), 2);
    assert_text(family_get(family_get(metric, 1, 0).bytes, 1, 0), "service_name");
    assert_text(family_get(family_get(metric, 1, 0).bytes, 2, 0), "a\"\\\n");
    assert_text(family_get(family_get(metric, 1, 1).bytes, 1, 0), "env");
    assert_text(family_get(family_get(metric, 1, 1).bytes, 2, 0), "");
    assert_true(family_double(family_get(metric, 2, 0).bytes, 1) == 1);
    djp_free((char *)(uintptr_t)body.data);
    djp_registry_free(r);
}

static int64_t
family_signed(family_field field)
{
    return (int64_t)(field.value >> 1) ^ -(int64_t)(field.value & 1);
}

/* A gap of two buckets stays in a span. Indexes are one higher than in the SDK. */
static void
buckets_are_written_in_spans(void **state)
{
    static const struct {
        djp__exponential_side side;
        size_t spans, deltas;
        int64_t values[16]; /* offset and size of each span, then the deltas */
    } cases[] = {
        {{0, 0, {0}}, 0, 0, {0}},
        {{0, 1, {7}}, 1, 1, {1, 1, 7}},
        {{-3, 4, {2, 0, 0, 5}}, 1, 4, {-2, 4, 2, -2, 0, 5}},
        {{-3, 5, {2, 0, 0, 0, 5}}, 2, 2, {-2, 1, 3, 1, 2, 3}},
        {{9, 8, {0, 1, 4, 0, 0, 0, 0, 3}}, 2, 3, {11, 2, 4, 1, 1, 3, -1}},
        {{0, 4, {1, 0, 0, 0}}, 1, 1, {1, 1, 1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int64_t *wanted = cases[i].values;
        metric_family_writer w = {.out = NULL};
        djp__buf_init(&w.value, 0);
        djp__buf_init(&w.part, 0);
        metric_family_side(&w, &cases[i].side, 12, 13);
        djp_text made = {w.value.data, w.value.size};
        assert_int_equal(family_count(made, 12), cases[i].spans);
        assert_int_equal(family_count(made, 13), cases[i].deltas);
        for (size_t n = 0; n < cases[i].spans; n++) {
            djp_text span = family_get(made, 12, n).bytes;
            assert_int_equal(family_signed(family_get(span, 1, 0)), *wanted++);
            assert_int_equal(family_get(span, 2, 0).value, *wanted++);
        }
        for (size_t n = 0; n < cases[i].deltas; n++) {
            assert_int_equal(family_signed(family_get(made, 13, n)), *wanted++);
        }
        djp__buf_fini(&w.value);
        djp__buf_fini(&w.part);
    }
}

/* Without memory an exposition fails as a whole. */
static void
no_half_exposition_without_memory(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *family = fixture_family(r, DJP_HISTOGRAM, "h", 1);
    for (int i = 0; i < 50; i++) {
        djp_histogram_observe(fixture_numbered(family, i), i);
    }
    djp_text whole = family_expose(r);
    int failures = 0;
    for (int n = 1; n < 200; n++) {
        char *text = NULL;
        size_t size = 0;
        djp__alloc_fail_after(n);
        int result = djp_registry_expose(&text, &size, r, DJP_PROTOBUF_DELIMITED);
        djp__alloc_fail_after(0);
        assert_true(result == DJP_ENOMEM || (result == 0 && size == whole.size));
        failures += result != 0;
        djp_free(text);
    }
    assert_true(failures > 0);
    djp_free((char *)(uintptr_t)whole.data);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_family),
        cmocka_unit_test(native_histograms_have_spans_and_deltas),
        cmocka_unit_test(families_without_series_are_left_out),
        cmocka_unit_test(the_target_is_a_gauge_of_one),
        cmocka_unit_test(buckets_are_written_in_spans),
        cmocka_unit_test(no_half_exposition_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
