/* The ring: order, wrapping, refusal when full, and many writers against one reader without a lost
 * or torn record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/ring.h"
#include "base/thread.h"
#include "djp/error.h"

static void
sizes_are_checked(void **state)
{
    (void)state;
    djp_ring *ring = NULL;
    assert_int_equal(djp__ring_new(&ring, 1000), DJP_EINVAL);
    assert_int_equal(djp__ring_new(&ring, 2048), DJP_EINVAL);
    assert_int_equal(djp__ring_new(&ring, 4096), 0);
    assert_int_equal(djp__ring_capacity(ring), 4096);
    assert_null(djp__ring_reserve(ring, 0));
    assert_null(djp__ring_reserve(ring, 1025));
    assert_non_null(djp__ring_reserve(ring, 1024));
    djp__ring_free(ring);
}

static void
records_come_back_in_order_over_many_laps(void **state)
{
    (void)state;
    djp_ring *ring = NULL;
    assert_int_equal(djp__ring_new(&ring, 4096), 0);
    uint64_t written = 0, read = 0;
    for (unsigned step = 0; step < 20000; step++) {
        size_t size = 8 + (step * 37u) % 600u;
        unsigned char *record = djp__ring_reserve(ring, size);
        if (record != NULL) {
            for (size_t i = 0; i < size; i++) {
                /* free bytes are zero, or a stale head could look committed */
                assert_int_equal(record[i], 0);
            }
            memset(record, (int)(written % 251) + 1, size);
            memcpy(record, &written, sizeof written);
            djp__ring_commit(ring, record);
            written++;
        }
        if (record == NULL || step % 3 == 0) {
            size_t got = 0;
            unsigned char *oldest = djp__ring_peek(ring, &got);
            if (oldest != NULL) {
                uint64_t number;
                memcpy(&number, oldest, sizeof number);
                assert_int_equal(number, read);
                for (size_t i = sizeof number; i < got; i++) {
                    assert_int_equal(oldest[i], (int)(number % 251) + 1);
                }
                djp__ring_consume(ring);
                read++;
            }
        }
        assert_true(djp__ring_used(ring) <= 4096);
    }
    assert_true(read > 5000 && read <= written);
    size_t got;
    while (djp__ring_peek(ring, &got)) {
        djp__ring_consume(ring);
        read++;
    }
    assert_int_equal(read, written);
    assert_int_equal(djp__ring_used(ring), 0);
    assert_int_equal(djp__ring_written(ring), djp__ring_consumed(ring));
    djp__ring_free(ring);
}

static void
reader_stops_at_an_uncommitted_record(void **state)
{
    (void)state;
    djp_ring *ring = NULL;
    size_t size = 0;
    assert_int_equal(djp__ring_new(&ring, 4096), 0);
    void *first = djp__ring_reserve(ring, 16);
    void *second = djp__ring_reserve(ring, 24);
    djp__ring_commit(ring, second);
    assert_null(djp__ring_peek(ring, &size));
    djp__ring_consume(ring); /* nothing was peeked: nothing may move */
    assert_int_equal(djp__ring_consumed(ring), 0);
    djp__ring_commit(ring, first);
    assert_ptr_equal(djp__ring_peek(ring, &size), first);
    assert_int_equal(size, 16);
    djp__ring_consume(ring);
    assert_ptr_equal(djp__ring_peek(ring, &size), second);
    assert_int_equal(size, 24);
    djp__ring_free(ring);
}

static void
full_refuses_and_reset_empties(void **state)
{
    (void)state;
    djp_ring *ring = NULL;
    assert_int_equal(djp__ring_new(&ring, 4096), 0);
    int count = 0;
    for (void *record; (record = djp__ring_reserve(ring, 120)); count++) {
        memset(record, 0xff, 120);
        djp__ring_commit(ring, record);
    }
    assert_int_equal(count, 32);
    assert_int_equal(djp__ring_used(ring), 4096);
    djp__ring_reset(ring);
    size_t size;
    assert_int_equal(djp__ring_used(ring), 0);
    assert_null(djp__ring_peek(ring, &size));
    unsigned char *record = djp__ring_reserve(ring, 120);
    assert_non_null(record);
    assert_int_equal(record[119], 0);
    assert_null(djp__ring_peek(ring, &size));
    djp__ring_free(ring);
}

enum { WRITERS = 6, PER_WRITER = 20000 };

typedef struct writer {
    djp_ring *ring;
    uint32_t number;
    uint32_t refused;
} writer;

static void *
write_many(void *argument)
{
    writer *self = argument;
    for (uint32_t i = 0; i < PER_WRITER;) {
        size_t words = 2 + (i * 7u + self->number) % 40u;
        uint32_t *record = djp__ring_reserve(self->ring, words * 4);
        if (record == NULL) {
            self->refused++;
            sched_yield();
            continue;
        }
        record[0] = self->number;
        for (size_t k = 1; k < words; k++) {
            record[k] = i;
        }
        djp__ring_commit(self->ring, record);
        i++;
    }
    return NULL;
}

static void
many_writers_lose_and_tear_nothing(void **state)
{
    (void)state;
    djp_ring *ring = NULL;
    assert_int_equal(djp__ring_new(&ring, 16384), 0);
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){ring, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    uint32_t next[WRITERS] = {0};
    for (unsigned total = 0; total < WRITERS * PER_WRITER;) {
        size_t size = 0;
        const uint32_t *record = djp__ring_peek(ring, &size);
        if (record == NULL) {
            sched_yield();
            continue;
        }
        uint32_t from = record[0];
        assert_true(from < WRITERS);
        assert_int_equal(size, (2 + (next[from] * 7u + from) % 40u) * 4);
        for (size_t k = 1; k < size / 4; k++) {
            assert_int_equal(record[k], next[from]);
        }
        next[from]++;
        djp__ring_consume(ring);
        total++;
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(next[i], PER_WRITER);
    }
    assert_int_equal(djp__ring_used(ring), 0);
    djp__ring_free(ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(records_come_back_in_order_over_many_laps),
        cmocka_unit_test(reader_stops_at_an_uncommitted_record),
        cmocka_unit_test(full_refuses_and_reset_empties),
        cmocka_unit_test(many_writers_lose_and_tear_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
