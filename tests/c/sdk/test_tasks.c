/* The tasks of an instance's worker, one by one: the test is the worker, and gives the time. */
#include "oplog_reader.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char last[1024];
static unsigned messages;

static void
note(void *user, int level, const char *message)
{
    (void)user;
    if (level <= DJP_LOG_WARN) {
        messages++;
        snprintf(last, sizeof last, "%s", message);
    }
}

/* An instance with an operation log, whose thread is the test. */
static void
open_by_hand(void)
{
    djp_sdk_language language = {"c", "test", "1", 0};
    options.log_level = DJP_LOG_WARN;
    messages = 0;
    last[0] = '\0';
    transport = script_new(NULL, NULL);
    lent = 1;
    assert_int_equal(
        djp__sdk_new_with_transport(&sdk, &options, &language, note, NULL, &transport->base), 0);
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING);
    assert_int_equal(writer_open(&log_, 1024), 0);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), 0);
}

static int
close_by_hand(void **state)
{
    djp__store_release(&sdk->worker.state, DJP__WORKER_ABSENT);
    return tear_down(state);
}

static void
run(djp__task *task, uint64_t now)
{
    task->run(task->user, now);
}

static uint64_t
due(djp__task *task, uint64_t now)
{
    return task->next_due(task->user, now);
}

/* What was recorded is replayed before batches are built, and sent after the end was looked at. */
static void
test_the_order(void **state)
{
    (void)state;
    static const char *const order[] = {"park",    "clock", "begin_end", "control", "replay",
                                        "metrics", "batch", "end",       "send"};
    open_by_hand();
    djp__task *task = sdk->worker.tasks;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++, task = task->next) {
        assert_non_null(task);
        assert_string_equal(task->name, order[i]);
        int is_pipeline = task == &sdk->traces.batch_task || task == &sdk->traces.send_task;
        assert_ptr_equal(task->user, is_pipeline ? (void *)&sdk->traces : (void *)sdk);
        /* only these two wait until no transport runs */
        assert_int_equal(task->kind, strcmp(order[i], "end") == 0    ? DJP__TASK_BETWEEN
                                     : strcmp(order[i], "send") == 0 ? DJP__TASK_SEND
                                                                     : DJP__TASK_ALWAYS);
    }
    assert_null(task);
    close_by_hand(state);
}

static void
test_the_clock_is_read_once_a_second(void **state)
{
    (void)state;
    open_by_hand();
    djp__task *clock = &sdk->tasks.clock;
    run(clock, 5 * SECOND);
    assert_int_equal(sdk->tasks.anchor_refreshed, 5 * SECOND);
    run(clock, 6 * SECOND - 1);
    assert_int_equal(sdk->tasks.anchor_refreshed, 5 * SECOND);
    run(clock, 6 * SECOND);
    assert_int_equal(sdk->tasks.anchor_refreshed, 6 * SECOND);
    clock->enter(sdk); /* a new thread does not trust the reading of another process */
    assert_int_equal(sdk->tasks.anchor_refreshed, 0);
    close_by_hand(state);
}

static void
record(uint32_t number)
{
    begin(0, number, 0, "root");
    writer_end(&log_, 0, 0);
    djp__store_seq_cst(&log_.control[DJP_OPLOG_PUBLISHED], log_.at);
}

static void
test_replay(void **state)
{
    (void)state;
    open_by_hand();
    djp__task *replay = &sdk->tasks.replay;
    uint64_t now = djp__clock_monotonic();
    run(replay, now);
    /* an idle worker asks the writer to wake it */
    assert_int_equal(due(replay, now), UINT64_MAX);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ASLEEP]), 1);
    record(1);
    assert_int_equal(due(replay, now), now); /* published meanwhile */
    run(replay, now);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_CONSUMED]), log_.at);
    assert_int_equal(sdk->tasks.oplogs_left, 0);
    /* more may follow soon: the worker looks again by itself before it sleeps */
    assert_false(djp__pipeline_is_idle(&sdk->traces));
    djp__store_seq_cst(&log_.control[DJP_OPLOG_ASLEEP], 0u);
    assert_int_equal(due(replay, now), UINT64_MAX);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ASLEEP]), 0);
    close_by_hand(state);
}

/* What does not fit into the ring of spans waits in the log, unless the queue is full as well. */
static void
test_replay_waits_for_room(void **state)
{
    (void)state;
    options.ring_bytes = 64 << 10;
    open_by_hand();
    djp__task *replay = &sdk->tasks.replay;
    uint64_t now = djp__clock_monotonic();
    djp_ring *ring = djp__recorder_ring(sdk->recorder);
    for (uint32_t i = 1; djp__ring_used(ring) < djp__ring_capacity(ring) / 2; i++) {
        helper_span(sdk, "fills");
    }
    record(1);
    run(replay, now);
    assert_int_equal(sdk->tasks.oplogs_left, 1);
    assert_int_equal(due(replay, now), now); /* again at once */
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_CONSUMED]), 0);
    sdk->traces.queue_blocked = 1;
    run(replay, now);
    assert_int_equal(sdk->tasks.oplogs_left, 0);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_CONSUMED]), log_.at);
    sdk->traces.queue_blocked = 0;
    close_by_hand(state);
}

/* Invalid operations are reported with their number, once a minute. */
static void
test_damage_is_reported(void **state)
{
    (void)state;
    open_by_hand();
    djp__task *replay = &sdk->tasks.replay;
    uint64_t now = djp__clock_monotonic();
    run(replay, now);
    assert_int_equal(messages, 0);
    djp__store_relaxed(&sdk->oplogs.damage, (uint64_t)3);
    run(replay, now);
    assert_int_equal(messages, 1);
    assert_non_null(strstr(last, "3 operations of a binding were invalid"));
    run(replay, now); /* nothing new */
    djp__store_relaxed(&sdk->oplogs.damage, (uint64_t)7);
    run(replay, now); /* too soon */
    assert_int_equal(messages, 1);
    djp__store_relaxed(&sdk->tasks.damage_warned, (uint64_t)0);
    run(replay, now);
    assert_int_equal(messages, 2);
    assert_non_null(strstr(last, "4 operations"));
    close_by_hand(state);
}

/* The worker reports the scopes, too, since no recording thread may. */
static void
test_scopes_are_reported(void **state)
{
    (void)state;
    open_by_hand();
    djp__store_relaxed(&sdk->oplogs.scopes_full, 1);
    run(&sdk->tasks.replay, djp__clock_monotonic());
    assert_int_equal(messages, 1);
    assert_non_null(strstr(last, "different tracers"));
    close_by_hand(state);
}

static void
test_control_is_due(void **state)
{
    (void)state;
    options.target_spans_per_second = 100;
    open_by_hand();
    djp__task *control = &sdk->tasks.control;
    uint64_t now = djp__clock_monotonic();
    helper_span(sdk, "something to steer");
    run(control, now);
    uint64_t next = due(control, now);
    assert_int_equal(next, djp__control_next(&sdk->control));
    assert_true(next > now && next != UINT64_MAX);
    run(control, next); /* nothing was recorded since */
    assert_int_equal(due(control, next), UINT64_MAX);
    control->leave(control->user); /* a thread that ends, with nothing to send */
    close_by_hand(state);
}

/* ---- the end by a signal ---- */

static void
test_without_a_signal_nothing_ends(void **state)
{
    (void)state;
    open_by_hand();
    uint64_t now = djp__clock_monotonic();
    run(&sdk->tasks.begin_end, now);
    assert_int_equal(sdk->worker.end_deadline, 0);
    assert_int_equal(due(&sdk->tasks.end, now), UINT64_MAX);
    run(&sdk->tasks.end, now); /* and the process is still here */
    close_by_hand(state);
}

static void
test_a_signal_sets_the_deadline(void **state)
{
    (void)state;
    options.shutdown_timeout_ns = 3 * SECOND;
    open_by_hand();
    uint64_t now = djp__clock_monotonic();
    record(1); /* is in the log, and leaves before the end */
    djp__store_release(&sdk->sigterm.signal, SIGTERM);
    run(&sdk->tasks.begin_end, now);
    assert_int_equal(sdk->worker.end_deadline, now + 3 * SECOND);
    assert_int_equal(due(&sdk->tasks.end, now), now + 3 * SECOND);
    uint64_t written = djp__ring_written(djp__recorder_ring(sdk->recorder));
    assert_true(written > 0);
    assert_int_equal(sdk->traces.last, written);
    helper_span(sdk, "comes too late");
    run(&sdk->tasks.begin_end, now + SECOND); /* the first one counts */
    assert_int_equal(sdk->worker.end_deadline, now + 3 * SECOND);
    assert_int_equal(sdk->traces.last, written);
    run(&sdk->tasks.end, now + 3 * SECOND - 1); /* not yet: something waits */
    assert_int_equal(sdk->worker.end_deadline, now + 3 * SECOND);
    sdk->worker.end_deadline = 0;
    djp__store_release(&sdk->sigterm.signal, 0);
    close_by_hand(state);
}

/* In a child: 0 to the parent's pipe when the loss was reported before the process died. */
static int report_to;

static void
note_in_child(void *user, int level, const char *message)
{
    (void)user;
    if (level <= DJP_LOG_WARN && strstr(message, "still waiting for script at the end")) {
        (void)!write(report_to, message, 1);
    }
}

static void
end_at(uint64_t late)
{
    djp_sdk_language language = {"c", "test", "1", 0};
    options.log_level = DJP_LOG_WARN;
    options.shutdown_timeout_ns = SECOND;
    transport = script_new(NULL, NULL);
    if (djp__sdk_new_with_transport(&sdk, &options, &language, note_in_child, NULL,
                                    &transport->base) != 0) {
        _exit(2);
    }
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING);
    uint64_t now = djp__clock_monotonic();
    if (late) {
        helper_spans(sdk, "waits", 5);
    }
    djp__store_release(&sdk->sigterm.signal, SIGTERM);
    run(&sdk->tasks.begin_end, now);
    run(&sdk->tasks.end, now + late);
    _exit(3); /* it should not be here */
}

/* The process ends by the signal when everything has left, at once, or else at the deadline; what
 * still waits is reported. */
static void
test_the_process_ends(void **state)
{
    (void)state;
    for (int is_late = 0; is_late < 2; is_late++) {
        int ends[2], status = 0;
        char letter;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            report_to = ends[1];
            end_at(is_late ? SECOND : 0);
        }
        close(ends[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGTERM);
        assert_int_equal(read(ends[0], &letter, 1), is_late);
        close(ends[0]);
    }
}

int
main(void)
{
#define CASE(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        CASE(test_the_order),
        CASE(test_the_clock_is_read_once_a_second),
        CASE(test_replay),
        CASE(test_replay_waits_for_room),
        CASE(test_damage_is_reported),
        CASE(test_scopes_are_reported),
        CASE(test_control_is_due),
        CASE(test_without_a_signal_nothing_ends),
        CASE(test_a_signal_sets_the_deadline),
        CASE(test_the_process_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
