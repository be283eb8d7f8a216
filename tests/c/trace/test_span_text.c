/* The texts in a span's header: the name and the description of its status, how they are replaced,
 * cut, and lost for want of room. */
#include <stdlib.h>

#include "base/str.h"
#include "span_fixture.h"
#include "trace/span_block.h"

enum { TEXT_MAX = 4096 };

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

/* Names and descriptions end at 4,096 bytes, not within a character. */
static void
long_texts_are_cut(void **state)
{
    (void)state;
    static char text[TEXT_MAX + 2];
    memset(text, 't', sizeof text);
    for (size_t size = TEXT_MAX - 1; size <= TEXT_MAX + 1; size++) {
        djp_span *span = start("short");
        djp_span_update_name(span, (djp_text){text, size});
        djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){text, size});
        djp__span_record *record = finish(span);
        size_t kept = size < TEXT_MAX ? size : TEXT_MAX;
        assert_int_equal(record->name_size, kept);
        assert_int_equal(record->status_size, kept);
        free(record);
    }
    memcpy(text + TEXT_MAX - 2, "\xe2\x82\xac", 3);
    djp_span *span = start("short");
    djp_span_update_name(span, (djp_text){text, sizeof text});
    djp__span_record *record = finish(span);
    assert_int_equal(record->name_size, TEXT_MAX - 2);
    free(record);
}

/* A text that is replaced is dead, and its place is used again. */
static void
replaced_texts_are_swept(void **state)
{
    (void)state;
    djp_span *span = start("a name of 20 letters");
    uint32_t one = span->used;
    djp_span_update_name(span, DJP_TEXT("another"));
    assert_int_equal(span->dead_bytes, sizeof(djp__item) + 24);
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("first"));
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("second description"));
    assert_int_equal(span->dead_bytes, 2 * sizeof(djp__item) + 24 + 8);
    djp_span_update_name(span, (djp_text){NULL, 0});
    assert_int_equal(span->dead_bytes, 3 * sizeof(djp__item) + 24 + 8 + 8);
    djp_span_update_name(span, (djp_text){NULL, 0}); /* there is none to be dead */
    assert_int_equal(span->dead_bytes, 3 * sizeof(djp__item) + 24 + 8 + 8);
    djp_span_set_int(span, key("i"), 1);
    djp__span_sweep(span);
    assert_int_equal(span->dead_bytes, 0);
    assert_int_equal(span->used, one - 32 + (sizeof(djp__item) + 24) + (sizeof(djp__item) + 8));
    djp__span_record *record = finish(span);
    assert_int_equal(record->name_at + record->name_size, 0);
    assert_true(djp__text_equal(span_reader_status_text(record), "second description"));
    free(record);
}

/* Where there is no room for a text it is lost, counted, and the record is as good as before. */
static void
a_text_without_room_is_counted(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 4096; /* records of 1 KiB */
    with_options(options);
    char text[600];
    memset(text, 't', sizeof text);
    djp_span *span = start("name");
    djp_value bytes = {.type = DJP_BYTES};
    char large[1024];
    memset(large, 'b', sizeof large);
    bytes.as.text = (djp_text){large, 1024 - span->used - 2 * sizeof(djp__item)};
    djp_span_set_value(span, key("bytes"), &bytes);
    uint32_t used = span->used;
    djp_span_update_name(span, (djp_text){text, sizeof text});
    assert_int_equal(span->used, used);
    assert_int_equal(span->record->name_at, 0);
    djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){text, sizeof text});
    assert_int_equal(span->used, used);
    assert_int_equal(span->lost & 0xffff, 2);
    djp__span_record *record = finish(span);
    assert_int_equal(record->status, DJP_STATUS_ERROR);
    assert_int_equal(record->name_size + record->status_size, 0);
    free(record);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.dropped_attributes, 2);
}

/* "OK" takes the description away. */
static void
ok_has_no_description(void **state)
{
    (void)state;
    djp_span *span = start("ok");
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("a description"));
    assert_int_not_equal(span->record->status_at, 0);
    djp_span_set_status(span, DJP_STATUS_OK, DJP_TEXT("another"));
    assert_int_equal(span->record->status_at + span->record->status_size, 0);
    free(finish(span));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(status_follows_its_rules),
        CASE(names_may_change_until_the_end),
        CASE(long_texts_are_cut),
        CASE(replaced_texts_are_swept),
        CASE(a_text_without_room_is_counted),
        CASE(ok_has_no_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
