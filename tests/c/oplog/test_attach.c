/* The logs of an instance: the states of a log are those of its table, and an instance sees its
 * own. */
#include "oplog_host.h"

enum { DETACHED = DJP__OPLOG_DETACHED, ATTACHED, INHERITED, NONE = -1 };

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

static djp_oplog *
log_new(void)
{
    djp_oplog *log;
    assert_int_equal(djp_oplog_new(&log, DJP_OPLOG_UNITS_MIN), 0);
    assert_int_equal(log->state, DETACHED);
    return log;
}

static void
a_log_walks_through_its_states(void **state)
{
    (void)state;
    host one, two;
    host_init(&one, NULL);
    host_init(&two, NULL);
    one.options.attribute_value_length_limit = 77;
    djp_oplog *log = log_new();
    assert_int_equal(djp__oplogs_attach(&one.oplogs, log), 0); /* ATTACH */
    assert_int_equal(log->state, ATTACHED);
    assert_ptr_equal(log->owner, &one.oplogs);
    assert_int_equal(log->control[DJP_OPLOG_VALUE_LIMIT], 77);
    assert_int_equal(log->control[DJP_OPLOG_EPOCH], 1);
    assert_int_equal(djp__oplogs_attach(&two.oplogs, log), DJP_EEXIST);
    djp_oplog_detach(log); /* DETACH */
    assert_int_equal(log->state, DETACHED);
    assert_null(log->owner);
    assert_null(one.oplogs.first);
    djp_oplog_detach(log); /* has nothing to do */
    assert_int_equal(djp__oplogs_attach(&two.oplogs, log), 0);
    djp__oplogs_fork_prepare(&two.oplogs);
    djp__oplogs_fork_parent(&two.oplogs);
    assert_int_equal(log->state, ATTACHED);
    djp__oplogs_fork_prepare(&two.oplogs);
    djp__oplogs_fork_child(&two.oplogs); /* FORKED */
    assert_int_equal(log->state, INHERITED);
    assert_null(two.oplogs.first);
    assert_int_equal(log->control[DJP_OPLOG_ACTIVE], 0);
    djp_oplog_wake(log); /* the child's instance is nobody's here */
    assert_int_equal(one.wakes + two.wakes, 0);
    assert_int_equal(djp__oplogs_attach(&two.oplogs, log), 0);
    assert_int_equal(log->state, ATTACHED);
    assert_int_equal(log->control[DJP_OPLOG_EPOCH], 3);
    djp__oplogs_detach(&two.oplogs);
    assert_int_equal(log->state, DETACHED);
    assert_int_equal(one.references + two.references, 0);
    djp_oplog_unref(log);
    djp_oplog_unref(log); /* the reference that the parent's list held */
    djp__oplogs_fini(&one.oplogs);
    djp__oplogs_fini(&two.oplogs);
}

static void
a_closed_instance_takes_none(void **state)
{
    (void)state;
    host one;
    host_init(&one, NULL);
    one.is_closed = 1;
    djp_oplog *log = log_new();
    assert_int_equal(djp__oplogs_attach(&one.oplogs, log), DJP_ESHUTDOWN);
    assert_int_equal(log->state, DETACHED);
    djp_oplog_unref(log);
    djp__oplogs_fini(&one.oplogs);
}

/* A writer that finds the reader asleep wakes it; without a thread it is asked to do so again. */
static void
the_reader_is_awake_or_asleep(void **state)
{
    (void)state;
    host one;
    djp_ring *ring;
    host_init(&one, NULL);
    one.refuses = 1; /* no thread can be had at first */
    assert_int_equal(djp__ring_new(&ring, 4096), 0);
    one.oplogs.host.ring = ring; /* there is a worker */
    djp_oplog *log = log_new();
    assert_int_equal(djp__oplogs_attach(&one.oplogs, log), 0);
    assert_int_equal(log->control[DJP_OPLOG_ASLEEP], 1);
    djp__store_relaxed(&log->control[DJP_OPLOG_ASLEEP], 0u); /* as the writer does */
    djp_oplog_wake(log);
    assert_int_equal(one.wakes, 1);
    assert_int_equal(log->control[DJP_OPLOG_ASLEEP], 1);
    djp__store_relaxed(&log->control[DJP_OPLOG_ASLEEP], 0u);
    djp_oplog_wake(log);
    assert_int_equal(log->control[DJP_OPLOG_ASLEEP], 0);
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 0);
    assert_int_equal(log->control[DJP_OPLOG_ASLEEP], 1);
    djp__store_relaxed(&log->control[DJP_OPLOG_PUBLISHED], 1u); /* one unit of padding */
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 1);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), DJP__OPLOGS_MOVED);
    assert_int_equal(djp__oplogs_replay(&one.oplogs, 1), 0);
    assert_int_equal(djp__oplogs_request_wake(&one.oplogs), 0);
    djp__oplogs_detach(&one.oplogs);
    djp_oplog_unref(log);
    djp__ring_free(ring);
    djp__oplogs_fini(&one.oplogs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_documented_one),
        cmocka_unit_test(a_log_walks_through_its_states),
        cmocka_unit_test(a_closed_instance_takes_none),
        cmocka_unit_test(the_reader_is_awake_or_asleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
