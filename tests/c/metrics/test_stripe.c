/* The values of a series in several stripes: which of them count, and the marks of writers. */
#include "metrics_fixture.h"

#include "metrics/slot.h"
#include "metrics/stripe.h"

static djp_registry *
registry_with_writers(uint32_t stripes)
{
    djp_registry *registry = NULL;
    djp_registry_options options = {.reserve_bytes = 1 << 20, .writers = 1};
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    djp__store_relaxed(&registry->segment.header->stripes_top, stripes);
    return registry;
}

static DJP__ATOMIC(uint64_t) * words_of(const djp_series *series, uint32_t stripe)
{
    return djp__segment_values(&series->family->registry->segment, stripe,
                               series->entry->values_at);
}

static uint64_t
bits(double value)
{
    return djp__double_to_bits(value);
}

static void
sums_leave_out_marks_and_removed_values(void **state)
{
    (void)state;
    djp_registry *r = registry_with_writers(5);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_series *h = djp_family_series(fixture_family(r, DJP_HISTOGRAM, "h", 0), NULL);
    for (uint32_t stripe = 0; stripe < 5; stripe++) {
        static const uint64_t marks[] = {0, 0, DJP_SHARD_BOUND, DJP_SHARD_BOUND | DJP_SHARD_REMOVED,
                                         DJP_SHARD_BOUND | DJP_SHARD_ENDED | DJP_SHARD_REQUEST};
        djp__store_relaxed(&words_of(c, stripe)[0], marks[stripe] | (1u << stripe));
        djp__store_relaxed(&words_of(c, stripe)[1], bits(0.5));
        djp__store_relaxed(&words_of(h, stripe)[0], bits(1 << stripe));
        djp__store_relaxed(&words_of(h, stripe)[1], marks[stripe] | (1u << stripe));
        djp__store_relaxed(&words_of(h, stripe)[2], 1);
    }
    assert_true(djp_series_value(c) == 23 + 2);
    assert_true(djp_series_value(h) == 23);
    assert_int_equal(fixture_word(h, 1), 23);
    assert_int_equal(fixture_word(h, 2), 4);
    assert_int_equal(djp_series_count(h), 27);
    djp_registry_free(r);
}

/* Stripe 1 is that of the process, 2 and 3 those of writers, of which one has stopped. */
static void
sums_of_a_process_have_its_writers(void **state)
{
    (void)state;
    djp_registry *r = registry_with_writers(2);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    assert_int_equal(djp__slot_claim_writer(&r->segment, 0), 2);
    assert_int_equal(djp__slot_claim_writer(&r->segment, 0), 3);
    djp__slot_leave_writer(&r->segment, 3, 1);
    djp__store_relaxed(&r->segment.header->stripes_top, 6);
    djp__store_relaxed(&r->segment.header->slots[4 - 1].state, DJP__SLOT_WRITER);
    djp__store_relaxed(&r->segment.header->slots[5 - 1].state, DJP__SLOT_USED);
    for (uint32_t stripe = 0; stripe < 6; stripe++) {
        djp__store_relaxed(&words_of(c, stripe)[0], 1u << stripe);
    }
    uint64_t words[2];
    djp__stripe_sum_own(words, r, c->family->entry, c->entry);
    assert_int_equal(words[0], 2 + 4 + 8);
    assert_int_equal(fixture_word(c, 0), 63);
    assert_int_equal(djp__slot_claim_writer(&r->segment, 0), 3);
    djp_registry_free(r);
}

static void
a_reset_voids_what_a_writer_may_still_change(void **state)
{
    (void)state;
    djp_registry *r = registry_with_writers(4);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    for (uint32_t stripe = 0; stripe < 4; stripe++) {
        djp__store_relaxed(&words_of(c, stripe)[0], stripe == 2 ? DJP_SHARD_BOUND | 7 : 7);
    }
    djp__stripe_reset(&r->segment, c->family->entry, c->entry);
    assert_int_equal(djp__load_relaxed(&words_of(c, 0)[0]), 0);
    assert_int_equal(djp__load_relaxed(&words_of(c, 1)[0]), 0);
    assert_true(djp__load_relaxed(&words_of(c, 2)[0]) & DJP_SHARD_REMOVED);
    assert_true(djp_series_value(c) == 0);
    djp_registry_free(r);
}

static void
only_writers_that_bound_a_series_are_marked(void **state)
{
    (void)state;
    djp_registry *r = registry_with_writers(5);
    djp_series *h = djp_family_series(fixture_family(r, DJP_HISTOGRAM, "h", 0), NULL);
    djp_series *g = djp_family_series(fixture_family(r, DJP_GAUGE, "g", 0), NULL);
    djp__store_relaxed(&words_of(h, 2)[1], DJP_SHARD_BOUND);
    djp__store_relaxed(&words_of(h, 3)[1], DJP_SHARD_BOUND);
    djp__store_relaxed(&words_of(g, 2)[0], bits(-1.5)); /* all high bits of a double may be set */
    r->segment.header->slots[3 - 1].exemplars = 1;
    djp__stripe_request(&r->segment, h->family->entry, h->entry);
    assert_true(djp__load_relaxed(&words_of(h, 2)[1]) == DJP_SHARD_BOUND);
    assert_true(djp__load_relaxed(&words_of(h, 3)[1]) == (DJP_SHARD_BOUND | DJP_SHARD_REQUEST));
    djp__stripe_remove(&r->segment, h->family->entry, h->entry);
    djp__stripe_remove(&r->segment, g->family->entry, g->entry);
    djp__stripe_request(&r->segment, g->family->entry, g->entry);
    assert_true(djp__load_relaxed(&words_of(h, 2)[1]) & DJP_SHARD_REMOVED);
    assert_true(djp__load_relaxed(&words_of(h, 4)[1]) == 0);
    assert_true(djp__load_relaxed(&words_of(g, 2)[0]) == bits(-1.5));
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_leave_out_marks_and_removed_values),
        cmocka_unit_test(sums_of_a_process_have_its_writers),
        cmocka_unit_test(a_reset_voids_what_a_writer_may_still_change),
        cmocka_unit_test(only_writers_that_bound_a_series_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
