/* What operations add to a span: attributes, values, events, links and exceptions, each whole or
 * not at all. */
#include "by_hand.h"

#include <math.h>

static void
plain_attributes_at_their_edges(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *shown;
    } numbers[] = {
        {9007199254740992.0, "i:9007199254740992"},
        {9007199254740994.0, "d:9.0072e+15"},
        {-9007199254740992.0, "i:-9007199254740992"},
        {-9007199254740994.0, "d:-9.0072e+15"},
        {0.5, "d:0.5"},
        {-1, "i:-1"},
        {INFINITY, "d:inf"},
        {-INFINITY, "d:-inf"},
    };
    open_root(0, 1);
    for (uint32_t i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "number%u", i);
        define(1 + i, name);
        assert_true(put(DJP_OP_NUMBER, (1 + i) << 16, &numbers[i].number, 8));
        assert_false(put(DJP_OP_NUMBER, (1 + i) << 16, &numbers[i].number, 7));
    }
    int64_t whole = INT64_MAX;
    define(20, "integer");
    define(21, "text");
    define(22, "empty");
    assert_true(put(DJP_OP_INTEGER, 20 << 16, &whole, 8));
    assert_false(put(DJP_OP_INTEGER, 20 << 16, &whole, 7));
    assert_true(put(DJP_OP_TEXT, 21 << 16, "some text", 9));
    assert_true(put(DJP_OP_TEXT, 22 << 16, NULL, 0));
    assert_true(put(DJP_OP_TEXT, 7 | 21 << 16, "of no span", 10));
    djp__span_record *record = finish(0);
    for (uint32_t i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "number%u", i);
        assert_string_equal(span_reader_show(record, name), numbers[i].shown);
    }
    assert_string_equal(span_reader_show(record, "integer"), "i:9223372036854775807");
    assert_string_equal(span_reader_show(record, "text"), "s:some text");
    assert_string_equal(span_reader_show(record, "empty"), "s:");
    assert_int_equal(record->dropped_attributes, 0);
    free(record);
}

/* In a run of attributes, too, one that is invalid counts and the others arrive. */
static void
a_run_of_attributes_skips_what_is_invalid(void **state)
{
    (void)state;
    uint64_t *ring = (uint64_t *)(void *)((char *)djp_oplog_memory(hand) + DJP_OPLOG_CONTROL_BYTES);
    open_root(0, 1);
    define(1, "a");
    define(2, "b");
    uint64_t five = 5;
    ring[0] = (uint64_t)(1u << 16) << 32 | DJP_OP_TRUE;
    ring[1] = (uint64_t)(2u << 16) << 32 | DJP_OP_INTEGER | 4 << 8; /* too short */
    ring[2] = 0;
    ring[3] = (uint64_t)(2u << 16 | 5) << 32 | DJP_OP_INTEGER | 4 << 8; /* of no span */
    ring[4] = 0;
    ring[5] = (uint64_t)(2u << 16 | 0x8000u) << 32 | DJP_OP_INTEGER | 8 << 8; /* slot 0 */
    ring[6] = five;
    ring[7] = DJP_OP_PAD;
    ring[8] = (uint64_t)(1u << 16) << 32 | DJP_OP_FALSE; /* behind what is none */
    ring[20] = (uint64_t)(1u << 16 | 1) << 32 | DJP_OP_TRUE; /* of the next slot */
    assert_int_equal(djp__oplog_replay_attributes(hand, 20, 21), 21);
    assert_int_equal(djp__oplog_span_at(hand, 0)->attributes, 0);
    assert_int_equal(djp__oplog_replay_attributes(hand, 0, 9), 7);
    assert_int_equal(hand->damaged, 1);
    assert_int_equal(djp__oplog_replay_attributes(hand, 5, 6), 5); /* it does not end there */
    assert_int_equal(djp__oplog_replay_attributes(hand, 5, 7), 7);
    assert_int_equal(djp__oplog_replay_attributes(hand, 7, 7), 7);
    ring[1023] = (uint64_t)(1u << 16) << 32 | DJP_OP_FALSE | 8 << 8; /* beyond the ring */
    assert_int_equal(djp__oplog_replay_attributes(hand, 1023, 1025), 1023);
    ring[1023] = (uint64_t)(1u << 16) << 32 | DJP_OP_FALSE;
    assert_int_equal(djp__oplog_replay_attributes(hand, 1023, 1024), 1024);
    djp__span_record *record = finish(0);
    assert_string_equal(span_reader_show(record, "a"), "b:0");
    assert_string_equal(span_reader_show(record, "b"), "i:5");
    free(record);
}

/* A payload of fixed bytes, and then values. */
/* Each attribute of a run ends with its last byte. */
static void
sizes_in_a_run_are_whole_units(void **state)
{
    (void)state;
    uint64_t *ring = (uint64_t *)(void *)((char *)djp_oplog_memory(hand) + DJP_OPLOG_CONTROL_BYTES);
    for (uint32_t size = 0; size < 200; size++) {
        uint32_t units = 1 + size / 8 + (size % 8 != 0);
        memset(ring, 0, 256);
        ring[0] = DJP_OP_TEXT | size << 8;
        assert_int_equal(djp__oplog_replay_attributes(hand, 0, units), units);
        assert_int_equal(djp__oplog_replay_attributes(hand, 0, units - 1), 0);
    }
}

static writer_value
fixed_of(const void *bytes, size_t size)
{
    writer_value value = {.size = 0};
    writer_value_add(&value, bytes, size);
    return value;
}

/* With each number of fewer bytes the operation costs one attribute. */
static void
put_exact(uint32_t kind, uint32_t word, const writer_value *value)
{
    for (size_t size = 0; size < value->size; size++) {
        assert_true(put(kind, word, value->bytes, size));
    }
    assert_true(put(kind, word, value->bytes, value->size));
}

static void
events_links_and_exceptions_are_whole(void **state)
{
    (void)state;
    open_root(0, 1);
    djp_span *span = djp__oplog_span_at(hand, 0);
    uint64_t anchor = (uint64_t)span->local->anchor, times[2] = {0, 5000};
    size_t short_ones = 0;
    writer_value event = fixed_of(times, 16);
    writer_value_string(&event, "event");
    writer_value_map(&event, 1);
    writer_value_key(&event, "n");
    writer_value_int(&event, 3);
    put_exact(DJP_OP_EVENT, 0, &event);
    short_ones += event.size;
    times[0] = 77;
    memcpy(event.bytes, times, 16);
    assert_true(put(DJP_OP_EVENT, 0, event.bytes, event.size));
    writer_value exception = fixed_of(&times[1], 8);
    writer_value_string(&exception, "Type");
    writer_value_string(&exception, "message");
    writer_value_string(&exception, "stack");
    writer_value_map(&exception, 1);
    writer_value_key(&exception, "n");
    writer_value_int(&exception, 4);
    put_exact(DJP_OP_EXCEPTION, 0, &exception);
    short_ones += exception.size;
    assert_true(put(DJP_OP_EXCEPTION, 1 << 16, exception.bytes, exception.size));
    assert_true(put(DJP_OP_EXCEPTION, 2 << 16, exception.bytes, exception.size));
    uint32_t ids[8] = {1, 2, 3, 4, 5, 6, 0x201, 0};
    writer_value link = fixed_of(ids, 32);
    writer_value_string(&link, "a=b");
    writer_value_map(&link, 1);
    writer_value_key(&link, "n");
    writer_value_int(&link, 5);
    put_exact(DJP_OP_LINK, 0, &link);
    short_ones += link.size;
    ids[6] = 0x101;
    memcpy(link.bytes, ids, 32);
    assert_true(put(DJP_OP_LINK, 0, link.bytes, link.size));
    assert_int_equal(span->record->dropped_attributes, short_ones);
    djp__span_record *record = finish(0);
    assert_int_equal(record->event_items, 5);
    const djp__item *item = span_reader_item(record, DJP_ITEM_EVENT, 0);
    const djp__event_head *head = djp__item_payload(item);
    assert_int_equal(head->time_unix_ns, 5000 + anchor);
    assert_true(djp__text_equal(span_reader_event_name(item), "event"));
    assert_string_equal(span_reader_show_in(item, "n"), "i:3");
    head = djp__item_payload(span_reader_item(record, DJP_ITEM_EVENT, 1));
    assert_int_equal(head->time_unix_ns, 77);
    for (unsigned i = 2; i < 5; i++) {
        item = span_reader_item(record, DJP_ITEM_EVENT, i);
        head = djp__item_payload(item);
        assert_int_equal(head->time_unix_ns, 5000 + anchor);
        assert_string_equal(span_reader_show_in(item, "exception.type"), "s:Type");
        assert_string_equal(span_reader_show_in(item, "exception.message"), "s:message");
        assert_string_equal(span_reader_show_in(item, "exception.stacktrace"), "s:stack");
        assert_string_equal(span_reader_show_in(item, "exception.escaped"), i == 3 ? "b:1" : "");
        assert_string_equal(span_reader_show_in(item, "n"), "i:4");
    }
    assert_int_equal(record->link_items, 2);
    for (unsigned i = 0; i < 2; i++) {
        item = span_reader_item(record, DJP_ITEM_LINK, i);
        const djp__link_head *to = djp__item_payload(item);
        assert_memory_equal(to->trace_id, "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 16);
        assert_memory_equal(to->span_id, "\0\0\0\5\0\0\0\6", 8);
        assert_int_equal(to->flags, i == 0 ? 0x301 : 0x101);
        assert_int_equal(to->state_size, 3);
        assert_memory_equal(to + 1, "a=b", 3);
        assert_string_equal(span_reader_show_in(item, "n"), "i:5");
    }
    free(record);
}

static void
values_and_maps_are_whole(void **state)
{
    (void)state;
    open_root(0, 1);
    define(1, "value");
    writer_value value = {.size = 0};
    writer_value_map(&value, 2);
    writer_value_key(&value, "x");
    writer_value_int(&value, 1);
    writer_value_key(&value, "y");
    writer_value_string(&value, "two");
    put_exact(DJP_OP_VALUE, 1 << 16, &value);
    put_exact(DJP_OP_KEYED, 0, &value);
    djp__span_record *record = finish(0);
    assert_string_equal(span_reader_show(record, "value"), "{x=i:1,y=s:two}");
    assert_string_equal(span_reader_show(record, "x"), "i:1");
    assert_string_equal(span_reader_show(record, "y"), "s:two");
    assert_int_equal(record->dropped_attributes, 2 * value.size);
    free(record);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_hand, tear_down_hand)
    const struct CMUnitTest tests[] = {
        CASE(plain_attributes_at_their_edges), CASE(a_run_of_attributes_skips_what_is_invalid),
        CASE(sizes_in_a_run_are_whole_units),  CASE(events_links_and_exceptions_are_whole),
        CASE(values_and_maps_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
