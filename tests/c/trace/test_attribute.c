/* Attributes: the fast way and the slow way say the same at every size, what is dropped is counted,
 * and the limits hold at their edges. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "span_fixture.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

static void
every_kind_of_value_is_kept(void **state)
{
    (void)state;
    djp_span *span = start("values");
    djp_span_set_string(span, key("s"), DJP_TEXT("h\xc3\xa9llo"));
    djp_span_set_string(span, key("empty"), DJP_TEXT(""));
    djp_span_set_string(span, key("null"), (djp_text){NULL, 5});
    djp_span_set_int(span, key("i"), INT64_MIN);
    djp_span_set_double(span, key("d"), -0.5);
    djp_span_set_double(span, key("nan"), NAN);
    djp_span_set_bool(span, key("b"), 7);
    djp_span_set_bool(span, key("no"), 0);
    djp_value bytes = {.type = DJP_BYTES, .as.text = {"\x00\xff\x80", 3}};
    djp_span_set_value(span, key("x"), &bytes);
    djp_value none = {.type = DJP_EMPTY};
    djp_span_set_value(span, key("none"), &none);
    djp_value inner[] = {{.type = DJP_INT, .as.integer = 1},
                         {.type = DJP_STRING, .as.text = {"a", 1}},
                         {.type = DJP_BOOL, .as.boolean = 0},
                         {.type = DJP_EMPTY}};
    djp_value array = {.type = DJP_ARRAY, .as.array = {inner, 4}};
    djp_span_set_value(span, key("array"), &array);
    djp_attribute pairs[] = {{{"k", 1}, array}, {{"n", 1}, {.type = DJP_DOUBLE, .as.real = 2}}};
    djp_value map = {.type = DJP_MAP, .as.map = {pairs, 2}};
    djp_span_set_value(span, key("map"), &map);
    djp_value hollow = {.type = DJP_ARRAY, .as.array = {NULL, 3}};
    djp_span_set_value(span, key("hollow"), &hollow);
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "s"), "s:h\xc3\xa9llo");
    assert_string_equal(span_reader_show(record, "empty"), "s:");
    assert_string_equal(span_reader_show(record, "null"), "s:");
    assert_string_equal(span_reader_show(record, "i"), "i:-9223372036854775808");
    assert_string_equal(span_reader_show(record, "d"), "d:-0.5");
    assert_non_null(strstr(span_reader_show(record, "nan"), "nan"));
    assert_string_equal(span_reader_show(record, "b"), "b:1");
    assert_string_equal(span_reader_show(record, "no"), "b:0");
    assert_string_equal(span_reader_show(record, "x"), "x:00ff80");
    assert_string_equal(span_reader_show(record, "none"), "-");
    assert_string_equal(span_reader_show(record, "array"), "[i:1,s:a,b:0,-]");
    assert_string_equal(span_reader_show(record, "map"), "{k=[i:1,s:a,b:0,-],n=d:2}");
    assert_string_equal(span_reader_show(record, "hollow"), "[]");
    assert_int_equal(record->attribute_items, 13);
    assert_int_equal(record->dropped_attributes, 0);
    free(record);
}

static void
strings_of_every_length_come_back(void **state)
{
    (void)state;
    char text[700];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + i % 26);
    }
    for (size_t size = 0; size < sizeof text; size++) {
        djp_span *span = djp_span_start(recorder, (djp_text){text, size}, NULL);
        char *exact = malloc(size + 1); /* so that reading beyond the end is seen */
        memcpy(exact, text, size);
        djp_span_set_string(span, key("text"), (djp_text){exact, size});
        free(exact);
        djp__span_record *record = finish(span);
        const djp__item *item = span_reader_attribute(record, "text");
        assert_int_equal(djp__item_size(item), size);
        assert_memory_equal(djp__item_payload(item), text, size);
        assert_int_equal(record->name_size, size);
        free(record);
    }
}

/* The slow way: at the count limit, in a full record, with text that is not ASCII. Its values are
 * those of the fast way. */
static void
the_slow_way_writes_the_same(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = 5;
    with_options(options);
    djp_span *span = start("slow");
    static const char *const names[] = {"s", "i", "d", "yes", "no"};
    for (int i = 0; i < 5; i++) {
        djp_span_set_int(span, key(names[i]), 100);
    }
    djp_span_set_string(span, key("s"), DJP_TEXT("text"));
    djp_span_set_int(span, key("i"), -7);
    djp_span_set_double(span, key("d"), 2.5);
    djp_span_set_bool(span, key("yes"), 3);
    djp_span_set_bool(span, key("no"), 0);
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "s"), "s:text");
    assert_string_equal(span_reader_show(record, "i"), "i:-7");
    assert_string_equal(span_reader_show(record, "d"), "d:2.5");
    assert_string_equal(span_reader_show(record, "yes"), "b:1");
    assert_string_equal(span_reader_show(record, "no"), "b:0");
    assert_int_equal(record->attribute_items, 5);
    assert_int_equal(record->dropped_attributes, 0);
    free(record);
}

/* The last byte of the block is used before the heap is. */
static void
a_block_is_used_to_its_end(void **state)
{
    (void)state;
    static char text[DJP__SPAN_ITEM_BYTES];
    memset(text, 't', sizeof text);
    for (size_t rest = 0; rest <= 24; rest += 8) { /* bytes left behind the text */
        djp_span *span = start("a");
        size_t room = span->capacity - span->used - sizeof(djp__item) - rest;
        djp_span_set_string(span, key("long"), (djp_text){text, room});
        assert_int_equal(span->used, DJP__SPAN_INLINE_BYTES - rest);
        assert_ptr_equal(span->record, span->space);
        djp_span_set_int(span, key("i"), 5); /* takes 16 bytes */
        assert_int_equal(span->record == (void *)span->space, rest >= 16);
        djp__span_record *record = finish(span);
        assert_string_equal(span_reader_show(record, "i"), "i:5");
        assert_int_equal(djp__item_size(span_reader_attribute(record, "long")), room);
        free(record);
    }
}

/* ---- limits ---- */

static void
the_length_limit_holds_at_its_edge(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_value_length_limit = 10;
    with_options(options);
    for (size_t size = 9; size <= 12; size++) {
        djp_span *span = start("length");
        djp_span_set_string(span, key("ascii"), (djp_text){"abcdefghijkl", size});
        djp__span_record *record = finish(span);
        assert_int_equal(djp__item_size(span_reader_attribute(record, "ascii")),
                         size < 10 ? size : 10);
        free(record);
    }
}

static void
the_count_limit_holds_at_its_edge(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit <= 3; limit++) {
        djp__recorder_options options = span_reader_options();
        options.attribute_count_limit = limit;
        with_options(options);
        djp_span *span = start("count");
        static const char *const names[] = {"a", "b", "c", "d"};
        for (uint32_t i = 0; i < 4; i++) {
            djp_span_set_int(span, key(names[i]), i);
        }
        djp__span_record *record = finish(span);
        assert_int_equal(record->attribute_items, limit);
        assert_int_equal(record->dropped_attributes, 4 - limit);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(span_reader_attribute(record, names[i]) != NULL, i < limit);
        }
        free(record);
    }
}

static void
unknown_keys_are_dropped(void **state)
{
    (void)state;
    djp_span *span = start("keys");
    static const djp_key keys[] = {0, DJP_KEY_LIMIT + 1, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        djp_value value = {.type = DJP_INT};
        djp_span_set_int(span, keys[i], 1);
        djp_span_set_double(span, keys[i], 1);
        djp_span_set_bool(span, keys[i], 1);
        djp_span_set_string(span, keys[i], DJP_TEXT("x"));
        djp_span_set_value(span, keys[i], &value);
    }
    assert_int_equal(span->attributes, 0);
    djp__span_record *record = finish(span);
    assert_int_equal(record->attribute_items, 0);
    assert_int_equal(record->dropped_attributes, 15);
    free(record);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.dropped_attributes, 15);
}

static void
dropped_attributes_are_counted(void **state)
{
    (void)state;
    djp_span *span = start("dropped");
    djp_span_drop_attribute(span);
    djp_span_set_value(span, key("none"), NULL);
    djp_value unknown = {.type = (djp_value_type)77};
    djp_span_set_value(span, key("unknown"), &unknown);
    assert_int_equal(span->record->dropped_attributes, 3);
    span->record->dropped_attributes = UINT32_MAX - 1;
    djp_span_drop_attribute(span);
    djp_span_drop_attribute(span); /* the count does not begin again */
    assert_int_equal(span->record->dropped_attributes, UINT32_MAX);
    span->record->dropped_attributes = 0;
    djp_span_end(span, 0);
    djp_span_drop_attribute(span);
    djp_span_set_value(span, key("late"), NULL);
    djp_span_set_string(span, 0, DJP_TEXT("late"));
    djp_span_set_int(span, 0, 1);
    assert_int_equal(span->record->dropped_attributes, 0);
    djp_span_release(span);
    span_reader_drain(recorder);
}

/* A record of 1 KiB at most: ring_bytes / 4. */
static void
use_small_records(void)
{
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 4096;
    with_options(options);
}

/* In a full record the values of a repeated key make room for the next one; without any, the new
 * value is dropped and the record stays as it was. */
static void
a_full_record_is_tidied_first(void **state)
{
    (void)state;
    char text[200];
    memset(text, 't', sizeof text);
    for (int repeated = 0; repeated < 2; repeated++) {
        use_small_records();
        djp_span *span = start("full");
        djp_value bytes = {.type = DJP_BYTES, .as.text = {text, sizeof text}};
        static const char *const names[] = {"a", "b", "c", "d"};
        int set = 0;
        for (uint32_t before = 0; before != span->used && set < 20; set++) {
            before = span->used;
            djp_span_set_value(span, key(names[repeated ? 0 : set % 4]), &bytes);
        }
        uint32_t used = span->used;
        assert_true(used <= 1024);
        djp_span_set_value(span, key("last"), &bytes);
        assert_int_equal(span->record->dropped_attributes, repeated ? 0 : 2);
        djp__span_record *record = finish(span);
        assert_int_equal(span_reader_attribute(record, "last") != NULL, repeated);
        assert_non_null(span_reader_attribute(record, "a"));
        assert_true(record->size <= 1024);
        free(record);
    }
}

/* The memory of values that were replaced is used again before the record grows. */
static void
replaced_values_need_no_growth(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = 2;
    with_options(options);
    djp_span *span = start("progress");
    djp_span_set_int(span, key("other"), 1);
    for (int i = 0; i < 10000; i++) {
        djp_span_set_int(span, key("progress"), i);
        assert_ptr_equal(span->record, span->space);
    }
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "progress"), "i:9999");
    assert_string_equal(span_reader_show(record, "other"), "i:1");
    assert_int_equal(record->dropped_attributes, 0);
    free(record);
}

/* ---- the attribute `error` ---- */

static void
error_sets_the_status(void **state)
{
    (void)state;
    static const struct {
        int by_value, set, before, after;
    } cases[] = {
        {0, 1, DJP_STATUS_UNSET, DJP_STATUS_ERROR}, {0, 0, DJP_STATUS_UNSET, DJP_STATUS_UNSET},
        {1, 1, DJP_STATUS_UNSET, DJP_STATUS_ERROR}, {1, 0, DJP_STATUS_UNSET, DJP_STATUS_UNSET},
        {0, 1, DJP_STATUS_OK, DJP_STATUS_OK},       {1, 1, DJP_STATUS_OK, DJP_STATUS_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_span *span = start("error");
        djp_value value = {.type = DJP_BOOL, .as.boolean = cases[i].set};
        djp_span_set_status(span, (djp_status_code)cases[i].before, (djp_text){NULL, 0});
        if (cases[i].by_value) {
            djp_span_set_value(span, key("error"), &value);
        } else {
            djp_span_set_bool(span, key("error"), cases[i].set);
        }
        djp__span_record *record = finish(span);
        assert_int_equal(record->status, cases[i].after);
        assert_string_equal(span_reader_show(record, "error"), cases[i].set ? "b:1" : "b:0");
        free(record);
    }
    djp_span *span = start("other");
    djp_value text = {.type = DJP_STRING, .as.text = {"true", 4}}, number = {.type = DJP_INT};
    number.as.integer = 1;
    djp_span_set_bool(span, key("other"), 1);
    djp_span_set_value(span, key("error"), &text); /* no truth value */
    djp_span_set_value(span, key("error"), &number);
    djp_span_set_value(NULL, key("error"), &number);
    djp_span_set_bool(NULL, key("error"), 1);
    djp__span_record *record = finish(span);
    assert_int_equal(record->status, DJP_STATUS_UNSET);
    free(record);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(every_kind_of_value_is_kept),
        CASE(strings_of_every_length_come_back),
        CASE(the_slow_way_writes_the_same),
        CASE(a_block_is_used_to_its_end),
        CASE(the_length_limit_holds_at_its_edge),
        CASE(the_count_limit_holds_at_its_edge),
        CASE(unknown_keys_are_dropped),
        CASE(dropped_attributes_are_counted),
        CASE(a_full_record_is_tidied_first),
        CASE(replaced_values_need_no_growth),
        CASE(error_sets_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
