/* Single operations, replayed by hand into an instance without a thread. For one test program:
 * everything is static. */
#ifndef TESTS_C_OPLOG_BY_HAND_H
#define TESTS_C_OPLOG_BY_HAND_H

#include "oplog_host.h"

#include <stdio.h>

#include "base/str.h"
#include "heap.h"
#include "trace/span_block.h"

static host instance;
static djp_oplog *hand;

static int
set_up_hand(void **state)
{
    (void)state;
    djp__recorder_options with = span_reader_options();
    host_init(&instance, &with);
    host_add_metrics(&instance);
    assert_int_equal(djp_oplog_new(&hand, DJP_OPLOG_UNITS_MIN), 0);
    assert_int_equal(djp__oplogs_attach(&instance.oplogs, hand), 0);
    return 0;
}

static int
tear_down_hand(void **state)
{
    (void)state;
    host_fini(&instance);
    djp_oplog_unref(hand);
    return 0;
}

static inline void
use_hand(const djp__recorder_options *with)
{
    tear_down_hand(NULL);
    host_init(&instance, with);
    assert_int_equal(djp_oplog_new(&hand, DJP_OPLOG_UNITS_MIN), 0);
    assert_int_equal(djp__oplogs_attach(&instance.oplogs, hand), 0);
}

/* Replays the first size bytes, in a block of just that size. 0: invalid. */
static inline int
put(uint32_t kind, uint32_t word, const void *bytes, size_t size)
{
    unsigned char *data = malloc(size + 1);
    if (size > 0) {
        memcpy(data, bytes, size);
    }
    djp__oplog_operation operation = {kind, word, data, size};
    int good = djp__oplog_replay(hand, &operation);
    free(data);
    return good;
}

static inline void
define(uint32_t number, const char *text)
{
    assert_true(put(DJP_OP_DEFINE, number, text, strlen(text)));
}

/* The payload of a start without what is optional. */
typedef struct start_payload {
    uint64_t mono;
    uint32_t trace[4], span[2], parent[2];
    uint32_t name, scope, number, flags;
    uint64_t threshold, recorded;
    char more[64];
} start_payload;
enum { CHILD_BYTES = 56, ROOT_BYTES = 72 };

static inline start_payload
payload_of(uint32_t number, uint32_t span)
{
    return (start_payload){.mono = djp__clock_monotonic(),
                           .trace = {0x01020304u, 0x05060708u, 0x090a0b0cu, number},
                           .span = {0xa1b2c3d4u, span},
                           .number = number};
}

static inline uint32_t
decided(int flag, int outcome, int reason)
{
    return (uint32_t)flag << DJP_OPLOG_DECISION_FLAG |
           (uint32_t)outcome << DJP_OPLOG_DECISION_OUTCOME |
           (uint32_t)reason << DJP_OPLOG_DECISION_REASON;
}

/* Opens a root that is sampled. */
static inline void
open_root(uint32_t slot, uint32_t number)
{
    start_payload start = payload_of(number, slot + 1);
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    assert_true(put(DJP_OP_START, slot | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    assert_non_null(djp__oplog_span_at(hand, slot));
}

static inline djp__span_record *
finish(uint32_t slot)
{
    uint64_t now = djp__clock_monotonic();
    assert_true(put(DJP_OP_END, slot, &now, 8));
    djp__span_record *record = span_reader_take(instance.recorder);
    assert_non_null(record);
    return record;
}

#endif
