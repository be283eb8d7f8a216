/* Definitions of families at their bounds: names, labels, buckets, heads, second names, and which
 * families would show one name twice. */
#include "metrics_fixture.h"

#include <math.h>
#include <stdlib.h>

static int
define(djp_registry *r, djp_metric_type type, const char *name)
{
    djp_family *family = NULL;
    djp_family_options options = {.type = type, .name = name};
    return djp_family_new(&family, r, &options);
}

/* Every sample name of every type against every other one: two families never show one name. */
static void
sample_names_never_meet(void **state)
{
    (void)state;
    static const struct {
        djp_metric_type first;
        djp_metric_type second;
        const char *name;
        int meets;
    } cases[] = {
        {DJP_COUNTER, DJP_GAUGE, "a", 1},           {DJP_COUNTER, DJP_GAUGE, "a_total", 1},
        {DJP_COUNTER, DJP_GAUGE, "a_created", 1},   {DJP_COUNTER, DJP_GAUGE, "a_totals", 0},
        {DJP_COUNTER, DJP_GAUGE, "a_tota", 0},      {DJP_COUNTER, DJP_GAUGE, "a_count", 0},
        {DJP_COUNTER, DJP_GAUGE, "b_total", 0},     {DJP_COUNTER, DJP_HISTOGRAM, "a_total", 1},
        {DJP_HISTOGRAM, DJP_GAUGE, "a_bucket", 1},  {DJP_HISTOGRAM, DJP_GAUGE, "a_count", 1},
        {DJP_HISTOGRAM, DJP_GAUGE, "a_sum", 1},     {DJP_HISTOGRAM, DJP_GAUGE, "a_created", 1},
        {DJP_HISTOGRAM, DJP_GAUGE, "a_total", 0},   {DJP_HISTOGRAM, DJP_GAUGE, "a_buckets", 0},
        {DJP_HISTOGRAM, DJP_COUNTER, "a_count", 1}, {DJP_HISTOGRAM, DJP_COUNTER, "a_b", 0},
        {DJP_GAUGE, DJP_GAUGE, "a_total", 0},       {DJP_GAUGE, DJP_COUNTER, "a_b", 0},
        {DJP_GAUGE, DJP_HISTOGRAM, "a", 1},         {DJP_HISTOGRAM, DJP_HISTOGRAM, "a_bucket", 1},
        {DJP_COUNTER, DJP_COUNTER, "a_created", 1}, {DJP_COUNTER, DJP_GAUGE, "ab", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int turned = 0; turned < 2; turned++) {
            djp_registry *r = fixture_registry(0, 0);
            assert_int_equal(
                define(r, turned ? cases[i].second : cases[i].first, turned ? cases[i].name : "a"),
                0);
            int result =
                define(r, turned ? cases[i].first : cases[i].second, turned ? "a" : cases[i].name);
            if (result != (cases[i].meets ? DJP_EEXIST : 0)) {
                fail_msg("%s, %d", cases[i].name, turned);
            }
            djp_registry_free(r);
        }
    }
}

static void
names_have_their_length(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    for (size_t size = DJP_LABEL_SIZE_MAX - 1; size <= DJP_LABEL_SIZE_MAX + 1; size++) {
        char text[DJP_LABEL_SIZE_MAX + 2];
        memset(text, 'n', size);
        text[size] = '\0';
        assert_int_equal(define(r, DJP_GAUGE, text), size <= DJP_LABEL_SIZE_MAX ? 0 : DJP_EINVAL);
        const char *labels[] = {text};
        djp_family *family = NULL;
        djp_family_options options = {DJP_GAUGE, "labelled", "", "", labels, 1, NULL, 0, 0, 0, 0};
        int result = djp_family_new(&family, r, &options);
        assert_int_equal(result, size > DJP_LABEL_SIZE_MAX    ? DJP_EINVAL
                                 : size == DJP_LABEL_SIZE_MAX ? DJP_EEXIST
                                                              : 0);
    }
    assert_int_equal(define(r, DJP_GAUGE, "_"), 0);
    assert_int_equal(define(r, DJP_GAUGE, ":"), 0);
    assert_int_equal(define(r, DJP_GAUGE, "9"), 0);
    djp_registry_free(r);
}

static void
labels_have_their_number(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    char texts[DJP_LABELS_MAX + 1][4];
    const char *labels[DJP_LABELS_MAX + 1];
    djp_text values[DJP_LABELS_MAX];
    for (unsigned i = 0; i <= DJP_LABELS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "l%u", i);
        labels[i] = texts[i];
    }
    djp_family *family = NULL;
    djp_family_options options = {DJP_COUNTER, "many", "", "", labels, DJP_LABELS_MAX + 1,
                                  NULL,        0,      0,  0,  0};
    assert_int_equal(djp_family_new(&family, r, &options), DJP_EINVAL);
    options.label_count = DJP_LABELS_MAX;
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    assert_int_equal(djp_family_label_count(family), DJP_LABELS_MAX);
    assert_int_equal(djp_family_label_count(NULL), 0);
    for (unsigned i = 0; i < DJP_LABELS_MAX; i++) {
        values[i] = (djp_text){texts[i], strlen(texts[i])};
    }
    djp_counter_add(djp_family_series(family, values), 3);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "many_total{l0=\"l0\",l1=\"l1\",");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, ",l31=\"l31\"} 3\n");
    /* The same labels in another order, fewer of them or other ones are another family. */
    labels[0] = texts[1];
    labels[1] = texts[0];
    assert_int_equal(djp_family_new(&family, r, &options), DJP_EEXIST);
    labels[0] = texts[0];
    labels[1] = texts[1];
    options.label_count--;
    assert_int_equal(djp_family_new(&family, r, &options), DJP_EEXIST);
    options.label_count++;
    labels[31] = "other";
    assert_int_equal(djp_family_new(&family, r, &options), DJP_EEXIST);
    labels[31] = texts[31];
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    djp_registry_free(r);
}

static int
with_buckets(djp_registry *r, djp_family **family, const char *name, const double *bounds,
             size_t count)
{
    djp_family_options options = {DJP_HISTOGRAM, name, "", "", NULL, 0, bounds, count, 0, 0, 0};
    return djp_family_new(family, r, &options);
}

static void
buckets_have_their_number_and_order(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *family = NULL;
    double bounds[DJP_BUCKETS_MAX + 1];
    for (unsigned i = 0; i <= DJP_BUCKETS_MAX; i++) {
        bounds[i] = i;
    }
    assert_int_equal(with_buckets(r, &family, "most", bounds, DJP_BUCKETS_MAX + 1), DJP_EINVAL);
    assert_int_equal(with_buckets(r, &family, "most", bounds, DJP_BUCKETS_MAX), 0);
    assert_int_equal(family->entry->bucket_count, DJP_BUCKETS_MAX);
    djp_series *series = djp_family_series(family, NULL);
    for (unsigned i = 0; i <= DJP_BUCKETS_MAX; i++) {
        djp_histogram_observe(series, i - 0.5);
        assert_int_equal(fixture_word(series, 1 + i), 1);
        djp_histogram_observe(series, i); /* a bound is inside of its bucket */
        assert_int_equal(fixture_word(series, 1 + i), 2);
    }
    assert_int_equal(djp_series_count(series), 2 * (DJP_BUCKETS_MAX + 1));
    bounds[DJP_BUCKETS_MAX - 1] = INFINITY; /* says what is there anyway */
    assert_int_equal(with_buckets(r, &family, "infinite", bounds, DJP_BUCKETS_MAX), 0);
    assert_int_equal(family->entry->bucket_count, DJP_BUCKETS_MAX - 1);
    assert_int_equal(with_buckets(r, &family, "infinite", bounds, DJP_BUCKETS_MAX - 1), 0);
    assert_int_equal(with_buckets(r, &family, "infinite", bounds, DJP_BUCKETS_MAX - 2), DJP_EEXIST);
    bounds[3] = 3.5;
    assert_int_equal(with_buckets(r, &family, "infinite", bounds, DJP_BUCKETS_MAX - 1), DJP_EEXIST);
    assert_int_equal(with_buckets(r, &family, "none", bounds, 0), 0);
    assert_int_equal(family->entry->bucket_count, 0);
    djp_histogram_observe(djp_family_series(family, NULL), 7);
    fixture_assert_shows(r, DJP_TEXT_0_0_4,
                         "\nnone_bucket{le=\"+Inf\"} 1\nnone_sum 7\nnone_count 1\n");
    bounds[3] = 2;
    assert_int_equal(with_buckets(r, &family, "equal", bounds, 4), DJP_EINVAL);
    bounds[3] = 1.5;
    assert_int_equal(with_buckets(r, &family, "falling", bounds, 4), DJP_EINVAL);
    bounds[3] = -INFINITY;
    assert_int_equal(with_buckets(r, &family, "minus", &bounds[3], 1), DJP_EINVAL);
    bounds[3] = NAN;
    assert_int_equal(with_buckets(r, &family, "nan", &bounds[3], 1), DJP_EINVAL);
    bounds[0] = INFINITY;
    assert_int_equal(with_buckets(r, &family, "early", bounds, 2), DJP_EINVAL);
    /* Bounds of what is no histogram are not looked at. */
    djp_family_options gauge = {DJP_GAUGE, "gauge", "", "", NULL, 0, bounds, 1000, 0, 0, 0};
    assert_int_equal(djp_family_new(&family, r, &gauge), 0);
    assert_int_equal(family->entry->bucket_count, 0);
    djp_registry_free(r);
}

static void
the_usual_buckets_are_those_of_the_document(void **state)
{
    (void)state;
    static const double usual[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.3,
                                   0.5,   0.75, 1,     2,    2.5,   5,   7.5,  10};
    djp_registry *r = fixture_registry(0, 0);
    djp_family *family = NULL, *same = NULL;
    assert_int_equal(with_buckets(r, &family, "usual", NULL, 0), 0);
    assert_int_equal(with_buckets(r, &same, "usual", usual, 16), 0);
    assert_ptr_equal(family, same);
    djp_registry_free(r);
}

static void
heads_are_written_as_each_format_wants(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *family = NULL;
    djp_family_options options = {DJP_COUNTER, "c", "a \"b\" \\ c\nd", "By", NULL, 0, NULL, 0, 0,
                                  0,           0};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    djp_counter_add(djp_family_series(family, NULL), 1);
    options = (djp_family_options){DJP_GAUGE, "g", NULL, "", NULL, 0, NULL, 0, 0, 0, 0};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    char *text = fixture_expose(r, DJP_TEXT_0_0_4);
    assert_string_equal(
        text,
        "# HELP c_bytes_total a \"b\" \\\\ c\\nd\n# TYPE c_bytes_total counter\nc_bytes_total 1\n"
        "# HELP g \n# TYPE g gauge\n");
    djp_free(text);
    text = fixture_expose(r, DJP_OPENMETRICS_1_0_0);
    assert_string_equal(
        text,
        "# HELP c_bytes a \\\"b\\\" \\\\ c\\nd\n# TYPE c_bytes counter\n# UNIT c_bytes bytes\n"
        "c_bytes_total 1\n# HELP g \n# TYPE g gauge\n# EOF\n");
    djp_free(text);
    djp_registry_free(r);
}

/* A gauge with two names shows both in plain text, unless the second one belongs to somebody
 * else. */
static void
a_second_name_gives_way(void **state)
{
    (void)state;
    for (int taken = 0; taken < 2; taken++) {
        djp_registry *r = fixture_registry(0, 0);
        const char *labels[] = {"queue_name"};
        djp_family *family = NULL, *again = NULL;
        djp_text value = {"q", 1};
        if (taken) {
            assert_int_equal(define(r, DJP_COUNTER, "queue_depth_total"), 0);
        }
        djp_family_options options = {
            DJP_GAUGE, taken ? "queue_depth_b" : "queue_depth", "", "", labels, 1, NULL, 0, 0, 0,
            0};
        assert_int_equal(djp_family_new(&family, r, &options), 0);
        djp_gauge_set(djp_family_series(family, &value), 4);
        if (!taken) {
            fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nqueue_depth{queue_name=\"q\"} 4\n");
            fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nqueue_depth_total{queue_name=\"q\"} 4\n");
            fixture_assert_shows(r, DJP_TEXT_0_0_4, "# TYPE queue_depth_total gauge\n");
            fixture_assert_hides(r, DJP_OPENMETRICS_1_0_0, "queue_depth_total");
            options.name = "queue_depth_total";
            assert_int_equal(djp_family_new(&again, r, &options), 0);
            assert_ptr_equal(again, family);
            assert_int_equal(define(r, DJP_HISTOGRAM, "queue_depth_total"), DJP_EEXIST);
            assert_int_equal(define(r, DJP_COUNTER, "queue_depth_total"), DJP_EEXIST);
        }
        djp_registry_free(r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_names_never_meet),
        cmocka_unit_test(names_have_their_length),
        cmocka_unit_test(labels_have_their_number),
        cmocka_unit_test(buckets_have_their_number_and_order),
        cmocka_unit_test(the_usual_buckets_are_those_of_the_document),
        cmocka_unit_test(heads_are_written_as_each_format_wants),
        cmocka_unit_test(a_second_name_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
