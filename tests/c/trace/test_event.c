/* Events, links and exceptions: what they keep, their limits at the edges, and that one without
 * room or memory is dropped as a whole and counted. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "heap.h"
#include "span_fixture.h"
#include "trace/span_block.h"
#include "trace/span_seed.h"

enum { NAME_MAX_BYTES = 4096, STACK = 32, ATTRIBUTES_MAX = 4096 };

static djp_attribute
pair(const char *text, int64_t value)
{
    return (djp_attribute){djp_text_of(text), {.type = DJP_INT, .as.integer = value}};
}

static const djp__event_head *
head_of(const djp__span_record *record, unsigned n)
{
    return djp__item_payload(span_reader_item(record, DJP_ITEM_EVENT, n));
}

/* Different keys, in static memory. */
static djp_attribute *
many_pairs(size_t count)
{
    static djp_attribute pairs[ATTRIBUTES_MAX + 8];
    static char names[ATTRIBUTES_MAX + 8][32];
    assert_true(count <= sizeof pairs / sizeof pairs[0]);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "many.%zu", i);
        pairs[i] = pair(names[i], (int64_t)i);
    }
    return pairs;
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

/* ---- names and times ---- */

static void
names_of_events_are_cut(void **state)
{
    (void)state;
    static char text[NAME_MAX_BYTES + 2];
    memset(text, 'n', sizeof text);
    djp_span *span = start("names");
    for (size_t size = NAME_MAX_BYTES - 1; size <= NAME_MAX_BYTES + 1; size++) {
        djp_span_add_event(span, (djp_text){text, size}, 1, NULL, 0);
    }
    djp_span_add_event(span, (djp_text){NULL, 7}, 1, NULL, 0);
    djp__span_record *record = finish(span);
    assert_int_equal(head_of(record, 0)->name_size, NAME_MAX_BYTES - 1);
    assert_int_equal(head_of(record, 1)->name_size, NAME_MAX_BYTES);
    assert_int_equal(head_of(record, 2)->name_size, NAME_MAX_BYTES);
    assert_int_equal(head_of(record, 3)->name_size, 0);
    free(record);
}

/* Without a time an event is now, by the anchor of its trace; a time that is given is kept. */
static void
events_have_a_time(void **state)
{
    (void)state;
    djp_span *span = start("times");
    span->local->anchor = 1000000; /* another wall clock than that of today */
    djp__exception exception = {.type = DJP_TEXT("T")};
    uint64_t before = djp__clock_monotonic() + 1000000;
    djp_span_add_event(span, DJP_TEXT("now"), 0, NULL, 0);
    djp_span_record_exception(span, exception.type, (djp_text){NULL, 0}, (djp_text){NULL, 0}, 0,
                              NULL, 0);
    uint64_t after = djp__clock_monotonic() + 1000000;
    djp_span_add_event(span, DJP_TEXT("then"), 5, NULL, 0);
    djp__span_record_exception_at(span, 6, &exception, NULL, 0);
    djp__span_record *record = finish(span);
    assert_in_range(head_of(record, 0)->time_unix_ns, before, after);
    assert_in_range(head_of(record, 1)->time_unix_ns, before, after);
    assert_int_equal(head_of(record, 2)->time_unix_ns, 5);
    assert_int_equal(head_of(record, 3)->time_unix_ns, 6);
    free(record);
}

/* ---- attributes ---- */

/* The last value of a key applies, at the place of that one, for one attribute as for many. */
static void
the_last_value_of_a_key_applies(void **state)
{
    (void)state;
    djp_attribute pairs[] = {pair("a", 1), pair("b", 2), pair("a", 3),
                             pair("c", 4), pair("c", 5), pair("", 6)};
    for (size_t count = 0; count <= 6; count++) {
        static const unsigned kept[] = {0, 1, 2, 2, 3, 3, 3};
        djp_span *span = start("last");
        djp_span_add_event(span, DJP_TEXT("e"), 1, pairs, count);
        djp__span_record *record = finish(span);
        const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
        assert_int_equal(span_reader_count_in(event), kept[count]);
        assert_int_equal(head_of(record, 0)->dropped_attributes, count == 6);
        assert_string_equal(span_reader_show_in(event, "a"), count == 0  ? ""
                                                             : count < 3 ? "i:1"
                                                                         : "i:3");
        assert_string_equal(span_reader_show_in(event, "c"), count < 4    ? ""
                                                             : count == 4 ? "i:4"
                                                                          : "i:5");
        free(record);
    }
}

/* Around the number that the stack holds, and the number at which the rest is dropped. */
static void
many_attributes_are_kept_and_more_dropped(void **state)
{
    (void)state;
    static const size_t counts[] = {STACK - 1,          STACK,          STACK + 1,
                                    ATTRIBUTES_MAX - 1, ATTRIBUTES_MAX, ATTRIBUTES_MAX + 1,
                                    ATTRIBUTES_MAX + 3};
    djp__recorder_options options = span_reader_options();
    options.event_attribute_count_limit = options.link_attribute_count_limit = UINT32_MAX;
    with_options(options);
    djp_span_context context = {.trace_id = {1}, .span_id = {2}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        djp_span *span = start("many");
        size_t kept = counts[i] < ATTRIBUTES_MAX ? counts[i] : ATTRIBUTES_MAX;
        djp_span_add_event(span, DJP_TEXT("e"), 1, many_pairs(counts[i]), counts[i]);
        djp_span_add_link(span, &context, many_pairs(counts[i]), counts[i]);
        djp__span_record *record = finish(span);
        const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
        assert_int_equal(span_reader_count_in(event), kept);
        assert_int_equal(head_of(record, 0)->dropped_attributes, counts[i] - kept);
        char last[16];
        snprintf(last, sizeof last, "many.%zu", kept - 1);
        assert_string_not_equal(span_reader_show_in(event, last), "");
        const djp__item *link = span_reader_item(record, DJP_ITEM_LINK, 0);
        assert_int_equal(span_reader_count_in(link), kept);
        free(record);
    }
    /* A count that cannot be is counted as far as the counter goes. */
    djp_span *span = start("huge");
    djp_span_add_event(span, DJP_TEXT("e"), 1, many_pairs(ATTRIBUTES_MAX + 8),
                       (size_t)UINT32_MAX * 2);
    assert_true(span->lost >= UINT32_MAX / 2 && span->lost <= UINT32_MAX);
    djp__span_record *record = finish(span);
    assert_int_equal(head_of(record, 0)->dropped_attributes, UINT32_MAX / 2);
    free(record);
}

static void
the_attribute_limits_hold_at_their_edge(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    djp_span_context context = {.trace_id = {1}, .span_id = {2}};
    options.event_attribute_count_limit = 3;
    options.link_attribute_count_limit = 2;
    with_options(options);
    for (size_t count = 0; count <= 5; count++) {
        djp_span *span = start("limits");
        djp_span_add_event(span, DJP_TEXT("e"), 1, many_pairs(count), count);
        djp_span_add_link(span, &context, many_pairs(count), count);
        djp__span_record *record = finish(span);
        const djp__item *link = span_reader_item(record, DJP_ITEM_LINK, 0);
        const djp__link_head *to = djp__item_payload(link);
        assert_int_equal(span_reader_count_in(span_reader_item(record, DJP_ITEM_EVENT, 0)),
                         count < 3 ? count : 3);
        assert_int_equal(head_of(record, 0)->dropped_attributes, count > 3 ? count - 3 : 0);
        assert_int_equal(span_reader_count_in(link), count < 2 ? count : 2);
        assert_int_equal(to->dropped_attributes, count > 2 ? count - 2 : 0);
        free(record);
    }
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.dropped_attributes, (1 + 2) + (1 + 2 + 3));
}

/* ---- counts and room ---- */

static void
the_count_limits_hold_at_their_edge(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    djp_span_context context = {.trace_id = {1}, .span_id = {2}};
    for (uint32_t limit = 0; limit < 3; limit++) {
        options.event_count_limit = limit;
        options.link_count_limit = 2 - limit;
        with_options(options);
        djp_span *span = start("counts");
        for (int i = 0; i < 4; i++) {
            djp_span_add_event(span, DJP_TEXT("e"), 1, NULL, 0);
            djp_span_add_link(span, &context, NULL, 0);
        }
        djp__span_record *record = finish(span);
        assert_int_equal(record->event_items, limit);
        assert_int_equal(record->dropped_events, 4 - limit);
        assert_int_equal(record->link_items, 2 - limit);
        assert_int_equal(record->dropped_links, 2 + limit);
        free(record);
    }
}

/* What does not fit is dropped whole; what fits in part loses attributes. */
static void
a_full_record_drops_whole_items(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 4096; /* records of 1 KiB */
    with_options(options);
    djp_span_context context = {.trace_id = {1}, .span_id = {2}};
    char text[900];
    memset(text, 'b', sizeof text);
    size_t event_bytes = sizeof(djp__item) + sizeof(djp__event_head) + 8;
    size_t link_bytes = sizeof(djp__item) + sizeof(djp__link_head);
    for (size_t rest = 0; rest <= 96; rest += 8) {
        djp_span *span = start("full");
        djp_value bytes = {.type = DJP_BYTES};
        bytes.as.text = (djp_text){text, 1024 - span->used - sizeof(djp__item) - rest};
        djp_span_set_value(span, key("bytes"), &bytes);
        assert_int_equal(span->used, 1024 - rest);
        djp_attribute one = pair("i", 1);
        djp_span_add_event(span, DJP_TEXT("e"), 1, &one, 1);
        int has_event = rest >= event_bytes;
        uint32_t used = span->used;
        djp_span_add_link(span, &context, NULL, 0);
        int has_link = 1024 - used >= link_bytes;
        djp__span_record *record = finish(span);
        assert_int_equal(record->event_items, has_event);
        assert_int_equal(record->dropped_events, !has_event);
        assert_int_equal(record->link_items, has_link);
        assert_int_equal(record->dropped_links, !has_link);
        if (has_event) {
            int has_attribute = rest >= event_bytes + 16;
            assert_int_equal(head_of(record, 0)->dropped_attributes, !has_attribute);
        }
        free(record);
    }
}

/* ---- exceptions ---- */

static void
exceptions_of_any_size_have_priority(void **state)
{
    (void)state;
    static const size_t counts[] = {0,         STACK - 5,          STACK - 4,
                                    STACK - 3, ATTRIBUTES_MAX - 1, ATTRIBUTES_MAX};
    djp__recorder_options options = span_reader_options();
    options.event_attribute_count_limit = UINT32_MAX;
    with_options(options);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        djp_span *span = start("raised");
        size_t count = counts[i], kept = count < ATTRIBUTES_MAX ? count : 0;
        djp_span_record_exception(span, DJP_TEXT("T"), DJP_TEXT("m"), DJP_TEXT("s"), 1,
                                  many_pairs(count), count);
        uint64_t lost = span->lost & UINT32_MAX;
        djp__span_record *record = finish(span);
        const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
        assert_string_equal(span_reader_show_in(event, "exception.type"), "s:T");
        assert_string_equal(span_reader_show_in(event, "exception.message"), "s:m");
        assert_string_equal(span_reader_show_in(event, "exception.stacktrace"), "s:s");
        assert_string_equal(span_reader_show_in(event, "exception.escaped"), "b:1");
        /* with those of the exception there may be too many */
        size_t most = kept + 4 < ATTRIBUTES_MAX ? kept + 4 : ATTRIBUTES_MAX;
        assert_int_equal(span_reader_count_in(event), most);
        assert_int_equal(lost, count + 4 - most);
        free(record);
    }
    djp_span *span = start("none");
    djp_span_record_exception(span, DJP_TEXT("T"), (djp_text){"m", 0}, (djp_text){NULL, 3}, 0, NULL,
                              9);
    djp__span_record *record = finish(span);
    const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
    assert_int_equal(span_reader_count_in(event), 2); /* a text without data is empty */
    assert_string_equal(span_reader_show_in(event, "exception.stacktrace"), "s:");
    free(record);
}

/* Each text may take an eighth of a record. */
static void
texts_of_exceptions_share_a_record(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 64 << 10; /* records of 16 KiB */
    with_options(options);
    static char text[4000];
    memset(text, 't', sizeof text);
    djp_text huge = {text, sizeof text};
    djp_span *span = start("huge");
    djp_span_record_exception(span, huge, huge, huge, 0, NULL, 0);
    djp__span_record *record = finish(span);
    const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 0);
    static const char *const keys[] = {"exception.type", "exception.message",
                                       "exception.stacktrace"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(strlen(span_reader_show_in(event, keys[i])), 2 + 2048);
    }
    free(record);
}

/* ---- memory ---- */

static void
add_without_memory(void)
{
    for (int fails = 0; fails < 2; fails++) {
        djp_span *span = start("memory");
        djp__alloc_fail_after(fails);
        djp_span_add_event(span, DJP_TEXT("e"), 1, many_pairs(STACK + 1), STACK + 1);
        djp_span_record_exception(span, DJP_TEXT("T"), (djp_text){NULL, 0}, (djp_text){NULL, 0}, 0,
                                  many_pairs(STACK + 1), STACK + 1);
        djp__alloc_fail_after(0);
        free(finish(span));
    }
}

static void
without_memory_attributes_are_dropped(void **state)
{
    (void)state;
    many_pairs(STACK + 1);
    djp_span *span = start("known"); /* interns the keys */
    djp_span_add_event(span, DJP_TEXT("e"), 1, many_pairs(STACK + 1), STACK + 1);
    free(finish(span));
    span = start("memory");
    djp__alloc_fail_after(1);
    djp_span_add_event(span, DJP_TEXT("e"), 1, many_pairs(STACK + 1), STACK + 1);
    djp_span_record_exception(span, DJP_TEXT("T"), (djp_text){NULL, 0}, (djp_text){NULL, 0}, 0,
                              many_pairs(STACK + 1), STACK + 1);
    djp__alloc_fail_after(0);
    assert_int_equal(span->lost & UINT32_MAX, 2 * (STACK + 1));
    djp__span_record *record = finish(span);
    assert_int_equal(record->event_items, 2);
    assert_int_equal(head_of(record, 0)->dropped_attributes, STACK + 1);
    const djp__item *event = span_reader_item(record, DJP_ITEM_EVENT, 1);
    assert_string_equal(span_reader_show_in(event, "exception.type"), "s:T");
    assert_int_equal(span_reader_count_in(event), 1);
    free(record);
    assert_int_equal(heap_growth(add_without_memory, 50), 0);
}

static void
nothing_is_added_after_the_end(void **state)
{
    (void)state;
    djp_span_context context = {.trace_id = {1}, .span_id = {2}};
    djp__exception exception = {.type = DJP_TEXT("T")};
    djp_span *span = start("ended");
    djp_span_end(span, 0);
    djp_span_add_event(span, DJP_TEXT("e"), 1, NULL, 0);
    djp_span_add_link(span, &context, NULL, 0);
    djp_span_add_link(span, NULL, NULL, 0);
    djp__span_record_exception_at(span, 1, &exception, many_pairs(STACK), STACK);
    djp__span_record_exception_at(NULL, 1, &exception, NULL, 0);
    assert_int_equal(span->record->event_items + span->record->dropped_events, 0);
    assert_int_equal(span->record->link_items + span->record->dropped_links, 0);
    djp_span_release(span);
    span_reader_drain(recorder);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(links_without_ids_are_kept_for_what_they_say),
        CASE(events_and_links_keep_their_own_attributes),
        CASE(exceptions_are_events),
        CASE(names_of_events_are_cut),
        CASE(events_have_a_time),
        CASE(the_last_value_of_a_key_applies),
        CASE(many_attributes_are_kept_and_more_dropped),
        CASE(the_attribute_limits_hold_at_their_edge),
        CASE(the_count_limits_hold_at_their_edge),
        CASE(a_full_record_drops_whole_items),
        CASE(exceptions_of_any_size_have_priority),
        CASE(texts_of_exceptions_share_a_record),
        CASE(without_memory_attributes_are_dropped),
        CASE(nothing_is_added_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
