/* The logs of an instance: the states of a log are those of its table, an instance sees its own
 * logs only, replays them in rounds, and tells their writers what is recorded. */
#include "attach_log.h"

#include "djp/sampler.h"
#include "heap.h"
#include "lock_guard.h"

enum { DETACHED = DJP__OPLOG_DETACHED, ATTACHED, INHERITED, NONE = -1 };

/* ---- states ---- */

static void
the_table_is_the_documented_one(void **state)
{
    static const int expected[DJP__OPLOG_STATES][DJP__OPLOG_EVENTS] = {
        [DETACHED] = {ATTACHED, NONE, DETACHED},
        [ATTACHED] = {NONE, DETACHED, INHERITED},
        [INHERITED] = {ATTACHED, NONE, INHERITED},
    };
    (void)state;
    for (int from = 0; from < DJP__OPLOG_STATES; from++) {
        for (int event = 0; event < DJP__OPLOG_EVENTS; event++) {
            assert_int_equal(djp__oplog_next((djp__oplog_state)from, (djp__oplog_event)event),
                             expected[from][event]);
        }
    }
}

static void
a_log_walks_through_its_states(void **state)
{
    (void)state;
    host two;
    host_init(&two, NULL);
    djp_oplog *log = log_.log;
    assert_int_equal(log->state, DETACHED);
    attach();
    assert_int_equal(log->state, ATTACHED);
    assert_ptr_equal(log->owner, &one.oplogs);
    assert_ptr_equal(log->recorder, one.recorder);
    assert_int_equal(control(DJP_OPLOG_EPOCH), 1);
    assert_int_equal(djp__oplogs_attach(&two.oplogs, log), DJP_EEXIST);
    assert_int_equal(djp__oplogs_attach(&one.oplogs, log), DJP_EEXIST);
    djp_oplog_detach(log);
    assert_int_equal(log->state, DETACHED);
    assert_null(log->owner);
    assert_null(log->recorder);
    assert_null(log->server);
    assert_null(one.oplogs.first);
    assert_int_equal(control(DJP_OPLOG_ACTIVE), 0);
    djp_oplog_detach(log); /* has nothing to do */
    djp_oplog_detach(NULL);
    assert_int_equal(djp__oplogs_attach(&two.oplogs, log), 0);
    djp__oplogs_fork_prepare(&two.oplogs);
    djp__oplogs_fork_parent(&two.oplogs);
    assert_int_equal(log->state, ATTACHED);
    djp__oplogs_fork_prepare(&two.oplogs);
    djp__oplogs_fork_child(&two.oplogs);
    assert_int_equal(log->state, INHERITED);
    assert_null(two.oplogs.first);
    assert_int_equal(control(DJP_OPLOG_ACTIVE), 0);
    djp_oplog_wake(log); /* the instance is the parent's */
    assert_int_equal(one.wakes + two.wakes, 0);
    assert_int_equal(djp__oplogs_attach(&two.oplogs, log), 0);
    assert_int_equal(log->state, ATTACHED);
    assert_int_equal(control(DJP_OPLOG_EPOCH), 3);
    djp__oplogs_detach(&two.oplogs);
    assert_int_equal(log->state, DETACHED);
    djp_oplog_unref(log); /* the reference that the parent's list held */
    host_fini(&two);
}

/* Whatever was in the memory of the list. */
static void
a_list_begins_empty(void **state)
{
    (void)state;
    djp__oplogs list;
    memset(&list, 0xee, sizeof list);
    djp__oplogs_init(&list);
    assert_null(list.first);
    assert_null(list.host.recorder);
    assert_int_equal(djp__load_relaxed(&list.damage), 0);
    assert_int_equal(djp__load_relaxed(&list.scopes_full), 0);
    djp__mutex_lock(&list.mutex);
    djp__mutex_unlock(&list.mutex);
    djp__oplogs_fini(&list);
}

static void
a_closed_instance_takes_none(void **state)
{
    (void)state;
    one.is_closed = 1;
    assert_int_equal(djp__oplogs_attach(&one.oplogs, log_.log), DJP_ESHUTDOWN);
    assert_int_equal(log_.log->state, DETACHED);
    assert_int_equal(control(DJP_OPLOG_EPOCH), 0);
    one.is_closed = 0;
    attach(); /* neither lock was kept */
}

static void
without_memory_it_stays_detached(void **state)
{
    (void)state;
    djp__alloc_fail_after(1);
    int result = djp__oplogs_attach(&one.oplogs, log_.log);
    djp__alloc_fail_after(0);
    assert_int_equal(result, DJP_ENOMEM);
    assert_int_equal(log_.log->state, DETACHED);
    assert_null(one.oplogs.first);
    attach();
}

/* ---- what an attachment says to the writer ---- */

static void
the_limit_of_texts_is_shown(void **state)
{
    (void)state;
    static const uint32_t limits[][2] = {{0, 0},
                                         {77, 77},
                                         {INT32_MAX, INT32_MAX},
                                         {(uint32_t)INT32_MAX + 1, UINT32_MAX},
                                         {UINT32_MAX, UINT32_MAX}};
    for (size_t i = 0; i < 5; i++) {
        one.options.attribute_value_length_limit = limits[i][0];
        attach();
        assert_int_equal(control(DJP_OPLOG_VALUE_LIMIT), limits[i][1]);
        assert_int_equal(control(DJP_OPLOG_EPOCH), i + 1);
        assert_int_equal(control(DJP_OPLOG_ASLEEP), 0); /* there is no worker */
        djp_oplog_detach(log_.log);
    }
}

static uint32_t
active(void)
{
    uint32_t before = control(DJP_OPLOG_HEAD);
    djp__oplogs_notify_writers(&one.oplogs);
    assert_int_equal(control(DJP_OPLOG_HEAD), before + 1);
    return control(DJP_OPLOG_ACTIVE);
}

static void
use_tree(const char *text)
{
    djp_sampler *tree = NULL;
    assert_int_equal(djp_sampler_parse(&tree, djp_text_of(text), NULL), 0);
    assert_int_equal(djp__recorder_set_sampler(one.recorder, tree), 0);
}

static void
the_writer_sees_what_is_recorded(void **state)
{
    (void)state;
    attach();
    assert_int_equal(control(DJP_OPLOG_HEAD), 1);
    assert_int_equal(control(DJP_OPLOG_ACTIVE), DJP_OPLOG_TRACES | DJP_OPLOG_ALWAYS_ON);
    djp__recorder_set_ratio(one.recorder, 0.5);
    assert_int_equal(active(), DJP_OPLOG_TRACES);
    djp__recorder_set_ratio(one.recorder, 0);
    assert_int_equal(active(), DJP_OPLOG_TRACES | DJP_OPLOG_DROP_ALL);
    djp__recorder_reset_ratio(one.recorder);
    use_tree("rule_based(name(\"a\") => always_on)");
    assert_int_equal(active(), DJP_OPLOG_TRACES | DJP_OPLOG_ASK);
    use_tree("rule_based(attribute(\"a\"=*) => always_on)");
    assert_int_equal(active(), DJP_OPLOG_TRACES | DJP_OPLOG_ASK | DJP_OPLOG_ASK_ATTRIBUTES);
    djp__recorder_set_off(one.recorder, 1);
    assert_int_equal(active(), DJP_OPLOG_ASK | DJP_OPLOG_ASK_ATTRIBUTES);
    djp__recorder_set_sampler(one.recorder, NULL);
    djp__recorder_set_off(one.recorder, 0);
    djp__recorder_close(one.recorder);
    assert_int_equal(active(), DJP_OPLOG_ALWAYS_ON);
}

static void
without_tail_rules_the_head_alone_decides(void **state)
{
    (void)state;
    tear_down(NULL);
    djp__recorder_options options = span_reader_options();
    options.sample_errors = 0;
    options.slow_threshold_ns = 0;
    open_host(&options);
    host_add_metrics(&one);
    attach();
    assert_int_equal(control(DJP_OPLOG_ACTIVE), DJP_OPLOG_METRICS | DJP_OPLOG_TRACES |
                                                    DJP_OPLOG_ALWAYS_ON | DJP_OPLOG_HEAD_ONLY);
    tear_down(NULL);
    open_host(NULL);
    attach();
    assert_int_equal(control(DJP_OPLOG_ACTIVE), 0);
}

/* All of its logs hear of a change. */
static void
every_writer_hears_of_a_change(void **state)
{
    (void)state;
    writer other;
    assert_int_equal(writer_open(&other, 1024), 0);
    attach();
    assert_int_equal(djp__oplogs_attach(&one.oplogs, other.log), 0);
    djp__recorder_set_ratio(one.recorder, 0.5);
    assert_int_equal(active(), DJP_OPLOG_TRACES);
    assert_int_equal(djp__load_relaxed(&other.control[DJP_OPLOG_ACTIVE]), DJP_OPLOG_TRACES);
    assert_int_equal(djp__load_relaxed(&other.control[DJP_OPLOG_HEAD]), 2);
    writer_close(&other);
}

/* ---- operations around an attachment ---- */

/* Of what was written before, only the symbols are read; losses of before are not counted. */
static void
what_was_written_before_is_skipped(void **state)
{
    (void)state;
    uint32_t symbol = writer_symbol(&log_, "symbol");
    begin_and_end(1);
    for (int word = DJP_OPLOG_LOST_SPANS; word <= DJP_OPLOG_LOST_REQUESTS; word++) {
        writer_lose(&log_, (djp_oplog_word)word, 5);
    }
    publish();
    attach();
    assert_int_equal(control(DJP_OPLOG_CONSUMED), log_.at);
    assert_int_equal(host_counters(&one).started, 0);
    assert_int_equal(log_.log->symbols[symbol].size, 6);
    djp__oplogs_replay(&one.oplogs, 0);
    assert_int_equal(host_counters(&one).dropped[DJP__DROP_OPLOG_FULL], 0);
    assert_int_equal(host_counters(&one).dropped_attributes, 0);
}

/* A detachment records what was published, and counts what is open and lost. */
static void
what_was_written_until_the_detachment_is_recorded(void **state)
{
    (void)state;
    attach();
    begin_and_end(1);
    writer_start start = {.slot = 3, .number = 2, .flags = DJP_OP_START_ROOT};
    start.ids = writer_make_ids(2, 2, 0);
    writer_begin(&log_, &start);
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 5);
    publish();
    djp_oplog_detach(log_.log);
    assert_int_equal(control(DJP_OPLOG_CONSUMED), log_.at);
    assert_int_equal(span_reader_drain(one.recorder), 1);
    assert_int_equal(host_counters(&one).dropped[DJP__DROP_NEVER_ENDED], 1);
    assert_int_equal(host_counters(&one).dropped[DJP__DROP_OPLOG_FULL], 5);
    assert_null(djp__oplog_span_at(log_.log, 3));
}

/* The log of a parent process: its open spans are freed at the next attachment, not recorded. */
static void
a_child_forgets_open_spans(void **state)
{
    (void)state;
    attach();
    writer_start start = {.slot = 3, .number = 2, .flags = DJP_OP_START_ROOT};
    start.ids = writer_make_ids(2, 2, 0);
    writer_begin(&log_, &start);
    publish();
    djp__oplogs_replay(&one.oplogs, 0);
    assert_non_null(djp__oplog_span_at(log_.log, 3));
    djp__oplogs_fork_prepare(&one.oplogs);
    djp__oplogs_fork_child(&one.oplogs);
    assert_null(log_.log->owner);
    assert_null(log_.log->recorder);
    assert_non_null(djp__oplog_span_at(log_.log, 3));
    attach();
    assert_null(djp__oplog_span_at(log_.log, 3));
    djp_oplog_unref(log_.log); /* the reference of the parent's list */
}

/* ---- several logs ---- */

static void
each_log_can_leave_the_list(void **state)
{
    (void)state;
    for (int leaves = 0; leaves < 3; leaves++) {
        writer logs[3];
        for (int i = 0; i < 3; i++) {
            assert_int_equal(writer_open(&logs[i], 1024), 0);
            assert_int_equal(djp__oplogs_attach(&one.oplogs, logs[i].log), 0);
        }
        djp_oplog_detach(logs[leaves].log);
        int left = 0;
        for (djp_oplog *log = one.oplogs.first; log != NULL; log = log->next) {
            assert_ptr_not_equal(log, logs[leaves].log);
            left++;
        }
        assert_int_equal(left, 2);
        assert_int_equal(one.references, 0);
        djp__oplogs_detach(&one.oplogs);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(logs[i].log->state, DETACHED);
            assert_int_equal(djp__load_relaxed(&logs[i].log->references), 1);
            djp_oplog_unref(logs[i].log);
        }
    }
}

/* ---- locks ---- */

static void
replay_once(void)
{
    djp__oplogs_replay(&one.oplogs, 0);
}

static void
request_wake_once(void)
{
    djp__oplogs_request_wake(&one.oplogs);
}

static void
notify_once(void)
{
    djp__oplogs_notify_writers(&one.oplogs);
}

static void
detach_once(void)
{
    djp_oplog_detach(log_.log);
}

static void
detach_all(void)
{
    djp__oplogs_detach(&one.oplogs);
}

static void
attach_again(void)
{
    djp__oplogs_attach(&one.oplogs, log_.log);
}

static void
the_list_and_its_logs_are_locked(void **state)
{
    (void)state;
    void (*const of_list[])(void) = {attach_again, replay_once,  request_wake_once, notify_once,
                                     detach_once,  attach_again, detach_all};
    for (size_t i = 0; i < sizeof of_list / sizeof of_list[0]; i++) {
        assert_true(waits_for(&one.oplogs.mutex, of_list[i]));
    }
    void (*const of_log[])(void) = {attach_again, detach_once, attach_again};
    for (size_t i = 0; i < sizeof of_log / sizeof of_log[0]; i++) {
        assert_true(waits_for(&log_.log->mutex, of_log[i]));
    }
    begin_and_end(1);
    publish();
    assert_true(waits_for(&log_.log->mutex, replay_once));
    assert_true(waits_for(&log_.log->link, detach_once));
    assert_true(waits_for(&log_.log->link, attach_again));
    djp_oplog_detach(log_.log);
}

static int
is_free(djp_mutex *mutex)
{
    int result = pthread_mutex_trylock(mutex) == 0;
    if (result) {
        djp__mutex_unlock(mutex);
    }
    return result;
}

/* Over a fork all of them are held, in both logs, and then given back. */
static void
a_fork_holds_all_locks(void **state)
{
    (void)state;
    writer other;
    assert_int_equal(writer_open(&other, 1024), 0);
    attach();
    assert_int_equal(djp__oplogs_attach(&one.oplogs, other.log), 0);
    djp_mutex *locks[] = {&one.oplogs.mutex, &log_.log->mutex, &log_.log->link, &other.log->mutex,
                          &other.log->link};
    for (int child = 0; child < 2; child++) {
        djp__oplogs_fork_prepare(&one.oplogs);
        for (int i = 0; i < 5; i++) {
            assert_false(is_free(locks[i]));
        }
        child ? djp__oplogs_fork_child(&one.oplogs) : djp__oplogs_fork_parent(&one.oplogs);
        for (int i = 0; i < 5; i++) {
            assert_true(is_free(locks[i]));
        }
    }
    assert_int_equal(log_.log->state, INHERITED);
    assert_int_equal(other.log->state, INHERITED);
    attach();
    djp_oplog_unref(log_.log); /* the references of the parent's list */
    assert_int_equal(djp__oplogs_attach(&one.oplogs, other.log), 0);
    djp_oplog_unref(other.log);
    writer_close(&other);
}

static void
come_and_go(void)
{
    attach();
    begin_and_end(1);
    publish();
    djp_oplog_wake(log_.log);
    djp_oplog_detach(log_.log);
    djp__alloc_fail_after(1);
    djp__oplogs_attach(&one.oplogs, log_.log);
    djp__alloc_fail_after(0);
    attach();
    djp__oplogs_fork_prepare(&one.oplogs);
    djp__oplogs_fork_child(&one.oplogs);
    attach();
    djp_oplog_unref(log_.log);
    djp__oplogs_detach(&one.oplogs);
    span_reader_drain(one.recorder);
}

static void
nothing_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(come_and_go, 50), 0);
    assert_int_equal(djp__load_relaxed(&log_.log->references), 1);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_documented_one),
        CASE(a_log_walks_through_its_states),
        CASE(a_list_begins_empty),
        CASE(a_closed_instance_takes_none),
        CASE(without_memory_it_stays_detached),
        CASE(the_limit_of_texts_is_shown),
        CASE(the_writer_sees_what_is_recorded),
        CASE(without_tail_rules_the_head_alone_decides),
        CASE(every_writer_hears_of_a_change),
        CASE(what_was_written_before_is_skipped),
        CASE(what_was_written_until_the_detachment_is_recorded),
        CASE(a_child_forgets_open_spans),
        CASE(each_log_can_leave_the_list),
        CASE(the_list_and_its_logs_are_locked),
        CASE(a_fork_holds_all_locks),
        CASE(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
