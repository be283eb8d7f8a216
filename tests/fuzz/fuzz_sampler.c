/* Samplers of any text: what is read is written and read again as the same, errors lie inside of
 * the text, and the tree decides about a few roots. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "djp/error.h"
#include "djp/metrics.h"
#include "djp/sampler.h"
#include "djp/span.h"
#include "trace/recorder.h"

#define DEMAND(condition) ((condition) ? (void)0 : abort())

static djp_sampler *
read_again(const djp_sampler *tree)
{
    djp_sampler *again = NULL;
    size_t size, more;
    char *text = djp_sampler_text(&size, tree);
    DEMAND(text && djp_sampler_parse(&again, (djp_text){text, size}, NULL) == 0);
    char *twice = djp_sampler_text(&more, again);
    DEMAND(twice && more == size && memcmp(text, twice, size) == 0);
    djp_free(text);
    djp_free(twice);
    return again;
}

static void
decide(djp_recorder *recorder, const uint8_t *data, size_t size)
{
    djp_span_context parent = {.trace_id = {1}, .span_id = {1}, .is_remote = 1};
    djp_attribute attributes[2] = {
        {{"a", 1}, {.type = DJP_STRING, .as.text = {(const char *)data, size}}},
        {{"k", 1}, {.type = DJP_INT, .as.integer = (int64_t)size}}};
    for (unsigned i = 0; i < 6; i++) {
        parent.flags = (uint8_t)i & DJP_FLAG_SAMPLED;
        djp_span_options options = {.kind = (uint8_t)i,
                                    .remote = i & 2 ? &parent : NULL,
                                    .sampling_attributes = attributes,
                                    .sampling_attribute_count = i & 4 ? 2 : 0};
        djp_span *span =
            djp_span_start(recorder, (djp_text){(const char *)data, size / (i + 1)}, &options);
        djp_span_end(span, 0);
        djp_span_release(span);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp_sampler *tree;
    djp_sampler_error error;
    double ratio;
    int parent_based,
        result = djp_sampler_parse(&tree, (djp_text){(const char *)data, size}, &error);
    if (result != 0) {
        DEMAND(result == DJP_EINVAL && tree == NULL && error.at <= size && error.expected != NULL &&
               strlen(error.expected) < 160);
        return 0;
    }
    djp_sampler_is_ratio(&ratio, &parent_based, tree);
    DEMAND(ratio >= 0 && ratio <= 1);
    djp__recorder_options options = {.ring_bytes = 65536,
                                     .decision_buffer_bytes = 65536,
                                     .attribute_count_limit = 8,
                                     .attribute_value_length_limit = UINT32_MAX};
    djp_recorder *recorder;
    if (djp__recorder_new(&recorder, &options) == 0) {
        DEMAND(djp__recorder_set_sampler(recorder, read_again(tree)) == 0);
        decide(recorder, data, size);
        DEMAND(djp__recorder_set_sampler(recorder, tree) == 0); /* the same, or another one */
        tree = NULL;
        decide(recorder, data, size);
        djp__recorder_totals counters;
        djp__recorder_counters(&counters, recorder);
        DEMAND(counters.live == 0 && counters.decision_buffer_bytes == 0);
        djp__recorder_free(recorder);
    }
    djp_sampler_free(tree);
    return 0;
}
