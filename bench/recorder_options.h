/* The recorder that the benchmarks measure: the default settings with a ratio. */
#ifndef BENCH_RECORDER_OPTIONS_H
#define BENCH_RECORDER_OPTIONS_H

#include "sampling/head.h"
#include "trace/recorder.h"

static djp__recorder_options
recorder_options(uint64_t ring_bytes, int always_on, double ratio)
{
    return (djp__recorder_options){.ring_bytes = ring_bytes,
                                   .decision_buffer_bytes = 16u << 20,
                                   .always_on = always_on,
                                   .threshold = djp__threshold_of(ratio),
                                   .parent_based = 1,
                                   .slow_threshold_ns = 2000000000u,
                                   .sample_errors = 1,
                                   .attribute_count_limit = 128,
                                   .attribute_value_length_limit = UINT32_MAX,
                                   .event_count_limit = 128,
                                   .link_count_limit = 128,
                                   .event_attribute_count_limit = 128,
                                   .link_attribute_count_limit = 128,
                                   .decision_wait_ns = 60000000000u};
}

#endif
