/* Operation logs whose SDK is switched, or decides otherwise, between the writing and the
 * replay. */
#include "oplog_reader.h"

static void
log_root(uint32_t slot, uint32_t number, uint32_t random, const djp_oplog_decision *decision,
         const char *name)
{
    writer_start start = {.slot = slot, .kind = 1, .flags = DJP_OP_START_ROOT, .number = number};
    start.ids = writer_make_ids(number, number, 0);
    start.ids.trace[2] = random; /* its lower 24 bits are the highest of the randomness */
    start.decision = decision;
    start.name = writer_symbol(&log_, name);
    writer_begin(&log_, &start);
    writer_end(&log_, slot, 0);
}

/* A root keeps the decision that its writer took, although another one holds when it is
 * replayed. */
static void
test_log_decisions(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_errors = 0;
    options.sample_ratio = 0.5;
    open_with(&options, 4096);
    djp_oplog_roots half, tenth;
    djp_oplog_head(&half, log_.log);
    uint32_t changes = djp__load_acquire(&log_.control[DJP_OPLOG_HEAD]);
    log_root(0, 1, 0x00900000u, &half.sampled, "kept");
    log_root(1, 2, 0x00700000u, &half.unsampled, "dropped");
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0.0625), 0);
    assert_int_not_equal(djp__load_acquire(&log_.control[DJP_OPLOG_HEAD]), changes);
    djp_oplog_head(&tenth, log_.log);
    assert_true(tenth.threshold == 0xf0ull << 48 && tenth.sampled.threshold == tenth.threshold);
    log_root(2, 3, 0x00900000u, &tenth.unsampled, "dropped");
    log_root(3, 4, 0x00f10000u, &tenth.sampled, "kept.too");
    djp_oplog_decision nonsense = {1, 3, 200, UINT64_MAX, UINT64_MAX};
    log_root(4, 5, 0x00900000u, &nonsense, "dropped"); /* whoever wrote it: it is not sampled */
    flush();
    assert_has(reader_line(transport, "kept"), "state=ot=th:8 ");
    assert_has(reader_line(transport, "kept.too"), "state=ot=th:f ");
    assert_null(reader_line(transport, "dropped"));
    djp_tracestate_unref(half.state);
    djp_tracestate_unref(tenth.state);
}

static void
test_log_off(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    options.metrics_enabled = 1;
    open_with(&options, 4096);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]),
                     DJP_OPLOG_TRACES | DJP_OPLOG_METRICS);
    djp_sdk_set_enabled(sdk, 0);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]), DJP_OPLOG_METRICS);
    log_root(0, 1, 0xffffffu, NULL, "none");
    flush();
    assert_int_equal(script_spans(transport, NULL), 0);
    assert_true(dropped("switched_off") == 1);
    djp_sdk_set_enabled(sdk, 1);
    djp_sdk_set_sample_ratio(sdk, 0);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]),
                     DJP_OPLOG_TRACES | DJP_OPLOG_METRICS | DJP_OPLOG_DROP_ALL);
    djp_sdk_set_sample_ratio(sdk, 1);
    begin(0, 2, 0, "seen");
    writer_end(&log_, 0, 0);
    flush();
    assert_int_equal(script_spans(transport, "seen"), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_decisions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_off, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
