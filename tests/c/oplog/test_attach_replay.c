/* An instance replays its logs in rounds, and their writers wake it. */
#include "attach_log.h"

enum { ALONE_UNITS = 1024 };

static void
a_replay_says_what_it_did(void **state)
{
    (void)state;
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 0), 0);
    attach();
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 0), 0);
    begin_and_end(1);
    publish();
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 3);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), DJP__OPLOGS_MOVED);
    assert_int_equal(host_counters(&one).dropped[DJP__DROP_OPLOG_FULL], 3);
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 2); /* without an operation, too */
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), 0);
    assert_int_equal(host_counters(&one).dropped[DJP__DROP_OPLOG_FULL], 5);
    assert_int_equal(span_reader_drain(one.recorder), 1);
    djp__mutex_lock(&log_.log->mutex); /* it was given back */
    djp__mutex_unlock(&log_.log->mutex);
}

/* A round has as many slices as it needs. */
static void
a_round_replays_all(void **state)
{
    (void)state;
    writer_close(&log_);
    assert_int_equal(writer_open(&log_, 1 << 15), 0);
    attach();
    for (uint32_t i = 1; i <= 2000; i++) {
        begin_and_end(i);
    }
    assert_true(log_.at > 5 * 4096);
    publish();
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 0), DJP__OPLOGS_MOVED);
    assert_int_equal(control(DJP_OPLOG_CONSUMED), log_.at);
    assert_int_equal(span_reader_drain(one.recorder), 2000);
}

/* Gently: a ring that is half full is left to its reader first. */
static void
a_gentle_replay_leaves_room(void **state)
{
    (void)state;
    tear_down(NULL);
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 4096;
    open_host(&options);
    one.oplogs.host.ring = djp__recorder_ring(one.recorder);
    attach();
    assert_int_equal(control(DJP_OPLOG_ASLEEP), 1); /* there is a worker */
    for (uint32_t i = 1; i <= 60; i++) {
        begin_and_end(i);
    }
    publish();
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), DJP__OPLOGS_MOVED | DJP__OPLOGS_LEFT);
    uint32_t reached = control(DJP_OPLOG_CONSUMED);
    assert_true(reached < log_.at);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), DJP__OPLOGS_LEFT);
    assert_int_equal(control(DJP_OPLOG_CONSUMED), reached);
    assert_true(span_reader_drain(one.recorder) > 5);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1) & DJP__OPLOGS_MOVED, DJP__OPLOGS_MOVED);
    assert_true(control(DJP_OPLOG_CONSUMED) > reached);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 0), DJP__OPLOGS_MOVED);
    assert_int_equal(control(DJP_OPLOG_CONSUMED), log_.at);
    assert_true(djp__oplog_is_half_full(one.oplogs.host.ring));
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), 0); /* nothing is left */
}

/* What one log did is not forgotten for another one that had nothing to do. */
static void
a_round_is_that_of_all_logs(void **state)
{
    (void)state;
    writer other;
    attach();
    assert_int_equal(writer_open(&other, 1024), 0);
    assert_int_equal(djp__oplogs_attach(&one.oplogs, other.log), 0);
    for (int turn = 0; turn < 2; turn++) {
        writer *busy = turn ? &other : &log_;
        writer_put(busy, DJP_OP_PAD, 0, NULL, 0);
        djp__store_release(&busy->control[DJP_OPLOG_PUBLISHED], busy->at);
        assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 1);
        assert_int_equal(djp__oplogs_replay(&one.oplogs, 0), DJP__OPLOGS_MOVED);
        assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 0);
    }
    writer_close(&other);
}

static int more_to_write;

static void
write_one_more(void *user)
{
    (void)user;
    if (more_to_write > 0) {
        more_to_write--;
        begin_and_end(100 + (uint32_t)more_to_write);
        publish();
    }
    djp__recorder_set_wake_level(one.recorder, 0);
}

/* A writer that writes as fast as it is read does not keep its reader for ever. */
static void
what_comes_meanwhile_is_for_the_next_round(void **state)
{
    (void)state;
    tear_down(NULL);
    djp__recorder_options options = span_reader_options();
    options.wake = write_one_more;
    open_host(&options);
    attach();
    djp__recorder_set_wake_level(one.recorder, 0);
    begin_and_end(1);
    publish();
    more_to_write = 3;
    uint32_t end = log_.at;
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 0), DJP__OPLOGS_MOVED);
    assert_int_equal(more_to_write, 2);
    assert_int_equal(control(DJP_OPLOG_CONSUMED), end);
    more_to_write = 0;
    djp__oplogs_replay(&one.oplogs, 0);
    assert_int_equal(control(DJP_OPLOG_CONSUMED), log_.at);
}

/* ---- sleep and wake ---- */

/* A writer that finds the reader asleep wakes it; without a thread it is asked to do so again. */
static void
the_reader_is_awake_or_asleep(void **state)
{
    (void)state;
    djp_ring *ring;
    writer other;
    one.refuses = 1; /* no thread can be had at first */
    assert_int_equal(djp__ring_new(&ring, 4096), 0);
    one.oplogs.host.ring = ring; /* there is a worker */
    attach();
    assert_int_equal(control(DJP_OPLOG_ASLEEP), 1);
    djp__store_relaxed(&log_.control[DJP_OPLOG_ASLEEP], 0u); /* as the writer does */
    djp_oplog_wake(log_.log);
    assert_int_equal(one.wakes, 1);
    assert_int_equal(control(DJP_OPLOG_ASLEEP), 1);
    djp__store_relaxed(&log_.control[DJP_OPLOG_ASLEEP], 0u);
    djp_oplog_wake(log_.log);
    assert_int_equal(control(DJP_OPLOG_ASLEEP), 0);
    assert_int_equal(one.references, 0);
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 0);
    assert_int_equal(control(DJP_OPLOG_ASLEEP), 1);
    djp__store_relaxed(&log_.control[DJP_OPLOG_PUBLISHED], 1u); /* one unit of padding */
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 1);
    assert_int_equal(writer_open(&other, 1024), 0); /* that of another log is not forgotten */
    assert_int_equal(djp__oplogs_attach(&one.oplogs, other.log), 0);
    djp__store_relaxed(&other.control[DJP_OPLOG_ASLEEP], 0u);
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 1);
    assert_int_equal(djp__load_relaxed(&other.control[DJP_OPLOG_ASLEEP]), 1);
    writer_close(&other);
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 1);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), DJP__OPLOGS_MOVED);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), 0);
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 0);
    djp__oplogs_detach(&one.oplogs);
    djp__ring_free(ring);
}

/* Without a worker the writer replays, a little at a time. */
static void
a_writer_without_worker_replays_itself(void **state)
{
    (void)state;
    writer_close(&log_);
    assert_int_equal(writer_open(&log_, 4096), 0);
    attach();
    for (int i = 0; i < 3000; i++) {
        writer_put(&log_, DJP_OP_PAD, 0, NULL, 0);
    }
    publish();
    djp_oplog_wake(log_.log);
    assert_int_equal(control(DJP_OPLOG_CONSUMED), ALONE_UNITS);
    assert_int_equal(one.wakes, 0);
    assert_int_equal(one.references, 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_replay_says_what_it_did),
        CASE(a_round_replays_all),
        CASE(a_gentle_replay_leaves_room),
        CASE(a_round_is_that_of_all_logs),
        CASE(what_comes_meanwhile_is_for_the_next_round),
        CASE(the_reader_is_awake_or_asleep),
        CASE(a_writer_without_worker_replays_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
