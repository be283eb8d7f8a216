/* What a single span keeps: times, ids, its parent, and how deep values nest. */
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
        CASE(nesting_ends_at_the_depth_limit),
        CASE(null_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
