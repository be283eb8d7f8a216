/* The open spans of a writer by slot and their local traces by number: who is whose parent, how
 * long a trace is known, and what is left when a log is closed. */
#include "oplog_host.h"

#include "base/mem.h"
#include "heap.h"
#include "trace/span_block.h"

static djp_recorder *recorder;
static djp_oplog *table;

static int
set_up(void **state)
{
    (void)state;
    djp__recorder_options with = span_reader_options();
    recorder = span_reader_recorder(&with);
    assert_int_equal(djp_oplog_new(&table, DJP_OPLOG_UNITS_MIN), 0);
    return 0;
}

static djp__recorder_totals
counters(void)
{
    djp__recorder_totals out;
    djp__recorder_counters(&out, recorder);
    return out;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__oplog_close_all(table);
    djp_oplog_unref(table);
    assert_int_equal(counters().live, 0);
    djp__recorder_free(recorder);
    return 0;
}

static djp_span *
span_of(djp_span *parent)
{
    djp_span_options below = {.parent = parent};
    djp_span *span = djp_span_start(recorder, DJP_TEXT("span"), &below);
    assert_non_null(span);
    return span;
}

static djp_span *
open_root(uint32_t slot, uint32_t number)
{
    djp_span *span = span_of(NULL);
    djp__oplog_open(table, slot, number, span, 1);
    return span;
}

static djp_span *
open_child(uint32_t slot, uint32_t number, djp_span *parent)
{
    djp_span *span = span_of(parent);
    djp__oplog_open(table, slot, number, span, 0);
    return span;
}

static void
end(uint32_t slot)
{
    djp_span_end(djp__oplog_span_at(table, slot), 0);
    djp__oplog_close(table, slot, 1);
}

/* The root by which children of a trace begin. */
static djp_span *
root_of(uint32_t number)
{
    static const uint8_t nothing[8];
    return djp__oplog_parent(table, number, UINT32_MAX, nothing);
}

static void
slots_hold_their_spans(void **state)
{
    (void)state;
    djp_span *root = open_root(0, 1), *last = open_child(DJP_OPLOG_SLOTS - 1, 1, root);
    assert_ptr_equal(djp__oplog_span_at(table, 0), root);
    assert_ptr_equal(djp__oplog_span_at(table, DJP_OPLOG_SLOTS - 1), last);
    assert_null(djp__oplog_span_at(table, 1));
    assert_null(djp__oplog_span_at(table, DJP_OPLOG_SLOTS));
    assert_null(djp__oplog_span_at(table, UINT32_MAX));
    static djp__oplog_span longer[DJP_OPLOG_SLOTS + 1];
    djp__oplog_span *own = table->spans;
    longer[DJP_OPLOG_SLOTS].span = root; /* what lies behind the table is no span */
    table->spans = longer;
    assert_null(djp__oplog_span_at(table, DJP_OPLOG_SLOTS));
    table->spans = own;
    end(DJP_OPLOG_SLOTS - 1);
    assert_null(djp__oplog_span_at(table, DJP_OPLOG_SLOTS - 1));
    end(0);
    assert_null(djp__oplog_span_at(table, 0));
    assert_int_equal(counters().by_reason[DJP_REASON_ALWAYS], 2);
}

/* The span of a slot is the parent if trace and id are those that the writer means. */
static void
parents_are_found_by_slot_and_id(void **state)
{
    (void)state;
    djp_span *root = open_root(3, 10), *child = open_child(4, 10, root);
    djp_span *other = open_root(5, 11);
    uint8_t id[8];
    memcpy(id, djp__span_identity(child)->span_id, 8);
    assert_ptr_equal(djp__oplog_parent(table, 10, 4, id), child);
    assert_ptr_equal(djp__oplog_parent(table, 10, 3, id), root); /* another id */
    assert_ptr_equal(djp__oplog_parent(table, 10, 6, id), root); /* ended */
    assert_ptr_equal(djp__oplog_parent(table, 10, UINT32_MAX, id), root);
    assert_ptr_equal(djp__oplog_parent(table, 11, 4, id), other); /* another trace */
    assert_null(djp__oplog_parent(table, 12, 4, id));
    id[7] ^= 1;
    assert_ptr_equal(djp__oplog_parent(table, 10, 4, id), root);
    for (uint32_t slot = 3; slot <= 5; slot++) {
        end(slot);
    }
}

/* Before the first trace there is no table. */
static void
an_empty_table_knows_none(void **state)
{
    (void)state;
    assert_int_equal(table->trace_places, 0);
    assert_null(root_of(0));
    assert_null(root_of(1));
    djp_span *span = open_child(2, 1, NULL); /* of a trace that is not known */
    assert_ptr_equal(djp__oplog_span_at(table, 2), span);
    end(2);
    assert_null(root_of(1));
    assert_int_equal(counters().live, 0);
}

/* Numbers are those of the writer: 0 and the largest are as good as others. */
static void
every_number_is_a_number(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0, 1, 255, 256, 257, UINT32_MAX, UINT32_MAX - 255};
    djp_span *roots[7];
    for (uint32_t i = 0; i < 7; i++) {
        roots[i] = open_root(i, numbers[i]);
    }
    for (uint32_t i = 0; i < 7; i++) {
        assert_ptr_equal(root_of(numbers[i]), roots[i]);
    }
    for (uint32_t i = 0; i < 7; i++) {
        end(i);
    }
}

enum { MODEL_SLOTS = 700, MODEL_NUMBERS = 1500, MODEL_STEPS = 60000 };

typedef struct model {
    djp_span *roots[MODEL_NUMBERS]; /* of the traces that the table knows */
    uint32_t open[MODEL_NUMBERS];
    int retained[MODEL_NUMBERS];
    struct {
        uint32_t number; /* + 1; 0: a free slot */
        int is_root;
    } slots[MODEL_SLOTS];
    uint32_t list[DJP_OPLOG_TRACES_KEPT], list_size;
} model;

static uint32_t
draw(uint32_t below)
{
    static uint64_t random = 5;
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random >> 33) % below);
}

/* A trace without open spans goes to the end of the list, whose first may have to go. */
static void
model_retain(model *it, uint32_t number)
{
    it->retained[number] = 1;
    if (it->list_size == DJP_OPLOG_TRACES_KEPT) {
        uint32_t oldest = it->list[0];
        memmove(it->list, it->list + 1, --it->list_size * sizeof *it->list);
        it->retained[oldest] = 0;
        if (it->roots[oldest] != NULL && it->open[oldest] == 0) {
            it->roots[oldest] = NULL;
        }
    }
    it->list[it->list_size++] = number;
}

static void
model_close(model *it, uint32_t slot, int ended)
{
    uint32_t number = it->slots[slot].number - 1;
    if (it->slots[slot].is_root && !ended) {
        it->roots[number] = NULL; /* its children belong to none from now on */
        for (uint32_t i = 0; i < MODEL_SLOTS; i++) {
            if (it->slots[i].number == number + 1) {
                it->slots[i].number = MODEL_NUMBERS + 1;
            }
        }
        it->open[number] = 0;
    } else if (number < MODEL_NUMBERS && --it->open[number] == 0 && !it->retained[number]) {
        model_retain(it, number);
    }
    it->slots[slot].number = 0;
}

/* Numbers that differ in their upper half alone have the same place in the table. */
static uint32_t
model_number(uint32_t number)
{
    return (number / 97) << 16 | number % 97;
}

static void
model_step(model *it)
{
    uint32_t slot = draw(MODEL_SLOTS), number = draw(MODEL_NUMBERS);
    if (it->slots[slot].number != 0) {
        int is_root = it->slots[slot].is_root, ended = draw(20) != 0;
        /* A trace that is still in the list would be found there under a new root. */
        ended |= is_root && it->retained[it->slots[slot].number - 1];
        if (ended) {
            djp_span_end(djp__oplog_span_at(table, slot), 0);
        }
        djp__oplog_close(table, slot, ended);
        model_close(it, slot, ended);
        return;
    }
    int is_root = it->roots[number] == NULL && !it->retained[number];
    if (!is_root && it->roots[number] == NULL) {
        return;
    }
    if (is_root) {
        it->roots[number] = open_root(slot, model_number(number));
    } else {
        open_child(slot, model_number(number), it->roots[number]);
    }
    it->open[number]++;
    it->slots[slot].number = number + 1;
    it->slots[slot].is_root = is_root;
}

/* Traces begin, end and are forgotten in any order, and the table finds each that it should know.
 */
static void
the_table_finds_what_it_should_know(void **state)
{
    (void)state;
    static model it;
    memset(&it, 0, sizeof it);
    uint32_t most = 0;
    for (uint32_t step = 0; step < MODEL_STEPS; step++) {
        model_step(&it);
        most = table->trace_count > most ? table->trace_count : most;
        uint32_t number = step % MODEL_NUMBERS;
        assert_ptr_equal(root_of(model_number(number)), it.roots[number]);
        assert_int_equal(table->retained_count, it.list_size);
        if (step % 500 == 0) {
            span_reader_drain(recorder);
        }
    }
    uint32_t known = 0;
    for (uint32_t number = 0; number < MODEL_NUMBERS; number++) {
        assert_ptr_equal(root_of(model_number(number)), it.roots[number]);
        known += it.roots[number] != NULL;
    }
    assert_int_equal(table->trace_count, known);
    assert_true(most > DJP_OPLOG_TRACES_KEPT + 50);
    assert_true(table->trace_places <= 4 * most); /* at least a quarter is in use */
}

/* The table is at most half full: searches stay short. */
static void
the_table_grows_with_its_traces(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        open_root(i, i);
        assert_int_equal(table->trace_count, i + 1);
        assert_true(table->trace_count * 2 <= table->trace_places);
    }
    assert_int_equal(table->trace_places, 2048);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_non_null(root_of(i));
        end(i);
    }
}

/* Without memory the table fills up but for one place, at which searches end; a root that finds no
 * place is a span alone. */
static void
a_table_that_cannot_grow_keeps_a_free_place(void **state)
{
    (void)state;
    djp_span *lone = span_of(NULL);
    djp__alloc_fail_after(1);
    djp__oplog_open(table, 900, 4711, lone, 1);
    djp__alloc_fail_after(0);
    assert_null(root_of(4711));
    assert_ptr_equal(djp__oplog_span_at(table, 900), lone);
    end(900);
    djp_span *spans[300];
    for (uint32_t i = 0; i < 300; i++) {
        spans[i] = span_of(NULL);
    }
    djp__oplog_open(table, 0, 0, spans[0], 1);
    uint32_t places = table->trace_places;
    assert_in_range(places, 2, 299);
    djp__alloc_fail_after(1);
    for (uint32_t i = 1; i < 300; i++) {
        djp__oplog_open(table, i, i, spans[i], 1);
    }
    djp__alloc_fail_after(0);
    assert_int_equal(table->trace_places, places);
    assert_int_equal(table->trace_count, places - 1);
    for (uint32_t i = 0; i < 300; i++) {
        assert_ptr_equal(root_of(i), i < places - 1 ? spans[i] : NULL);
    }
    for (uint32_t i = 0; i < 300; i++) {
        end(i);
    }
    assert_int_equal(counters().by_reason[DJP_REASON_ALWAYS], 301);
}

static void
begin_and_end(uint32_t number)
{
    open_root(900, number);
    end(900);
}

static void
a_trace_is_known_for_a_while(void **state)
{
    (void)state;
    for (uint32_t number = 1; number <= DJP_OPLOG_TRACES_KEPT; number++) {
        begin_and_end(number);
    }
    assert_non_null(root_of(1));
    /* What is used again does not move to the end of the list. */
    open_child(0, 1, root_of(1));
    end(0);
    begin_and_end(2000);
    assert_null(root_of(1));
    assert_non_null(root_of(2));
    begin_and_end(2001);
    assert_null(root_of(2));
    assert_int_equal(table->trace_count, DJP_OPLOG_TRACES_KEPT);
}

/* The first of the list is in use when its turn comes: it stays, and comes to the end of the list
 * when its last span ends. */
static void
a_trace_in_use_is_not_forgotten(void **state)
{
    (void)state;
    begin_and_end(1);
    open_child(0, 1, root_of(1));
    for (uint32_t number = 2; number <= DJP_OPLOG_TRACES_KEPT + 1; number++) {
        begin_and_end(number);
    }
    assert_non_null(root_of(1));
    assert_int_equal(table->trace_count, DJP_OPLOG_TRACES_KEPT + 1);
    end(0);
    assert_null(root_of(2)); /* it is the oldest now */
    for (uint32_t number = 3000; number < 3000 + DJP_OPLOG_TRACES_KEPT - 1; number++) {
        begin_and_end(number);
    }
    assert_non_null(root_of(1));
    begin_and_end(4000);
    assert_null(root_of(1));
}

/* The root's slot is taken without its end: its trace is over, and its spans go on without it. */
static void
a_root_that_is_given_up_takes_its_trace_along(void **state)
{
    (void)state;
    djp_span *root = open_root(0, 1);
    djp_span *child = open_child(1, 1, root);
    uint8_t id[8];
    memcpy(id, djp__span_identity(child)->span_id, 8);
    djp__oplog_close(table, 0, 0);
    assert_null(root_of(1));
    assert_null(djp__oplog_parent(table, 1, 1, id));
    assert_int_equal(counters().dropped[DJP__DROP_NEVER_ENDED], 1);
    djp_span *anew = open_root(0, 1);
    end(1); /* of the first trace: it does not end the second */
    assert_int_equal(table->retained_count, 0);
    assert_ptr_equal(root_of(1), anew);
    end(0);
    assert_int_equal(table->retained_count, 1);
    assert_int_equal(counters().by_reason[DJP_REASON_ALWAYS], 2);
}

static void
a_repeated_number_begins_no_trace(void **state)
{
    (void)state;
    djp_span *first = open_root(0, 1), *second = open_root(1, 1);
    assert_ptr_equal(root_of(1), first);
    assert_int_equal(table->trace_count, 1);
    assert_ptr_equal(djp__oplog_span_at(table, 1), second);
    end(0);
    assert_int_equal(table->retained_count, 1); /* the second is no part of it */
    djp__oplog_close(table, 1, 0);
    assert_ptr_equal(root_of(1), first);
    assert_int_equal(counters().live, 0);
}

/* A root that has ended is kept for late spans, but not its long record. */
static void
an_ended_root_gives_its_long_record_back(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 't', sizeof text);
    djp_span *root = open_root(0, 1);
    djp_span_set_string(root, djp_key_intern(DJP_TEXT("long")), (djp_text){text, sizeof text});
    assert_true(root->capacity > sizeof text);
    end(0);
    assert_ptr_equal(root->record, root->space);
    assert_int_equal(root->capacity, DJP__SPAN_INLINE_BYTES);
    open_root(1, 2);
    djp_span *plain = root_of(2);
    end(1);
    assert_ptr_equal(plain->record, plain->space);
}

static void
closing_ends_all(void **state)
{
    (void)state;
    djp_span *root = open_root(5, 1);
    open_child(9, 1, root);
    open_child(3, 1, root);
    open_root(7, 2);
    open_root(6, 2); /* a repeated number */
    begin_and_end(3);
    djp__oplog_close_all(table);
    assert_int_equal(counters().live, 0);
    assert_int_equal(counters().dropped[DJP__DROP_NEVER_ENDED], 5);
    for (uint32_t slot = 0; slot < 1000; slot++) {
        assert_null(djp__oplog_span_at(table, slot));
    }
    for (uint32_t number = 1; number <= 3; number++) {
        assert_null(root_of(number));
    }
    assert_int_equal(table->trace_count + table->retained_count + table->slot_end, 0);
    for (uint32_t number = 1; number <= DJP_OPLOG_TRACES_KEPT; number++) {
        begin_and_end(number); /* all are known again */
    }
    assert_non_null(root_of(1));
}

static void
fill_and_close(void)
{
    static char text[3000];
    djp_oplog *other = table;
    memset(text, 't', sizeof text);
    assert_int_equal(djp_oplog_new(&table, DJP_OPLOG_UNITS_MIN), 0);
    djp_span *lone = span_of(NULL);
    djp__alloc_fail_after(1);
    djp__oplog_open(table, 2000, 1, lone, 1); /* finds no table */
    djp__alloc_fail_after(0);
    for (uint32_t i = 0; i < 600; i++) {
        djp_span *root = open_root(i, i);
        djp_span_set_string(root, djp_key_intern(DJP_TEXT("long")), (djp_text){text, sizeof text});
        open_child(600 + i, i, root);
    }
    open_root(2001, 1); /* a repeated number */
    open_root(2002, 1);
    end(2002);
    for (uint32_t i = 0; i < 600; i++) {
        if (i % 3 != 0) {
            end(600 + i);
            djp__oplog_close(table, i, (int)(i % 3) - 1);
        }
    }
    end(2000);
    djp__oplog_close_all(table);
    djp_oplog_unref(table);
    table = other;
    span_reader_drain(recorder);
}

static void
nothing_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(fill_and_close, 100), 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(slots_hold_their_spans),
        CASE(parents_are_found_by_slot_and_id),
        CASE(an_empty_table_knows_none),
        CASE(every_number_is_a_number),
        CASE(the_table_finds_what_it_should_know),
        CASE(the_table_grows_with_its_traces),
        CASE(a_table_that_cannot_grow_keeps_a_free_place),
        CASE(a_trace_is_known_for_a_while),
        CASE(a_trace_in_use_is_not_forgotten),
        CASE(a_root_that_is_given_up_takes_its_trace_along),
        CASE(a_repeated_number_begins_no_trace),
        CASE(an_ended_root_gives_its_long_record_back),
        CASE(closing_ends_all),
        CASE(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
