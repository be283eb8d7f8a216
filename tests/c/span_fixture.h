/* One recorder a test, and the short forms in which tests of spans speak of it. For one test
 * program: everything is static. */
#ifndef TESTS_C_SPAN_FIXTURE_H
#define TESTS_C_SPAN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "span_reader.h"

static djp_recorder *recorder;

static int
set_up(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    recorder = span_reader_recorder(&options);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.live, 0);
    djp__recorder_free(recorder);
    return 0;
}

static inline void
with_options(djp__recorder_options options)
{
    djp__recorder_free(recorder);
    recorder = span_reader_recorder(&options);
}

static inline djp_key
key(const char *text)
{
    return djp_key_intern(djp_text_of(text));
}

static inline djp_span *
start(const char *name)
{
    return djp_span_start(recorder, djp_text_of(name), NULL);
}

/* Ends, releases and reads back. */
static inline djp__span_record *
finish(djp_span *span)
{
    djp_span_end(span, 0);
    djp_span_release(span);
    djp__span_record *record = span_reader_take(recorder);
    assert_non_null(record);
    assert_null(span_reader_take(recorder));
    return record;
}

#endif
