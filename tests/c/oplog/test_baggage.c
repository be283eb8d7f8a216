/* Baggage in an operation log: starts carry it if the core needs it, one text is parsed once, and
 * what is malformed harms no other span. */
#include "oplog_reader.h"

#include "oplog/oplog.h"

static void
begin_with(uint32_t slot, uint32_t number, unsigned flags, const char *baggage)
{
    char name[8];
    snprintf(name, sizeof name, "s%u", slot);
    writer_start start = {.slot = slot, .number = number, .full_name = name, .baggage = baggage};
    start.flags = DJP_OP_START_NAME | DJP_OP_START_ROOT | DJP_OP_START_BAGGAGE | flags;
    start.state = "vendor=1";
    start.parent_flags = flags & DJP_OP_START_REMOTE ? DJP_FLAG_SAMPLED : 0;
    start.unix_ns = 1700000000000000000ull;
    start.ids = writer_make_ids(number, slot + 1, flags & DJP_OP_START_REMOTE ? 9 : 0);
    assert_true(writer_begin(&log_, &start));
}

static void
the_core_says_whether_it_needs_baggage(void **state)
{
    (void)state;
    open_with(&options, 1024);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]) & DJP_OPLOG_BAGGAGE, 0);
    writer_close(&log_);
    djp_sdk_free(sdk);
    script_fini(transport);
    options.baggage_attributes = (char *)(uintptr_t) "user.id";
    open_with(&options, 1024);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]) & DJP_OPLOG_BAGGAGE,
                     DJP_OPLOG_BAGGAGE);
}

/* Behind every other optional part, and for requests too. */
static void
each_start_has_its_baggage(void **state)
{
    (void)state;
    options.baggage_attributes = (char *)(uintptr_t) "user.id";
    open_with(&options, 1024);
    begin_with(0, 1, 0, "user.id=1,secret=2");
    begin_with(1, 2, DJP_OP_START_STATE | DJP_OP_START_TIME | DJP_OP_START_REMOTE,
               "user.id=%C3%A9");
    begin_with(2, 3, DJP_OP_START_HTTP, "user.id=3");
    begin_with(3, 4, 0, "");
    begin(4, 5, 0, "s4");
    for (uint32_t slot = 0; slot < 5; slot++) {
        writer_end(&log_, slot, 0);
    }
    flush();
    assert_has(reader_line(transport, "s0"), "| user.id='1';");
    const char *line = reader_line(transport, "s1");
    assert_has(line, "| user.id='\xc3\xa9';");
    assert_has(line, "start=1700000000000000000 ");
    assert_has(line, "state=vendor=1");
    assert_has(reader_line(transport, "http.server"), "| user.id='3';");
    const char *all = reader_all(transport);
    assert_null(strstr(all, "secret"));
    unsigned copies = 0;
    for (const char *at = all; (at = strstr(at, "user.id=")) != NULL; at++) {
        copies++;
    }
    assert_int_equal(copies, 3); /* s3 has an empty one, s4 none */
}

static void
a_malformed_one_loses_its_span_only(void **state)
{
    (void)state;
    options.baggage_attributes = (char *)(uintptr_t) "*";
    open_with(&options, 1024);
    char payload[56 + 16 + 8] = {0};
    uint32_t sizes[2] = {1000, 0};
    payload[8] = payload[24] = 1;
    memcpy(payload + 72, sizes, sizeof sizes);
    uint32_t flags = DJP_OP_START_ROOT | DJP_OP_START_BAGGAGE;
    assert_true(writer_put(&log_, DJP_OP_START, 7 | flags << 24, payload, sizeof payload));
    begin_with(1, 2, 0, "k=v");
    writer_end(&log_, 1, 0);
    flush();
    assert_has(reader_line(transport, "s1"), "| k='v';");
    assert_int_equal(log_.log->damaged, 1);
}

static void
equal_texts_are_parsed_once(void **state)
{
    (void)state;
    open_with(&options, 1024);
    djp_text one = {"a=1", 3}, other = {"a=2", 3}, longer = {"a=1,b=2", 7}, none = {"", 0};
    const djp_baggage *first = djp__oplog_baggage(log_.log, one);
    assert_int_equal(djp_baggage_count(first), 1);
    char copy[] = "a=1";
    assert_ptr_equal(djp__oplog_baggage(log_.log, (djp_text){copy, 3}), first);
    djp_baggage_entry entry;
    djp_baggage_entry_at(&entry, djp__oplog_baggage(log_.log, other), 0);
    assert_memory_equal(entry.value.data, "2", 1);
    assert_int_equal(djp_baggage_count(djp__oplog_baggage(log_.log, longer)), 2);
    assert_int_equal(djp_baggage_count(djp__oplog_baggage(log_.log, one)), 1);
    assert_null(djp__oplog_baggage(log_.log, none));
    assert_null(djp__oplog_baggage(log_.log, none));
    djp_oplog_detach(log_.log);
    assert_null(log_.log->baggage_text);
    assert_null(log_.log->baggage);
}

static void
without_memory_there_is_none(void **state)
{
    (void)state;
    open_with(&options, 1024);
    djp_text one = {"a=1", 3};
    for (long at = 1; at < 3; at++) {
        djp__oplog_baggage_discard(log_.log);
        djp__alloc_fail_after(at);
        const djp_baggage *found = djp__oplog_baggage(log_.log, one);
        djp__alloc_fail_after(0);
        assert_null(found);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_core_says_whether_it_needs_baggage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_start_has_its_baggage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_malformed_one_loses_its_span_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_texts_are_parsed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_there_is_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
