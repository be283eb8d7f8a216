/* The segment: its two allocators end where they should, and a lock holder that dies is noticed. */
#include "metrics_fixture.h"

#include "base/thread.h"
#include "metrics/segment.h"

static void
both_allocators_end_without_overlap(void **state)
{
    (void)state;
    djp__segment segment;
    assert_int_equal(djp__segment_new(&segment, 0, 2), 0);
    const djp__segment_header *header = segment.header;
    assert_int_equal(segment.size, (size_t)header->heap_size + 2 * (size_t)header->stripe_size);
    uint32_t last = 0, at;
    while ((at = djp__segment_alloc(&segment, 100)) != 0) {
        assert_int_equal(at % 64, 0);
        assert_true(at >= last + 100 || last == 0);
        memset(djp__segment_at(&segment, at), 0xee, 100);
        last = at;
    }
    assert_true(last + 100 <= header->heap_size);
    assert_int_equal(djp__segment_alloc(&segment, SIZE_MAX), 0);
    uint32_t cell_last = 0;
    while ((at = djp__segment_alloc_cells(&segment, 5)) != 0) {
        assert_int_equal(at % 8, 0);
        assert_int_equal(at / 64, (at + 39) / 64);
        for (uint32_t stripe = 0; stripe < 2; stripe++) {
            for (int i = 0; i < 5; i++) {
                assert_int_equal(djp_load_relaxed(&djp__segment_cells(&segment, stripe, at)[i]), 0);
                djp_store_relaxed(&djp__segment_cells(&segment, stripe, at)[i], UINT64_MAX);
            }
        }
        cell_last = at;
    }
    assert_true(cell_last + 40 <= header->stripe_size);
    djp__segment_fini(&segment);
    djp__segment_fini(&segment);
}

static void *
die_holding_the_lock(void *argument)
{
    djp__segment_lock(argument);
    return NULL;
}

static void
a_dead_holder_is_noticed_once(void **state)
{
    (void)state;
    djp__segment segment;
    pthread_t thread;
    assert_int_equal(djp__segment_new(&segment, 0, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, die_holding_the_lock, &segment), 0);
    pthread_join(thread, NULL);
    assert_false(djp__segment_trylock(&segment));
    assert_false(djp__segment_trylock(&segment));
    assert_true(djp__segment_lock(&segment));
    djp__segment_unlock(&segment);
    assert_false(djp__segment_lock(&segment));
    djp__segment_unlock(&segment);
    assert_true(djp__segment_trylock(&segment));
    djp__segment_unlock(&segment);
    djp__segment_fini(&segment);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_allocators_end_without_overlap),
        cmocka_unit_test(a_dead_holder_is_noticed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
