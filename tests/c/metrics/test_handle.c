/* Handles: one for each series, valid as long as the registry, and dead once its series is. */
#include "metrics_fixture.h"

#include "metrics/handle.h"

static void
remove_numbered(djp_family *family, int number)
{
    char value[32];
    snprintf(value, sizeof value, "v%d", number);
    assert_int_equal(djp_family_remove(family, &(djp_text){value, strlen(value)}), 1);
}

static void
a_series_has_one_handle(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    enum { SERIES = 200 }; /* several blocks */
    djp_series *handles[SERIES];
    for (int i = 0; i < SERIES; i++) {
        handles[i] = fixture_numbered(f, i);
        assert_non_null(handles[i]);
        djp_counter_add(handles[i], i);
    }
    for (int i = 0; i < SERIES; i++) {
        assert_ptr_equal(fixture_numbered(f, i), handles[i]);
        djp__series_entry *entry = handles[i]->entry;
        djp__registry_lock(r);
        assert_ptr_equal(djp__handle_make(f, entry), handles[i]);
        djp__registry_unlock(r);
        uint32_t generation = djp__load_relaxed(&entry->generation);
        assert_ptr_equal(djp__handle_get(r, entry, generation), handles[i]);
        assert_null(djp__handle_get(r, entry, generation + 2));
        assert_true(djp_series_value(handles[i]) == i);
    }
    djp_registry_free(r);
}

/* The handle of a removed series stays dead when the labels come back. */
static void
a_dead_handle_stays_dead(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    djp_series *before = fixture_numbered(f, 1);
    djp_counter_add(before, 5);
    assert_true(djp_series_is_live(before));
    remove_numbered(f, 1);
    assert_false(djp_series_is_live(before));
    djp_series *after = fixture_numbered(f, 1);
    assert_ptr_not_equal(after, before);
    assert_ptr_equal(after->entry, before->entry); /* the same place in the segment */
    assert_true(djp_series_is_live(after));
    assert_false(djp_series_is_live(before));
    djp_counter_add(before, 7);
    assert_true(djp_series_value(before) == 0);
    assert_true(djp_series_value(after) == 0);
    assert_int_equal(fixture_counters(r).dropped, 1);
    djp_registry_free(r);
}

/* Handles of dead series rest until many others died, and then each is used once. */
static void
handles_of_dead_series_are_used_again_after_a_rest(void **state)
{
    (void)state;
    enum { ROUNDS = DJP__HANDLES_RESTING + 200 };
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    r->reuse_after_ns = 0;
    djp_series **seen = djp__calloc(ROUNDS, sizeof *seen);
    int used_again = 0;
    for (int i = 0; i < ROUNDS; i++) {
        seen[i] = fixture_numbered(f, i);
        djp_counter_add(seen[i], 1);
        assert_true(djp_series_value(seen[i]) == 1);
        if (i > (int)DJP__HANDLES_RESTING) {
            used_again += seen[i] == seen[i - (int)DJP__HANDLES_RESTING - 1];
        }
        remove_numbered(f, i);
    }
    assert_true(used_again > 150);
    djp__free(seen);
    djp_registry_free(r);
}

/* The oldest dead handle is used first. */
static void
dead_handles_are_a_queue(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    djp_series *first[3];
    for (int i = 0; i < 3; i++) {
        first[i] = fixture_numbered(f, 0);
        remove_numbered(f, 0);
    }
    assert_int_equal(r->dead_count, 2); /* the third one is retired by its successor */
    for (int i = 0; r->dead_count < DJP__HANDLES_RESTING; i++) {
        assert_non_null(fixture_numbered(f, 0));
        remove_numbered(f, 0);
    }
    assert_ptr_equal(r->dead_first, first[0]);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(fixture_numbered(f, 0), first[i]);
        remove_numbered(f, 0);
        assert_int_equal(r->dead_count, DJP__HANDLES_RESTING);
    }
    djp_registry_free(r);
}

/* The only series of a family without labels is no overflow. */
static void
which_series_is_the_overflow(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 3);
    djp_family *plain = fixture_family(r, DJP_COUNTER, "plain", 0);
    djp_family *labelled = fixture_family(r, DJP_COUNTER, "labelled", 1);
    assert_false(djp_series_is_overflow(djp_family_series(plain, NULL)));
    for (int i = 0; i < 3; i++) {
        assert_false(djp_series_is_overflow(fixture_numbered(labelled, i)));
    }
    assert_true(djp_series_is_overflow(fixture_numbered(labelled, 3)));
    assert_false(djp_series_is_overflow(NULL));
    assert_false(djp_series_is_live(NULL));
    djp_registry_free(r);
}

static void
bounds_are_those_of_histograms(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    static const double given[] = {0.25, 1, 4};
    const djp_family_options options = {
        .type = DJP_HISTOGRAM, .name = "h", .buckets = given, .bucket_count = 3};
    djp_family *family = NULL;
    const double *bounds = given;
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    assert_int_equal(djp_series_bounds(&bounds, djp_family_series(family, NULL)), 3);
    assert_memory_equal(bounds, given, sizeof given);
    djp_series *counter = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    assert_int_equal(djp_series_bounds(&bounds, counter), 0);
    assert_null(bounds);
    bounds = given;
    assert_int_equal(djp_series_bounds(&bounds, NULL), 0);
    assert_null(bounds);
    /* a histogram may have none but +Inf */
    const djp_family_options bare = {
        .type = DJP_HISTOGRAM, .name = "bare", .buckets = given, .bucket_count = 0};
    bounds = given;
    assert_int_equal(djp_family_new(&family, r, &bare), 0);
    assert_int_equal(djp_series_bounds(&bounds, djp_family_series(family, NULL)), 0);
    assert_null(bounds);
    djp_registry_free(r);
}

/* Only gauges of the most recent value read the clock. */
static void
a_handle_knows_whether_time_matters(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    for (int mode = DJP_GAUGE_ALL; mode <= DJP_GAUGE_OMIT; mode++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", mode);
        const djp_family_options options = {
            .type = DJP_GAUGE, .name = name, .mode = (djp_gauge_mode)mode};
        djp_family *family = NULL;
        assert_int_equal(djp_family_new(&family, r, &options), 0);
        djp_series *series = djp_family_series(family, NULL);
        assert_int_equal(series->is_special,
                         mode == DJP_GAUGE_MOSTRECENT || mode == DJP_GAUGE_LIVEMOSTRECENT);
    }
    const djp_family_options counter = {
        .type = DJP_COUNTER, .name = "c", .mode = DJP_GAUGE_MOSTRECENT};
    djp_family *family = NULL;
    assert_int_equal(djp_family_new(&family, r, &counter), 0);
    assert_int_equal(djp_family_series(family, NULL)->is_special, 0);
    djp_registry_free(r);
}

/* Without memory for its handle a series is refused or goes to the overflow, and works as soon as
 * there is some. */
static void
without_memory(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    uint64_t failed = 0, nothing = 0;
    djp_series *series = NULL;
    for (long n = 1; series == NULL || djp_series_is_overflow(series); n++) {
        djp__alloc_fail_after(n);
        series = fixture_numbered(f, 1);
        djp__alloc_fail_after(0);
        failed += series == NULL || djp_series_is_overflow(series);
        nothing += series == NULL;
        djp__registry_totals totals = fixture_counters(r);
        assert_int_equal(totals.refused + totals.overflowed, failed);
        assert_true(n < 20);
    }
    assert_true(nothing > 0);
    djp_counter_add(series, 2);
    assert_true(djp_series_value(series) == 2);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_has_one_handle),
        cmocka_unit_test(a_dead_handle_stays_dead),
        cmocka_unit_test(handles_of_dead_series_are_used_again_after_a_rest),
        cmocka_unit_test(dead_handles_are_a_queue),
        cmocka_unit_test(which_series_is_the_overflow),
        cmocka_unit_test(bounds_are_those_of_histograms),
        cmocka_unit_test(a_handle_knows_whether_time_matters),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
