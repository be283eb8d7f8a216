/* Failed spans: the attributes that are added to one, from where, and what stays as the program set
 * it. */
#include <stdlib.h>

#include "base/str.h"
#include "span_fixture.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

enum { TEXT_MAX = 1024 };

static int
set_up_telling(void **state)
{
    djp__recorder_options options = span_reader_options();
    options.tell_errors = 1;
    set_up(state);
    with_options(options);
    return 0;
}

static void
fail_span(djp_span *span, const char *description)
{
    djp_span_set_status(span, DJP_STATUS_ERROR, djp_text_of(description));
}

static void
raise_in(djp_span *span, const char *type, const char *message)
{
    djp_span_record_exception(span, djp_text_of(type), djp_text_of(message), (djp_text){NULL, 0}, 0,
                              NULL, 0);
}

/* Ends the span: error, error.type and error.message, "" for none. */
static void
tells(djp_span *span, const char *error, const char *type, const char *message)
{
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "error"), error);
    assert_string_equal(span_reader_show(record, "error.type"), type);
    assert_string_equal(span_reader_show(record, "error.message"), message);
    free(record);
}

static void
a_description_is_the_message(void **state)
{
    (void)state;
    djp_span *span = start("failed");
    fail_span(span, "what went wrong");
    tells(span, "b:1", "", "s:what went wrong");
    span = start("failed");
    fail_span(span, NULL);
    tells(span, "b:1", "", "");
    tells(start("good"), "", "", "");
    span = start("ok");
    djp_span_set_status(span, DJP_STATUS_OK, (djp_text){NULL, 0});
    raise_in(span, "T", "m");
    tells(span, "", "", "");
}

static void
the_last_exception_is_told(void **state)
{
    (void)state;
    djp_span *span = start("failed");
    raise_in(span, "First", "1");
    djp_span_add_event(span, DJP_TEXT("exceptio"), 1, NULL, 0);
    raise_in(span, "Second", "2");
    djp_span_add_event(span, DJP_TEXT("exceptions"), 1, NULL, 0);
    djp_span_add_event(span, DJP_TEXT("exceptioN"), 1, NULL, 0);
    djp_span_set_int(span, key("behind"), 1);
    fail_span(span, "a description");
    tells(span, "b:1", "s:Second", "s:2");
    span = start("failed");
    raise_in(span, "Type", "");
    fail_span(span, "a description"); /* of the exception or none */
    tells(span, "b:1", "s:Type", "");
    span = start("failed");
    raise_in(span, "", "message");
    fail_span(span, NULL);
    tells(span, "b:1", "", "s:message");
}

/* The attributes of an exception may come after others, and be of another type. */
static void
texts_alone_are_told(void **state)
{
    (void)state;
    djp_attribute pairs[] = {
        {{"other", 5}, {.type = DJP_STRING, .as.text = {"x", 1}}},
        {{"exception.type", 14}, {.type = DJP_INT, .as.integer = 7}},
        {{"exception.message", 17}, {.type = DJP_STRING, .as.text = {"last", 4}}},
    };
    djp_span *span = start("failed");
    djp_span_add_event(span, DJP_TEXT("exception"), 1, pairs, 3);
    fail_span(span, NULL);
    tells(span, "b:1", "", "s:last");
}

static void
what_the_program_said_stays(void **state)
{
    (void)state;
    for (int exception = 0; exception < 2; exception++) {
        djp_span *span = start("failed");
        if (exception) {
            raise_in(span, "T", "m");
        }
        djp_span_set_string(span, key("error"), DJP_TEXT("mine"));
        djp_span_set_string(span, key("error.type"), DJP_TEXT("my type"));
        djp_span_set_string(span, key("error.message"), DJP_TEXT("my message"));
        fail_span(span, "description");
        tells(span, "s:mine", "s:my type", "s:my message");
        span = start("failed");
        if (exception) {
            raise_in(span, "T", "m");
        }
        djp_span_set_string(span, key("error.message"), DJP_TEXT("my message"));
        fail_span(span, "description");
        tells(span, "b:1", exception ? "s:T" : "", "s:my message");
    }
}

static void
long_texts_are_cut(void **state)
{
    (void)state;
    static char text[TEXT_MAX + 2];
    memset(text, 't', sizeof text);
    for (size_t size = TEXT_MAX - 1; size <= TEXT_MAX + 1; size++) {
        size_t kept = size < TEXT_MAX ? size : TEXT_MAX;
        djp_span *span = start("failed");
        djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){text, size});
        djp__span_record *record = finish(span);
        assert_int_equal(strlen(span_reader_show(record, "error.message")), 2 + kept);
        free(record);
        span = start("failed");
        djp_span_record_exception(span, (djp_text){text, size}, (djp_text){text, size},
                                  (djp_text){NULL, 0}, 0, NULL, 0);
        fail_span(span, NULL);
        record = finish(span);
        assert_int_equal(strlen(span_reader_show(record, "error.type")), 2 + kept);
        assert_int_equal(strlen(span_reader_show(record, "error.message")), 2 + kept);
        free(record);
    }
}

/* The record moves to the heap and is swept while texts of it are copied. */
static void
a_record_that_moves_is_read_again(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.tell_errors = 1;
    options.attribute_count_limit = 6; /* one of them is reserved for sampling.reason, if any */
    with_options(options);
    char type[300], message[300];
    memset(type, 'y', sizeof type);
    memset(message, 'm', sizeof message);
    djp_span *span = start("a name that is replaced");
    djp_span_update_name(span, DJP_TEXT("moved"));
    for (int i = 0; i < 6; i++) {
        djp_span_set_int(span, key(i % 2 ? "a" : "b"), i);
    }
    djp_span_record_exception(span, (djp_text){type, sizeof type}, (djp_text){message, 300},
                              (djp_text){NULL, 0}, 0, NULL, 0);
    fail_span(span, NULL);
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "error"), "b:1");
    const char *shown = span_reader_show(record, "error.type");
    assert_int_equal(strlen(shown), 302);
    assert_int_equal(strspn(shown + 2, "y"), 300);
    shown = span_reader_show(record, "error.message");
    assert_int_equal(strspn(shown + 2, "m"), 300);
    assert_true(djp__text_equal(span_reader_name(record), "moved"));
    assert_string_equal(span_reader_show(record, "a"), "i:5");
    free(record);
}

/* Without the option nothing is added, and nothing where nothing is recorded. */
static void
others_are_left_alone(void **state)
{
    (void)state;
    with_options(span_reader_options());
    djp_span *span = start("failed");
    raise_in(span, "T", "m");
    fail_span(span, "description");
    tells(span, "", "", "");
    djp__recorder_options options = span_reader_options();
    options.tell_errors = options.drop_all = 1;
    with_options(options);
    span = start("dropped");
    fail_span(span, "description");
    djp_span_end(span, 0);
    assert_int_equal(span->attributes, 0);
    djp_span_release(span);
}

/* ---- the attribute `error` of a program ---- */

static void
the_attribute_sets_the_status_once(void **state)
{
    (void)state;
    djp_key error = djp__load_relaxed(&djp__error_key);
    assert_int_equal(error, key("error"));
    djp_span *span = start("heeded");
    djp__span_heed_error(span, error, 0);
    assert_int_equal(span->record->status, DJP_STATUS_UNSET);
    djp__span_heed_error(span, 0, 1); /* no key is no such key */
    assert_int_equal(span->record->status, DJP_STATUS_UNSET);
    djp__span_heed_error(NULL, error, 1);
    djp__span_heed_error(span, error, 1);
    assert_int_equal(span->record->status, DJP_STATUS_ERROR);
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("described"));
    djp__span_heed_error(span, error, 1);
    assert_int_equal(span->record->status_size, 9); /* and takes no description away */
    free(finish(span));
    span = start("ended");
    djp_span_end(span, 0);
    djp__span_heed_error(span, error, 1);
    assert_int_equal(span->record->status, DJP_STATUS_UNSET);
    djp_span_release(span);
    span_reader_drain(recorder);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_telling, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_description_is_the_message), CASE(the_last_exception_is_told),
        CASE(texts_alone_are_told),         CASE(what_the_program_said_stays),
        CASE(long_texts_are_cut),           CASE(a_record_that_moves_is_read_again),
        CASE(others_are_left_alone),        CASE(the_attribute_sets_the_status_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
