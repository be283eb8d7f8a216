/* Span processors: for which spans they run, in which order, what they may change, and what a
 * recorder without one does. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "span_fixture.h"

#include "base/atomic.h"
#include "base/str.h"
#include "djp/error.h"
#include "sampling/head.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

/* Counts its calls, and appends its letter and the names of the spans to `seen`. */
typedef struct witness {
    char letter;
    DJP__ATOMIC(int) starts, ends, frees;
} witness;

/* They outlive the recorder. */
static witness a, b;
static char seen[1024];

static void
note(const witness *it, const char *event, const djp_span *span)
{
    size_t used = strlen(seen);
    const djp__span_record *record = span->record;
    snprintf(seen + used, sizeof seen - used, "%c%s:%.*s ", it->letter, event,
             (int)record->name_size, (const char *)record + record->name_at);
}

static void
witness_start(void *user, djp_span *span, const djp_span_options *options)
{
    witness *it = user;
    assert_non_null(options);
    assert_true(djp_span_is_recording(span));
    note(it, "+", span);
    djp__add_relaxed(&it->starts, 1);
}

static void
witness_end(void *user, djp_span *span)
{
    witness *it = user;
    assert_true(djp_span_is_recording(span));
    assert_true(span->record->end_unix_ns >= span->record->start_unix_ns);
    note(it, "-", span);
    djp__add_relaxed(&it->ends, 1);
}

static void
witness_free(void *user)
{
    djp__add_relaxed(&((witness *)user)->frees, 1);
}

static djp__span_processor
processor_of(witness *it)
{
    return (djp__span_processor){witness_start, witness_end, witness_free, it, 0};
}

static void
add(djp__span_processor processor)
{
    assert_int_equal(djp__recorder_add_processor(recorder, &processor), 0);
}

static djp__recorder_options
ratio(double of)
{
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(of);
    return options;
}

static djp_span *
below(djp_span *parent, const char *name)
{
    djp_span_options options = {.parent = parent};
    return djp_span_start(recorder, djp_text_of(name), &options);
}

static void
end(djp_span *span)
{
    djp_span_end(span, 0);
    djp_span_release(span);
}

static int
prepare(void **state)
{
    seen[0] = '\0';
    a = (witness){.letter = 'a'};
    b = (witness){.letter = 'b'};
    return set_up(state);
}

/* ---- for which spans ---- */

static void
processors_run_in_the_order_of_their_registration(void **state)
{
    (void)state;
    add(processor_of(&a));
    add((djp__span_processor){0}); /* one that wants nothing */
    add(processor_of(&b));
    djp_span *root = start("root");
    djp_span *child = below(root, "child");
    end(child);
    end(root);
    assert_string_equal(seen,
                        "a+:root b+:root a+:child b+:child a-:child b-:child a-:root b-:root ");
    assert_int_equal(span_reader_drain(recorder), 2);
    djp__recorder_free(recorder);
    assert_int_equal(a.frees, 1);
    assert_int_equal(b.frees, 1);
    recorder = NULL;
    set_up(state);
}

static void
a_span_without_a_record_has_no_processors(void **state)
{
    (void)state;
    djp__recorder_options options = ratio(0);
    options.drop_all = 1;
    with_options(options);
    add(processor_of(&a));
    djp_span *root = start("root");
    assert_false(djp_span_is_recording(root));
    end(below(root, "child"));
    end(root);
    assert_string_equal(seen, "");
}

/* It is recorded, because its end may sample it; nothing does. */
static void
a_span_that_the_ratio_drops_has_processors(void **state)
{
    (void)state;
    with_options(ratio(0.0000001));
    add(processor_of(&a));
    djp_span *root = start("root");
    end(below(root, "child"));
    end(root);
    assert_string_equal(seen, "a+:root a+:child a-:child a-:root ");
    assert_int_equal(span_reader_drain(recorder), 0);
}

static void
a_span_below_a_remote_or_shared_context_has_processors(void **state)
{
    (void)state;
    add(processor_of(&a));
    djp_span_context context;
    djp_header header = DJP_TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    djp_header states = DJP_TEXT("vendor=1");
    assert_true(djp_context_extract(&context, &header, 1, &states, 1));
    djp_span_options options = {.remote = &context};
    djp_span *root = djp_span_start(recorder, DJP_TEXT("remote"), &options);
    djp_span_context_clear(&context);
    djp_span_share(root);
    djp_span_get_context(&context, root);
    djp_span *shared = djp_span_start(recorder, DJP_TEXT("shared"), &options);
    end(shared);
    end(root);
    assert_string_equal(seen, "a+:remote a+:shared a-:shared a-:remote ");
    for (int i = 0; i < 2; i++) {
        djp__span_record *record = span_reader_take(recorder);
        assert_true(djp__text_equal(span_reader_state(record), "vendor=1"));
        free(record);
    }
}

/* Spans that begin after their root has ended form a separate local trace. */
static void
a_late_span_has_processors(void **state)
{
    (void)state;
    with_options(ratio(0.0000001));
    add(processor_of(&a));
    djp_span *root = start("root");
    djp_span_end(root, 0);
    djp_span *late = below(root, "late");
    assert_int_equal(late->is_root, DJP_SPAN_LATE_ROOT);
    end(below(late, "later"));
    end(late);
    djp_span_release(root);
    assert_string_equal(seen, "a+:root a-:root a+:late a+:later a-:later a-:late ");
}

static void
a_span_that_never_ends_has_no_end(void **state)
{
    (void)state;
    add(processor_of(&a));
    djp_span_release(start("lost"));
    djp_span *twice = start("twice");
    djp_span_end(twice, 0);
    assert_false(djp_span_is_recording(twice));
    djp_span_end(twice, 0);
    djp_span_release(twice);
    assert_string_equal(seen, "a+:lost a+:twice a-:twice ");
    assert_int_equal(span_reader_drain(recorder), 1);
}

static void
there_is_room_for_a_fixed_number(void **state)
{
    (void)state;
    djp__span_processor one = processor_of(&a);
    for (int i = 0; i < DJP__SPAN_PROCESSORS_MAX; i++) {
        assert_int_equal(djp__recorder_add_processor(recorder, &one), 0);
    }
    assert_int_equal(djp__recorder_add_processor(recorder, &one), DJP_EFULL);
    end(start("x"));
    assert_int_equal(a.starts, DJP__SPAN_PROCESSORS_MAX);
    assert_int_equal(a.ends, DJP__SPAN_PROCESSORS_MAX);
    assert_int_equal(span_reader_drain(recorder), 1);
}

/* A recorder that is freed while a span is open keeps its processors for it. */
static void
processors_live_as_long_as_spans(void **state)
{
    add(processor_of(&a));
    djp_span *span = start("open");
    djp__recorder_free(recorder);
    assert_int_equal(a.frees, 0);
    end(span);
    assert_string_equal(seen, "a+:open a-:open ");
    set_up(state); /* a new recorder frees the earlier one */
    assert_int_equal(a.frees, 1);
}

static void
inputs_that_a_processor_needs_survive_a_change_of_the_policy(void **state)
{
    (void)state;
    add((djp__span_processor){.needs = DJP_NEEDS_BAGGAGE});
    add((djp__span_processor){.needs = DJP_NEEDS_NAME});
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_BAGGAGE | DJP_NEEDS_NAME);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0.5), 0);
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_BAGGAGE | DJP_NEEDS_NAME);
}

/* ---- what they may change ---- */

static void
set_at_start(void *user, djp_span *span, const djp_span_options *options)
{
    (void)user;
    djp_baggage_entry entry;
    djp_span_set_string(span, key("start"), DJP_TEXT("first"));
    djp_span_set_string(span, key("same"), DJP_TEXT("of the processor"));
    if (djp_baggage_entry_at(&entry, options->baggage, 0)) {
        djp_span_set_string(span, key("baggage"), entry.value);
    }
}

static void
set_at_end(void *user, djp_span *span)
{
    (void)user;
    djp_span_set_int(span, key("end"), (int64_t)span->record->end_unix_ns);
    djp_span_update_name(span, DJP_TEXT("renamed"));
    djp_span_add_event(span, DJP_TEXT("event"), 5, NULL, 0);
}

static void
both_functions_set_attributes(void **state)
{
    (void)state;
    add((djp__span_processor){.on_start = set_at_start, .on_end = set_at_end});
    djp_header header = DJP_TEXT("user=ada");
    djp_baggage *baggage = djp_baggage_parse(&header, 1);
    djp_span_options options = {.baggage = baggage};
    djp_span *span = djp_span_start(recorder, DJP_TEXT("name"), &options);
    djp_span_set_string(span, key("same"), DJP_TEXT("of the program"));
    djp__span_record *record = finish(span);
    assert_string_equal(span_reader_show(record, "start"), "s:first");
    assert_string_equal(span_reader_show(record, "same"), "s:of the program");
    assert_string_equal(span_reader_show(record, "baggage"), "s:ada");
    char expected[32];
    snprintf(expected, sizeof expected, "i:%llu", (unsigned long long)record->end_unix_ns);
    assert_string_equal(span_reader_show(record, "end"), expected);
    assert_true(djp__text_equal(span_reader_name(record), "renamed"));
    assert_non_null(span_reader_item(record, DJP_ITEM_EVENT, 0));
    free(record);
    djp_baggage_free(baggage);
}

static void
set_much(void *user, djp_span *span)
{
    (void)user;
    char text[3000];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 200; i++) {
        djp_span_set_string(span, key("large"), (djp_text){text, sizeof text});
    }
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        djp_span_set_int(span, key(name), i);
    }
}

/* Limits hold at the end too, and what they drop is counted once, with what was dropped before. */
static void
limits_hold_at_the_end(void **state)
{
    (void)state;
    add((djp__span_processor){.on_end = set_much});
    djp_span *span = start("name");
    djp_span_drop_attribute(span);
    djp_attribute dropped = {DJP_TEXT(""), {.type = DJP_BOOL}};
    djp_span_add_event(span, DJP_TEXT("event"), 5, &dropped, 1);
    djp__span_record *record = finish(span);
    assert_int_equal(record->attribute_items, 128);
    assert_int_equal(record->dropped_attributes, 1 + 200 - 127);
    free(record);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.dropped_attributes, 1 + 1 + 200 - 127);
}

static void
set_failed(void *user, djp_span *span)
{
    (void)user;
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("found at the end"));
}

static void
a_status_at_the_end_samples_the_trace(void **state)
{
    (void)state;
    djp__recorder_options options = ratio(0.0000001);
    options.tell_errors = 1;
    with_options(options);
    add((djp__span_processor){.on_end = set_failed});
    djp_span *root = start("root");
    end(below(root, "child"));
    end(root);
    for (int i = 0; i < 2; i++) {
        djp__span_record *record = span_reader_take(recorder);
        assert_non_null(record);
        assert_int_equal(record->status, DJP_STATUS_ERROR);
        assert_true(djp__text_equal(span_reader_status_text(record), "found at the end"));
        assert_string_equal(span_reader_show(record, "error"), "b:1");
        free(record);
    }
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.by_reason[DJP_REASON_ERROR], 2);
}

static void
only_failures_have_attributes_of_errors(void **state)
{
    (void)state;
    for (int tells = 0; tells < 2; tells++) {
        djp__recorder_options options = span_reader_options();
        options.tell_errors = tells;
        with_options(options);
        add((djp__span_processor){.on_end = tells ? set_at_end : set_failed});
        djp__span_record *record = finish(start("root"));
        assert_int_equal(record->status, tells ? DJP_STATUS_UNSET : DJP_STATUS_ERROR);
        assert_string_equal(span_reader_show(record, "error"), "");
        free(record);
    }
}

/* The attributes of an error that the program reported are written once. */
static void
a_failed_span_is_not_told_twice(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.tell_errors = 1;
    with_options(options);
    add((djp__span_processor){.on_end = set_failed});
    djp_span *span = start("root");
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("of the program"));
    djp__span_record *record = finish(span);
    assert_int_equal(record->attribute_items, 2); /* error, error.message */
    assert_string_equal(span_reader_show(record, "error.message"), "s:of the program");
    free(record);
}

/* ---- processors that record ---- */

static void
start_another(void *user, djp_span *span, const djp_span_options *options)
{
    witness_start(user, span, options);
    end(below(span, "inner"));
}

static void
end_another(void *user, djp_span *span)
{
    witness_end(user, span);
    end(start("other"));
    djp_span_end(span, 0); /* has ended */
}

static void
spans_of_a_processor_have_no_processors(void **state)
{
    (void)state;
    add((djp__span_processor){start_another, end_another, NULL, &a, 0});
    end(start("outer"));
    assert_string_equal(seen, "a+:outer a-:outer ");
    assert_int_equal(span_reader_drain(recorder), 3);
    end(start("again"));
    assert_int_equal(a.starts, 2);
    assert_int_equal(span_reader_drain(recorder), 3);
}

/* ---- fork ---- */

/* The child's spans have processors; the copy of a span of the parent ends without. */
static void
a_forked_child_has_the_processors(void **state)
{
    (void)state;
    add(processor_of(&a));
    djp_span *span = start("parent");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        djp__recorder_fork_child(recorder);
        end(span);
        int copies = a.ends;
        end(start("child"));
        djp__span_record *record = span_reader_take(recorder);
        _exit(copies == 0 && a.ends == 1 && a.starts == 2 && record != NULL ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    end(span);
    assert_int_equal(a.ends, 1);
    assert_int_equal(span_reader_drain(recorder), 1);
}

/* ---- threads ---- */

enum { THREADS = 4, SPANS = 2000 };

static void
count_start(void *user, djp_span *span, const djp_span_options *options)
{
    (void)options;
    djp_span_set_int(span, key("n"), djp__add_relaxed(&((witness *)user)->starts, 1));
}

static void
count_end(void *user, djp_span *span)
{
    djp_span_set_bool(span, key("done"), 1);
    djp__add_relaxed(&((witness *)user)->ends, 1);
}

static void *
record_spans(void *argument)
{
    (void)argument;
    for (int i = 0; i < SPANS; i++) {
        djp_span *root = start("root");
        end(below(root, "child"));
        end(root);
    }
    return NULL;
}

static void *
end_all(void *spans)
{
    for (djp_span **span = spans; *span != NULL; span++) {
        end(*span);
    }
    return NULL;
}

/* A span may also end in another thread than it began in. */
static void
threads_record_at_once(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 64u << 20;
    with_options(options);
    add((djp__span_processor){count_start, count_end, NULL, &a, 0});
    djp_span *handed[101] = {NULL};
    for (int i = 0; i < 100; i++) {
        handed[i] = start("handed");
    }
    pthread_t threads[THREADS + 1];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, record_spans, NULL), 0);
    }
    assert_int_equal(pthread_create(&threads[THREADS], NULL, end_all, handed), 0);
    for (int i = 0; i <= THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(a.starts, THREADS * SPANS * 2 + 100);
    assert_int_equal(a.ends, a.starts);
    djp__span_record *record;
    int records = 0;
    while ((record = span_reader_take(recorder)) != NULL) {
        records++;
        assert_string_equal(span_reader_show(record, "done"), "b:1");
        assert_string_not_equal(span_reader_show(record, "n"), "");
        free(record);
    }
    assert_int_equal(records, a.starts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(processors_run_in_the_order_of_their_registration),
        TEST(a_span_without_a_record_has_no_processors),
        TEST(a_span_that_the_ratio_drops_has_processors),
        TEST(a_span_below_a_remote_or_shared_context_has_processors),
        TEST(a_late_span_has_processors),
        TEST(a_span_that_never_ends_has_no_end),
        TEST(there_is_room_for_a_fixed_number),
        TEST(processors_live_as_long_as_spans),
        TEST(inputs_that_a_processor_needs_survive_a_change_of_the_policy),
        TEST(both_functions_set_attributes),
        TEST(limits_hold_at_the_end),
        TEST(a_status_at_the_end_samples_the_trace),
        TEST(only_failures_have_attributes_of_errors),
        TEST(a_failed_span_is_not_told_twice),
        TEST(spans_of_a_processor_have_no_processors),
        TEST(a_forked_child_has_the_processors),
        TEST(threads_record_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
