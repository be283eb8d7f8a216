/* One recorder that decides by ratio, and the short forms in which tests of local traces speak of
 * it. For one test program: everything is static. */
#ifndef TESTS_C_LOCAL_TRACE_FIXTURE_H
#define TESTS_C_LOCAL_TRACE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "trace/span_seed.h"
#include "span_reader.h"
#include "sampling/head.h"

static djp_recorder *recorder;

static djp__recorder_options
ratio_options(double ratio)
{
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(ratio);
    return options;
}

static void
use(djp__recorder_options options)
{
    djp__recorder_free(recorder);
    recorder = span_reader_recorder(&options);
}

static djp__recorder_totals
counters(void)
{
    djp__recorder_totals out;
    djp__recorder_counters(&out, recorder);
    return out;
}

static int
tear_down(void **state)
{
    (void)state;
    assert_int_equal(counters().live, 0);
    assert_int_equal(counters().decision_buffer_bytes, 0);
    djp__recorder_free(recorder);
    recorder = NULL;
    return 0;
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

#define S 1000000000ull

static inline void
end_in_error(djp_span *span)
{
    djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    finish(span);
}

static inline djp__recorder_options
options_of(double ratio)
{
    djp__recorder_options options = ratio_options(ratio);
    options.decision_wait_ns = 60 * S;
    return options;
}

/* Ends a span that many seconds from now. */
static inline void
finish_in(djp_span *span, uint64_t seconds, int error)
{
    if (error) {
        djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    }
    djp__span_end_at(span, djp__clock_monotonic() + seconds * S);
    djp_span_release(span);
}

#endif
