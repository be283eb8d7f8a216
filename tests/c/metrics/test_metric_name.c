/* Names, units and label names of other systems' forms, by the shared vectors; what is no name;
 * failing allocations. */
#include "metrics_fixture.h"

#include "json.h"
#include "metrics/metric_name.h"

static djp_metric_type
type_of(const json *given)
{
    const char *type = json_string(json_get(given, "type"), "");
    return strcmp(type, "counter") == 0 ? DJP_COUNTER
           : strcmp(type, "gauge") == 0 ? DJP_GAUGE
                                        : DJP_HISTOGRAM;
}

/* The first line of the exposition that is no comment starts with the sample. */
static void
assert_first_sample(djp_registry *registry, const char *sample)
{
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4), *line = text;
    while (*line == '#') {
        line = strchr(line, '\n') + 1;
    }
    size_t size = strlen(sample);
    if (strncmp(line, sample, size) != 0 || line[size] != ' ') {
        print_error("expected: %s\ncame: %.200s\n", sample, line);
        fail();
    }
    djp_free(text);
}

static void
the_vectors_hold(void **state)
{
    (void)state;
    json *vectors = json_load("metric_names.json");
    const json *cases = json_get(vectors, "cases");
    assert_true(json_count(cases) > 20);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *given = json_at(cases, i), *names = json_get(given, "labels");
        const char *labels[8];
        djp_text values[8];
        for (size_t k = 0; k < json_count(names); k++) {
            labels[k] = json_string(json_at(names, k), NULL);
            values[k] = (djp_text){"v", 1};
        }
        djp_family_options options = {.type = type_of(given),
                                      .name = json_string(json_get(given, "name"), NULL),
                                      .unit = json_string(json_get(given, "unit"), NULL),
                                      .labels = labels,
                                      .label_count = json_count(names)};
        djp_registry *registry = fixture_registry(0, 0);
        djp_family *family = NULL;
        const char *sample = json_string(json_get(given, "sample"), NULL);
        int result = djp_family_new(&family, registry, &options);
        if (sample != NULL) {
            assert_int_equal(result, 0);
            assert_non_null(djp_family_series(family, values));
            assert_first_sample(registry, sample);
        } else {
            assert_int_equal(result, DJP_EINVAL);
        }
        djp_registry_free(registry);
    }
    json_free(vectors);
}

static void
both_forms_of_a_name_are_one_family(void **state)
{
    (void)state;
    djp_registry *registry = fixture_registry(0, 0);
    djp_family *a = NULL, *b = NULL, *c = NULL;
    djp_family_options dotted = {.type = DJP_HISTOGRAM, .name = "job.wait", .unit = "s"};
    djp_family_options word = {.type = DJP_HISTOGRAM, .name = "job_wait", .unit = "seconds"};
    djp_family_options bare = {.type = DJP_HISTOGRAM, .name = "job_wait_seconds"};
    assert_int_equal(djp_family_new(&a, registry, &dotted), 0);
    assert_int_equal(djp_family_new(&b, registry, &word), 0);
    assert_int_equal(djp_family_new(&c, registry, &bare), 0);
    assert_ptr_equal(a, b);
    assert_ptr_equal(a, c);
    djp_registry_free(registry);
}

static void
long_and_hostile_texts_are_refused_or_cut_to_nothing(void **state)
{
    (void)state;
    static char long_name[70000];
    memset(long_name, '.', sizeof long_name - 1);
    long_name[0] = 'a';
    const char *labels[] = {long_name};
    djp_registry *registry = fixture_registry(0, 0);
    djp_family *family = NULL;
    djp_family_options name = {.type = DJP_GAUGE, .name = long_name};
    assert_int_equal(djp_family_new(&family, registry, &name), DJP_EINVAL);
    djp_family_options label = {.type = DJP_GAUGE, .name = "a", .labels = labels, .label_count = 1};
    assert_int_equal(djp_family_new(&family, registry, &label), DJP_EINVAL);
    /* A unit beyond what the specification allows is left out: a metric without a unit is better
     * than none. */
    djp_family_options unit = {.type = DJP_GAUGE, .name = "b", .unit = long_name};
    assert_int_equal(djp_family_new(&family, registry, &unit), 0);
    assert_string_equal(djp_family_name(family), "b");
    static const char *const units[] = {"{",     "}", "{{{}", "/",   "//",  "a/b/c",
                                        "{}/{}", " ", "_",    "1/1", "%/%", "/s"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        char text[16];
        snprintf(text, sizeof text, "odd%zu", i);
        djp_family_options odd = {.type = DJP_GAUGE, .name = text, .unit = units[i]};
        assert_int_equal(djp_family_new(&family, registry, &odd), 0);
    }
    djp_registry_free(registry);
}

static void
unit_gives(djp_metric_type type, const char *name, const char *unit, const char *want)
{
    djp_registry *registry = fixture_registry(0, 0);
    djp_family *family = NULL;
    djp_family_options options = {.type = type, .name = name, .unit = unit};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    if (strcmp(djp_family_name(family), want) != 0) {
        fail_msg("%s in %s: %s, not %s", name, unit, djp_family_name(family), want);
    }
    djp_registry_free(registry);
}

/* Every code of a unit has its word, alone and after a slash. */
static void
units_have_their_words(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"d", "days"},         {"h", "hours"},         {"min", "minutes"},
        {"s", "seconds"},      {"ms", "milliseconds"}, {"us", "microseconds"},
        {"ns", "nanoseconds"}, {"By", "bytes"},        {"KiBy", "kibibytes"},
        {"MiBy", "mebibytes"}, {"GiBy", "gibibytes"},  {"TiBy", "tibibytes"},
        {"KBy", "kilobytes"},  {"kBy", "kilobytes"},   {"MBy", "megabytes"},
        {"GBy", "gigabytes"},  {"TBy", "terabytes"},   {"m", "meters"},
        {"V", "volts"},        {"A", "amperes"},       {"J", "joules"},
        {"W", "watts"},        {"g", "grams"},         {"Cel", "celsius"},
        {"Hz", "hertz"},       {"%", "percent"},       {"other", "other"}};
    static const char *const per[][2] = {{"s", "second"}, {"m", "minute"}, {"min", "minute"},
                                         {"h", "hour"},   {"d", "day"},    {"w", "week"},
                                         {"mo", "month"}, {"y", "year"},   {"x", "x"}};
    char unit[32], want[64];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        snprintf(want, sizeof want, "n_%s", words[i][1]);
        unit_gives(DJP_GAUGE, "n", words[i][0], want);
    }
    for (size_t i = 0; i < sizeof per / sizeof per[0]; i++) {
        snprintf(unit, sizeof unit, "By/%s", per[i][0]);
        snprintf(want, sizeof want, "n_bytes_per_%s", per[i][1]);
        unit_gives(DJP_GAUGE, "n", unit, want);
        snprintf(unit, sizeof unit, "/%s", per[i][0]);
        snprintf(want, sizeof want, "n_per_%s", per[i][1]);
        unit_gives(DJP_GAUGE, "n", unit, want);
    }
    unit_gives(DJP_GAUGE, "n", "1", "n_ratio");
    unit_gives(DJP_COUNTER, "n", "1", "n");
    unit_gives(DJP_HISTOGRAM, "n", "1", "n");
    unit_gives(DJP_GAUGE, "n", "{request}", "n");
    unit_gives(DJP_GAUGE, "n", "{request}/s", "n_per_second");
    unit_gives(DJP_GAUGE, "n", "By{a{b}c", "n_bytes");
    unit_gives(DJP_GAUGE, "n", "{a}By{b}", "n_bytes");
    unit_gives(DJP_GAUGE, "n", "a.b", "n_a_b");
    unit_gives(DJP_GAUGE, "n", ".a.", "n_a");
    unit_gives(DJP_GAUGE, "n", "__", "n");
}

/* The unit is put where the name does not end in it as a word. */
static void
units_stand_once(void **state)
{
    (void)state;
    unit_gives(DJP_GAUGE, "n_seconds", "s", "n_seconds");
    unit_gives(DJP_GAUGE, "nseconds", "s", "nseconds_seconds");
    unit_gives(DJP_GAUGE, "seconds", "s", "seconds_seconds");
    unit_gives(DJP_GAUGE, "_seconds", "s", "_seconds");
    unit_gives(DJP_GAUGE, "n_second", "s", "n_second_seconds");
    unit_gives(DJP_COUNTER, "n_total", "s", "n_seconds");
    unit_gives(DJP_COUNTER, "n_seconds_total", "s", "n_seconds");
    unit_gives(DJP_COUNTER, "_total", "", "_total");
    unit_gives(DJP_COUNTER, "a_total", "", "a");
    unit_gives(DJP_GAUGE, "a_total", "", "a_total");
    unit_gives(DJP_GAUGE, "a..b", "", "a_b");
    unit_gives(DJP_GAUGE, "a__b", "", "a__b");
    unit_gives(DJP_GAUGE, "0a", "", "_0a");
    unit_gives(DJP_GAUGE, "9", "", "_9");
    unit_gives(DJP_GAUGE, "a:b", "", "a:b");
    unit_gives(DJP_GAUGE, "azAZ09_", "", "azAZ09_");
}

/* The longest unit that is one: 63 bytes. */
static void
long_units_are_left_out(void **state)
{
    (void)state;
    for (size_t size = 62; size <= 64; size++) {
        char unit[80], want[96];
        memset(unit, 'u', size);
        unit[size] = '\0';
        snprintf(want, sizeof want, size <= 63 ? "n_%s" : "n", unit);
        unit_gives(DJP_GAUGE, "n", unit, want);
        unit[20] = '/';
        snprintf(want, sizeof want, "n_%.20s_per_%s", unit, unit + 21);
        unit_gives(DJP_GAUGE, "n", unit, size <= 63 ? want : "n");
    }
}

static void
labels_of_keys(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"a", "a"},     {"a.b", "a_b"},  {"__a", "_a"},
                                           {"_a", "_a"},   {"___a", "_a"},  {"9a", "_9a"},
                                           {"a:b", "a_b"}, {"__", "_"},     {"_", "_"},
                                           {"..a", "_a"},  {"a__b", "a__b"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[64];
        size_t size = djp__metric_name_label(out, (djp_text){cases[i][0], strlen(cases[i][0])});
        out[size] = '\0';
        assert_string_equal(out, cases[i][1]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_hold),
        cmocka_unit_test(both_forms_of_a_name_are_one_family),
        cmocka_unit_test(long_and_hostile_texts_are_refused_or_cut_to_nothing),
        cmocka_unit_test(units_have_their_words),
        cmocka_unit_test(units_stand_once),
        cmocka_unit_test(long_units_are_left_out),
        cmocka_unit_test(labels_of_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
