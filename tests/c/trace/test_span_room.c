/* Room in a span's record: growth up to the limit, and what folding and sweeping keep. Random
 * changes of a span are compared with a model. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "heap.h"
#include "span_fixture.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

enum { STACK_ITEMS = 256 };

/* ---- growth ---- */

static void
use_records_of(uint32_t bytes)
{
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = bytes * 4;
    with_options(options);
    assert_int_equal(recorder->record_max, bytes);
}

static void
growth_ends_at_the_limit(void **state)
{
    (void)state;
    use_records_of(2048);
    djp_span *span = start("grows");
    uint32_t used = span->used;
    assert_false(djp__span_grow(span, 2049));
    assert_false(djp__span_grow(span, 2048 - used + 8));
    assert_false(djp__span_grow(span, SIZE_MAX));
    assert_ptr_equal(span->record, span->space);
    assert_true(djp__span_grow(span, 2048 - used));
    assert_int_equal(span->capacity, 2048);
    assert_ptr_not_equal(span->record, span->space);
    assert_int_equal(span->used, used);
    djp__span_record *record = finish(span);
    assert_true(djp__text_equal(span_reader_name(record), "grows"));
    free(record);
}

/* Twice as much each time, as much as needed where that is more, and never beyond the limit. */
static void
growth_doubles(void **state)
{
    (void)state;
    use_records_of(16384);
    djp_span *span = start("grows");
    uint32_t inline_bytes = span->capacity;
    assert_true(djp__span_grow(span, 8));
    assert_int_equal(span->capacity, 2 * inline_bytes);
    assert_true(djp__span_grow(span, 8));
    assert_int_equal(span->capacity, 4 * inline_bytes);
    assert_true(djp__span_grow(span, 4 * inline_bytes * 2));
    assert_int_equal(span->capacity, span->used + 4 * inline_bytes * 2);
    while (span->capacity < 16384) {
        assert_true(djp__span_grow(span, 8));
    }
    assert_int_equal(span->capacity, 16384);
    free(finish(span));
}

static void
without_memory_nothing_changes(void **state)
{
    (void)state;
    for (int on_heap = 0; on_heap < 2; on_heap++) {
        djp_span *span = start("memory");
        if (on_heap) {
            assert_true(djp__span_grow(span, 8));
        }
        const djp__span_record *before = span->record;
        uint32_t capacity = span->capacity;
        djp__alloc_fail_after(1);
        int grown = djp__span_grow(span, capacity);
        djp__alloc_fail_after(0);
        assert_false(grown);
        assert_ptr_equal(span->record, before);
        assert_int_equal(span->capacity, capacity);
        djp__span_record *record = finish(span);
        assert_true(djp__text_equal(span_reader_name(record), "memory"));
        free(record);
    }
}

static void
grow_and_finish(void)
{
    char text[3000];
    memset(text, 't', sizeof text);
    djp_span *span = start("heap");
    djp_span_set_string(span, key("a"), (djp_text){text, 2000});
    djp_span_set_string(span, key("b"), (djp_text){text, sizeof text});
    free(finish(span));
}

static void
grown_records_are_freed(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(grow_and_finish, 50), 0);
}

/* Half of what is left, in whole words. */
static void
a_share_is_half_of_the_rest(void **state)
{
    (void)state;
    use_records_of(2048);
    djp_span *span = start("share");
    uint32_t used = span->used;
    assert_int_equal(djp__span_share(span), ((2048 - used) / 2) & ~7u);
    span->used = 2048 - 24;
    assert_int_equal(djp__span_share(span), 8);
    span->used = 2048 - 8;
    assert_int_equal(djp__span_share(span), 0);
    span->used = 2048;
    assert_int_equal(djp__span_share(span), 0);
    span->used = 2056;
    assert_int_equal(djp__span_share(span), 0);
    span->used = used;
    free(finish(span));
}

/* ---- sweep ---- */

/* Name, status and tracestate are found where they have moved to. */
static void
a_sweep_moves_what_refers_to_texts(void **state)
{
    (void)state;
    djp_span_context parent = {
        .trace_id = {1}, .span_id = {2}, .flags = DJP_FLAG_SAMPLED, .is_remote = 1};
    djp_header field = {"vendor=x", 8};
    assert_true(djp_tracestate_parse(&parent.state, &field, 1));
    djp_span_options options = {.remote = &parent};
    djp_span *span = djp_span_start(recorder, DJP_TEXT("the first name"), &options);
    djp_span_set_int(span, key("a"), 1);
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("the first description"));
    djp_span_add_event(span, DJP_TEXT("event"), 1, NULL, 0);
    djp_span_update_name(span, DJP_TEXT("second name"));
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("second description"));
    djp_span_set_int(span, key("b"), 2);
    uint32_t used = span->used, dead = span->dead_bytes;
    assert_int_equal(dead, 2 * sizeof(djp__item) + 16 + 24);
    assert_true(djp__span_tidy(span));
    assert_int_equal(span->used, used - dead);
    assert_int_equal(span->dead_bytes, 0);
    assert_false(djp__span_tidy(span)); /* there is nothing more */
    djp__span_record *record = finish(span);
    assert_true(djp__text_equal(span_reader_name(record), "second name"));
    assert_true(djp__text_equal(span_reader_status_text(record), "second description"));
    assert_true(djp__text_equal(span_reader_state(record), "vendor=x"));
    assert_string_equal(span_reader_show(record, "a"), "i:1");
    assert_string_equal(span_reader_show(record, "b"), "i:2");
    assert_int_equal(record->event_items, 1);
    free(record);
    djp_span_context_clear(&parent);
}

/* ---- folding ---- */

/* With that many items the list of them lies on the stack or on the heap. */
static void
folding_keeps_the_last_of_each_key(void **state)
{
    (void)state;
    static const int counts[] = {2, STACK_ITEMS - 1, STACK_ITEMS, STACK_ITEMS + 1, 1000};
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = 4096;
    with_options(options);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        djp_span *span = start("folds");
        for (int i = 0; i < counts[c]; i++) {
            djp_span_set_int(span, key(i % 2 ? "odd" : "even"), i);
        }
        djp_span_add_event(span, DJP_TEXT("event"), 1, NULL, 0);
        djp_span_set_int(span, key("alone"), 7);
        assert_int_equal(djp__span_tidy(span), counts[c] > 2);
        assert_int_equal(span->attributes, 3);
        djp__span_record *record = finish(span);
        char shown[16];
        int last = counts[c] - 1;
        snprintf(shown, sizeof shown, "i:%d", last);
        assert_string_equal(span_reader_show(record, last % 2 ? "odd" : "even"), shown);
        snprintf(shown, sizeof shown, "i:%d", last - 1);
        assert_string_equal(span_reader_show(record, last % 2 ? "even" : "odd"), shown);
        assert_string_equal(span_reader_show(record, "alone"), "i:7");
        free(record);
    }
}

static void
fold_on_the_heap(void)
{
    djp_span *span = start("folds");
    for (int i = 0; i < STACK_ITEMS + 50; i++) {
        djp_span_set_int(span, key("one"), i);
    }
    djp__span_tidy(span);
    free(finish(span));
}

static void
without_memory_nothing_is_folded(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = 4096;
    with_options(options);
    djp_span *span = start("folds");
    for (int i = 0; i <= STACK_ITEMS; i++) {
        djp_span_set_int(span, key("one"), i);
    }
    djp__alloc_fail_after(1);
    int tidied = djp__span_tidy(span);
    djp__alloc_fail_after(0);
    assert_false(tidied);
    assert_int_equal(span->attributes, STACK_ITEMS + 1);
    assert_true(djp__span_tidy(span));
    assert_int_equal(span->attributes, 1);
    free(finish(span));
    assert_int_equal(heap_growth(fold_on_the_heap, 30), 0);
}

/* At the count limit a slot becomes free by folding, or by the older value of the key; an item that
 * is being written does not count. */
static void
a_slot_is_freed_at_the_limit(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = 3;
    with_options(options);
    djp_span *span = start("slots");
    djp_span_set_int(span, key("a"), 1);
    djp_span_set_int(span, key("b"), 2);
    djp_span_set_int(span, key("c"), 3);
    uint32_t end = span->used;
    assert_false(djp__span_free_slot(span, key("d"), end));
    assert_true(span->keys_unique);
    assert_false(djp__span_free_slot(span, key("c"), end - 16)); /* it lies behind the end */
    assert_true(djp__span_free_slot(span, key("b"), end));
    assert_int_equal(span->attributes, 2);
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "b"), "");
    assert_string_equal(span_reader_show(record, "a"), "i:1");
    assert_string_equal(span_reader_show(record, "c"), "i:3");
    free(record);
    span = start("slots");
    djp_span_set_int(span, key("a"), 1);
    djp_span_set_int(span, key("a"), 2);
    djp_span_set_int(span, key("a"), 3);
    end = span->used;
    assert_true(djp__span_free_slot(span, key("d"), end));
    assert_int_equal(span->attributes, 1);
    assert_false(span->keys_unique);
    record = finish(span);
    assert_string_equal(span_reader_show(record, "a"), "i:3");
    free(record);
}

/* ---- a model ---- */

enum { KEYS = 12, LIMIT = 8, STEPS = 400, SPANS = 300 };

typedef struct model {
    int values[KEYS]; /* -1: not set */
    int distinct;
    uint32_t dropped;
    int name, status; /* sizes of the texts */
} model;

static uint32_t
draw(uint32_t below)
{
    static uint64_t random = 11;
    random = random * 6364136223846793005u + 1442695040888963407ull;
    return (uint32_t)((random >> 33) % below);
}

static const char *const model_keys[KEYS] = {"m0", "m1", "m2", "m3", "m4",  "m5",
                                             "m6", "m7", "m8", "m9", "m10", "m11"};
static char model_text[64];

static void
model_step(model *it, djp_span *span)
{
    int k = (int)draw(KEYS), size = (int)draw(60);
    switch (draw(8)) {
    case 0:
        it->name = size;
        djp_span_update_name(span, (djp_text){model_text, (size_t)size});
        break;
    case 1:
        it->status = size;
        djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){model_text, (size_t)size});
        break;
    default:
        if (it->values[k] < 0 && it->distinct == LIMIT) {
            it->dropped++;
        } else {
            it->distinct += it->values[k] < 0;
            it->values[k] = size;
        }
        djp_span_set_string(span, key(model_keys[k]), (djp_text){model_text, (size_t)size});
    }
}

static void
model_compare(const model *it, const djp__span_record *record)
{
    for (int k = 0; k < KEYS; k++) {
        const djp__item *item = span_reader_attribute(record, model_keys[k]);
        assert_int_equal(item != NULL, it->values[k] >= 0);
        if (item != NULL) {
            assert_int_equal(djp__item_size(item), it->values[k]);
            assert_memory_equal(djp__item_payload(item), model_text, (size_t)it->values[k]);
        }
    }
    assert_int_equal(record->dropped_attributes, it->dropped);
    assert_int_equal(record->name_size, it->name);
    assert_int_equal(record->status_size, it->status);
    assert_true(record->attribute_items <= LIMIT);
}

/* Until all keys are set more than once, whole records of replaced values come and go. */
static void
spans_are_as_a_model_says(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_count_limit = LIMIT;
    with_options(options);
    for (size_t i = 0; i < sizeof model_text; i++) {
        model_text[i] = (char)('a' + i % 26);
    }
    for (int s = 0; s < SPANS; s++) {
        model it = {.name = 4};
        memset(it.values, 0xff, sizeof it.values);
        djp_span *span = djp_span_start(recorder, (djp_text){model_text, 4}, NULL);
        for (uint32_t step = draw(STEPS); step > 0; step--) {
            model_step(&it, span);
            assert_true(span->used <= 4096);
        }
        djp__span_record *record = finish(span);
        model_compare(&it, record);
        free(record);
    }
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(growth_ends_at_the_limit),           CASE(growth_doubles),
        CASE(without_memory_nothing_changes),     CASE(grown_records_are_freed),
        CASE(a_share_is_half_of_the_rest),        CASE(a_sweep_moves_what_refers_to_texts),
        CASE(folding_keeps_the_last_of_each_key), CASE(without_memory_nothing_is_folded),
        CASE(a_slot_is_freed_at_the_limit),       CASE(spans_are_as_a_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
