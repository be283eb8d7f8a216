/* What a single span keeps: times, ids, every kind of value, events, links, exceptions, status and
 * name. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "span_fixture.h"

static void
a_root_has_ids_times_and_a_name(void **state)
{
    (void)state;
    djp_span_options options = {.scope = 0, .kind = DJP_KIND_SERVER};
    uint64_t before = djp__clock_realtime(), begun = djp__clock_monotonic();
    djp_span *span = djp_span_start(recorder, DJP_TEXT("GET /orders"), &options);
    djp_span_context context;
    djp_span_get_context(&context, span);
    assert_true(djp_span_context_is_valid(&context));
    assert_int_equal(context.flags, DJP_FLAG_SAMPLED | DJP_FLAG_RANDOM);
    assert_int_equal(context.is_remote, 0);
    assert_int_equal(djp_span_is_recording(span), 1);
    uint64_t monotonic = djp_span_start_monotonic_ns(span);
    struct timespec nap = {0, 2000000};
    nanosleep(&nap, NULL);
    uint64_t duration = djp_span_end(span, 0);
    assert_true(duration >= 2000000 && duration <= djp__clock_monotonic() - begun);
    assert_true(djp__clock_monotonic() >= monotonic + duration);
    assert_int_equal(djp_span_is_recording(span), 0);
    assert_int_equal(djp_span_end(span, 0), 0); /* a second end does nothing */
    djp_span_release(span);
    djp__span_record *record = span_reader_take(recorder);
    assert_memory_equal(record->trace_id, context.trace_id, 16);
    assert_memory_equal(record->span_id, context.span_id, 8);
    assert_memory_equal(record->parent_id, "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(record->end_unix_ns - record->start_unix_ns, duration);
    assert_true(record->start_unix_ns + 1000000 > before &&
                record->end_unix_ns < djp__clock_realtime() + 1000000);
    assert_int_equal(record->kind, DJP_KIND_SERVER);
    assert_int_equal(record->trace_flags, context.flags);
    assert_int_equal(record->local_root, 1);
    assert_int_equal(record->reason, DJP_REASON_ALWAYS);
    assert_true(record->threshold == DJP__THRESHOLD_NONE);
    assert_true(djp__text_equal(span_reader_name(record), "GET /orders"));
    free(record);
    assert_null(span_reader_take(recorder));
}

static void
given_times_are_kept(void **state)
{
    (void)state;
    djp_span_options options = {.start_unix_ns = 1000};
    djp_span *span = djp_span_start(recorder, DJP_TEXT("a"), &options);
    assert_int_equal(djp_span_end(span, 1500), 500);
    djp_span_release(span);
    span = djp_span_start(recorder, DJP_TEXT("b"), &options);
    assert_int_equal(djp_span_end(span, 10), 0); /* moved to the start */
    djp_span_release(span);
    span = djp_span_start(recorder, DJP_TEXT("c"), &options);
    assert_true(djp_span_end(span, 0) > 1600000000ull * 1000000000u);
    djp_span_release(span);
    for (int i = 0; i < 3; i++) {
        djp__span_record *record = span_reader_take(recorder);
        assert_int_equal(record->start_unix_ns, 1000);
        assert_true(i != 0 || record->end_unix_ns == 1500);
        assert_true(i != 1 || record->end_unix_ns == 1000);
        free(record);
    }
}

static void
children_continue_their_parent(void **state)
{
    (void)state;
    djp_span *parent = start("parent");
    djp_span_options options = {.parent = parent, .kind = DJP_KIND_CLIENT};
    djp_span *child = djp_span_start(recorder, DJP_TEXT("child"), &options);
    djp_span_context above, below;
    djp_span_get_context(&above, parent);
    djp_span_get_context(&below, child);
    assert_memory_equal(above.trace_id, below.trace_id, 16);
    assert_memory_not_equal(above.span_id, below.span_id, 8);
    djp_span_end(parent, 0);
    djp__span_record *record = span_reader_take(recorder);
    free(record);
    /* An ended parent is still a parent; a released one leaves its children whole. */
    djp_span *late = djp_span_start(recorder, DJP_TEXT("late"), &options);
    options.force_root = 1;
    djp_span *other = djp_span_start(recorder, DJP_TEXT("other"), &options);
    djp_span_release(parent);
    djp_span *const spans[] = {child, late, other};
    for (int i = 0; i < 3; i++) {
        djp_span_end(spans[i], 0);
        record = span_reader_take(recorder);
        assert_int_equal(memcmp(record->trace_id, above.trace_id, 16) == 0, i < 2);
        assert_int_equal(memcmp(record->parent_id, above.span_id, 8) == 0, i < 2);
        assert_int_equal(record->local_root, i == 2);
        assert_int_equal(record->parent_remote, 0);
        free(record);
        djp_span_release(spans[i]);
    }
}

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
    assert_string_equal(span_reader_show(record, "x"), "x:00ff80");
    assert_string_equal(span_reader_show(record, "none"), "-");
    assert_string_equal(span_reader_show(record, "array"), "[i:1,s:a,b:0,-]");
    assert_string_equal(span_reader_show(record, "map"), "{k=[i:1,s:a,b:0,-],n=d:2}");
    assert_string_equal(span_reader_show(record, "hollow"), "[]");
    assert_int_equal(record->attribute_items, 12);
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

static void
nesting_ends_at_the_depth_limit(void **state)
{
    (void)state;
    enum { LEVELS = 200 };
    djp_value values[LEVELS + 1];
    values[LEVELS] = (djp_value){.type = DJP_INT, .as.integer = 1};
    for (int i = LEVELS; i-- > 0;) {
        values[i] = (djp_value){.type = DJP_ARRAY, .as.array = {&values[i + 1], 1}};
    }
    djp_span *span = start("deep");
    djp_span_set_value(span, key("deep"), &values[0]);
    djp_span_set_value(span, key("fits"), &values[LEVELS - DJP_VALUE_DEPTH_MAX]);
    djp__span_record *record = finish(span);
    const djp__item *item = span_reader_attribute(record, "deep");
    int depth = 0;
    for (; djp__item_type(item) == DJP_ARRAY; depth++) {
        item = djp__item_payload(item);
    }
    assert_int_equal(depth, DJP_VALUE_DEPTH_MAX);
    assert_int_equal(djp__item_type(item), DJP_EMPTY);
    assert_non_null(strstr(span_reader_show(record, "fits"), "i:1"));
    free(record);
}

static void
status_follows_its_rules(void **state)
{
    (void)state;
    static const struct {
        const char *steps; /* U, E, O */
        int status;
        const char *text;
    } cases[] = {
        {"", 0, ""},     {"U", 0, ""},   {"E", 2, "E0"},     {"EE", 2, "E1"},
        {"EU", 2, "E0"}, {"O", 1, ""},   {"OE", 1, ""},      {"EO", 1, ""},
        {"OU", 1, ""},   {"EOE", 1, ""}, {"EEEEU", 2, "E3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_span *span = start("status");
        for (size_t k = 0; cases[i].steps[k]; k++) {
            char c = cases[i].steps[k];
            char text[3] = {c, (char)('0' + k), 0};
            djp_span_set_status(span,
                                c == 'U'   ? DJP_STATUS_UNSET
                                : c == 'O' ? DJP_STATUS_OK
                                           : DJP_STATUS_ERROR,
                                (djp_text){text, 2});
        }
        djp_span_set_status(span, (djp_status_code)77, DJP_TEXT("odd"));
        djp__span_record *record = finish(span);
        assert_int_equal(record->status, cases[i].status);
        assert_true(djp__text_equal(span_reader_status_text(record), cases[i].text));
        free(record);
    }
}

static void
names_may_change_until_the_end(void **state)
{
    (void)state;
    djp_span *span = start("first");
    djp_span_update_name(span, DJP_TEXT("second name, longer"));
    djp_span_set_int(span, key("i"), 3);
    djp_span_update_name(span, (djp_text){NULL, 3});
    djp_span_update_name(span, DJP_TEXT("third"));
    djp_span_end(span, 0);
    djp_span_update_name(span, DJP_TEXT("too late"));
    djp_span_set_int(span, key("late"), 3);
    djp_span_add_event(span, DJP_TEXT("late"), 0, NULL, 0);
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("late"));
    djp_span_release(span);
    djp__span_record *record = span_reader_take(recorder);
    assert_true(djp__text_equal(span_reader_name(record), "third"));
    assert_int_equal(record->attribute_items, 1);
    assert_int_equal(record->event_items + record->status + record->dropped_attributes, 0);
    free(record);
}

static void
links_without_ids_are_kept_for_what_they_say(void **state)
{
    (void)state;
    djp_attribute pair = {{"a", 1}, {.type = DJP_INT, .as.integer = 1}};
    djp_span_context empty = {.flags = 0}, stated = {.flags = 0};
    djp_header field = {"vendor=x", 8};
    assert_int_equal(djp_tracestate_parse(&stated.state, &field, 1), 1);
    djp_span *span = start("linked");
    djp_span_add_link(span, &empty, NULL, 0);
    djp_span_add_link(span, NULL, &pair, 1);
    djp_span_add_link(span, &empty, &pair, 1);
    djp_span_add_link(span, &stated, NULL, 0);
    djp__span_record *record = finish(span);
    assert_int_equal(record->link_items, 2);
    assert_int_equal(record->dropped_links, 2);
    assert_string_equal(span_reader_show_in(span_reader_item(record, DJP_ITEM_LINK, 0), "a"),
                        "i:1");
    const djp__link_head *to = djp__item_payload(span_reader_item(record, DJP_ITEM_LINK, 1));
    assert_int_equal(to->state_size, 8);
    assert_memory_equal(to->trace_id, empty.trace_id, 16);
    free(record);
    djp_span_context_clear(&stated);
}

static void
events_and_links_keep_their_own_attributes(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.event_attribute_count_limit = 2;
    options.link_attribute_count_limit = 1;
    options.event_count_limit = 2;
    options.link_count_limit = 1;
    with_options(options);
    djp_attribute pairs[] = {
        {{"a", 1}, {.type = DJP_INT, .as.integer = 1}},
        {{"b", 1}, {.type = DJP_INT, .as.integer = 2}},
        {{"a", 1}, {.type = DJP_INT, .as.integer = 3}},
        {{"", 0}, {.type = DJP_INT, .as.integer = 4}},
        {{NULL, 9}, {.type = DJP_INT, .as.integer = 5}},
        {{"c", 1}, {.type = DJP_INT, .as.integer = 6}},
    };
    djp_span *span = start("grouped");
    djp_span_add_event(span, DJP_TEXT("one"), 77, pairs, 6);
    uint64_t before = djp__clock_realtime();
    djp_span_add_event(span, (djp_text){NULL, 0}, 0, NULL, 4);
    djp_span_add_event(span, DJP_TEXT("three"), 0, NULL, 0);
    djp_span_context context = {.trace_id = {1}, .span_id = {2}, .flags = 3, .is_remote = 1};
    djp_header field = {"vendor=x", 8};
    assert_int_equal(djp_tracestate_parse(&context.state, &field, 1), 1);
    djp_span_add_link(span, &context, pairs, 2);
    djp_span_add_link(span, &context, NULL, 0);
    djp_span_add_link(span, NULL, NULL, 0);
    djp__span_record *record = finish(span);
    const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
    const djp__event_head *head = djp__item_payload(event);
    assert_int_equal(head->time_unix_ns, 77);
    assert_int_equal(head->dropped_attributes, 3);
    assert_int_equal(span_reader_count_in(event), 2);
    assert_string_equal(span_reader_show_in(event, "b"), "i:2");
    assert_string_equal(span_reader_show_in(event, "a"), "i:3");
    head = djp__item_payload(span_reader_item(record, DJP_ITEM_EVENT, 1));
    assert_true(head->time_unix_ns + 1000000 > before && head->time_unix_ns < before + 1000000000);
    assert_int_equal(record->event_items, 2);
    assert_int_equal(record->dropped_events, 1);
    const djp__item *link = span_reader_item(record, DJP_ITEM_LINK, 0);
    const djp__link_head *to = djp__item_payload(link);
    assert_memory_equal(to->trace_id, context.trace_id, 16);
    assert_memory_equal(to->span_id, context.span_id, 8);
    assert_int_equal(to->flags, 0x303);
    assert_int_equal(to->dropped_attributes, 1);
    assert_int_equal(to->state_size, 8);
    assert_memory_equal(to + 1, "vendor=x", 8);
    assert_string_equal(span_reader_show_in(link, "a"), "i:1");
    assert_int_equal(record->dropped_links, 2);
    free(record);
    djp_span_context_clear(&context);
}

static void
exceptions_are_events(void **state)
{
    (void)state;
    djp_span *span = start("failing");
    djp_text none = {NULL, 0};
    djp_attribute own[40];
    for (int i = 0; i < 40; i++) {
        own[i] = (djp_attribute){{"extra", 5}, {.type = DJP_INT, .as.integer = i}};
    }
    own[0] =
        (djp_attribute){{"exception.message", 17}, {.type = DJP_STRING, .as.text = {"mine", 4}}};
    djp_span_record_exception(span, djp__text("ValueError"), djp__text("theirs"),
                              djp__text("at line 1"), 1, own, 2);
    djp_span_record_exception(span, djp__text("E"), none, none, 0, NULL, 5);
    djp_span_record_exception(span, djp__text("E"), none, none, 0, own, 40);
    char *huge = malloc(10 << 20);
    memset(huge, 'm', 10 << 20);
    djp_text huge_text = {huge, 10 << 20};
    djp_span_record_exception(span, huge_text, huge_text, huge_text, 0, NULL, 0);
    djp__span_record *record = finish(span);
    const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
    assert_true(djp__text_equal(span_reader_event_name(event), "exception"));
    assert_string_equal(span_reader_show_in(event, "exception.type"), "s:ValueError");
    assert_string_equal(span_reader_show_in(event, "exception.message"), "s:mine");
    assert_string_equal(span_reader_show_in(event, "exception.stacktrace"), "s:at line 1");
    assert_string_equal(span_reader_show_in(event, "exception.escaped"), "b:1");
    assert_string_equal(span_reader_show_in(event, "extra"), "i:1");
    event = span_reader_item(record, DJP_ITEM_EVENT, 1);
    assert_int_equal(span_reader_count_in(event), 1);
    event = span_reader_item(record, DJP_ITEM_EVENT, 2);
    assert_string_equal(span_reader_show_in(event, "extra"), "i:39");
    assert_int_equal(span_reader_count_in(span_reader_item(record, DJP_ITEM_EVENT, 3)), 3);
    assert_int_equal(record->status, DJP_STATUS_UNSET);
    free(record);
    free(huge);
}

static void
null_does_nothing(void **state)
{
    (void)state;
    djp_span_context context;
    memset(&context, 0xff, sizeof context);
    djp_text none = {NULL, 0};
    assert_null(djp_span_start(NULL, DJP_TEXT("x"), NULL));
    assert_int_equal(djp_span_end(NULL, 0), 0);
    djp_span_release(NULL);
    assert_int_equal(djp_span_is_recording(NULL), 0);
    djp_span_get_context(&context, NULL);
    assert_false(djp_span_context_is_valid(&context));
    assert_int_equal(djp_span_start_monotonic_ns(NULL), 0);
    djp_span_set_string(NULL, 1, DJP_TEXT("x"));
    djp_span_set_int(NULL, 1, 1);
    djp_span_set_double(NULL, 1, 1);
    djp_span_set_bool(NULL, 1, 1);
    djp_span_set_value(NULL, 1, NULL);
    djp_span_drop_attribute(NULL);
    djp_span_update_name(NULL, DJP_TEXT("x"));
    djp_span_set_status(NULL, DJP_STATUS_OK, (djp_text){NULL, 0});
    djp_span_add_event(NULL, DJP_TEXT("x"), 0, NULL, 0);
    djp_span_add_link(NULL, NULL, NULL, 0);
    djp_span_record_exception(NULL, none, none, none, 0, NULL, 0);
    djp_span_options options = {.kind = 200, .remote = &context};
    djp_span *span = djp_span_start(recorder, (djp_text){NULL, 10}, &options);
    djp_span_set_value(span, key("v"), NULL);
    djp_value odd = {.type = (djp_value_type)99};
    djp_span_set_value(span, key("v"), &odd);
    djp__span_record *record = finish(span);
    assert_int_equal(record->kind, DJP_KIND_INTERNAL);
    assert_int_equal(record->name_size, 0);
    assert_int_equal(record->dropped_attributes, 2);
    free(record);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_root_has_ids_times_and_a_name),
        CASE(given_times_are_kept),
        CASE(children_continue_their_parent),
        CASE(every_kind_of_value_is_kept),
        CASE(strings_of_every_length_come_back),
        CASE(nesting_ends_at_the_depth_limit),
        CASE(status_follows_its_rules),
        CASE(names_may_change_until_the_end),
        CASE(links_without_ids_are_kept_for_what_they_say),
        CASE(events_and_links_keep_their_own_attributes),
        CASE(exceptions_are_events),
        CASE(null_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
