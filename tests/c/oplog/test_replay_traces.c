/* Starts and their local traces: the number of a trace counts with all of its bits, and a span
 * joins the part of the trace that its parent leads. */
#include "by_hand.h"

static djp_span *
open_child(uint32_t slot, uint32_t number, uint32_t parent_slot)
{
    start_payload start = payload_of(number, slot + 1);
    start.parent[0] = 0xa1b2c3d4u;
    start.parent[1] = parent_slot + 1;
    start.flags = (parent_slot + 1) << 16;
    assert_true(put(DJP_OP_START, slot, &start, CHILD_BYTES));
    return djp__oplog_span_at(hand, slot);
}

static void
every_bit_of_a_number_counts(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1, 0x100, 0x101, 0x10000, 0x01000001, 0x80000001};
    for (uint32_t i = 0; i < 6; i++) {
        open_root(i, numbers[i]);
    }
    for (uint32_t i = 0; i < 6; i++) {
        const djp_span *root = djp__oplog_span_at(hand, i);
        assert_ptr_equal(open_child(10 + i, numbers[i], i)->local, root->local);
        assert_ptr_equal(open_child(20 + i, numbers[i], 500)->local, root->local);
    }
    djp__oplog_close_all(hand);
}

/* A span that outlives its root leads what begins below it; other spans belong to the root. */
static void
a_parent_is_found_by_its_slot(void **state)
{
    (void)state;
    djp__recorder_options with = span_reader_options();
    with.always_on = 0;
    with.threshold = DJP__THRESHOLD_NEVER;
    use_hand(&with);
    start_payload start = payload_of(1, 1);
    start.flags = decided(0, DJP__OUTCOME_RECORD_ONLY, 0);
    assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    const djp_span *task = open_child(3, 1, 0), *other = open_child(4, 1, 0);
    uint64_t now = djp__clock_monotonic();
    assert_true(put(DJP_OP_END, 0, &now, 8));
    assert_ptr_equal(open_child(5, 1, 3)->local, &task->own);
    assert_ptr_equal(open_child(6, 1, 4)->local, &other->own);
    djp_span *alone = open_child(7, 1, 0); /* below the root, which has ended */
    assert_ptr_equal(alone->local, &alone->own);
    djp__oplog_close_all(hand);
}

/* Nothing but the words that say that the name is empty. */
static void
an_empty_name_needs_no_bytes(void **state)
{
    (void)state;
    char payload[ROOT_BYTES + 8] = {0};
    start_payload start = payload_of(1, 1);
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    memcpy(payload, &start, ROOT_BYTES);
    uint32_t flags = DJP_OP_START_ROOT | DJP_OP_START_NAME;
    assert_true(put(DJP_OP_START, flags << 24, payload, sizeof payload));
    djp__span_record *record = finish(0);
    assert_int_equal(record->name_size, 0);
    free(record);
}

/* A symbol that is not defined is no scope, and no reason to report a full table. */
static void
unknown_scopes_are_none(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {4000, DJP_OPLOG_SYMBOLS - 1, DJP_OPLOG_SYMBOLS, 9000,
                                       UINT32_MAX};
    djp_scope first = djp_scope_intern("so that number 1 is in use", NULL, NULL, NULL, 0);
    assert_int_not_equal(first, 0);
    for (uint32_t i = 0; i < 5; i++) {
        start_payload start = payload_of(i + 1, 1);
        start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
        start.scope = numbers[i];
        assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
        djp__span_record *record = finish(0);
        assert_int_equal(record->scope, 0);
        free(record);
    }
    assert_int_equal(djp__load_relaxed(&instance.oplogs.scopes_full), 0);
    define(1, "x"); /* a name of one letter is one */
    start_payload start = payload_of(9, 1);
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    start.scope = 1;
    assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    djp__span_record *record = finish(0);
    assert_string_equal(djp__scope_entry_of(record->scope)->name, "x");
    free(record);
}

/* A start that is refused leaves nothing that keeps its recorder. */
static void
start_while_off(void)
{
    djp__recorder_options with = span_reader_options();
    use_hand(&with);
    start_payload start = payload_of(1, 2);
    djp__recorder_set_off(instance.recorder, 1);
    put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES);
}

static void
refused_starts_leave_nothing(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(start_while_off, 30), 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_hand, tear_down_hand)
    const struct CMUnitTest tests[] = {
        CASE(every_bit_of_a_number_counts), CASE(a_parent_is_found_by_its_slot),
        CASE(an_empty_name_needs_no_bytes), CASE(unknown_scopes_are_none),
        CASE(refused_starts_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
