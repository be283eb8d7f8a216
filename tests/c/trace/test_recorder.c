/* The recorder among threads and processes: many threads on shared local traces, random operations,
 * fork, freeing under live spans, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "span_reader.h"
#include "sampling/head.h"

enum { THREADS = 4 };

static djp_recorder *recorder;
static djp_key keys[8];

static djp__recorder_totals
counters(void)
{
    djp__recorder_totals out;
    djp__recorder_counters(&out, recorder);
    return out;
}

static uint64_t
fates(const djp__recorder_totals *c)
{
    return c->by_reason[DJP_REASON_RATIO] + c->by_reason[DJP_REASON_PARENT] +
           c->by_reason[DJP_REASON_ERROR] + c->by_reason[DJP_REASON_SLOW] +
           c->by_reason[DJP_REASON_ALWAYS] + c->by_reason[DJP_REASON_NONE] +
           c->dropped[DJP__DROP_RING_FULL] + c->dropped[DJP__DROP_AFTER_SHUTDOWN];
}

static djp_span *
start(djp_span *parent)
{
    djp_span_options options = {.parent = parent};
    return djp_span_start(recorder, DJP_TEXT("span"), &options);
}

static void
finish(djp_span *span)
{
    djp_span_end(span, 0);
    djp_span_release(span);
}

/* Random operations on a handful of spans, some of which other threads gave as parents. */
typedef struct worker {
    uint64_t random;
    unsigned steps;
    djp_span *spans[8];
    djp_span *shared; /* borrowed root of all threads */
} worker;

static uint32_t
draw(worker *self, uint32_t below)
{
    self->random = self->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(self->random >> 33) % below;
}

static djp_value
random_value(worker *self, djp_value *items, djp_attribute *pairs, const char *text)
{
    djp_value value = {.type = (djp_value_type)draw(self, 9)};
    switch (value.type) {
    case DJP_STRING:
    case DJP_BYTES:
        value.as.text = (djp_text){text + draw(self, 200), draw(self, 2000)};
        break;
    case DJP_ARRAY:
        value.as.array.items = items;
        value.as.array.count = draw(self, 4);
        break;
    case DJP_MAP:
        value.as.map.items = pairs;
        value.as.map.count = draw(self, 4);
        break;
    default:
        value.as.integer = draw(self, 1000);
    }
    return value;
}

static void
random_write(worker *self, djp_span *span)
{
    char local[2400];
    memset(local, 'a' + (int)draw(self, 26), sizeof local);
    local[draw(self, 300)] = (char)draw(self, 256);
    djp_value items[4] = {{.type = DJP_INT, .as.integer = 1},
                          {.type = DJP_STRING, .as.text = {local, 5}}};
    djp_attribute pairs[4] = {{{"a", 1}, items[0]}, {{local, 9}, items[1]}};
    items[2] = (djp_value){.type = DJP_MAP, .as.map = {pairs, 2}};
    djp_value value = random_value(self, items, pairs, local);
    djp_key key = keys[draw(self, 8)];
    djp_span_context context;
    djp_span_get_context(&context, span);
    switch (draw(self, 10)) {
    case 0:
        djp_span_set_int(span, key, 5);
        break;
    case 1:
        djp_span_set_double(span, key, 0.5);
        break;
    case 2:
        djp_span_set_string(span, key, (djp_text){local, draw(self, 100)});
        break;
    case 3:
        djp_span_set_string(span, key, (djp_text){local, draw(self, 2400)});
        break;
    case 4:
        djp_span_set_value(span, key, &value);
        break;
    case 5:
        djp_span_update_name(span, (djp_text){local, draw(self, 400)});
        break;
    case 6:
        djp_span_add_event(span, (djp_text){local, draw(self, 50)}, draw(self, 2), pairs,
                           draw(self, 5));
        break;
    case 7:
        djp_span_add_link(span, &context, pairs, draw(self, 5));
        break;
    case 8:
        djp_span_set_status(span, (djp_status_code)draw(self, draw(self, 50) == 0 ? 4 : 2),
                            (djp_text){local, draw(self, 300)});
        break;
    default:
        djp_span_record_exception(span, (djp_text){local, 20}, (djp_text){local, draw(self, 900)},
                                  (djp_text){NULL, 0}, 0, pairs, draw(self, 5));
    }
}

static void *
work(void *argument)
{
    worker *self = argument;
    for (unsigned step = 0; step < self->steps; step++) {
        djp_span **place = &self->spans[draw(self, 8)];
        djp_span *other = self->spans[draw(self, 8)];
        if (!*place) {
            djp_span_options options = {.parent = draw(self, 3) ? self->shared : other,
                                        .force_root = draw(self, 5) == 0,
                                        .kind = (uint8_t)draw(self, 7)};
            *place = djp_span_start(recorder, DJP_TEXT("random"), &options);
        } else if (draw(self, 6) == 0) {
            djp_span_end(*place, draw(self, 4) == 0 ? draw(self, 1000) : 0);
            if (draw(self, 3) == 0) {
                random_write(self, *place);
            }
        } else if (draw(self, 6) == 0) {
            djp_span_release(*place);
            *place = NULL;
        } else {
            random_write(self, *place);
        }
    }
    for (int i = 0; i < 8; i++) {
        djp_span_release(self->spans[i]);
        self->spans[i] = NULL;
    }
    return NULL;
}

static DJP__ATOMIC(int) reading;

static void *
read_all(void *argument)
{
    unsigned *count = argument;
    do {
        *count += span_reader_drain(recorder);
        sched_yield();
    } while (djp__load_acquire(&reading));
    *count += span_reader_drain(recorder);
    return NULL;
}

static void
torture(djp__recorder_options options, unsigned rounds, unsigned steps)
{
    recorder = span_reader_recorder(&options);
    unsigned read = 0;
    pthread_t reader, threads[THREADS];
    djp__store_release(&reading, 1);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &read), 0);
    for (unsigned round = 0; round < rounds; round++) {
        worker workers[THREADS] = {{0}};
        djp_span *root = start(NULL);
        for (unsigned i = 0; i < THREADS; i++) {
            workers[i].random = round * 1000003u + i;
            workers[i].steps = steps;
            workers[i].shared = root;
            assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
        }
        if (round % 2) {
            usleep(200);
            djp_span_end(root, 0); /* in the middle of it: the others become late */
        }
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
        finish(root);
    }
    djp__store_release(&reading, 0);
    pthread_join(reader, NULL);
    djp__recorder_totals c = counters();
    assert_int_equal(c.live, 0);
    assert_int_equal(c.decision_buffer_bytes, 0);
    assert_int_equal(c.started, c.ended + c.dropped[DJP__DROP_NEVER_ENDED]);
    assert_int_equal(c.ended, fates(&c));
    assert_int_equal(read, c.by_reason[DJP_REASON_RATIO] + c.by_reason[DJP_REASON_PARENT] +
                               c.by_reason[DJP_REASON_ERROR] + c.by_reason[DJP_REASON_SLOW] +
                               c.by_reason[DJP_REASON_ALWAYS]);
    assert_true(read > 0);
    djp__recorder_free(recorder);
}

static void
threads_lose_and_tear_nothing_when_streaming(void **state)
{
    (void)state;
    torture(span_reader_options(), 12, 1500);
}

static void
threads_lose_and_tear_nothing_when_deciding_late(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(0.3);
    torture(options, 12, 1500);
}

static void
threads_lose_and_tear_nothing_at_tight_limits(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(0.5);
    options.ring_bytes = 16384;
    options.decision_buffer_bytes = 20000;
    options.attribute_count_limit = 3;
    options.attribute_value_length_limit = 10;
    options.event_count_limit = 2;
    options.link_count_limit = 1;
    torture(options, 12, 1500);
}

static void
one_thread_without_memory(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(0.5);
    recorder = span_reader_recorder(&options);
    for (long n = 1; n < 60; n++) {
        worker self = {.random = (uint64_t)n, .steps = 300};
        djp__alloc_fail_after(n * 3);
        work(&self);
        djp__alloc_fail_after(0);
        span_reader_drain(recorder);
    }
    djp__recorder_totals c = counters();
    assert_int_equal(c.live, 0);
    assert_int_equal(c.decision_buffer_bytes, 0);
    assert_int_equal(c.started, c.ended + c.dropped[DJP__DROP_NEVER_ENDED]);
    djp__recorder_free(recorder);
    for (long n = 1; n < 5; n++) {
        djp__alloc_fail_after(n);
        recorder = NULL;
        int code = djp__recorder_new(&recorder, &options);
        djp__alloc_fail_after(0);
        assert_true((code == 0) == (recorder != NULL));
        djp__recorder_free(recorder);
    }
}

/* More threads than counter stripes, coming and going. */
static void *
short_life(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20; i++) {
        djp_span *root = start(NULL);
        finish(start(root));
        finish(root);
    }
    return NULL;
}

static void
counts_are_exact_over_many_threads(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    recorder = span_reader_recorder(&options);
    pthread_t threads[50];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 50; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, short_life, NULL), 0);
        }
        for (int i = 0; i < 50; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    assert_int_equal(counters().started, 4 * 50 * 40);
    assert_int_equal(counters().ended, 4 * 50 * 40);
    assert_int_equal(counters().live, 0);
    djp__recorder_free(recorder);
}

static void
a_recorder_outlives_its_spans(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    recorder = span_reader_recorder(&options);
    djp_span *root = start(NULL);
    djp_span *child = start(root);
    djp__recorder_free(recorder);
    djp_span_set_string(child, keys[0], DJP_TEXT("still safe"));
    assert_null(start(root));
    finish(root);
    djp_span_context context;
    djp_span_get_context(&context, child);
    assert_true(djp_span_context_is_valid(&context));
    finish(child);
    djp__recorder_free(NULL);
    recorder = span_reader_recorder(&options); /* reaps the old one; the leak checker looks */
    djp__recorder_free(recorder);
}

/* What a child of fork(2) sees. Exits with 0 or the line that failed. */
#define EXPECT(condition)              \
    do {                               \
        if (!(condition)) {            \
            _exit(__LINE__ % 250 + 1); \
        }                              \
    } while (0)

static void
in_child(djp_span *root, djp_span *open)
{
    djp__recorder_fork_child(recorder);
    EXPECT(counters().started == 0 && counters().live == 0);
    EXPECT(span_reader_drain(recorder) == 0);
    djp_span_context above, own;
    djp_span_get_context(&above, root);
    djp_span *mine = start(root);
    djp_span_get_context(&own, mine);
    EXPECT(memcmp(above.trace_id, own.trace_id, 16) == 0 && own.flags == above.flags);
    djp_span_set_status(mine, DJP_STATUS_ERROR, DJP_TEXT("x"));
    finish(start(mine));
    djp_span_end(open, 0);
    djp_span_end(root, 0);
    EXPECT(counters().dropped[DJP__DROP_FORKED] == 2);
    EXPECT(span_reader_drain(recorder) == 0);
    finish(mine);
    djp__span_record *record = span_reader_take(recorder);
    EXPECT(record && memcmp(record->trace_id, above.trace_id, 16) == 0);
    free(record);
    record = span_reader_take(recorder);
    EXPECT(record && record->local_root && record->parent_remote == 0 &&
           record->reason == DJP_REASON_ERROR);
    EXPECT(memcmp(record->parent_id, above.span_id, 8) == 0);
    free(record);
    EXPECT(counters().live == 0 && counters().decision_buffer_bytes == 0 &&
           counters().started == 2);
    djp__recorder_free(recorder); /* parked: the parent's spans are still held */
    djp_span_release(open);
    djp_span_release(root);
    djp__recorder_options options = span_reader_options();
    recorder = span_reader_recorder(&options);
    djp__recorder_free(recorder);
    _exit(0);
}

static void
a_forked_child_starts_afresh(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(1e-9);
    recorder = span_reader_recorder(&options);
    djp_span *root = start(NULL);
    djp_span *waiting = start(root);
    djp_span_set_status(waiting, DJP_STATUS_ERROR, DJP_TEXT("x"));
    finish(waiting);
    djp_span *open = start(root);
    djp_span *other = start(NULL);
    djp_span_set_status(other, DJP_STATUS_ERROR, DJP_TEXT("x"));
    finish(other); /* in the ring */
    pid_t pid = fork();
    if (pid == 0) {
        in_child(root, open);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    finish(open);
    finish(root);
    assert_int_equal(span_reader_drain(recorder), 4);
    assert_int_equal(counters().live, 0);
    djp__recorder_free(recorder);
}

static void
a_span_of_another_recorder_is_a_local_parent(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    djp_recorder *first = span_reader_recorder(&options);
    options.always_on = 0;
    options.threshold = djp__threshold_of(0.5);
    djp_recorder *second = span_reader_recorder(&options);
    recorder = first;
    djp_span *root = start(NULL);
    recorder = second;
    djp_span *child = start(root);
    djp_span_end(root, 0);
    djp_span_release(root);
    finish(child);
    assert_int_equal(span_reader_drain(first), 1);
    djp__span_record *record = span_reader_take(second);
    assert_int_equal(record->local_root, 1);
    assert_int_equal(record->parent_remote, 0);
    assert_int_equal(record->reason, DJP_REASON_PARENT);
    free(record);
    djp__recorder_free(first);
    djp__recorder_free(second);
}

int
main(void)
{
    static const char *const names[8] = {"a", "b", "c", "http.route",
                                         "e", "f", "g", "a.longer.key"};
    for (int i = 0; i < 8; i++) {
        keys[i] = djp_key_intern(djp_text_of(names[i]));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_lose_and_tear_nothing_when_streaming),
        cmocka_unit_test(threads_lose_and_tear_nothing_when_deciding_late),
        cmocka_unit_test(threads_lose_and_tear_nothing_at_tight_limits),
        cmocka_unit_test(one_thread_without_memory),
        cmocka_unit_test(counts_are_exact_over_many_threads),
        cmocka_unit_test(a_recorder_outlives_its_spans),
        cmocka_unit_test(a_forked_child_starts_afresh),
        cmocka_unit_test(a_span_of_another_recorder_is_a_local_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
