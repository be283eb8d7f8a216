/* Blocks of spans: which are used again, how many a thread keeps, and what is left when a thread
 * ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/mem.h"
#include "heap.h"
#include "span_reader.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

#if defined(__SANITIZE_ADDRESS__)
enum { IDLE_MAX = 0 }; /* no block is used again, so that a use after its end is seen */
#else
enum { IDLE_MAX = 64 };
#endif

static djp__thread_state *
self(void)
{
    return &djp__thread;
}

static void
the_latest_block_is_used_first(void **state)
{
    (void)state;
    djp__span_block_trim();
    assert_int_equal(self()->block_count, 0);
    djp_span *first = djp__span_block_take(), *second = djp__span_block_take();
    assert_ptr_not_equal(first, second);
    assert_int_equal(self()->block_count, 0);
    djp__span_block_give(first);
    djp__span_block_give(second);
    if (IDLE_MAX > 0) {
        assert_int_equal(self()->block_count, 2);
        assert_ptr_equal(djp__span_block_take(), second);
        assert_int_equal(self()->block_count, 1);
        assert_ptr_equal(djp__span_block_take(), first);
        assert_int_equal(self()->block_count, 0);
        djp__span_block_give(first);
        djp__span_block_give(second);
    }
    djp__span_block_trim();
    assert_null(self()->blocks);
    assert_int_equal(self()->block_count, 0);
}

static void
so_many_are_kept(void **state)
{
    (void)state;
    djp_span *spans[IDLE_MAX + 3];
    djp__span_block_trim();
    for (int i = 0; i < IDLE_MAX + 3; i++) {
        spans[i] = djp__span_block_take();
        assert_non_null(spans[i]);
    }
    for (int i = 0; i < IDLE_MAX + 3; i++) {
        djp__span_block_give(spans[i]);
        assert_int_equal(self()->block_count, i < IDLE_MAX ? i + 1 : IDLE_MAX);
    }
    int idle = 0;
    for (const djp_span *span = self()->blocks; span != NULL; span = span->next) {
        idle++;
    }
    assert_int_equal(idle, IDLE_MAX);
    djp__span_block_trim();
}

static void
without_memory_there_is_no_span(void **state)
{
    (void)state;
    djp__span_block_trim();
    djp__alloc_fail_after(1);
    djp_span *span = djp__span_block_take();
    djp__alloc_fail_after(0);
    assert_null(span);
    djp__recorder_options options = span_reader_options();
    djp_recorder *recorder = span_reader_recorder(&options);
    djp__alloc_fail_after(1);
    span = djp_span_start(recorder, DJP_TEXT("none"), NULL);
    djp__alloc_fail_after(0);
    assert_null(span);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.dropped[DJP__DROP_SPAN_NO_MEMORY], 1);
    assert_int_equal(counters.started, 0);
    djp__recorder_free(recorder);
}

static void
take_and_trim(void)
{
    djp_span *spans[100];
    for (int i = 0; i < 100; i++) {
        spans[i] = djp__span_block_take();
    }
    for (int i = 0; i < 100; i++) {
        djp__span_block_give(spans[i]);
    }
    djp__span_block_trim();
}

static void
trimming_frees_all(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(take_and_trim, 50), 0);
}

/* ---- threads ---- */

static djp_recorder *shared;
static uint64_t token;

static int
stripes_of(uint64_t owner)
{
    int count = 0;
    for (unsigned i = 0; i < DJP__STRIPES; i++) {
        count += djp__load_relaxed(&shared->stripes[i].owner) == owner;
    }
    return count;
}

static void *
record_some(void *unused)
{
    djp_span *spans[10];
    for (int i = 0; i < 10; i++) {
        spans[i] = djp_span_start(shared, DJP_TEXT("span"), NULL);
    }
    for (int i = 0; i < 10; i++) {
        djp_span_end(spans[i], 0);
        djp_span_release(spans[i]);
    }
    token = self()->token;
    assert_int_not_equal(token, 0);
    assert_int_equal(self()->registered, 1);
    assert_int_equal(stripes_of(token), 1);
    return unused;
}

static void
run_in_thread(void *(*work)(void *))
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
    pthread_join(thread, NULL);
}

static void
come_and_go(void)
{
    run_in_thread(record_some);
    span_reader_drain(shared);
}

/* A thread gives its blocks and its stripe back; each has another number. */
static void
a_thread_leaves_nothing(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    shared = span_reader_recorder(&options);
    run_in_thread(record_some);
    assert_int_equal(stripes_of(token), 0);
    uint64_t first = token;
    run_in_thread(record_some);
    assert_int_not_equal(token, first);
    assert_int_equal(stripes_of(token), 0);
    assert_int_equal(heap_growth(come_and_go, 30), 0);
    djp__recorder_free(shared);
}

static pthread_key_t late_key;

static void
record_late(void *unused)
{
    record_some(unused);
    if (self()->shared != 0 || self()->serial == 0) {
        abort();
    }
}

static void *
record_and_record_late(void *unused)
{
    record_some(unused);
    pthread_setspecific(late_key, &late_key);
    return unused;
}

/* A destructor that records after that of the blocks registers the thread again, with the same
 * number. */
static void
destructors_may_record(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    shared = span_reader_recorder(&options);
    run_in_thread(record_some); /* so that the key of the blocks is the older one */
    assert_int_equal(pthread_key_create(&late_key, record_late), 0);
    for (int i = 0; i < 3; i++) {
        run_in_thread(record_and_record_late);
        assert_int_equal(stripes_of(token), 0);
    }
    pthread_key_delete(late_key);
    span_reader_drain(shared);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, shared);
    assert_int_equal(counters.started, 10 + 3 * 20);
    assert_int_equal(counters.ended, counters.started);
    djp__recorder_free(shared);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latest_block_is_used_first),  cmocka_unit_test(so_many_are_kept),
        cmocka_unit_test(without_memory_there_is_no_span), cmocka_unit_test(trimming_frees_all),
        cmocka_unit_test(a_thread_leaves_nothing),         cmocka_unit_test(destructors_may_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
