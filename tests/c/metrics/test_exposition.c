/* The exposition, to the byte; numbers that read back equal. The official parsers judge it in
 * tests/python. */
#include "metrics_fixture.h"

#include <math.h>
#include <stdlib.h>

#include "base/rand.h"
#include "metrics/number.h"

static void
assert_exposes(djp_registry *registry, djp_exposition format, const char *expected)
{
    char *text = fixture_expose(registry, format);
    assert_string_equal(text, expected);
    djp_free(text);
}

static void
both_formats_to_the_byte(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    const char *labels[] = {"path", "code"};
    double bounds[] = {0.5, 1};
    djp_family *c, *g, *h;
    djp_family_options co = {
        DJP_COUNTER, "req_total", "Re\"quests\\\nseen", "", labels, 2, NULL, 0, 0, 0, 0};
    djp_family_options ho = {
        DJP_HISTOGRAM, "lat_seconds", "Time", "seconds", labels, 1, bounds, 2, 0, 0, 0};
    djp_family_options go = {DJP_GAUGE, "temp", NULL, NULL, NULL, 0, NULL, 0, 0, 0, 0};
    assert_int_equal(djp_family_new(&c, r, &co), 0);
    assert_int_equal(djp_family_new(&h, r, &ho), 0);
    assert_int_equal(djp_family_new(&g, r, &go), 0);
    djp_text values[2] = {{"/\"a\\b\n", 6}, {"\xc3\xa9", 2}};
    djp_counter_add(djp_family_series(c, values), 3);
    djp_histogram_observe(djp_family_series(h, values), 0.5);
    djp_histogram_observe(djp_family_series(h, values), 7);
    djp_gauge_set(djp_family_series(g, NULL), -0.1);
    assert_exposes(r, DJP_TEXT_0_0_4,
                   "# HELP req_total Re\"quests\\\\\\nseen\n"
                   "# TYPE req_total counter\n"
                   "req_total{path=\"/\\\"a\\\\b\\n\",code=\"\xc3\xa9\"} 3\n"
                   "# HELP lat_seconds Time\n"
                   "# TYPE lat_seconds histogram\n"
                   "lat_seconds_bucket{path=\"/\\\"a\\\\b\\n\",le=\"0.5\"} 1\n"
                   "lat_seconds_bucket{path=\"/\\\"a\\\\b\\n\",le=\"1.0\"} 1\n"
                   "lat_seconds_bucket{path=\"/\\\"a\\\\b\\n\",le=\"+Inf\"} 2\n"
                   "lat_seconds_sum{path=\"/\\\"a\\\\b\\n\"} 7.5\n"
                   "lat_seconds_count{path=\"/\\\"a\\\\b\\n\"} 2\n"
                   "# HELP temp \n"
                   "# TYPE temp gauge\n"
                   "temp -0.1\n");
    assert_exposes(r, DJP_OPENMETRICS_1_0_0,
                   "# HELP req Re\\\"quests\\\\\\nseen\n"
                   "# TYPE req counter\n"
                   "req_total{path=\"/\\\"a\\\\b\\n\",code=\"\xc3\xa9\"} 3\n"
                   "# HELP lat_seconds Time\n"
                   "# TYPE lat_seconds histogram\n"
                   "# UNIT lat_seconds seconds\n"
                   "lat_seconds_bucket{path=\"/\\\"a\\\\b\\n\",le=\"0.5\"} 1\n"
                   "lat_seconds_bucket{path=\"/\\\"a\\\\b\\n\",le=\"1.0\"} 1\n"
                   "lat_seconds_bucket{path=\"/\\\"a\\\\b\\n\",le=\"+Inf\"} 2\n"
                   "lat_seconds_sum{path=\"/\\\"a\\\\b\\n\"} 7.5\n"
                   "lat_seconds_count{path=\"/\\\"a\\\\b\\n\"} 2\n"
                   "# HELP temp \n"
                   "# TYPE temp gauge\n"
                   "temp -0.1\n"
                   "# EOF\n");
    djp_registry_free(r);
}

static void
an_empty_registry_is_valid(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    char *text = NULL;
    size_t size = 1;
    assert_exposes(r, DJP_TEXT_0_0_4, "");
    assert_exposes(r, DJP_OPENMETRICS_1_0_0, "# EOF\n");
    assert_int_equal(djp_registry_expose(NULL, &size, r, DJP_TEXT_0_0_4), DJP_EINVAL);
    assert_int_equal(djp_registry_expose(&text, &size, NULL, DJP_TEXT_0_0_4), DJP_EINVAL);
    assert_int_equal(djp_registry_expose(&text, &size, r, (djp_exposition)9), DJP_EINVAL);
    djp_registry_free(r);
}

static void
openmetrics_hides_sums_that_may_be_negative(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *h = djp_family_series(fixture_family(r, DJP_HISTOGRAM, "h", 0), NULL);
    djp_histogram_observe(h, -3);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "h_sum -3\nh_count 1\n");
    fixture_assert_hides(r, DJP_OPENMETRICS_1_0_0, "h_sum");
    fixture_assert_hides(r, DJP_OPENMETRICS_1_0_0, "h_count");
    djp_registry_free(r);
}

/* What OpenMetrics allows depends on the first bound: below 0 there may be values that make the sum
 * fall. */
static void
openmetrics_shows_sums_where_no_bound_is_negative(void **state)
{
    (void)state;
    static const struct {
        double bound, value;
        int shown;
    } cases[] = {{-0.5, 3, 0}, {0, 3, 1}, {0.5, 3, 1}, {0, 0, 1}, {0.5, -3, 0}, {-0.5, -3, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_registry *r = fixture_registry(0, 0);
        djp_family *family = NULL;
        djp_family_options options = {DJP_HISTOGRAM,   "h", "", "", NULL, 0,
                                      &cases[i].bound, 1,   0,  0,  0};
        assert_int_equal(djp_family_new(&family, r, &options), 0);
        djp_histogram_observe(djp_family_series(family, NULL), cases[i].value);
        fixture_assert_shows(r, DJP_TEXT_0_0_4, "h_sum ");
        if (cases[i].shown) {
            fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, "h_sum ");
            fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, "h_count 1\n");
        } else {
            fixture_assert_hides(r, DJP_OPENMETRICS_1_0_0, "h_sum ");
            fixture_assert_hides(r, DJP_OPENMETRICS_1_0_0, "h_count");
        }
        djp_registry_free(r);
    }
}

/* Who is scraped stands in front of all, unless the application has a family of either name. */
static void
the_target_gives_way_to_the_application(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "target", "target_info", "targets"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        djp_registry *r = fixture_registry(0, 0);
        djp__buf labels;
        fixture_assert_hides(r, DJP_TEXT_0_0_4, "target_info");
        djp__buf_init(&labels, 0);
        djp__buf_text(&labels, "a=\"b\"");
        djp__registry_set_target(r, &labels);
        if (names[i]) {
            fixture_family(r, DJP_GAUGE, names[i], 0);
        }
        char *plain = fixture_expose(r, DJP_TEXT_0_0_4),
             *open = fixture_expose(r, DJP_OPENMETRICS_1_0_0);
        static const char plain_head[] =
            "# HELP target_info Target metadata\n# TYPE target_info gauge\n";
        static const char open_head[] = "# TYPE target info\n# HELP target Target metadata\n";
        static const char line[] = "target_info{a=\"b\"} 1\n";
        int shown = i == 0 || i == 3;
        assert_int_equal(strncmp(plain, plain_head, strlen(plain_head)) == 0, shown);
        assert_int_equal(strncmp(open, open_head, strlen(open_head)) == 0, shown);
        assert_int_equal(strstr(plain, line) != NULL && strstr(open, line) != NULL, shown);
        djp_free(plain);
        djp_free(open);
        djp_registry_free(r);
    }
}

/* Counters that hold whole amounts, parts, or both; labels with what must be escaped. */
static void
values_of_counters_are_exact(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "c", 1);
    djp_series *whole = fixture_series(f, "whole"), *part = fixture_series(f, "part"),
               *both = fixture_series(f, "a\"b\\c\nd");
    djp_counter_add(whole, 9007199254740991);
    djp_counter_add(whole, 9007199254740991);
    djp_counter_add(whole, 1);
    djp_counter_add(part, 0.25);
    djp_counter_add(both, 3);
    djp_counter_add(both, 0.5);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "c_total{a=\"whole\"} 18014398509481983\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "c_total{a=\"part\"} 0.25\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "c_total{a=\"a\\\"b\\\\c\\nd\"} 3.5\n");
    djp_counter_add(part, 9007199254740992); /* too large to be counted as a whole one */
    assert_true(djp_series_value(part) == 9007199254740992 + 0.25);
    djp_registry_free(r);
}

static void
created_samples_are_a_choice(void **state)
{
    (void)state;
    djp_registry *r = NULL;
    djp_registry_options options = {.created_samples = 1};
    assert_int_equal(djp_registry_new(&r, &options), 0);
    djp_counter_add(fixture_series(fixture_family(r, DJP_COUNTER, "c", 1), "x"), 1);
    djp_histogram_observe(djp_family_series(fixture_family(r, DJP_HISTOGRAM, "h", 0), NULL), 1);
    fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, "\nc_total{a=\"x\"} 1\nc_created{a=\"x\"} 1");
    fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, "\nh_created 1");
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "_created");
    djp_registry_free(r);
}

/* More series than one batch of the walk, in the order of creation. */
static void
many_series_are_all_there_once(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 5000);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    for (int i = 0; i < 5000; i++) {
        djp_counter_add(fixture_numbered(f, i), i);
    }
    char *text = fixture_expose(r, DJP_TEXT_0_0_4), *at = strstr(text, "f_total{");
    for (int i = 0; i < 5000; i++) {
        char line[64];
        size_t size = (size_t)snprintf(line, sizeof line, "f_total{a=\"v%d\"} %d\n", i, i);
        assert_memory_equal(at, line, size);
        at += size;
    }
    assert_int_equal(*at, 0);
    djp_free(text);
    djp_registry_free(r);
}

static void
assert_number(double value, const char *expected)
{
    char text[DJP__NUMBER_SIZE + 1];
    text[djp__number_double(text, value)] = '\0';
    assert_string_equal(text, expected);
}

static void
numbers_have_their_shortest_form(void **state)
{
    (void)state;
    char text[DJP__NUMBER_SIZE + 1];
    assert_number(0, "0");
    assert_number(-1, "-1");
    assert_number(0.1, "0.1");
    assert_number(0.30000000000000004, "0.30000000000000004");
    assert_number(1.0 / 3, "0.3333333333333333");
    assert_number(100.5, "100.5");
    assert_number(0.00001, "0.00001");
    assert_number(0.5, "0.5");
    assert_number(0.0009765625, "0.0009765625");
    assert_number(4503599627370495.5, "4503599627370495.5");
    assert_number(9007199254740991.0, "9007199254740991");
    assert_number(1e22, "1e+22");
    assert_number(NAN, "NaN");
    assert_number(INFINITY, "+Inf");
    assert_number(-INFINITY, "-Inf");
    text[djp__number_le(text, 10)] = '\0';
    assert_string_equal(text, "10.0");
    text[djp__number_le(text, 1e20)] = '\0';
    assert_string_equal(text, "1e+20");
    text[djp__number_le(text, INFINITY)] = '\0';
    assert_string_equal(text, "+Inf");
    text[djp__number_u64(text, UINT64_MAX)] = '\0';
    assert_string_equal(text, "18446744073709551615");
}

/* Reads back equal and is no longer than what the C library finds by trying. */
static void
assert_shortest(double value)
{
    char text[DJP__NUMBER_SIZE + 1], tried[64];
    text[djp__number_double(text, value)] = '\0';
    assert_true(strtod(text, NULL) == value);
    int precision = 1;
    do {
        snprintf(tried, sizeof tried, "%.*g", precision, value);
    } while (strtod(tried, NULL) != value && precision++ < 17);
    size_t digits = 0, most = (size_t)precision;
    const char *at = text;
    while (*at == '-' || *at == '0' || *at == '.') {
        at++;
    }
    for (; *at && *at != 'e'; at++) {
        digits += *at != '.';
    }
    if (fabs(value) < 1e15 && !strchr(text, 'e') && strchr(text, '.') && digits > most) {
        print_error("%s is longer than %s\n", text, tried);
        fail();
    }
}

static void
random_numbers_read_back_equal(void **state)
{
    (void)state;
    int rounds = getenv("DJP_TEST_SHORT") ? 3000 : 300000;
    for (int i = 0; i < rounds; i++) {
        uint64_t bits = djp__rand64();
        double any = djp__bits_to_double(bits);
        if (isfinite(any)) {
            char text[DJP__NUMBER_SIZE + 1];
            text[djp__number_double(text, any)] = '\0';
            assert_true(strtod(text, NULL) == any);
        }
        double usual = (double)(bits >> 11) / 9007199254740992.0 * pow(10, (int)(bits % 20) - 6);
        assert_shortest(usual);
        assert_shortest((double)(bits % 1000000) / 1000);
        assert_shortest(ldexp(1, (int)(bits % 70) - 17));
        assert_shortest(nextafter(ldexp(1, (int)(bits % 70) - 17), 0));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_to_the_byte),
        cmocka_unit_test(an_empty_registry_is_valid),
        cmocka_unit_test(openmetrics_hides_sums_that_may_be_negative),
        cmocka_unit_test(openmetrics_shows_sums_where_no_bound_is_negative),
        cmocka_unit_test(the_target_gives_way_to_the_application),
        cmocka_unit_test(values_of_counters_are_exact),
        cmocka_unit_test(created_samples_are_a_choice),
        cmocka_unit_test(many_series_are_all_there_once),
        cmocka_unit_test(numbers_have_their_shortest_form),
        cmocka_unit_test(random_numbers_read_back_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
