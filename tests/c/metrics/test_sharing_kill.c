/* A process may be killed at any instruction. A child runs an operation one instruction at a time
 * (ptrace); whenever the shared memory has changed, a copy of it is what another process would find
 * if the child died there. Each copy is repaired and must be complete: no old number lost, no
 * number doubled, and every further operation works. */
#include "metrics_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics/native.h"
#include "metrics/fold.h"
#include "metrics/slot.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define KILL_SKIPPED 1
#else
#define KILL_SKIPPED 0
#endif

#define SERIES_OLD 12 /* the table of 16 places is then full: the next series makes it grow */
#define STEPS_MAX 400000

typedef struct {
    djp_registry *registry;
    djp_family *counters, *histograms, *natives;
    double counted;
} subject;

static djp_registry *
shared_registry(void)
{
    djp_registry_options options = {.reserve_bytes = 512 << 10, .sharing = DJP_SHARE_FORK};
    djp_registry *registry = NULL;
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    registry->reuse_after_ns = 0;
    return registry;
}

static void
open_families(subject *s)
{
    s->counters = fixture_family(s->registry, DJP_COUNTER, "counted", 1);
    s->histograms = fixture_family(s->registry, DJP_HISTOGRAM, "observed", 1);
    djp_family_options options = {.type = DJP_HISTOGRAM,
                                  .name = "native",
                                  .labels = (const char *const[]){"a"},
                                  .label_count = 1,
                                  .exponential = DJP_EXPONENTIAL_ON};
    assert_int_equal(djp_family_new(&s->natives, s->registry, &options), 0);
}

static void
make_subject(subject *s, int series)
{
    s->registry = shared_registry();
    open_families(s);
    for (int i = 0; i < series; i++) {
        djp_counter_add(fixture_numbered(s->counters, i), i + 1);
        djp_histogram_observe(fixture_numbered(s->histograms, i), i + 1);
    }
    djp_histogram_observe(fixture_numbered(s->natives, 0), 3);
}

/* ---- the operations that are cut ---- */

static void
add_series(subject *s)
{
    djp_counter_add(fixture_series(s->counters, "new"), 1);
}

static void
add_histogram(subject *s)
{
    djp_histogram_observe(fixture_series(s->histograms, "new"), 1);
}

static void
add_family(subject *s)
{
    djp_family *family = fixture_family(s->registry, DJP_GAUGE, "added", 1);
    djp_gauge_set(fixture_series(family, "x"), 1);
}

static void
remove_and_reuse(subject *s)
{
    djp_text text = {"v11", 3};
    djp_family_remove(s->counters, &text);
    djp_counter_add(fixture_series(s->counters, "new"), 1);
}

/* The first value of this process, one that needs another scale, one that does not, and zero. */
static void
observe_exponential(subject *s)
{
    static const double values[] = {3, 6, 6, 0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        djp_histogram_observe(fixture_numbered(s->natives, 0), values[i]);
    }
}

static void
add_exemplar(subject *s)
{
    djp_span_context context = {.trace_id = {1}, .span_id = {2}, .flags = DJP_FLAG_SAMPLED};
    djp_counter_add_with_context(fixture_numbered(s->counters, 1), 1, &context);
}

static void
fold_the_dead(subject *s)
{
    djp__registry_lock(s->registry);
    djp__fold_dead(s->registry);
    djp__registry_unlock(s->registry);
}

/* ---- what must hold for each copy ---- */

static uint32_t
used_heap(const djp_registry *registry)
{
    return registry->segment.header->heap_top;
}

/* A registry of this process over the copy: the memory of another one is replaced. */
static void
adopt_copy(subject *out, const char *copy, size_t size)
{
    out->registry = shared_registry();
    djp__segment *segment = &out->registry->segment;
    djp__slot_leave(segment);
    memcpy(segment->base, copy, size);
    djp__segment_header *header = segment->header;
    header->damaged |= *(const int *)(const void *)&header->mutex != 0;
    memset(&header->mutex, 0, sizeof header->mutex);
    djp__segment_init_mutex(&header->mutex);
    for (uint32_t stripe = 1; stripe < segment->stripes; stripe++) {
        djp__segment_slot *slot = &header->slots[stripe - 1];
        memset(&slot->owner, 0, sizeof slot->owner); /* its process has ended */
        djp__segment_init_mutex(&slot->owner);
    }
    djp__registry_lock(out->registry);
    djp__fold_dead(out->registry);
    assert_int_equal(djp__slot_claim(segment), 0);
    djp__registry_unlock(out->registry);
}

static void
check_value(djp_family *family, int number, double smallest, double largest)
{
    djp_series *series = fixture_numbered(family, number);
    assert_non_null(series);
    double value = djp_series_value(series);
    if (value < smallest || value > largest) {
        fail_msg("v%d is %f, not %f to %f", number, value, smallest, largest);
    }
}

/* The observations of the exponential buckets are those of the explicit ones, but for one that was
 * cut between the two. */
static void
check_exponential(const subject *s)
{
    djp__exponential sum;
    djp_series *series = fixture_numbered(s->natives, 0);
    djp__exponential_init(&sum);
    for (uint32_t stripe = 0; stripe < djp__segment_stripes_in_use(&s->registry->segment);
         stripe++) {
        djp__native_read(
            &sum, djp__histogram_native(s->registry, s->natives->entry, series->entry, stripe));
    }
    uint64_t count = djp__exponential_count(&sum), all = djp_series_count(series);
    if (count < 1 || (count != all && count + 1 != all)) {
        fail_msg("%llu observations of %llu", (unsigned long long)count, (unsigned long long)all);
    }
    djp__exponential_init(&sum);
    djp_histogram_observe(series, 1e6);
    djp__native_read(&sum, djp__histogram_native(s->registry, s->natives->entry, series->entry,
                                                 s->registry->segment.own));
    assert_int_equal(djp__exponential_count(&sum), 1);
}

static void
check_copy(const subject *original, const char *copy, size_t size, int removed)
{
    subject s;
    (void)original;
    adopt_copy(&s, copy, size);
    open_families(&s);
    for (int i = 0; i < SERIES_OLD; i++) {
        check_value(s.counters, i, i == removed ? 0 : i + 1, i + 1 + (i == 1));
        check_value(s.histograms, i, i + 1, i + 1);
    }
    check_exponential(&s);
    uint32_t before = used_heap(s.registry);
    djp_series *series[40];
    for (int i = 0; i < 40; i++) {
        series[i] = fixture_numbered(s.counters, 100 + i);
        djp_counter_add(series[i], 1000 + i);
    }
    djp_counter_add(fixture_series(s.counters, "new"), 5);
    for (int i = 0; i < 40; i++) {
        assert_ptr_equal(fixture_numbered(s.counters, 100 + i), series[i]);
        assert_true(djp_series_value(series[i]) == 1000 + i);
    }
    assert_true(used_heap(s.registry) <= before + 40 * 1024);
    char *text = fixture_expose(s.registry, DJP_OPENMETRICS_1_0_0);
    if (strstr(text, "counted_total{a=\"v139\"} 1039") == NULL) {
        fail_msg("%s", text);
    }
    const char *found = strstr(text, "counted_total{a=\"new\"} ");
    assert_non_null(found);
    double now = strtod(found + strlen("counted_total{a=\"new\"} "), NULL);
    assert_true(now == 5 || now == 6);
    assert_null(strstr(found + 1, "counted_total{a=\"new\"} "));
    djp_free(text);
    djp_registry_free(s.registry);
}

/* ---- stepping ---- */

/* What is watched after each instruction: the heap in use, and the first rows of four stripes. */
static int
has_changed(char *last, const djp_registry *registry)
{
    const djp__segment *segment = &registry->segment;
    size_t heap = segment->header->heap_top + 4096u, rows = 4u * DJP__SEGMENT_ROW;
    if (memcmp(last, segment->base, heap) == 0 &&
        memcmp(last + segment->heap_size, segment->base + segment->heap_size, rows) == 0) {
        return 0;
    }
    memcpy(last, segment->base, segment->heap_size);
    memcpy(last + segment->heap_size, segment->base + segment->heap_size, rows);
    return 1;
}

/* Heap and first row: the values of these tests need no more. */
static size_t
copied(const djp_registry *registry)
{
    return registry->segment.heap_size + (size_t)registry->segment.stripes * DJP__SEGMENT_ROW;
}

static long
step_child(pid_t child, const subject *s, int removed)
{
    size_t size = copied(s->registry);
    char *last = calloc(1, size), *copy = malloc(size);
    long states = 0;
    int status;
    has_changed(last, s->registry);
    for (long steps = 0; steps < STEPS_MAX; steps++) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 || waitpid(child, &status, 0) < 0 ||
            WIFEXITED(status)) {
            break;
        }
        assert_true(WIFSTOPPED(status));
        if (WSTOPSIG(status) == SIGSTOP) {
            break; /* the end of the operation */
        }
        if (has_changed(last, s->registry)) {
            memcpy(copy, s->registry->segment.base, size);
            check_copy(s, copy, size, removed);
            states++;
        }
    }
    free(last);
    free(copy);
    return states;
}

/* Returns the number of states that were checked. */
static long
cut(subject *s, void (*prepare)(subject *), void (*operation)(subject *), int removed)
{
    pid_t child = fork();
    int status;
    assert_true(child >= 0);
    if (child == 0) {
        if (prepare != NULL) {
            prepare(s);
        }
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(77);
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        raise(SIGSTOP);
        operation(s);
        raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
        print_message("ptrace is not allowed here: skipped\n");
        skip();
    }
    long states = step_child(child, s, removed);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    djp_registry_free(s->registry);
    return states;
}

static void
cut_all(void (*operation)(subject *), int removed, long least)
{
    if (KILL_SKIPPED) {
        skip();
    }
    subject s;
    make_subject(&s, SERIES_OLD);
    long states = cut(&s, NULL, operation, removed);
    print_message("%ld states of the memory\n", states);
    assert_true(states >= least);
}

static void
the_adding_of_a_counter(void **state)
{
    (void)state;
    cut_all(add_series, -1, 30);
}

static void
the_adding_of_a_histogram(void **state)
{
    (void)state;
    cut_all(add_histogram, -1, 30);
}

static void
the_adding_of_a_family(void **state)
{
    (void)state;
    cut_all(add_family, -1, 40);
}

static void
the_reuse_of_a_removed_series(void **state)
{
    (void)state;
    cut_all(remove_and_reuse, 11, 20);
}

static void
an_exponential_observation(void **state)
{
    (void)state;
    cut_all(observe_exponential, -1, 20);
}

static void
the_first_exemplar(void **state)
{
    (void)state;
    cut_all(add_exemplar, -1, 8);
}

/* A worker records and ends. */
static void
let_a_worker_end(subject *s)
{
    pid_t worker = fork();
    if (worker == 0) {
        for (int i = 0; i < SERIES_OLD; i++) {
            djp_counter_add(fixture_numbered(s->counters, i), i + 0.5);
            djp_counter_add(fixture_numbered(s->counters, i), 0.5);
            djp_histogram_observe(fixture_numbered(s->histograms, i), i + 1);
            djp_histogram_observe(fixture_numbered(s->natives, 0), i * 100);
        }
        _exit(0);
    }
    waitpid(worker, NULL, 0);
}

static void
the_fold_of_an_ended_process(void **state)
{
    (void)state;
    if (KILL_SKIPPED) {
        skip();
    }
    subject s;
    make_subject(&s, 0);
    long states = cut(&s, let_a_worker_end, fold_the_dead, -1);
    print_message("%ld states of the memory\n", states);
    assert_true(states >= SERIES_OLD * 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_adding_of_a_counter),
        cmocka_unit_test(the_adding_of_a_histogram),
        cmocka_unit_test(the_adding_of_a_family),
        cmocka_unit_test(the_reuse_of_a_removed_series),
        cmocka_unit_test(an_exponential_observation),
        cmocka_unit_test(the_first_exemplar),
        cmocka_unit_test(the_fold_of_an_ended_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
