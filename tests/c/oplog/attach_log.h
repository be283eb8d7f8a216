/* One instance and one log that a test attaches. For one test program: everything is static. */
#ifndef TESTS_C_OPLOG_ATTACH_LOG_H
#define TESTS_C_OPLOG_ATTACH_LOG_H

#include "oplog_host.h"

static host one;
static writer log_;

static inline void
open_host(const djp__recorder_options *recorder)
{
    host_init(&one, recorder);
    assert_int_equal(writer_open(&log_, 1024), 0);
}

static int
set_up(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    open_host(&options);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    host_fini(&one);
    djp_oplog_unref(log_.log);
    return 0;
}

static inline void
attach(void)
{
    assert_int_equal(djp__oplogs_attach(&one.oplogs, log_.log), 0);
}

static inline uint32_t
control(djp_oplog_word word)
{
    return djp__load_relaxed(&log_.control[word]);
}

static inline void
publish(void)
{
    djp__store_release(&log_.control[DJP_OPLOG_PUBLISHED], log_.at);
}

static inline void
begin_and_end(uint32_t number)
{
    writer_start start = {.number = number, .flags = DJP_OP_START_ROOT, .mono = 1};
    start.ids = writer_make_ids(number, number, 0);
    assert_true(writer_begin(&log_, &start));
    writer_end(&log_, 0, 2);
}

#endif
