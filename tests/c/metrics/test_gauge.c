/* Gauges: any value is recorded, and the values of several processes become one by the mode of the
 * family. */
#include "metrics_fixture.h"

#include <math.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "metrics/gauge.h"

/* ---- names ---- */

static void
names_of_prometheus_client(void **state)
{
    (void)state;
    static const char *const names[] = {
        [DJP_GAUGE_ALL] = "all",
        [DJP_GAUGE_LIVEALL] = "liveall",
        [DJP_GAUGE_MIN] = "min",
        [DJP_GAUGE_LIVEMIN] = "livemin",
        [DJP_GAUGE_MAX] = "max",
        [DJP_GAUGE_LIVEMAX] = "livemax",
        [DJP_GAUGE_SUM] = "sum",
        [DJP_GAUGE_LIVESUM] = "livesum",
        [DJP_GAUGE_MOSTRECENT] = "mostrecent",
        [DJP_GAUGE_LIVEMOSTRECENT] = "livemostrecent",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        djp_gauge_mode mode = DJP_GAUGE_OMIT;
        assert_int_equal(djp_gauge_mode_parse(&mode, djp__text(names[i])), 0);
        assert_int_equal(mode, i);
    }
    static const char *const unknown[] = {"",        "ALL",  "al",    "alll",
                                          "average", "omit", "first", " min"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        djp_gauge_mode mode = DJP_GAUGE_MAX;
        assert_int_equal(djp_gauge_mode_parse(&mode, djp__text(unknown[i])), DJP_EINVAL);
        assert_int_equal(mode, DJP_GAUGE_MAX);
    }
}

static void
names_of_prom_client(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        djp_gauge_mode mode;
    } known[] = {{"sum", DJP_GAUGE_LIVESUM},         {"first", DJP_GAUGE_LIVEMOSTRECENT},
                 {"min", DJP_GAUGE_LIVEMIN},         {"max", DJP_GAUGE_LIVEMAX},
                 {"average", DJP_GAUGE_LIVEAVERAGE}, {"omit", DJP_GAUGE_OMIT}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        djp_gauge_mode mode = DJP_GAUGE_ALL;
        assert_int_equal(djp_gauge_aggregator_parse(&mode, djp__text(known[i].name)), 0);
        assert_int_equal(mode, known[i].mode);
    }
    djp_gauge_mode mode = DJP_GAUGE_MAX;
    assert_int_equal(djp_gauge_aggregator_parse(&mode, djp__text("livesum")), DJP_EINVAL);
    assert_int_equal(djp_gauge_aggregator_parse(&mode, djp__text("")), DJP_EINVAL);
    assert_int_equal(mode, DJP_GAUGE_MAX);
}

/* ---- combination ---- */

#define SAMPLES(...)                          \
    (const djp__gauge_sample[]){__VA_ARGS__}, \
        sizeof((const djp__gauge_sample[]){__VA_ARGS__}) / sizeof(djp__gauge_sample)

/* The value of samples; fails the test if there is none. */
static double
combined(djp_gauge_mode mode, const djp__gauge_sample *samples, size_t count)
{
    djp__gauge_fold fold = {.mode = mode};
    double value = -12345;
    for (size_t i = 0; i < count; i++) {
        djp__gauge_fold_add(&fold, &samples[i]);
    }
    assert_int_equal(djp__gauge_fold_result(&value, &fold), 1);
    return value;
}

static int
has_value(djp_gauge_mode mode, const djp__gauge_sample *samples, size_t count)
{
    djp__gauge_fold fold = {.mode = mode};
    double value;
    for (size_t i = 0; i < count; i++) {
        djp__gauge_fold_add(&fold, &samples[i]);
    }
    return djp__gauge_fold_result(&value, &fold);
}

static void
each_mode_has_its_function(void **state)
{
    (void)state;
    /* three processes that run, and one that has ended and set its value last */
#define FOUR SAMPLES({4, 20, 1}, {-1, 40, 1}, {6, 30, 1}, {-9, 50, 0})
    assert_true(combined(DJP_GAUGE_MIN, FOUR) == -9);
    assert_true(combined(DJP_GAUGE_LIVEMIN, FOUR) == -1);
    assert_true(combined(DJP_GAUGE_MAX, FOUR) == 6);
    assert_true(combined(DJP_GAUGE_LIVEMAX, FOUR) == 6);
    assert_true(combined(DJP_GAUGE_MAX, SAMPLES({1, 1, 1}, {8, 1, 0})) == 8);
    assert_true(combined(DJP_GAUGE_LIVEMAX, SAMPLES({1, 1, 1}, {8, 1, 0})) == 1);
    assert_true(combined(DJP_GAUGE_SUM, FOUR) == 0);
    assert_true(combined(DJP_GAUGE_LIVESUM, FOUR) == 9);
    assert_true(combined(DJP_GAUGE_MOSTRECENT, FOUR) == -9);
    assert_true(combined(DJP_GAUGE_LIVEMOSTRECENT, FOUR) == -1);
    assert_true(combined(DJP_GAUGE_LIVEAVERAGE, FOUR) == 3);
    assert_false(has_value(DJP_GAUGE_ALL, FOUR));
    assert_false(has_value(DJP_GAUGE_LIVEALL, FOUR));
    assert_false(has_value(DJP_GAUGE_OMIT, FOUR));
}

static void
one_sample_is_its_value_in_every_mode(void **state)
{
    (void)state;
    for (int mode = DJP_GAUGE_ALL; mode <= DJP_GAUGE_OMIT; mode++) {
        assert_true(combined((djp_gauge_mode)mode, SAMPLES({-2.5, 7, 1})) == -2.5);
        assert_true(combined((djp_gauge_mode)mode, SAMPLES({9, 0, 1}, {-2.5, 7, 1}, {9, 0, 1})) ==
                    -2.5);
        assert_false(has_value((djp_gauge_mode)mode, NULL, 0));
        assert_false(has_value((djp_gauge_mode)mode, SAMPLES({9, 0, 1}, {9, 0, 0})));
    }
}

/* Of a process that has ended, the live modes have nothing to show. */
static void
live_modes_leave_out_ended_processes(void **state)
{
    (void)state;
    static const djp_gauge_mode live[] = {
        DJP_GAUGE_LIVEALL,        DJP_GAUGE_LIVEMIN,     DJP_GAUGE_LIVEMAX, DJP_GAUGE_LIVESUM,
        DJP_GAUGE_LIVEMOSTRECENT, DJP_GAUGE_LIVEAVERAGE, DJP_GAUGE_OMIT};
    static const djp_gauge_mode all[] = {DJP_GAUGE_ALL, DJP_GAUGE_MIN, DJP_GAUGE_MAX, DJP_GAUGE_SUM,
                                         DJP_GAUGE_MOSTRECENT};
    for (size_t i = 0; i < sizeof live / sizeof live[0]; i++) {
        assert_false(has_value(live[i], SAMPLES({3, 1, 0})));
        assert_true(combined(live[i], SAMPLES({3, 1, 0}, {5, 1, 1}, {7, 1, 0})) == 5);
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_true(combined(all[i], SAMPLES({3, 1, 0})) == 3);
    }
}

static void
odd_numbers(void **state)
{
    (void)state;
    /* NaN is no least or greatest value, unless there is no number */
    assert_true(combined(DJP_GAUGE_MIN, SAMPLES({NAN, 1, 1}, {5, 1, 1}, {7, 1, 1})) == 5);
    assert_true(combined(DJP_GAUGE_MIN, SAMPLES({5, 1, 1}, {NAN, 1, 1}, {7, 1, 1})) == 5);
    assert_true(combined(DJP_GAUGE_MAX, SAMPLES({NAN, 1, 1}, {5, 1, 1}, {7, 1, 1})) == 7);
    assert_true(combined(DJP_GAUGE_MAX, SAMPLES({7, 1, 1}, {5, 1, 1}, {NAN, 1, 1})) == 7);
    assert_true(isnan(combined(DJP_GAUGE_MIN, SAMPLES({NAN, 1, 1}, {NAN, 1, 1}))));
    assert_true(isnan(combined(DJP_GAUGE_MAX, SAMPLES({NAN, 1, 1}, {NAN, 1, 1}))));
    /* ... but it is a value that can be set last, and no sum has a number with it */
    assert_true(isnan(combined(DJP_GAUGE_MOSTRECENT, SAMPLES({5, 1, 1}, {NAN, 2, 1}))));
    assert_true(combined(DJP_GAUGE_MOSTRECENT, SAMPLES({NAN, 1, 1}, {5, 2, 1})) == 5);
    assert_true(isnan(combined(DJP_GAUGE_SUM, SAMPLES({5, 1, 1}, {NAN, 2, 1}, {1, 1, 1}))));
    assert_true(isnan(combined(DJP_GAUGE_LIVEAVERAGE, SAMPLES({NAN, 1, 1}, {5, 2, 1}))));
    assert_true(combined(DJP_GAUGE_MIN, SAMPLES({5, 1, 1}, {-INFINITY, 1, 1})) == -INFINITY);
    assert_true(combined(DJP_GAUGE_MAX, SAMPLES({5, 1, 1}, {INFINITY, 1, 1})) == INFINITY);
    assert_true(isnan(combined(DJP_GAUGE_SUM, SAMPLES({-INFINITY, 1, 1}, {INFINITY, 1, 1}))));
}

/* Of two values set at one time, the first process's is shown, whatever the order of later ones. */
static void
ties_of_time(void **state)
{
    (void)state;
    assert_true(combined(DJP_GAUGE_MOSTRECENT, SAMPLES({5, 9, 1}, {7, 9, 1})) == 5);
    assert_true(combined(DJP_GAUGE_MOSTRECENT, SAMPLES({1, 3, 1}, {5, 9, 1}, {7, 9, 1})) == 5);
    assert_true(combined(DJP_GAUGE_LIVEMOSTRECENT, SAMPLES({5, 9, 0}, {7, 9, 1})) == 7);
    assert_true(combined(DJP_GAUGE_MOSTRECENT, SAMPLES({5, UINT64_MAX, 1}, {7, 1, 1})) == 5);
}

/* ---- recording ---- */

static void
gauges_take_every_value(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *g = djp_family_series(fixture_family(r, DJP_GAUGE, "g", 0), NULL);
    djp_gauge_set(g, -2.5);
    djp_gauge_add(g, 1);
    djp_gauge_add(g, -0.5);
    assert_true(djp_series_value(g) == -2);
    djp_gauge_set(g, NAN);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\ng NaN\n");
    djp_gauge_set(g, INFINITY);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\ng +Inf\n");
    djp_gauge_set(g, -INFINITY);
    fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, "\ng -Inf\n");
    djp_gauge_set_to_now(g);
    assert_true(fabs(djp_series_value(g) - (double)time(NULL)) < 60);
    djp_registry_free(r);
}

static void
what_is_no_gauge_is_dropped(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *family = fixture_family(r, DJP_GAUGE, "g", 1);
    djp_series *gone = fixture_series(family, "gone");
    djp_series *counter = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_gauge_set(counter, 1);
    djp_gauge_add(counter, 1);
    djp_gauge_set_to_now(counter);
    assert_int_equal(fixture_counters(r).dropped, 3);
    assert_true(djp_series_value(counter) == 0);
    djp_gauge_set(gone, 5);
    assert_int_equal(djp_family_remove(family, &DJP_TEXT("gone")), 1);
    djp_gauge_set(gone, 6);
    djp_gauge_add(gone, 1);
    assert_int_equal(fixture_counters(r).dropped, 5);
    assert_true(djp_series_value(gone) == 0);
    djp_gauge_set(NULL, 1);
    djp_gauge_add(NULL, 1);
    djp_gauge_set_to_now(NULL);
    djp_registry_free(r);
}

/* ---- reading ---- */

enum { PROCESSES = 3 };

/* A registry whose segment has a stripe for each of three processes; this one has the second. */
static djp_registry *
registry_of_processes(void)
{
    djp_registry *r = fixture_registry(1 << 20, 0);
    djp__segment_fini(&r->segment);
    assert_int_equal(djp__segment_new(&r->segment, 1 << 20, PROCESSES), 0);
    r->segment.own = 1;
    return r;
}

static djp_series *
gauge_of_mode(djp_registry *r, const char *name, djp_gauge_mode mode)
{
    djp_family *family = NULL;
    const djp_family_options options = {.type = DJP_GAUGE, .name = name, .mode = mode};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    return djp_family_series(family, NULL);
}

static void
set_elsewhere(djp_series *series, uint32_t process, double value, uint64_t time_ns)
{
    const djp__segment *segment = &series->family->registry->segment;
    DJP__ATOMIC(uint64_t) *words = djp__segment_values(segment, process, series->entry->values_at);
    djp__store_relaxed(&words[DJP__GAUGE_VALUE], djp__double_to_bits(value));
    djp__store_relaxed(&words[DJP__GAUGE_TIME], time_ns);
}

/* Every reader asks the family: the value of a series, and the exposition. */
static void
readers_ask_for_the_mode(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        djp_gauge_mode mode;
        double value;
    } gauges[] = {
        {"all", DJP_GAUGE_ALL, 4},
        {"liveall", DJP_GAUGE_LIVEALL, 4},
        {"min", DJP_GAUGE_MIN, -6},
        {"livemin", DJP_GAUGE_LIVEMIN, -6},
        {"max", DJP_GAUGE_MAX, 5},
        {"livemax", DJP_GAUGE_LIVEMAX, 5},
        {"sum", DJP_GAUGE_SUM, 3},
        {"livesum", DJP_GAUGE_LIVESUM, 3},
        {"average", DJP_GAUGE_LIVEAVERAGE, 1},
        {"omit", DJP_GAUGE_OMIT, 4},
    };
    djp_registry *r = registry_of_processes();
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        djp_series *series = gauge_of_mode(r, gauges[i].name, gauges[i].mode);
        assert_true(djp_series_value(series) == 0); /* no process set it */
        set_elsewhere(series, 0, 5, 1);
        assert_true(djp_series_value(series) == 5);
        djp_gauge_set(series, 4);
        set_elsewhere(series, 2, -6, 1);
        assert_true(djp_series_value(series) == gauges[i].value);
        char line[64];
        snprintf(line, sizeof line, "\n%s %g\n", gauges[i].name, gauges[i].value);
        fixture_assert_shows(r, DJP_TEXT_0_0_4, line);
        fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0, line);
    }
    djp_registry_free(r);
}

static void
the_latest_value_is_that_of_the_latest_recording(void **state)
{
    (void)state;
    djp_registry *r = registry_of_processes();
    djp_series *series = gauge_of_mode(r, "g", DJP_GAUGE_MOSTRECENT);
    djp_series *added = gauge_of_mode(r, "added", DJP_GAUGE_MIN);
    djp_gauge_add(added, 4);
    set_elsewhere(added, 0, 6, 1);
    assert_true(djp_series_value(added) == 4);
    uint64_t before = djp__clock_monotonic();
    set_elsewhere(series, 0, 1, before);
    djp_gauge_set(series, 2);
    assert_true(djp_series_value(series) == 2 || djp__clock_monotonic() == before);
    set_elsewhere(series, 2, 3, djp__clock_monotonic() + 1000000000);
    assert_true(djp_series_value(series) == 3);
    uint64_t now = djp__clock_monotonic();
    set_elsewhere(series, 2, 3, now);
    while (djp__clock_monotonic() == now) {
    }
    djp_gauge_add(series, 5); /* an addition is a recording, too */
    assert_true(djp_series_value(series) == 7);
    djp_registry_free(r);
}

/* A series that is made again in the same memory was set by no process. */
static void
a_new_series_was_never_set(void **state)
{
    (void)state;
    djp_registry *r = registry_of_processes();
    djp_family *family = NULL;
    const char *const labels[] = {"a"};
    const djp_family_options options = {
        .type = DJP_GAUGE, .name = "g", .labels = labels, .label_count = 1, .mode = DJP_GAUGE_MIN};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    djp_series *series = fixture_series(family, "x");
    set_elsewhere(series, 0, -5, 1);
    djp_gauge_set(series, -4);
    assert_true(djp_series_value(series) == -5);
    assert_int_equal(djp_family_remove(family, &DJP_TEXT("x")), 1);
    series = fixture_series(family, "x");
    assert_true(djp_series_value(series) == 0);
    djp_gauge_set(series, 3);
    assert_true(djp_series_value(series) == 3);
    djp_registry_free(r);
}

/* ---- declaration ---- */

static void
the_mode_is_part_of_the_declaration(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *first = NULL, *second = NULL;
    djp_family_options options = {.type = DJP_GAUGE, .name = "g", .mode = DJP_GAUGE_MAX};
    assert_int_equal(djp_family_new(&first, r, &options), 0);
    assert_int_equal(djp_family_new(&second, r, &options), 0);
    assert_ptr_equal(first, second);
    options.mode = DJP_GAUGE_MIN;
    assert_int_equal(djp_family_new(&second, r, &options), DJP_EEXIST);
    options.name = "h";
    options.mode = (djp_gauge_mode)(DJP_GAUGE_OMIT + 1);
    assert_int_equal(djp_family_new(&second, r, &options), DJP_EINVAL);
    options.mode = DJP_GAUGE_OMIT;
    assert_int_equal(djp_family_new(&second, r, &options), 0);
    /* ... of gauges only */
    options.type = DJP_COUNTER;
    options.name = "c";
    assert_int_equal(djp_family_new(&first, r, &options), 0);
    options.mode = DJP_GAUGE_MIN;
    assert_int_equal(djp_family_new(&second, r, &options), 0);
    assert_ptr_equal(first, second);
    djp_registry_free(r);
}

/* A documented family is shared whatever its mode, without a word about it. */
static void
a_documented_gauge_is_shared(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    const char *const labels[] = {"queue_name"};
    djp_family *first = NULL, *second = NULL;
    djp_family_options options = {.type = DJP_GAUGE,
                                  .name = "queue_depth",
                                  .labels = labels,
                                  .label_count = 1,
                                  .mode = DJP_GAUGE_MAX};
    assert_int_equal(djp_family_new(&first, r, &options), 0);
    options.mode = DJP_GAUGE_LIVESUM;
    assert_int_equal(djp_family_new(&second, r, &options), 0);
    assert_ptr_equal(first, second);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_prometheus_client),
        cmocka_unit_test(names_of_prom_client),
        cmocka_unit_test(each_mode_has_its_function),
        cmocka_unit_test(one_sample_is_its_value_in_every_mode),
        cmocka_unit_test(live_modes_leave_out_ended_processes),
        cmocka_unit_test(odd_numbers),
        cmocka_unit_test(ties_of_time),
        cmocka_unit_test(gauges_take_every_value),
        cmocka_unit_test(what_is_no_gauge_is_dropped),
        cmocka_unit_test(readers_ask_for_the_mode),
        cmocka_unit_test(the_latest_value_is_that_of_the_latest_recording),
        cmocka_unit_test(a_new_series_was_never_set),
        cmocka_unit_test(the_mode_is_part_of_the_declaration),
        cmocka_unit_test(a_documented_gauge_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
