/* Tail-sampling rules of any text, applied to a few spans: texts stay inside what was given, good
 * rules have what their kind needs. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ring.h"
#include "djp/tail_rule.h"
#include "trace/recorder.h"
#include "sampling/head.h"

#define DEMAND(condition) ((condition) ? (void)0 : abort())

static void
check(const djp_tail_rule *rule, const char *text, size_t size)
{
    const djp_text parts[] = {rule->label, rule->key, rule->pattern};
    for (int i = 0; i < 3; i++) {
        DEMAND(parts[i].size == 0 ||
               (parts[i].data >= text && parts[i].data + parts[i].size <= text + size));
    }
    DEMAND(rule->kind != DJP_TAIL_ATTRIBUTE || rule->key.size > 0);
    DEMAND(rule->kind > DJP_TAIL_ROUTE || rule->prefix || rule->pattern.size > 0);
    DEMAND((rule->kind != DJP_TAIL_ROUTE && rule->kind != DJP_TAIL_RARE) || rule->duration_ns > 0);
    DEMAND(rule->kind != DJP_TAIL_SLOWEST || (rule->part > 0 && rule->part <= 0.5));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp_text text = {(const char *)data, size};
    size_t count = djp_tail_rules_parse(rules, text, NULL, NULL);
    DEMAND(count <= DJP_TAIL_RULES_MAX);
    for (size_t i = 0; i < count; i++) {
        check(&rules[i], text.data, size);
    }
    djp__recorder_options options = {.ring_bytes = 65536,
                                     .decision_buffer_bytes = 65536,
                                     .threshold = DJP__THRESHOLD_NEVER,
                                     .attribute_count_limit = 8,
                                     .attribute_value_length_limit = UINT32_MAX,
                                     .tail_sampling_rules = rules,
                                     .tail_sampling_rule_count = count};
    djp_recorder *recorder;
    if (djp__recorder_new(&recorder, &options) != 0) {
        return 0;
    }
    for (size_t i = 0; i < 4 && count > 0; i++) {
        djp_span *span = djp_span_start(recorder, (djp_text){text.data, size / (i + 1)}, NULL);
        djp_span_set_string(span, djp_key_intern(DJP_TEXT("a")),
                            (djp_text){text.data + size / 2, size - size / 2});
        djp_span_set_int(span, djp_key_intern(DJP_TEXT("http.status_code")), (int64_t)size - 3);
        djp_span_set_bool(span, djp_key_intern(DJP_TEXT("b")), (int)i);
        djp_span_end(span, 0);
        djp_span_release(span);
    }
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    DEMAND(counters.live == 0 && counters.decision_buffer_bytes == 0);
    djp__recorder_free(recorder);
    return 0;
}
