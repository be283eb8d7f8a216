/* Folds: the numbers of an ended process join the base, by type, once, and completely. */
#include "metrics_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "metrics/fold.h"
#include "metrics/slot.h"

static djp_registry *
shared_registry(void)
{
    djp_registry_options options = {.reserve_bytes = 1 << 20, .sharing = DJP_SHARE_FORK};
    djp_registry *registry = NULL;
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    return registry;
}

static uint64_t
word(const djp_series *series, uint32_t stripe, uint32_t index)
{
    const djp__segment *segment = &series->family->registry->segment;
    return djp__load_relaxed(
        &djp__segment_values(segment, stripe, series->entry->values_at)[index]);
}

static void
a_stripe_moves_into_the_base(void **state)
{
    (void)state;
    djp_registry *r = shared_registry();
    djp_series *counter = fixture_series(fixture_family(r, DJP_COUNTER, "c", 1), "x");
    djp_series *untouched = fixture_series(fixture_family(r, DJP_COUNTER, "u", 1), "x");
    djp_series *histogram = fixture_series(fixture_family(r, DJP_HISTOGRAM, "h", 1), "x");
    uint32_t own = r->segment.own;
    for (int round = 1; round <= 3; round++) {
        djp_counter_add(counter, 7);
        djp_counter_add(counter, 0.25);
        djp_histogram_observe(histogram, 0.003);
        djp_histogram_observe(histogram, 100);
        djp__registry_lock(r);
        djp__fold_stripe(r, own);
        djp__registry_unlock(r);
        assert_int_equal(word(counter, own, 0) | word(counter, own, 1), 0);
        assert_int_equal(word(counter, 0, 0), 7 * round);
        assert_true(djp__bits_to_double(word(counter, 0, 1)) == 0.25 * round);
        assert_int_equal(word(histogram, 0, 1), round);
        assert_int_equal(word(histogram, 0, 1 + histogram->bucket_count), round);
        assert_true(djp_series_value(counter) == 7.25 * round);
        assert_int_equal(djp_series_count(histogram), 2 * round);
    }
    assert_int_equal(word(untouched, 0, 0), 0);
    djp_registry_free(r);
}

/* A note of a process that died is carried out again, with the same result. */
static void
an_interrupted_fold_is_completed(void **state)
{
    (void)state;
    djp_registry *r = shared_registry();
    djp_series *series = fixture_series(fixture_family(r, DJP_COUNTER, "c", 1), "x");
    djp__segment_fold *note = &r->segment.header->fold;
    djp_counter_add(series, 5);
    for (int times = 0; times < 2; times++) {
        note->stripe = r->segment.own;
        note->values_at = series->entry->values_at;
        note->words[0] = 9;
        note->words[1] = djp__double_to_bits(0.5);
        djp__store_release(&note->count, 2);
        djp__registry_lock(r);
        djp__fold_complete(r);
        djp__fold_complete(r); /* nothing is left to do */
        djp__registry_unlock(r);
        assert_int_equal(djp__load_relaxed(&note->count), 0);
        assert_true(djp_series_value(series) == 9.5);
    }
    djp_registry_free(r);
}

static void
a_damaged_note_is_dropped(void **state)
{
    (void)state;
    djp_registry *r = shared_registry();
    djp_series *series = fixture_series(fixture_family(r, DJP_COUNTER, "c", 1), "x");
    djp__segment_fold *note = &r->segment.header->fold;
    djp_counter_add(series, 5);
    const struct {
        uint32_t count, stripe, values_at;
    } cases[] = {
        {DJP__SEGMENT_FOLD_MAX + 1, 1, 64},
        {2, r->segment.stripes, 64},
        {2, 1, r->segment.stripe_size - 8},
        {2, 1, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        note->stripe = cases[i].stripe;
        note->values_at = cases[i].values_at;
        djp__store_release(&note->count, cases[i].count);
        djp__fold_complete(r);
        assert_int_equal(djp__load_relaxed(&note->count), 0);
        assert_true(djp_series_value(series) == 5);
    }
    djp_registry_free(r);
}

static void
only_ended_processes_are_folded(void **state)
{
    (void)state;
    djp_registry *r = shared_registry();
    djp_series *series = fixture_series(fixture_family(r, DJP_COUNTER, "c", 1), "x");
    djp_counter_add(series, 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        djp_counter_add(series, 2);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    djp__registry_lock(r);
    djp__fold_dead(r);
    djp__registry_unlock(r);
    assert_int_equal(word(series, 0, 0), 2);
    assert_int_equal(word(series, 1, 0), 1); /* this process goes on */
    assert_int_equal(word(series, 2, 0), 0);
    assert_int_equal(djp__slot_state_of(&r->segment, 2), DJP__SLOT_FREE);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stripe_moves_into_the_base),
        cmocka_unit_test(an_interrupted_fold_is_completed),
        cmocka_unit_test(a_damaged_note_is_dropped),
        cmocka_unit_test(only_ended_processes_are_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
