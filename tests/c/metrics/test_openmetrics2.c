/* OpenMetrics 2.0, to the byte but for the start times. A parser of its grammar reads the awkward
 * labels and values in tests/python. Compiled in, for the spans of buckets. */
#include "metrics/openmetrics2.c"
#include "metrics_fixture.h"

#include <math.h>

/* Replaces the digits behind each `st@` and the time of each exemplar by one 0. */
static void
hide_times(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0';) {
        int is_start = at[0] == '@';
        int is_exemplar = at[0] == ' ' && strchr("}", at[-1]) == NULL &&
                          strncmp(at, " 1", 2) == 0 && strspn(at + 1, "0123456789") > 8;
        *out++ = *at++;
        if (is_start || is_exemplar) {
            at += strspn(at, "0123456789.");
            *out++ = '0';
        }
    }
    *out = '\0';
}

static void
assert_exposes(djp_registry *registry, const char *expected)
{
    char *text = fixture_expose(registry, DJP_OPENMETRICS_2_0_0);
    hide_times(text);
    assert_string_equal(text, expected);
    djp_free(text);
}

static void
every_kind_to_the_byte(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    const char *labels[] = {"path"};
    double bounds[] = {0.5, 1};
    djp_family *c, *g, *h;
    djp_family_options co = {.type = DJP_COUNTER, .name = "req", .help = "a\"b", .unit = "By"};
    djp_family_options go = {.type = DJP_GAUGE, .name = "temp", .labels = labels, .label_count = 1};
    djp_family_options ho = {.type = DJP_HISTOGRAM,
                             .name = "lat",
                             .unit = "s",
                             .labels = labels,
                             .label_count = 1,
                             .buckets = bounds,
                             .bucket_count = 2};
    assert_int_equal(djp_family_new(&c, r, &co), 0);
    assert_int_equal(djp_family_new(&g, r, &go), 0);
    assert_int_equal(djp_family_new(&h, r, &ho), 0);
    djp_text value = {"/\"", 2};
    djp_span_context context = {{1}, {2}, DJP_FLAG_SAMPLED, 0, NULL};
    djp_counter_add_with_context(djp_family_series(c, NULL), 3, &context);
    djp_gauge_set(djp_family_series(g, &value), INFINITY);
    djp_histogram_observe(djp_family_series(h, &value), 0.5);
    djp_histogram_observe_with_context(djp_family_series(h, &value), 7, &context);
    djp_histogram_observe_with_context(djp_family_series(h, &value), 0.75, &context);
#define EXEMPLAR " # {trace_id=\"01000000000000000000000000000000\",span_id=\"0200000000000000\"} "
    assert_exposes(r, "# HELP req_bytes_total a\\\"b\n"
                      "# TYPE req_bytes_total counter\n"
                      "# UNIT req_bytes_total bytes\n"
                      "req_bytes_total 3 st@0" EXEMPLAR "3 0\n"
                      "# HELP temp \n"
                      "# TYPE temp gauge\n"
                      "temp{path=\"/\\\"\"} +Inf\n"
                      "# HELP lat_seconds \n"
                      "# TYPE lat_seconds histogram\n"
                      "# UNIT lat_seconds seconds\n"
                      "lat_seconds{path=\"/\\\"\"} {count:3,sum:8.25,bucket:[0.5:1,1.0:2,+Inf:3]}"
                      " st@0" EXEMPLAR "0.75 0" EXEMPLAR "7 0\n"
                      "# EOF\n");
    djp_registry_free(r);
}

/* Native buckets stand in front of the explicit ones; a bucket ends at base^index. */
static void
native_histograms_are_in_the_composite_value(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    double bound = 2;
    djp_family *family;
    djp_family_options options = {.type = DJP_HISTOGRAM,
                                  .name = "n",
                                  .buckets = &bound,
                                  .bucket_count = 1,
                                  .exponential = DJP_EXPONENTIAL_ON};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    djp_series *series = djp_family_series(family, NULL);
#define NATIVE_HEAD "# HELP n \n# TYPE n histogram\n"
    assert_exposes(r, NATIVE_HEAD "n {count:0,sum:0,schema:8,zero_threshold:1e-128,zero_count:0,"
                                  "bucket:[2.0:0,+Inf:0]} st@0\n# EOF\n");
    djp_histogram_observe(series, 0);
    djp_histogram_observe(series, 1);
    djp_histogram_observe(series, 1);
    djp_histogram_observe(series, ldexp(1, 400));
    djp_histogram_observe(series, -4);
    djp_histogram_observe(series, INFINITY); /* in no native bucket, and not in their count */
    assert_exposes(r, NATIVE_HEAD "n {count:5,sum:2.5822498780869086e+120,schema:-2,"
                                  "zero_threshold:1e-128,zero_count:1,"
                                  "negative_spans:[1:1],negative_buckets:[1],"
                                  "positive_spans:[0:1,99:1],positive_buckets:[2,1],"
                                  "bucket:[2.0:4,+Inf:5]} st@0\n# EOF\n");
    djp_registry_free(r);
}

static void
an_empty_registry_and_its_target(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp__buf labels;
    assert_exposes(r, "# EOF\n");
    djp__buf_init(&labels, 0);
    djp__buf_text(&labels, "a=\"b\"");
    djp__registry_set_target(r, &labels);
    assert_exposes(r, "# TYPE target_info info\n# HELP target_info Target metadata\n"
                      "target_info{a=\"b\"} 1\n# EOF\n");
    djp_registry_free(r);
}

/* Bucket i ends at base^i, so that indexes are one higher than in the SDK. */
static void
spans_count_from_the_end_of_the_one_before(void **state)
{
    static const struct {
        djp__exponential_side side;
        const char *text;
    } cases[] = {
        {{0, 0, {0}}, ""},
        {{0, 1, {7}}, ",positive_spans:[1:1],positive_buckets:[7]"},
        {{-3, 5, {2, 0, 0, 5, 1}}, ",positive_spans:[-2:1,2:2],positive_buckets:[2,5,1]"},
        {{4, 6, {0, 1, 0, 1, 0, 0}}, ",positive_spans:[6:1,1:1],positive_buckets:[1,1]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__buf out;
        djp__buf_init(&out, 0);
        openmetrics2_side(&out, "positive", &cases[i].side);
        djp__buf_char(&out, '\0');
        assert_string_equal(out.data, cases[i].text);
        djp__buf_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_to_the_byte),
        cmocka_unit_test(native_histograms_are_in_the_composite_value),
        cmocka_unit_test(an_empty_registry_and_its_target),
        cmocka_unit_test(spans_count_from_the_end_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
