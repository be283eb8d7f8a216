/* A log whose ring a test reads by hand. For one test program: everything is static. */
#ifndef TESTS_C_OPLOG_RING_LOG_H
#define TESTS_C_OPLOG_RING_LOG_H

#include "oplog_host.h"

static host instance;
static writer log_;

static inline void
open_log(const djp__recorder_options *recorder)
{
    host_init(&instance, recorder);
    assert_int_equal(writer_open(&log_, 1024), 0);
    assert_int_equal(djp__oplogs_attach(&instance.oplogs, log_.log), 0);
}

static int
tear_down(void **state)
{
    (void)state;
    writer_close(&log_);
    host_fini(&instance);
    return 0;
}

static inline uint32_t
consumed(void)
{
    return djp__oplog_consumed(log_.log);
}

static inline void
publish(void)
{
    djp__store_release(&log_.control[DJP_OPLOG_PUBLISHED], log_.at);
}

static inline void
pad(uint32_t units)
{
    static const char zeros[256];
    assert_true(writer_put(&log_, DJP_OP_PAD, 0, zeros, (units - 1) * 8));
}

static inline void
begin(uint32_t slot, uint32_t number)
{
    writer_start start = {.slot = slot, .number = number, .flags = DJP_OP_START_ROOT, .mono = 1};
    start.ids = writer_make_ids(number, number, 0);
    assert_true(writer_begin(&log_, &start));
}

#endif
