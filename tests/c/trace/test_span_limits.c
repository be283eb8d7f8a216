/* What a span does at its limits: counts, lengths, full records, repeated keys, bad text and no
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "span_fixture.h"

static void
bad_text_is_repaired_everywhere(void **state)
{
    (void)state;
    djp_span *span = djp_span_start(recorder, DJP_TEXT("n\xff"), NULL);
    djp_span_set_string(span, key("a"), DJP_TEXT("x\x80y"));
    djp_span_set_string(span, key("b"), DJP_TEXT("\xed\xa0\x80"));
    djp_attribute pair = {{"k\xfe", 2}, {.type = DJP_STRING, .as.text = {"v\xc3", 2}}};
    djp_value map = {.type = DJP_MAP, .as.map = {&pair, 1}};
    djp_span_set_value(span, key("m"), &map);
    djp_span_add_event(span, DJP_TEXT("e\xff"), 5, &pair, 1);
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("s\xff"));
    djp_span_set_string(span, djp_key_intern(DJP_TEXT("bad\xffkey")), DJP_TEXT("v"));
    djp__span_record *record = finish(span);
    assert_true(djp__text_equal(span_reader_name(record), "n\xef\xbf\xbd"));
    assert_string_equal(span_reader_show(record, "a"), "s:x\xef\xbf\xbdy");
    assert_string_equal(span_reader_show(record, "b"), "s:\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(span_reader_show(record, "m"), "{k\xef\xbf\xbd=s:v\xef\xbf\xbd}");
    assert_string_equal(span_reader_show(record, "bad\xef\xbf\xbdkey"), "s:v");
    const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
    assert_true(djp__text_equal(span_reader_event_name(event), "e\xef\xbf\xbd"));
    assert_string_equal(span_reader_show_in(event, "k\xef\xbf\xbd"), "s:v\xef\xbf\xbd");
    assert_true(djp__text_equal(span_reader_status_text(record), "s\xef\xbf\xbd"));
    free(record);
}

static void
length_limits_cut_text_and_bytes(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_value_length_limit = 3;
    with_options(options);
    djp_span *span = start("a long name is not cut");
    djp_span_set_string(span, key("ascii"), DJP_TEXT("abcdef"));
    djp_span_set_string(span, key("wide"),
                        DJP_TEXT("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"));
    djp_span_set_string(span, key("bad"), DJP_TEXT("\xff\xff\xff\xff\xff"));
    char *huge = malloc(10 << 20);
    memset(huge, 'h', 10 << 20);
    djp_span_set_string(span, key("huge"), (djp_text){huge, 10 << 20});
    djp_value items[] = {{.type = DJP_STRING, .as.text = {"wxyz", 4}},
                         {.type = DJP_BYTES, .as.text = {"1234", 4}}};
    djp_value array = {.type = DJP_ARRAY, .as.array = {items, 2}};
    djp_span_set_value(span, key("nested"), &array);
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "ascii"), "s:abc");
    assert_string_equal(span_reader_show(record, "wide"), "s:\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    assert_string_equal(span_reader_show(record, "bad"), "s:\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(span_reader_show(record, "huge"), "s:hhh");
    assert_string_equal(span_reader_show(record, "nested"), "[s:wxy,x:313233]");
    assert_int_equal(record->name_size, 22);
    free(record);
    free(huge);
}

static void
the_count_limit_drops_new_keys_and_updates_old_ones(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = 4;
    with_options(options);
    djp_span *span = start("limited");
    char name[16];
    for (int i = 0; i < 4; i++) {
        djp_span_set_int(span, key("repeated"), i);
    }
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "k%d", i);
        djp_span_set_int(span, key(name), i);
    }
    djp_span_set_string(span, key("k1"), DJP_TEXT("new value"));
    djp_value array = {.type = DJP_ARRAY, .as.array = {NULL, 0}};
    djp_span_set_value(span, key("k2"), &array);
    djp_span_set_value(span, key("k5"), &array);
    djp_span_set_string(span, key("repeated"), DJP_TEXT("\xff"));
    djp_span_set_int(span, 0, 5);
    djp_span_set_int(span, 0xfffffff0u, 5);
    djp_span_drop_attribute(span);
    djp__span_record *record = finish(span);
    assert_int_equal(record->attribute_items, 4);
    assert_string_equal(span_reader_show(record, "repeated"), "s:\xef\xbf\xbd");
    assert_string_equal(span_reader_show(record, "k0"), "i:0");
    assert_string_equal(span_reader_show(record, "k1"), "s:new value");
    assert_string_equal(span_reader_show(record, "k2"), "[]");
    assert_string_equal(span_reader_show(record, "k3"), "");
    assert_int_equal(record->dropped_attributes, 3 + 1 + 2 + 1);
    free(record);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.dropped_attributes, 7);
}

static void
a_limit_of_nothing_keeps_nothing(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = options.event_count_limit = options.link_count_limit = 0;
    with_options(options);
    djp_span *span = start("none");
    djp_span_set_int(span, key("a"), 1);
    djp_span_set_string(span, key("a"), DJP_TEXT("\xff"));
    djp_span_add_event(span, DJP_TEXT("e"), 0, NULL, 0);
    djp_span_context context;
    djp_span_get_context(&context, span);
    djp_span_add_link(span, &context, NULL, 0);
    djp__span_record *record = finish(span);
    assert_int_equal(record->attribute_items + record->event_items + record->link_items, 0);
    assert_int_equal(record->dropped_attributes, 2);
    assert_int_equal(record->dropped_events, 1);
    assert_int_equal(record->dropped_links, 1);
    free(record);
}

static void
the_last_of_many_values_wins_in_bounded_memory(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = UINT32_MAX;
    with_options(options);
    static char text[4096];
    memset(text, 't', sizeof text);
    djp_span *span = start("progress");
    for (int i = 0; i < 100000; i++) {
        djp_span_set_int(span, key("progress"), i);
        if (i % 10 == 0) {
            djp_span_set_string(span, key("text"), (djp_text){text, (size_t)(i % 4096)});
        }
        if (i % 1000 == 0) {
            djp_span_update_name(span, (djp_text){text, (size_t)(i / 100)});
        }
    }
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "progress"), "i:99999");
    assert_int_equal(djp__item_size(span_reader_attribute(record, "text")), 99990 % 4096);
    assert_int_equal(record->name_size, 990);
    assert_int_equal(record->dropped_attributes, 0);
    free(record);
}

static void
ten_thousand_attributes_are_bounded(void **state)
{
    (void)state;
    djp_span *span = start("many");
    char name[16];
    for (int i = 0; i < 10000; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "many.%d", i);
        djp_span_set_int(span, djp_key_intern((djp_text){name, size}), i);
    }
    djp__span_record *record = finish(span);
    assert_int_equal(record->attribute_items, 128);
    assert_int_equal(record->dropped_attributes, 10000 - 128);
    assert_string_equal(span_reader_show(record, "many.127"), "i:127");
    free(record);
}

static void
what_does_not_fit_a_record_is_counted(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 64 << 10; /* records of 16 KiB at most */
    with_options(options);
    char *huge = malloc(10 << 20);
    memset(huge, 'h', 10 << 20);
    djp_span *span = djp_span_start(recorder, (djp_text){huge, 10 << 20}, NULL);
    djp_span_set_string(span, key("fits"), (djp_text){huge, 3000});
    djp_value bytes = {.type = DJP_BYTES, .as.text = {huge, 10 << 20}};
    djp_span_set_value(span, key("bytes"), &bytes);
    djp_span_set_string(span, key("huge"), (djp_text){huge, 10 << 20});
    djp_span_set_string(span, key("next"), (djp_text){huge, 10 << 20});
    huge[5] = '\xff';
    djp_span_set_string(span, key("bad"), (djp_text){huge, 10 << 20});
    djp_value many = {.type = DJP_ARRAY};
    djp_value *items = calloc(100000, sizeof *items);
    many.as.array.items = items;
    many.as.array.count = 100000;
    djp_span_set_value(span, key("array"), &many);
    djp_span_add_event(span, DJP_TEXT("fits"), 0, NULL, 0);
    djp_attribute big = {{"big", 3}, {.type = DJP_STRING, .as.text = {huge, 1 << 20}}};
    djp_span_add_event(span, DJP_TEXT("attribute is cut"), 0, &big, 1);
    djp_span_set_int(span, key("after"), 1);
    djp__span_record *record = finish(span);
    assert_int_equal(record->name_size, 4096);
    assert_int_equal(djp__item_size(span_reader_attribute(record, "fits")), 3000);
    /* A text that does not fit is cut to half of what is left. */
    assert_in_range(djp__item_size(span_reader_attribute(record, "huge")), 3500, 5000);
    assert_in_range(djp__item_size(span_reader_attribute(record, "next")), 1700, 2500);
    assert_in_range(djp__item_size(span_reader_attribute(record, "bad")), 200, 1250);
    assert_string_equal(span_reader_show(record, "after"), "i:1");
    assert_int_equal(record->dropped_attributes, 2); /* bytes and the array are whole or nothing */
    assert_int_equal(record->event_items, 2);
    assert_int_equal(
        ((const djp__event_head *)djp__item_payload(span_reader_item(record, DJP_ITEM_EVENT, 1)))
            ->dropped_attributes,
        0);
    assert_true(record->size <= 16 << 10);
    free(record);
    free(items);
    free(huge);
}

static void
no_memory_loses_values_not_the_process(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'm', sizeof text);
    djp_attribute many[60];
    for (int i = 0; i < 60; i++) {
        many[i] = (djp_attribute){{"oom", 3}, {.type = DJP_INT, .as.integer = i}};
    }
    for (long n = 1; n < 12; n++) {
        djp__alloc_fail_after(n);
        djp_span *span = start("oom");
        djp_span_options options = {.parent = span};
        djp_span *child =
            span != NULL ? djp_span_start(recorder, DJP_TEXT("child"), &options) : NULL;
        djp_span_set_string(span, key("oom.a"), (djp_text){text, sizeof text});
        djp_span_set_string(span, key("oom.b"), (djp_text){text, sizeof text});
        djp_span_add_event(span, (djp_text){text, sizeof text}, 0, many, 60);
        djp_span_record_exception(span, djp__text("T"), djp__text("m"), djp__text("s"), 0, many,
                                  60);
        djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){text, sizeof text});
        djp_span_end(child, 0);
        djp_span_end(span, 0);
        djp_span_release(child);
        djp_span_release(span);
        djp__alloc_fail_after(0);
        span_reader_drain(recorder);
    }
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_true(counters.dropped_attributes > 0);
    assert_int_equal(counters.started, counters.ended);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(bad_text_is_repaired_everywhere),
        CASE(length_limits_cut_text_and_bytes),
        CASE(the_count_limit_drops_new_keys_and_updates_old_ones),
        CASE(a_limit_of_nothing_keeps_nothing),
        CASE(the_last_of_many_values_wins_in_bounded_memory),
        CASE(ten_thousand_attributes_are_bounded),
        CASE(what_does_not_fit_a_record_is_counted),
        CASE(no_memory_loses_values_not_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
