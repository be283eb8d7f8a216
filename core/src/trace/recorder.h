/* What the pipeline needs of a recorder: make it, drain its ring, read its counters, close it. */
#ifndef DJP_TRACE_RECORDER_H
#define DJP_TRACE_RECORDER_H

#include "base/ring.h"
#include "djp/tail_rule.h"
#include "djp/span.h"
#include "sampling/decision.h"

struct djp_sampler;

typedef struct djp_recorder_options {
    uint64_t ring_bytes;
    uint64_t decision_buffer_bytes; /* most memory for undecided local traces */
    int drop_all; /* explicit ratio 0: ids and context only, nothing is kept */
    int always_on; /* head decision of roots is yes and no threshold is written */
    /* 56 bits: a root is head-sampled iff the low 56 bits of its trace id (or ot=rv) >=
     * threshold */
    uint64_t threshold;
    /* 56 bits: local traces whose randomness is below are not recorded at all; 0: all are */
    uint64_t canary;
    int parent_based; /* a parent's sampled flag decides for the local root */
    uint64_t slow_threshold_ns; /* 0: off */
    int sample_errors;
    int tell_errors; /* failed spans carry error, error.type and error.message */
    uint32_t attribute_count_limit, attribute_value_length_limit, event_count_limit,
        link_count_limit;
    uint32_t event_attribute_count_limit, link_attribute_count_limit;
    /* Called by a recording thread after it committed a record while used bytes >= wake level; the
     * level is then disarmed until djp__recorder_set_wake_level. Must not block for long: it wakes
     * or starts the worker. */
    void (*wake)(void *user);
    void *wake_user;
    /* 1: the first start calls it, too, whatever becomes of its span; again in a forked child */
    int wake_first;
    const djp_tail_rule *tail_sampling_rules; /* borrowed for the making of the recorder */
    size_t keep_rule_count;
    uint64_t decision_wait_ns; /* a root that is open for longer is not waited for; 0: no limit */
    uint64_t span_rate_limit; /* spans a second that are kept at most; 0: no limit */
} djp_recorder_options;

int djp__recorder_new(djp_recorder **out, const djp_recorder_options *options);
djp_ring *djp__recorder_ring(djp_recorder *recorder);
/* Arms wake: at once for 0 (the next committed span), else when the ring holds that many bytes. */
void djp__recorder_set_wake_level(djp_recorder *recorder, uint64_t used_bytes);
/* How roots are decided from now on; recording goes on meanwhile. Returns 0, or DJP_ENOMEM: then
 * nothing has changed. Where many ratios were in use, the next best of a fixed scale stands for a
 * new one. ratio 0 and less: ids and context only, nothing is kept. */
int djp__recorder_set_ratio(djp_recorder *recorder, double ratio);
/* As the options, or the sampler set since, said; the same results. */
int djp__recorder_reset_ratio(djp_recorder *recorder);
/* The part of all local traces that is recorded, for the ratios that are set or reset from now on.
 * Below 0: as the options said. */
void djp__recorder_set_canary(djp_recorder *recorder, double canary);
/* Another sampler as the configured one, which decides unless a ratio was said; NULL: that of the
 * options. Takes it. The same text as before changes nothing, so that rate limits go on counting.
 * Returns 0, DJP_ENOMEM, or DJP_ERETRY while too many old samplers are still in use: then nothing
 * has changed. Any thread but not from within a decision. */
int djp__recorder_set_sampler(djp_recorder *recorder, struct djp_sampler *sampler);
/* Its text in *out, which the caller frees with djp__free; NULL where none was set. */
int djp__recorder_sampler_text(char **out, djp_recorder *recorder);

/* How roots are decided and whether anything is recorded, from now on. */
typedef struct djp__recorder_plan {
    int enabled; /* 0: starts return NULL, and nothing that ends leaves */
    double ratio; /* as djp__recorder_set_ratio; below 0: as djp__recorder_reset_ratio */
    double canary; /* as djp__recorder_set_canary */
    /* as djp__recorder_set_sampler, taken; NULL: the one there is stays */
    struct djp_sampler *sampler;
    int drops_sampler; /* 1: that of the options takes its place */
} djp__recorder_plan;
/* Puts a plan in force. DJP_ERETRY: the sampler cannot be replaced now, and nothing has changed.
 * DJP_ENOMEM: roots are decided as before, while `enabled` holds. */
int djp__recorder_apply(djp_recorder *recorder, const djp__recorder_plan *plan);
/* 1 when nothing may leave: recording is off, or the ratio in force is 0. The recorder alone knows
 * it; everybody else asks. Any thread, acquire. */
int djp__recorder_is_muted(const djp_recorder *recorder);
/* 1 when a tree of samplers decides about roots. */
int djp__recorder_has_tree(const djp_recorder *recorder);

/* From now on starts return NULL and ends of open spans are counted as after_shutdown. */
void djp__recorder_close(djp_recorder *recorder);
/* Frees at once when no span is live, else parks the recorder until the last one is released. wake
 * is not called any more when this returns, whoever ends spans meanwhile. */
void djp__recorder_free(djp_recorder *recorder);
/* In a forked child: empty ring, counters at zero, armed at 0. Spans of the parent's generation are
 * discarded when ended. */
void djp__recorder_fork_child(djp_recorder *recorder);

/* Where a span's parent was. */
enum { DJP_ORIGIN_NONE, DJP_ORIGIN_LOCAL, DJP_ORIGIN_REMOTE, DJP_ORIGINS };

typedef struct djp_recorder_counters {
    uint64_t started;
    /* the same in parts: DJP_ORIGIN_*, DJP__OUTCOME_* */
    uint64_t started_by[DJP_ORIGINS][DJP__OUTCOMES];
    uint64_t open[DJP__OUTCOMES]; /* started and not ended */
    uint64_t live; /* still open, or ended and not decided yet: their local trace's root is open */
    uint64_t ended;
    uint64_t by_reason[DJP__REASONS]; /* ended and decided: DJP_REASON_* */
    uint64_t dropped[DJP__DROPS]; /* DJP__DROP_* */
    uint64_t sampled; /* the sum of those reasons that sample */
    /* local traces decided early because the decision buffer was full */
    uint64_t decided_on_buffer_full;
    /* local traces decided early because their root was open for too long */
    uint64_t decided_on_timeout;
    /* local traces decided early against, of which something was sampled after all */
    uint64_t late_sampled;
    /* parts behind the end of their local trace, sampled with adjusted count 1 */
    uint64_t late_sampled_parts;
    uint64_t rate_routes, rate_shared, rate_level; /* sampling/rate_limit.h */
    /* sampling/tail_history.h */
    uint64_t rule_routes_evicted, rule_table_full, rule_checks_skipped;
    uint64_t dropped_attributes; /* attributes, events and links that limits or bad input cost */
    uint64_t decision_buffer_bytes;
} djp_recorder_counters;
void djp__recorder_counters(djp_recorder_counters *out, const djp_recorder *recorder);

#endif
