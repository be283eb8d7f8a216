/* Exponential buckets in a stripe: recorded by threads, read meanwhile, written for a fold, folded
 * over processes of other scales, and held by a thread that a fork left behind. */
#include "metrics_fixture.h"

#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rand.h"
#include "metrics/native.h"
#include "metrics/fold.h"
#include "metrics/snapshot.h"

static DJP__ATOMIC(uint64_t) words[DJP__NATIVE_WORDS];

static void
empty_words(void)
{
    for (size_t i = 0; i < DJP__NATIVE_WORDS; i++) {
        djp__store_relaxed(&words[i], 0);
    }
}

static void
record(djp__exponential *histogram, double value)
{
    if (fabs(value) <= DJP__EXPONENTIAL_ZERO_THRESHOLD) {
        histogram->zero_count++;
        return;
    }
    djp__exponential_add(histogram, value < 0, histogram->scale,
                         djp__exponential_index(fabs(value), histogram->scale), 1);
}

static uint64_t
count_at(const djp__exponential_side *side, int32_t index)
{
    return index >= side->offset && index < side->offset + (int32_t)side->size
               ? side->counts[index - side->offset]
               : 0;
}

static void
assert_side(const djp__exponential_side *a, const djp__exponential_side *b)
{
    for (uint32_t i = 0; i < a->size; i++) {
        assert_int_equal(a->counts[i], count_at(b, a->offset + (int32_t)i));
    }
}

static void
assert_same(const djp__exponential *a, const djp__exponential *b)
{
    assert_int_equal(a->scale, b->scale);
    assert_int_equal(a->zero_count, b->zero_count);
    assert_int_equal(djp__exponential_count(a), djp__exponential_count(b));
    assert_side(&a->positive, &b->positive);
    assert_side(&b->positive, &a->positive);
    assert_side(&a->negative, &b->negative);
    assert_side(&b->negative, &a->negative);
}

/* As the plain arithmetic has it, for growth at both ends and on both sides. */
static void
native_words_are_a_plain_histogram(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        djp__exponential expected, found, again;
        uint64_t plain[DJP__NATIVE_WORDS];
        double spread = (double)(1 + round % 60);
        empty_words();
        djp__exponential_init(&expected);
        for (int i = 0; i < 200; i++) {
            double value = exp2(spread * ((double)(djp__rand64() % 1000) / 1000 - 0.5));
            value = round % 3 == 0 && djp__rand64() % 2 ? -value : value;
            value = djp__rand64() % 50 ? value : round % 2 ? 1e-300 : 0;
            record(&expected, value);
            assert_int_equal(djp__native_record(words, value), 1);
        }
        djp__exponential_init(&found);
        djp__native_read(&found, words);
        assert_same(&expected, &found);

        djp__native_write(plain, &found);
        empty_words();
        for (size_t i = 0; i < DJP__NATIVE_WORDS; i++) {
            djp__store_relaxed(&words[i], plain[i]);
        }
        djp__exponential_init(&again);
        djp__native_read(&again, words);
        assert_same(&expected, &again);
        assert_int_equal(djp__native_record(words, spread), 1);
    }
    djp__exponential empty;
    empty_words();
    djp__exponential_init(&empty);
    djp__native_read(&empty, words);
    assert_int_equal(djp__exponential_count(&empty), 0);
}

enum { NATIVE_THREADS = 4, NATIVE_RECORDINGS = 20000 };
static DJP__ATOMIC(int) threads_end;

static void *
record_many(void *argument)
{
    unsigned long seed = (unsigned long)(uintptr_t)argument;
    for (int i = 0; i < NATIVE_RECORDINGS; i++) {
        double value = ldexp(1 + (i % 7) / 8.0, (int)((seed + (unsigned long)i) % 40) - i / 1000);
        while (!djp__native_record(words, i % 100 == 0 ? 0 : i % 3 == 0 ? -value : value)) {
        }
    }
    djp__add_acq_rel(&threads_end, 1);
    return NULL;
}

/* A reader never sees less than before. */
static void
threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t threads[NATIVE_THREADS];
    djp__exponential sum;
    uint64_t before = 0;
    empty_words();
    djp__store_relaxed(&threads_end, 0);
    for (uintptr_t i = 0; i < NATIVE_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, (void *)i), 0);
    }
    while (djp__load_acquire(&threads_end) < NATIVE_THREADS) {
        djp__exponential_init(&sum);
        djp__native_read(&sum, words);
        uint64_t now = djp__exponential_count(&sum);
        assert_true(now >= before);
        before = now;
    }
    for (size_t i = 0; i < NATIVE_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    djp__exponential_init(&sum);
    djp__native_read(&sum, words);
    assert_int_equal(djp__exponential_count(&sum), NATIVE_THREADS * NATIVE_RECORDINGS);
}

/* Words that another process damaged give some histogram, and no access out of bounds. */
static void
damaged_words_are_harmless(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        djp__exponential sum;
        for (size_t k = 0; k < 8 + (size_t)i % DJP__NATIVE_WORDS; k++) {
            uint64_t word = k == 0 ? djp__rand64() << 1 : djp__rand64();
            djp__store_relaxed(&words[k % DJP__NATIVE_WORDS],
                               djp__rand64() % 2 ? word : word & 0xffffff);
        }
        djp__exponential_init(&sum);
        djp__native_record(words, 1.5);
        djp__native_read(&sum, words);
        assert_true(sum.positive.size + sum.negative.size <= DJP__EXPONENTIAL_BUCKETS);
    }
}

static djp_series *
native_series(djp_registry *registry)
{
    djp_family *family;
    djp_family_options options = {
        .type = DJP_HISTOGRAM, .name = "native", .exponential = DJP_EXPONENTIAL_ON};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return djp_family_series(family, NULL);
}

static void
see_point(void *user, const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    (void)snapshot;
    if (point->exponential != NULL) {
        *(djp__exponential *)user = *point->exponential;
    }
}

static void
read_registry(djp__exponential *out, djp_registry *registry)
{
    djp__snapshot snapshot;
    djp__exponential_init(out);
    djp__snapshot_begin(&snapshot, registry);
    while (djp__snapshot_next(&snapshot)) {
        djp__snapshot_points(&snapshot, see_point, out);
    }
}

/* Each child has another scale; the dead are folded, one lives. */
static void
processes_of_other_scales_are_merged(void **state)
{
    (void)state;
    djp_registry *registry = NULL;
    djp_registry_options options = {.sharing = DJP_SHARE_FORK};
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    djp_series *series = native_series(registry);
    djp__exponential expected, found;
    djp__exponential_init(&expected);
    for (int child = 0; child < 5; child++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        for (int i = 0; i < 50; i++) {
            double value = (child - 2) * pow(1 + child, i);
            if (pid == 0) {
                djp_histogram_observe(series, value);
            } else {
                record(&expected, value);
            }
        }
        if (pid == 0) {
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        djp_histogram_observe(series, 1000);
        record(&expected, 1000);
        read_registry(&found, registry);
        assert_same(&expected, &found);
    }
    djp_registry_free(registry);
}

/* The memory of a forked child may have the bit set by a thread that it does not have. */
static void
a_child_records_where_a_thread_was_recording(void **state)
{
    (void)state;
    djp_registry *registry = fixture_registry(0, 0);
    djp_series *series = native_series(registry);
    djp_histogram_observe(series, 2);
    DJP__ATOMIC(uint64_t) *held =
        djp__histogram_native(registry, series->family->entry, series->entry, 0);
    djp__or_acq_rel(&held[0], 1);
    uint64_t dropped = fixture_counters(registry).dropped;
    djp_histogram_observe(series, 3); /* held for too long: counted, without its bucket */
    assert_int_equal(fixture_counters(registry).dropped, dropped + 1);
    assert_int_equal(djp_series_count(series), 2);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        djp__exponential sum;
        djp_histogram_observe(series, 4);
        read_registry(&sum, registry);
        _exit(djp__exponential_count(&sum) == 2 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    djp_registry_free(registry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_words_are_a_plain_histogram),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(damaged_words_are_harmless),
        cmocka_unit_test(processes_of_other_scales_are_merged),
        cmocka_unit_test(a_child_records_where_a_thread_was_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
