/* The memory of an oplog and its reader: sizes, references, how far a replay goes, what it shows
 * the writer meanwhile, losses, and a drain while another thread replays. The source is compiled in
 * with hooks in front of the scheduler and of the random numbers. */
#include <sched.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/rand.h"

static int hooked_yield(void);
static uint64_t hooked_rand64(void);
static void *hooked_pages_new(size_t size);
static void hooked_pages_free(void *pages, size_t size);
#define sched_yield hooked_yield
#define djp__rand64 hooked_rand64
#define djp__pages_new hooked_pages_new
#define djp__pages_free hooked_pages_free
#include "oplog/ring.c"
#undef sched_yield
#undef djp__rand64
#undef djp__pages_new
#undef djp__pages_free

#include "heap.h"
#include "ring_log.h"

enum { YIELDS = 50 };

static void (*when_yielding)(void);
static int yields;

static int
hooked_yield(void)
{
    yields++;
    if (when_yielding != NULL) {
        when_yielding();
    }
    return 0;
}

static size_t pages_in_use;
static int pages_fail_in; /* only the one of that number fails */

static void *
hooked_pages_new(size_t size)
{
    void *pages = pages_fail_in > 0 && --pages_fail_in == 0 ? NULL : djp__pages_new(size);
    pages_in_use += pages != NULL ? size : 0;
    return pages;
}

static void
hooked_pages_free(void *pages, size_t size)
{
    pages_in_use -= pages != NULL ? size : 0;
    djp__pages_free(pages, size);
}

static uint64_t next_random[4];
static unsigned random_at;

static uint64_t
hooked_rand64(void)
{
    return next_random[random_at++ % 4];
}

static int
set_up(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    open_log(&options);
    when_yielding = NULL;
    yields = 0;
    return 0;
}

/* ---- memory ---- */

static void
sizes_are_powers_of_two(void **state)
{
    (void)state;
    static const struct {
        size_t units;
        int result;
    } cases[] = {
        {0, DJP_EINVAL},
        {DJP_OPLOG_UNITS_MIN / 2, DJP_EINVAL},
        {DJP_OPLOG_UNITS_MIN, 0},
        {DJP_OPLOG_UNITS_MIN + 1, DJP_EINVAL},
        {3 * DJP_OPLOG_UNITS_MIN, DJP_EINVAL},
        {4 * DJP_OPLOG_UNITS_MIN, 0},
        {DJP_OPLOG_UNITS_MAX, 0},
        {DJP_OPLOG_UNITS_MAX * 2, DJP_EINVAL},
        {(size_t)1 << 40, DJP_EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_oplog *log = log_.log;
        assert_int_equal(djp_oplog_new(&log, cases[i].units), cases[i].result);
        assert_int_equal(log != NULL, cases[i].result == 0);
        if (log != NULL) {
            assert_int_equal(djp_oplog_size(log), DJP_OPLOG_CONTROL_BYTES + cases[i].units * 8);
            char *memory = djp_oplog_memory(log);
            for (size_t at = 0; at < DJP_OPLOG_CONTROL_BYTES; at++) {
                assert_int_equal(memory[at], 0);
            }
            memory[djp_oplog_size(log) - 1] = 1;
            assert_ptr_equal(log->ring, memory + DJP_OPLOG_CONTROL_BYTES);
        }
        djp_oplog_unref(log);
    }
}

/* Each of its parts may be the one that cannot be had. */
static void
fail_in_every_way(void)
{
    for (int n = 0; n < 4; n++) {
        djp_oplog *log = log_.log;
        pages_fail_in = n;
        djp__alloc_fail_after(n == 0);
        assert_int_equal(djp_oplog_new(&log, DJP_OPLOG_UNITS_MIN), DJP_ENOMEM);
        djp__alloc_fail_after(0);
        assert_null(log);
        assert_int_equal(pages_fail_in, 0);
    }
}

static void
no_memory_gives_no_log(void **state)
{
    (void)state;
    size_t before = pages_in_use;
    assert_int_equal(heap_growth(fail_in_every_way, 30), 0);
    assert_int_equal(pages_in_use, before);
}

/* One that has defined symbols, read values and known many traces. */
static void
use_and_drop(void)
{
    host one;
    writer it;
    djp__recorder_options options = span_reader_options();
    host_init(&one, &options);
    assert_int_equal(writer_open(&it, 1024), 0);
    it.patient = 1;
    assert_int_equal(djp__oplogs_attach(&one.oplogs, it.log), 0);
    for (uint32_t i = 1; i <= 50; i++) {
        writer_symbol(&it, "a symbol");
        writer_start start = {.slot = 1, .number = i, .flags = DJP_OP_START_ROOT};
        start.ids = writer_make_ids(i, i, 0);
        writer_begin(&it, &start);
        writer_value value = {.size = 0};
        writer_value_map(&value, 1);
        writer_value_key(&value, "key");
        writer_value_int(&value, 3);
        writer_put(&it, DJP_OP_KEYED, 1, value.bytes, value.size);
        writer_end(&it, 1, 0);
    }
    writer_publish(&it);
    djp__oplogs_replay(&one.oplogs, 0);
    djp_oplog *again = djp_oplog_ref(it.log);
    writer_close(&it);
    assert_int_equal(djp__oplog_consumed(again), it.at); /* it is still there */
    djp_oplog_unref(again);
    host_fini(&one);
}

static void
the_last_reference_frees_all(void **state)
{
    (void)state;
    djp_oplog_unref(NULL);
    size_t before = pages_in_use;
    assert_int_equal(heap_growth(use_and_drop, 30), 0);
    assert_int_equal(pages_in_use, before);
}

/* The list of one value takes 1 MiB at most. */
static void
values_are_bounded(void **state)
{
    (void)state;
    enum { ROOM = 1 << 20 };
    static unsigned char bytes[2 * ROOM];
    for (uint32_t extra = 0; extra < 2; extra++) {
        djp_value value;
        uint32_t count = ROOM / sizeof value + extra;
        bytes[0] = DJP_ARRAY;
        memcpy(bytes + 1, &count, 4);
        const unsigned char *at = bytes;
        assert_int_equal(djp__oplog_value(&value, log_.log, &at, bytes + sizeof bytes), !extra);
    }
}

static void
random_words_are_never_zero(void **state)
{
    (void)state;
    uint32_t words[3];
    next_random[0] = 0xffffffffull; /* the upper half counts */
    next_random[1] = 0x12345678ull << 32;
    next_random[2] = 1ull << 63;
    next_random[3] = 1ull << 32;
    random_at = 0;
    djp_oplog_random(words, 3);
    assert_int_equal(words[0], 0x12345678u);
    assert_int_equal(words[1], 0x80000000u);
    assert_int_equal(words[2], 1);
    assert_int_equal(random_at, 4);
}

/* ---- losses ---- */

static void
losses_are_counted_once(void **state)
{
    (void)state;
    tear_down(NULL);
    djp__recorder_options options = span_reader_options();
    host_init(&instance, &options);
    host_add_metrics(&instance);
    assert_int_equal(writer_open(&log_, 1024), 0);
    /* what was lost before is none of its business */
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, UINT32_MAX - 1);
    writer_lose(&log_, DJP_OPLOG_LOST_REQUESTS, 100);
    assert_int_equal(djp__oplogs_attach(&instance.oplogs, log_.log), 0);
    djp__oplog_take_losses(log_.log);
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_OPLOG_FULL], 0);
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 5); /* beyond 2^32 */
    djp__oplog_take_losses(log_.log);
    djp__oplog_take_losses(log_.log);
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_OPLOG_FULL], 5);
    assert_int_equal(host_counters(&instance).dropped_attributes, 0);
    writer_lose(&log_, DJP_OPLOG_LOST_ATTRIBUTES, 3);
    djp__oplog_take_losses(log_.log);
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_OPLOG_FULL], 5);
    assert_int_equal(host_counters(&instance).dropped_attributes, 3);
    assert_int_equal(djp__load_relaxed(&instance.registry->dropped), 0);
    writer_lose(&log_, DJP_OPLOG_LOST_REQUESTS, 7);
    djp__oplog_take_losses(log_.log);
    djp__oplog_take_losses(log_.log);
    assert_int_equal(djp__load_relaxed(&instance.registry->dropped), 7);
    assert_int_equal(host_counters(&instance).dropped_attributes, 3);
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 1);
    writer_lose(&log_, DJP_OPLOG_LOST_REQUESTS, 1);
    djp__oplog_take_losses(log_.log);
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_OPLOG_FULL], 6);
    assert_int_equal(djp__load_relaxed(&instance.registry->dropped), 8);
    log_.log->damaged += 4;
    djp__oplog_take_losses(log_.log);
    djp__oplog_take_losses(log_.log);
    assert_int_equal(djp__load_relaxed(&instance.oplogs.damage), 4);
    log_.log->damaged += 1;
    djp__oplog_take_losses(log_.log);
    assert_int_equal(djp__load_relaxed(&instance.oplogs.damage), 5);
}

/* Neither an instance nor its parts need be there. */
static void
losses_of_nothing_are_harmless(void **state)
{
    (void)state;
    tear_down(NULL);
    open_log(NULL);
    for (int word = DJP_OPLOG_LOST_SPANS; word <= DJP_OPLOG_LOST_REQUESTS; word++) {
        writer_lose(&log_, (djp_oplog_word)word, 2);
    }
    log_.log->damaged = 2;
    djp__oplog_take_losses(log_.log);
    assert_int_equal(djp__load_relaxed(&instance.oplogs.damage), 2);
    djp_oplog_detach(log_.log);
    log_.log->damaged = 3;
    djp__oplog_take_losses(log_.log);
    assert_int_equal(djp__load_relaxed(&instance.oplogs.damage), 2);
}

/* ---- drain ---- */

static void
a_drain_replays_what_was_asked_for(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        pad(1);
    }
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 2);
    publish();
    assert_int_equal(djp_oplog_drain(log_.log, 1), 1);
    assert_int_equal(consumed(), 1);
    assert_int_equal(djp_oplog_drain(log_.log, 5), 1);
    assert_int_equal(consumed(), 6);
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_OPLOG_FULL], 2);
    assert_int_equal(djp_oplog_drain(log_.log, 0), 1);
    assert_int_equal(consumed(), 20);
    assert_int_equal(djp_oplog_drain(log_.log, 0), 0);
    pad(3);
    pad(3);
    publish();
    assert_int_equal(djp_oplog_drain(log_.log, (size_t)UINT32_MAX + 2), 1);
    assert_int_equal(consumed(), 26);
    assert_int_equal(yields, 0);
}

static void
replay_a_slice(void)
{
    djp__store_release(&log_.control[DJP_OPLOG_CONSUMED], consumed() + (yields == 3));
}

static void
end_the_replay(void)
{
    if (yields == 7) {
        djp__mutex_unlock(&log_.log->mutex);
    }
}

/* While another thread replays, a writer without room waits a little for it. */
static void
a_drain_waits_for_the_other_thread(void **state)
{
    (void)state;
    pad(1);
    pad(1);
    publish();
    djp__mutex_lock(&log_.log->mutex);
    assert_int_equal(djp_oplog_drain(log_.log, 0), 0);
    assert_int_equal(yields, YIELDS);
    yields = 0;
    when_yielding = replay_a_slice; /* it freed a unit */
    assert_int_equal(djp_oplog_drain(log_.log, 0), 1);
    assert_int_equal(yields, 3);
    assert_int_equal(consumed(), 1);
    yields = 0;
    when_yielding = end_the_replay; /* it has come to its end: the rest is ours */
    assert_int_equal(djp_oplog_drain(log_.log, 0), 1);
    assert_int_equal(yields, 7);
    assert_int_equal(consumed(), 2);
    djp__mutex_lock(&log_.log->mutex); /* it was given back */
    djp__mutex_unlock(&log_.log->mutex);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(sizes_are_powers_of_two),
        CASE(no_memory_gives_no_log),
        CASE(the_last_reference_frees_all),
        CASE(values_are_bounded),
        CASE(random_words_are_never_zero),
        CASE(losses_are_counted_once),
        CASE(losses_of_nothing_are_harmless),
        CASE(a_drain_replays_what_was_asked_for),
        CASE(a_drain_waits_for_the_other_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
