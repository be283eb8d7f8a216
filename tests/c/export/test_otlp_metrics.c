/* Metrics in every form: the members of each kind, labels, exemplars and the overflow. The Python
 * and Node tests compare the bytes of requests with the official classes. */
#include "metrics_fixture.h"

#include "djp/error.h"
#include "export/encoder_parts.h"
#include "export/otlp_metrics.h"
#include "metrics/reader.h"

enum { START = 1000, NOW = 2000 };

typedef struct metrics_case {
    djp_registry *registry;
    djp__metric_reader reader;
    djp__encoder *encoder;
    int result;
} metrics_case;

/* Sets constant times. */
static void
case_take(void *user, djp__metric_record *record)
{
    metrics_case *c = user;
    for (uint32_t i = 0; i < record->point_count; i++) {
        djp__metric_point *point = (djp__metric_point *)(uintptr_t)djp__metric_point_of(record, i);
        djp__exemplar *exemplars =
            (djp__exemplar *)(uintptr_t)djp__metric_at(record, point->exemplars_at);
        point->start_unix_ns = point->start_unix_ns != 0 ? START : 0;
        point->unix_ns = NOW;
        for (uint32_t e = 0; e < point->exemplar_count; e++) {
            exemplars[e].unix_ns = NOW - 1;
        }
    }
    c->result |= djp__encoder_add(c->encoder, record);
    djp__free(record);
}

static void
case_begin(metrics_case *c, djp__encoding encoding)
{
    memset(c, 0, sizeof *c);
    c->registry = fixture_registry(0, 2);
    djp__metric_reader_init(&c->reader, c->registry, DJP__PREFER_CUMULATIVE);
    assert_int_equal(djp__encoder_new(&c->encoder, &djp__otlp_metrics, encoding, NULL, 0), 0);
}

/* The request; the caller frees. */
static char *
case_end(metrics_case *c, size_t *size)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__metric_reader_collect(&c->reader, case_take, c), 0);
    assert_int_equal(c->result, 0);
    size_t bound = djp__encoder_bytes(c->encoder);
    assert_int_equal(djp__encoder_finish(c->encoder, &out), 0);
    assert_true(out.size <= bound);
    djp__encoder_free(c->encoder);
    djp__metric_reader_fini(&c->reader);
    djp_registry_free(c->registry);
    return djp__buf_take(&out, size);
}

static djp_family *
case_family(metrics_case *c, djp_metric_type type, const char *name, const char *unit,
            djp_gauge_mode mode)
{
    static const char *const labels[] = {"a", "b"};
    static const double bounds[] = {0.5, 1};
    djp_family *family = NULL;
    djp_family_options options = {.type = type, .name = name, .help = "h", .unit = unit};
    options.mode = mode;
    options.labels = labels;
    options.label_count = 2;
    options.buckets = type == DJP_HISTOGRAM ? bounds : NULL;
    options.bucket_count = type == DJP_HISTOGRAM ? 2 : 0;
    assert_int_equal(djp_family_new(&family, c->registry, &options), 0);
    return family;
}

static djp_series *
case_series(djp_family *family, const char *a, const char *b)
{
    const djp_text values[] = {{a, strlen(a)}, {b, strlen(b)}};
    return djp_family_series(family, values);
}

static void
case_record_counter(metrics_case *c)
{
    djp_counter_add(case_series(case_family(c, DJP_COUNTER, "n", NULL, 0), "x", ""), 2);
}

static void
case_record_histogram(metrics_case *c)
{
    djp_span_context context = {.flags = DJP_FLAG_SAMPLED};
    memset(context.trace_id, 0xab, sizeof context.trace_id);
    memset(context.span_id, 0xcd, sizeof context.span_id);
    djp_series *took = case_series(case_family(c, DJP_HISTOGRAM, "took", "s", 0), "x", "\"y\"");
    djp_histogram_observe_with_context(took, 0.75, &context);
    djp_histogram_observe(took, 8);
}

static void
a_sum_in_protobuf(void **state)
{
    static const char expected[] = /* resource_metrics, scope_metrics */
        "\x0a\x37\x12\x35"
        "\x12\x33\x0a\x01n\x12\x01h" /* metric: name, description */
        "\x3a\x2b\x0a\x25" /* sum, point */
        "\x11\xe8\x03\0\0\0\0\0\0\x19\xd0\x07\0\0\0\0\0\0" /* start, time */
        "\x21\0\0\0\0\0\0\0\x40" /* as_double */
        "\x3a\x08\x0a\x01"
        "a\x12\x03\x0a\x01x" /* the attribute that is not empty */
        "\x10\x02\x18\x01"; /* cumulative, monotonic */
    metrics_case c;
    size_t size;
    (void)state;
    case_begin(&c, DJP__ENCODE_PROTOBUF);
    case_record_counter(&c);
    char *body = case_end(&c, &size);
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(body, expected, size);
    djp_free(body);
}

static void
all_kinds_in_json(void **state)
{
    metrics_case c;
    (void)state;
    case_begin(&c, DJP__ENCODE_JSON);
    case_record_counter(&c);
    case_record_histogram(&c);
    djp_gauge_set(case_series(case_family(&c, DJP_GAUGE, "level", NULL, DJP_GAUGE_MAX), "", ""), 0);
    djp_gauge_add(case_series(case_family(&c, DJP_GAUGE, "active", NULL, DJP_GAUGE_SUM), "1", "2"),
                  -1);
    char *body = case_end(&c, NULL);
    assert_string_equal(
        body,
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":["
        "{\"name\":\"n\",\"description\":\"h\",\"sum\":{\"dataPoints\":[{\"startTimeUnixNano\":"
        "\"1000\",\"timeUnixNano\":\"2000\",\"asDouble\":2,\"attributes\":[{\"key\":\"a\","
        "\"value\":{\"stringValue\":\"x\"}}]}],\"aggregationTemporality\":2,\"isMonotonic\":true}},"
        "{\"name\":\"took_seconds\",\"description\":\"h\",\"unit\":\"s\",\"histogram\":{"
        "\"dataPoints\":[{\"startTimeUnixNano\":\"1000\",\"timeUnixNano\":\"2000\",\"count\":\"2\","
        "\"sum\":8.75,\"bucketCounts\":[\"0\",\"1\",\"1\"],\"explicitBounds\":[0.5,1],"
        "\"exemplars\":[{\"timeUnixNano\":\"1999\",\"asDouble\":0.75,\"spanId\":"
        "\"cdcdcdcdcdcdcdcd\",\"traceId\":\"abababababababababababababababab\"}],"
        "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"}},{\"key\":\"b\","
        "\"value\":{\"stringValue\":\"\\\"y\\\"\"}}]}],\"aggregationTemporality\":2}},"
        "{\"name\":\"level\",\"description\":\"h\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":"
        "\"2000\",\"asDouble\":0}]}},"
        "{\"name\":\"active\",\"description\":\"h\",\"sum\":{\"dataPoints\":["
        "{\"startTimeUnixNano\":\"1000\",\"timeUnixNano\":\"2000\",\"asDouble\":-1,"
        "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}},{\"key\":\"b\","
        "\"value\":"
        "{\"stringValue\":\"2\"}}]}],\"aggregationTemporality\":2}}]}]}]}");
    djp_free(body);
}

static void
console_lines(void **state)
{
    metrics_case c;
    (void)state;
    case_begin(&c, DJP__ENCODE_CONSOLE);
    case_record_counter(&c);
    case_record_histogram(&c);
    djp_gauge_set(case_series(case_family(&c, DJP_GAUGE, "level", NULL, DJP_GAUGE_MAX), "", ""), 0);
    char *body = case_end(&c, NULL);
    assert_string_equal(
        body,
        "{\"name\":\"n\",\"description\":\"h\",\"kind\":\"sum\",\"temporality\":\"cumulative\","
        "\"monotonic\":true,\"points\":[{\"start\":\"1970-01-01T00:00:00.000001Z\",\"time\":"
        "\"1970-01-01T00:00:00.000002Z\",\"value\":2,\"attributes\":{\"a\":\"x\"}}],"
        "\"scope\":{\"name\":\"\"},\"resource\":{}}\n"
        "{\"name\":\"took_seconds\",\"description\":\"h\",\"unit\":\"s\",\"kind\":\"histogram\","
        "\"temporality\":\"cumulative\",\"points\":[{\"start\":\"1970-01-01T00:00:00.000001Z\","
        "\"time\":\"1970-01-01T00:00:00.000002Z\",\"count\":2,\"sum\":8.75,\"buckets\":[0,1,1],"
        "\"bounds\":[0.5,1],\"exemplars\":[{\"time\":\"1970-01-01T00:00:00.000001Z\",\"value\":"
        "0.75,\"span_id\":\"cdcdcdcdcdcdcdcd\",\"trace_id\":\"abababababababababababababababab\"}],"
        "\"attributes\":{\"a\":\"x\",\"b\":\"\\\"y\\\"\"}}],\"scope\":{\"name\":\"\"},"
        "\"resource\":{}}\n"
        "{\"name\":\"level\",\"description\":\"h\",\"kind\":\"gauge\",\"points\":[{\"time\":"
        "\"1970-01-01T00:00:00.000002Z\",\"value\":0,\"attributes\":{}}],\"scope\":{\"name\":\"\"},"
        "\"resource\":{}}\n");
    djp_free(body);
}

static void
an_exponential_histogram(void **state)
{
    static const char *const expected[] = {
        /* scale -1 zigzag, zero count, positive with two buckets, negative, threshold */
        [DJP__ENCODE_PROTOBUF] = "\x30\x28\x39\x01\0\0\0\0\0\0\0\x42\x0a",
        [DJP__ENCODE_JSON] = "\"count\":\"3\",\"scale\":20,\"zeroCount\":\"1\",\"positive\":{"
                             "\"offset\":-1,\"bucketCounts\":[\"1\"]},\"negative\":{\"offset\":"
                             "1048575,\"bucketCounts\":[\"1\"]},\"zeroThreshold\":1e-128",
        [DJP__ENCODE_CONSOLE] = "\"count\":3,\"scale\":20,\"zero_count\":1,\"positive\":{"
                                "\"offset\":-1,\"buckets\":[1]},\"negative\":{\"offset\":1048575,"
                                "\"buckets\":[1]},\"zero_threshold\":1e-128",
    };
    metrics_case c;
    size_t size;
    (void)state;
    for (int i = DJP__ENCODE_PROTOBUF; i <= DJP__ENCODE_CONSOLE; i++) {
        djp_family *family = NULL;
        case_begin(&c, (djp__encoding)i);
        const djp_family_options options = {
            .type = DJP_HISTOGRAM, .name = "spread", .exponential = DJP_EXPONENTIAL_ON};
        assert_int_equal(djp_family_new(&family, c.registry, &options), 0);
        djp_histogram_observe(djp_family_series(family, NULL), 1);
        djp_histogram_observe(djp_family_series(family, NULL), 0);
        djp_histogram_observe(djp_family_series(family, NULL), -2);
        char *body = case_end(&c, &size);
        size_t length = i == DJP__ENCODE_PROTOBUF ? 11 : strlen(expected[i]);
        assert_non_null(memmem(body, size, expected[i], length));
        djp_free(body);
    }
}

static void
the_overflow_series_has_its_attribute(void **state)
{
    metrics_case c;
    size_t size;
    (void)state;
    for (int i = DJP__ENCODE_PROTOBUF; i <= DJP__ENCODE_CONSOLE; i++) {
        case_begin(&c, (djp__encoding)i);
        djp_family *calls = case_family(&c, DJP_COUNTER, "n", NULL, 0);
        for (char name[2] = "0"; name[0] < '5'; name[0]++) {
            djp_counter_add(case_series(calls, name, ""), 1);
        }
        char *body = case_end(&c, &size);
        const char *expected =
            i == DJP__ENCODE_PROTOBUF ? "\x0a\x14otel.metric.overflow\x12\x02\x10\x01"
            : i == DJP__ENCODE_JSON
                ? "[{\"key\":\"otel.metric.overflow\",\"value\":{\"boolValue\":true}}]"
                : "{\"otel.metric.overflow\":true}";
        assert_non_null(memmem(body, size, expected, strlen(expected)));
        assert_null(memmem(body, size, DJP__OVERFLOW, strlen(DJP__OVERFLOW)));
        djp_free(body);
    }
}

static void
whole_numbers_of_conventions_are_numbers(void **state)
{
    static const char *const labels[] = {"http_response_status_code", "server_port"};
    static const char *const expected[] = {
        "\x0a\x19http.response.status_code\x12\x03\x18\xc8\x01",
        "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"200\"}}",
        "\"http.response.status_code\":200"};
    metrics_case c;
    size_t size;
    (void)state;
    for (int i = DJP__ENCODE_PROTOBUF; i <= DJP__ENCODE_CONSOLE; i++) {
        djp_family *family = NULL;
        case_begin(&c, (djp__encoding)i);
        const djp_family_options options = {.type = DJP_HISTOGRAM,
                                            .name = "http_server_request_duration_seconds",
                                            .labels = labels,
                                            .label_count = 2};
        assert_int_equal(djp_family_new(&family, c.registry, &options), 0);
        djp_histogram_observe(case_series(family, "200", "no number"), 1);
        char *body = case_end(&c, &size);
        assert_non_null(memmem(body, size, expected[i], strlen(expected[i])));
        assert_non_null(memmem(body, size, "no number", 9));
        djp_free(body);
    }
}

static void
an_unknown_kind_is_refused(void **state)
{
    const djp__metric_record record = {.size = sizeof record, .kind = DJP__POINT_KINDS};
    djp__encoder *encoder = NULL;
    (void)state;
    assert_int_equal(djp__encoder_new(&encoder, &djp__otlp_metrics, DJP__ENCODE_JSON, NULL, 0), 0);
    assert_int_equal(djp__encoder_add(encoder, &record), DJP_EPROTO);
    assert_int_equal(djp__encoder_items(encoder), 0);
    djp__encoder_free(encoder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_in_protobuf),
        cmocka_unit_test(all_kinds_in_json),
        cmocka_unit_test(console_lines),
        cmocka_unit_test(an_exponential_histogram),
        cmocka_unit_test(the_overflow_series_has_its_attribute),
        cmocka_unit_test(whole_numbers_of_conventions_are_numbers),
        cmocka_unit_test(an_unknown_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
