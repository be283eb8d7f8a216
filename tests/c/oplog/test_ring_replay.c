/* How far a replay of an oplog goes, and what it shows the writer meanwhile: budgets, what cannot
 * be trusted, steps, and a ring of spans that is half full. */
#include "ring_log.h"

enum { STEP = 512, START_UNITS = 10 };

static int
set_up(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    open_log(&options);
    return 0;
}

static void
a_replay_ends_with_what_was_published(void **state)
{
    (void)state;
    pad(3);
    publish();
    pad(2);
    djp__oplog_replay_until(log_.log, djp__oplog_published(log_.log), UINT32_MAX, NULL);
    assert_int_equal(consumed(), 3);
    djp__oplog_replay_until(log_.log, 3, UINT32_MAX, NULL);
    assert_int_equal(consumed(), 3);
    publish();
    assert_int_equal(host_damage(&instance), 0);
    assert_int_equal(consumed(), 5);
}

/* A budget ends a replay behind the operation that uses it up. */
static void
a_budget_is_used_up(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        pad(1);
    }
    pad(10);
    pad(1);
    publish();
    djp__oplog_replay_until(log_.log, log_.at, 0, NULL);
    assert_int_equal(consumed(), 0);
    djp__oplog_replay_until(log_.log, log_.at, 1, NULL);
    assert_int_equal(consumed(), 1);
    djp__oplog_replay_until(log_.log, log_.at, 4, NULL);
    assert_int_equal(consumed(), 5);
    djp__oplog_replay_until(log_.log, log_.at, 2, NULL);
    assert_int_equal(consumed(), 16);
    djp__oplog_replay_until(log_.log, log_.at, 2, NULL);
    assert_int_equal(consumed(), 17);
}

/* A full ring can be right, more than that cannot. */
static void
a_position_beyond_the_ring_is_given_up(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1024; i++) {
        pad(1);
    }
    djp__oplog_replay_until(log_.log, log_.at, UINT32_MAX, NULL);
    assert_int_equal(consumed(), 1024);
    assert_int_equal(log_.log->damaged, 0);
    djp__oplog_replay_until(log_.log, log_.at + 1025, UINT32_MAX, NULL);
    assert_int_equal(consumed(), 1024 + 1025);
    assert_int_equal(log_.log->damaged, 1);
    log_.at = consumed();
    pad(1);
    djp__oplog_replay_until(log_.log, log_.at, UINT32_MAX, NULL);
    assert_int_equal(consumed(), log_.at);
    assert_int_equal(log_.log->damaged, 1);
}

/* An operation must end where the published ones do, and within the ring. */
static void
an_operation_that_is_too_long_is_given_up(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {DJP_OP_PAD, DJP_OP_TEXT};
    for (uint32_t i = 0; i < 2; i++) {
        tear_down(NULL);
        set_up(NULL);
        begin(0, 1);
        uint32_t place = log_.at;
        writer_head(&log_, place, kinds[i], 0, 8 * 4); /* five units */
        djp__oplog_replay_until(log_.log, place + 4, UINT32_MAX, NULL);
        assert_int_equal(log_.log->damaged, 1);
        assert_int_equal(consumed(), place + 4);
        writer_head(&log_, place + 4, kinds[i], 0, 8 * 4);
        djp__oplog_replay_until(log_.log, place + 9, UINT32_MAX, NULL);
        assert_int_equal(log_.log->damaged, 1);
        assert_int_equal(consumed(), place + 9);
        /* sizes are whole units */
        writer_head(&log_, place + 9, kinds[i], 0, 9);
        writer_head(&log_, place + 12, kinds[i], 0, 7);
        djp__oplog_replay_until(log_.log, place + 14, UINT32_MAX, NULL);
        assert_int_equal(log_.log->damaged, 1);
        /* one that would go on at the start of the ring */
        for (log_.at = place + 14; log_.at < 1020;) {
            pad(1);
        }
        writer_head(&log_, 1020, kinds[i], 0, 8 * 4);
        djp__oplog_replay_until(log_.log, 1025, UINT32_MAX, NULL);
        assert_int_equal(log_.log->damaged, 2);
        assert_int_equal(consumed(), 1025);
    }
}

/* Of every size. */
static void
operations_end_with_their_last_byte(void **state)
{
    (void)state;
    static const char bytes[256];
    for (uint32_t size = 0; size < sizeof bytes; size++) {
        tear_down(NULL);
        set_up(NULL);
        uint32_t units = 1 + size / 8 + (size % 8 != 0);
        assert_true(writer_put(&log_, DJP_OP_PAD, 0, bytes, size));
        assert_int_equal(log_.at, units);
        djp__oplog_replay_until(log_.log, units - 1, UINT32_MAX, NULL);
        assert_int_equal(log_.log->damaged, units > 1);
        djp__store_relaxed(&log_.control[DJP_OPLOG_CONSUMED], 0u);
        djp__oplog_replay_until(log_.log, units, UINT32_MAX, NULL);
        assert_int_equal(log_.log->damaged, units > 1);
        assert_int_equal(consumed(), units);
    }
}

static void
one_invalid_operation_is_no_end(void **state)
{
    (void)state;
    writer_put(&log_, 77, 0, NULL, 0);
    writer_put(&log_, DJP_OP_LAST, 0, NULL, 0);
    writer_put(&log_, DJP_OP_LONG, 0, NULL, 0); /* of a span that is not open */
    begin(0, 1);
    writer_end(&log_, 0, 0);
    publish();
    assert_int_equal(host_damage(&instance), 2);
    assert_int_equal(span_reader_drain(instance.recorder), 1);
}

static void
attributes_may_be_the_last(void **state)
{
    (void)state;
    begin(0, 1);
    writer_text(&log_, 0, 0, "text");
    publish();
    uint32_t published = log_.at;
    for (int i = 0; i < 5; i++) {
        writer_text(&log_, 0, 0, "not yet");
    }
    assert_int_equal(host_damage(&instance), 0);
    assert_int_equal(consumed(), published);
}

/* ---- what the writer sees meanwhile ---- */

static uint32_t seen[8], seen_count;

static void
see(void *user)
{
    djp_recorder *recorder = *(djp_recorder **)user;
    if (seen_count < 8) {
        seen[seen_count++] = consumed();
    }
    djp__recorder_set_wake_level(recorder, 0);
}

/* A span is committed when its END is replayed, which lies at that position. */
static uint32_t
seen_at_end(uint32_t at)
{
    djp__recorder_options options = span_reader_options();
    options.wake = see;
    options.wake_user = &instance.recorder;
    tear_down(NULL);
    open_log(&options);
    djp__recorder_set_wake_level(instance.recorder, 0);
    while (log_.at < at - START_UNITS) {
        pad(1);
    }
    begin(0, 1);
    assert_int_equal(log_.at, at);
    writer_end(&log_, 0, 0);
    publish();
    seen_count = 0;
    djp__oplog_replay_until(log_.log, log_.at, UINT32_MAX, NULL);
    assert_int_equal(seen_count, 1);
    assert_int_equal(consumed(), log_.at);
    return seen[0];
}

/* In steps, not at each operation, and not only at the end. */
static void
room_is_shown_in_steps(void **state)
{
    (void)state;
    assert_int_equal(seen_at_end(STEP - 1), 0);
    assert_int_equal(seen_at_end(STEP), STEP);
    assert_int_equal(seen_at_end(STEP + 1), STEP + 1);
    assert_int_equal(seen_at_end(STEP + 100), STEP);
}

/* Many attributes in one go are shown in steps, too. */
static void
a_run_of_attributes_is_shown_in_steps(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.wake = see;
    options.wake_user = &instance.recorder;
    tear_down(NULL);
    open_log(&options);
    djp__recorder_set_wake_level(instance.recorder, 0);
    begin(0, 1);
    uint32_t first = log_.at;
    for (int i = 0; i < 600; i++) {
        writer_put(&log_, DJP_OP_TRUE, 0, NULL, 0);
    }
    writer_end(&log_, 0, 0);
    publish();
    seen_count = 0;
    djp__oplog_replay_until(log_.log, log_.at, UINT32_MAX, NULL);
    assert_int_equal(seen_count, 1);
    assert_int_equal(seen[0], first + STEP + 1);
    djp__span_record *record = span_reader_take(instance.recorder);
    assert_int_equal(record->dropped_attributes, 600); /* key 0 */
    free(record);
}

/* ---- the ring of spans ---- */

static void
half_full_is_more_than_half(void **state)
{
    (void)state;
    djp_ring *ring;
    assert_int_equal(djp__ring_new(&ring, 4096), 0);
    assert_false(djp__oplog_is_half_full(NULL));
    assert_false(djp__oplog_is_half_full(ring));
    while (djp__ring_used(ring) < 2048) {
        djp__ring_commit(ring, djp__ring_reserve(ring, 256 - djp__ring_used(ring) % 256 - 8));
    }
    assert_int_equal(djp__ring_used(ring), djp__ring_capacity(ring) / 2);
    assert_false(djp__oplog_is_half_full(ring));
    djp__ring_commit(ring, djp__ring_reserve(ring, 8));
    assert_true(djp__oplog_is_half_full(ring));
    djp__ring_free(ring);
}

/* A gentle replay stops behind an end that finds the ring half full, and only there. */
static void
a_half_full_ring_ends_a_replay(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 4096;
    tear_down(NULL);
    open_log(&options);
    djp_ring *ring = djp__recorder_ring(instance.recorder);
    uint32_t ends[40];
    for (uint32_t i = 0; i < 40; i++) {
        begin(0, i + 1);
        if (i % 2 == 0) {
            writer_end(&log_, 0, 0);
        } else {
            writer_request request = {.slot = 0, .bytes = -1, .status = 200};
            writer_end_http(&log_, &request);
        }
        ends[i] = log_.at;
    }
    publish();
    djp__oplog_replay_until(log_.log, log_.at, UINT32_MAX, ring);
    uint32_t stopped = 0;
    while (stopped < 40 && ends[stopped] != consumed()) {
        stopped++;
    }
    assert_in_range(stopped, 1, 38);
    assert_true(djp__oplog_is_half_full(ring));
    for (int i = 0; i < 2; i++) { /* each further replay ends behind one more end, of any kind */
        djp__oplog_replay_until(log_.log, log_.at, UINT32_MAX, ring);
        assert_int_equal(consumed(), ends[++stopped]);
    }
    span_reader_drain(instance.recorder);
    djp__oplog_replay_until(log_.log, ends[stopped + 3], UINT32_MAX, ring);
    assert_int_equal(consumed(), ends[stopped + 3]);
    span_reader_drain(instance.recorder);
    djp__oplog_replay_until(log_.log, log_.at, UINT32_MAX, NULL); /* without a ring: all */
    assert_int_equal(consumed(), log_.at);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_replay_ends_with_what_was_published),
        CASE(a_budget_is_used_up),
        CASE(a_position_beyond_the_ring_is_given_up),
        CASE(an_operation_that_is_too_long_is_given_up),
        CASE(operations_end_with_their_last_byte),
        CASE(one_invalid_operation_is_no_end),
        CASE(attributes_may_be_the_last),
        CASE(room_is_shown_in_steps),
        CASE(a_run_of_attributes_is_shown_in_steps),
        CASE(half_full_is_more_than_half),
        CASE(a_half_full_ring_ends_a_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
