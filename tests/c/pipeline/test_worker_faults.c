/* Random fault scripts: whatever a receiver does, every span that was started is exported, waiting,
 * or lost under a name, nothing is exported twice, and flush never says "all well" falsely. The
 * seed is printed; DJP_SEED repeats a run. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t
next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

struct faults {
    uint64_t seed; /* the worker's own: attempts are not concurrent */
    unsigned badness; /* percent of attempts that go wrong */
};

static unsigned
random_fault(void *user, unsigned attempt)
{
    static const unsigned kinds[] = {SCRIPT_RETRY,   SCRIPT_RETRY, SCRIPT_RETRY, SCRIPT_REJECT,
                                     SCRIPT_PARTIAL, SCRIPT_HANG,  SCRIPT_SLOW,  SCRIPT_STUCK};
    struct faults *faults = user;
    (void)attempt;
    if (next_random(&faults->seed) % 100 >= faults->badness) {
        return SCRIPT_ACCEPT;
    }
    return kinds[next_random(&faults->seed) % (sizeof kinds / sizeof kinds[0])];
}

struct seen {
    uint8_t (*ids)[8];
    size_t count;
};

static void
see(void *user, const char *name, const uint8_t *trace_id, const uint8_t *span_id)
{
    struct seen *seen = user;
    (void)name;
    (void)trace_id;
    memcpy(seen->ids[seen->count++], span_id, 8);
}

static int
compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 8);
}

static void
check_exported_once(script_transport *transport, size_t most)
{
    struct seen seen = {calloc(most + 1, 8), 0};
    helper_each(transport->stored, transport->stored_size, see, &seen);
    qsort(seen.ids, seen.count, 8, compare_ids);
    for (size_t i = 1; i < seen.count; i++) {
        assert_memory_not_equal(seen.ids[i - 1], seen.ids[i], 8);
    }
    free(seen.ids);
}

struct recorder_thread {
    djp_sdk *sdk;
    uint64_t seed;
    unsigned spans;
};

static void *
record_at_random(void *argument)
{
    struct recorder_thread *recorder = argument;
    while (recorder->spans > 0) {
        unsigned burst = (unsigned)(next_random(&recorder->seed) % 200) + 1;
        burst = burst < recorder->spans ? burst : recorder->spans;
        helper_spans(recorder->sdk, "random", burst);
        recorder->spans -= burst;
        helper_sleep(next_random(&recorder->seed) % (3 * MS));
    }
    return NULL;
}

static double
losses(json *status)
{
    const json *dropped = json_get(status, "dropped");
    double sum = 0;
    for (size_t i = 0; i < json_count(dropped); i++) {
        sum += json_number(&dropped->items[i], 0);
    }
    return sum;
}

static void
run_faults(uint64_t seed)
{
    struct faults faults = {seed * 7 + 1, (unsigned)(next_random(&seed) % 80)};
    djp_options options = helper_options();
    options.ring_bytes = 64u << 10 << (next_random(&seed) % 3);
    options.max_batch_spans = 1 + next_random(&seed) % 300;
    options.flush_interval_ns = next_random(&seed) % (20 * MS);
    options.export_timeout_ns = 20 * MS + next_random(&seed) % (40 * MS);
    script_transport *transport = script_new(random_fault, &faults);
    transport->retry_after_ns = 3 * MS;
    transport->slow_ns = 5 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    pthread_t threads[2];
    struct recorder_thread recorders[2];
    for (int i = 0; i < 2; i++) {
        recorders[i] = (struct recorder_thread){sdk, next_random(&seed), 2000};
        assert_int_equal(pthread_create(&threads[i], NULL, record_at_random, &recorders[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        helper_sleep(next_random(&seed) % (10 * MS));
        djp_sdk_flush(sdk, next_random(&seed) % (30 * MS));
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    int code = djp_sdk_flush(sdk, next_random(&seed) % 2 ? PATIENCE : 0);
    json *before = helper_status(sdk);
    if (code == 0) {
        assert_true(helper_number(before, "queue", "spans") == 0);
        assert_true(helper_number(before, "queue", "batch_spans") == 0);
    }
    double lost_before = losses(before);
    json_free(before);
    int ended = djp_sdk_shutdown(sdk, next_random(&seed) % (100 * MS));
    json *status = helper_status_at_rest(sdk);
    assert_true(helper_number(status, "spans", "started") == 4000);
    assert_true(helper_unaccounted(status) == 0);
    /* What the receiver refused of a partial success is in the store, too. */
    double stored = (double)script_spans(transport, NULL);
    assert_true(stored >= helper_number(status, "spans", "exported"));
    assert_true(stored <= helper_number(status, "spans", "exported") +
                              helper_number(status, "dropped", "rejected"));
    if (code == 0 && ended == 0) {
        assert_true(losses(status) == lost_before);
    }
    json_free(status);
    check_exported_once(transport, 4000);
    djp_sdk_free(sdk);
    assert_int_equal(transport->overlaps, 0);
    script_fini(transport);
}

static void
test_random_faults(void **state)
{
    (void)state;
    const char *given = getenv("DJP_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : djp__clock_realtime() % 1000000;
    for (uint64_t i = 0; i < (given != NULL ? 1 : 25); i++) {
        printf("seed %llu\n", (unsigned long long)(first + i));
        run_faults((first + i) * 2654435761u + 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
