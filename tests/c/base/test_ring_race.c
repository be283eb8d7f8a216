/* What a writer of the ring meets when it is interrupted between its two looks at the ring: the
 * ring is compiled in with a hook at that very place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"

static void (*interrupt)(void);

/* Runs the hook once, before the load. */
static void
interrupted(void)
{
    void (*run)(void) = interrupt;
    interrupt = NULL;
    if (run) {
        run();
    }
}

#undef djp__load_acquire
#define djp__load_acquire(p) (interrupted(), atomic_load_explicit((p), memory_order_acquire))
#include "base/ring.c"

static djp_ring *shared_ring;

static void
others_make_a_lap(void)
{
    for (int i = 0; i < 20; i++) {
        size_t size;
        void *record = djp__ring_reserve(shared_ring, 250);
        assert_non_null(record);
        djp__ring_commit(shared_ring, record);
        assert_non_null(djp__ring_peek(shared_ring, &size));
        djp__ring_consume(shared_ring);
    }
}

static void
others_fill_it(void)
{
    void *record;
    while ((record = djp__ring_reserve(shared_ring, 504)) != NULL) {
        djp__ring_commit(shared_ring, record);
    }
}

/* The reader has passed the head that the writer knows: that is an empty ring, not a full one. */
static void
a_lap_meanwhile_is_no_refusal(void **state)
{
    (void)state;
    size_t size = 0;
    assert_int_equal(djp__ring_new(&shared_ring, 4096), 0);
    interrupt = others_make_a_lap;
    void *record = djp__ring_reserve(shared_ring, 250);
    assert_null(interrupt);
    assert_non_null(record);
    assert_null(djp__ring_peek(shared_ring, &size));
    djp__ring_commit(shared_ring, record);
    assert_ptr_equal(djp__ring_peek(shared_ring, &size), record);
    assert_int_equal(size, 250);
    djp__ring_consume(shared_ring);
    assert_int_equal(djp__ring_used(shared_ring), 0);
    djp__ring_free(shared_ring);
}

static void
filled_meanwhile_is_refused(void **state)
{
    (void)state;
    assert_int_equal(djp__ring_new(&shared_ring, 4096), 0);
    interrupt = others_fill_it;
    assert_null(djp__ring_reserve(shared_ring, 250));
    assert_int_equal(djp__ring_used(shared_ring), 4096);
    djp__ring_free(shared_ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lap_meanwhile_is_no_refusal),
        cmocka_unit_test(filled_meanwhile_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
