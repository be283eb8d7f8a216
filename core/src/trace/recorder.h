/* The recorder for the pipeline: create it, drain its ring, read its counters, close it. */
#ifndef DJP_TRACE_RECORDER_H
#define DJP_TRACE_RECORDER_H

#include "base/ring.h"
#include "djp/tail_rule.h"
#include "djp/span.h"
#include "sampling/decision.h"

struct djp_sampler;

typedef struct djp__recorder_options {
    uint64_t ring_bytes;
    uint64_t decision_buffer_bytes; /* memory limit for undecided local traces */
    int drop_all; /* explicit ratio 0: ids and context only, nothing is recorded */
    int always_on; /* the head samples all roots without a threshold */
    /* 56 bits: a root is head-sampled iff the low 56 bits of its trace id (or ot=rv) >=
     * threshold */
    uint64_t threshold;
    /* 56 bits: local traces of lower randomness are not recorded; 0: all are */
    uint64_t canary;
    int parent_based; /* a parent's sampled flag decides for the local root */
    uint64_t slow_threshold_ns; /* 0: off */
    int sample_errors;
    int tell_errors; /* failed spans carry error, error.type and error.message */
    uint32_t attribute_count_limit, attribute_value_length_limit, event_count_limit,
        link_count_limit;
    uint32_t event_attribute_count_limit, link_attribute_count_limit;
    /* Called by a recording thread after a commit while used bytes >= wake level; the level is then
     * disabled until djp__recorder_set_wake_level. Wakes or starts the worker; must not block for
     * long. */
    void (*wake)(void *user);
    void *wake_user;
    /* 1: the first start calls it too, whatever the outcome of its span; again in a forked child */
    int wake_first;
    const djp_tail_rule *tail_sampling_rules; /* borrowed until the recorder exists */
    size_t tail_sampling_rule_count;
    uint64_t decision_wait_ns; /* longest wait for the end of a root; 0: no limit */
    uint64_t span_rate_limit; /* limit of sampled spans per second; 0: no limit */
} djp__recorder_options;

int djp__recorder_new(djp_recorder **out, const djp__recorder_options *options);
djp_ring *djp__recorder_ring(djp_recorder *recorder);
/* Enables wake: for 0 at the next commit, else when the ring holds that many bytes. */
void djp__recorder_set_wake_level(djp_recorder *recorder, uint64_t used_bytes);
/* Sets the ratio of roots while recording continues. Returns 0, or DJP_ENOMEM without a change.
 * After many different ratios, the nearest of a fixed scale is used. ratio 0 and less: ids and
 * context only. */
int djp__recorder_set_ratio(djp_recorder *recorder, double ratio);
/* Restores the configured ratio or the sampler set since; the same results. */
int djp__recorder_reset_ratio(djp_recorder *recorder);
/* Sets the recorded share of local traces for ratios set or reset from now on. Below 0: as
 * configured. */
void djp__recorder_set_canary(djp_recorder *recorder, double canary);
/* Replaces the configured sampler, which decides unless a ratio is set; NULL: that of the options.
 * Takes it. A tree of equal text changes nothing, so that rate limits continue. Returns 0,
 * DJP_ENOMEM, or without a change DJP_ERETRY while too many old trees are in use. Any thread,
 * except within a decision. */
int djp__recorder_set_sampler(djp_recorder *recorder, struct djp_sampler *sampler);
/* Sets *out to its text, which the caller frees with djp__free; NULL if none was set. */
int djp__recorder_sampler_text(char **out, djp_recorder *recorder);

/* The policy for roots and whether recording is on. */
typedef struct djp__recorder_plan {
    int enabled; /* 0: starts return NULL, and ended spans are not exported */
    double ratio; /* as djp__recorder_set_ratio; below 0: as djp__recorder_reset_ratio */
    double canary; /* as djp__recorder_set_canary */
    /* as djp__recorder_set_sampler, taken; NULL: no change */
    struct djp_sampler *sampler;
    int drops_sampler; /* 1: restores that of the options */
} djp__recorder_plan;
/* Applies a plan. DJP_ERETRY: the sampler cannot be replaced now, nothing has changed. DJP_ENOMEM:
 * the policy is unchanged, but `enabled` applies. */
int djp__recorder_apply(djp_recorder *recorder, const djp__recorder_plan *plan);
/* 1: exports are muted: recording is off, or the active ratio is 0. The recorder is the one owner
 * of this state. Any thread, acquire. */
int djp__recorder_is_muted(const djp_recorder *recorder);
/* 1: a sampler tree decides about roots. */
int djp__recorder_has_tree(const djp_recorder *recorder);

/* Later starts return NULL, and ends of open spans count as after_shutdown. */
void djp__recorder_close(djp_recorder *recorder);
/* Frees the recorder if no span is live, else parks it until the last release. wake is not called
 * after this returns. */
void djp__recorder_free(djp_recorder *recorder);
/* In a forked child: empty ring, counters at zero, wake level 0. Spans of the parent are discarded
 * when ended. */
void djp__recorder_fork_child(djp_recorder *recorder);

/* The origin of a span's parent. */
enum { DJP_ORIGIN_NONE, DJP_ORIGIN_LOCAL, DJP_ORIGIN_REMOTE, DJP_ORIGINS };

typedef struct djp__recorder_totals {
    uint64_t started;
    /* the same in parts: DJP_ORIGIN_*, DJP__OUTCOME_* */
    uint64_t started_by[DJP_ORIGINS][DJP__OUTCOMES];
    uint64_t open[DJP__OUTCOMES]; /* started and not ended */
    uint64_t live; /* open, or ended and undecided because their local trace's root is open */
    uint64_t ended;
    uint64_t by_reason[DJP__REASONS]; /* ended and decided: DJP_REASON_* */
    uint64_t dropped[DJP__DROPS]; /* DJP__DROP_* */
    uint64_t sampled; /* the sum of the reasons that sample */
    /* local traces decided because the decision buffer was full */
    uint64_t decided_on_buffer_full;
    /* local traces decided because their root was open too long */
    uint64_t decided_on_timeout;
    /* local traces decided early as not sampled, of which later spans were sampled */
    uint64_t late_sampled;
    /* parts after the end of their local trace, sampled with adjusted count 1 */
    uint64_t late_sampled_parts;
    uint64_t rate_routes, rate_shared, rate_level; /* sampling/rate_limit.h */
    /* sampling/tail_history.h */
    uint64_t rule_routes_evicted, rule_table_full, rule_checks_skipped;
    uint64_t dropped_attributes; /* attributes, events and links lost by limits or invalid input */
    uint64_t decision_buffer_bytes;
} djp__recorder_totals;
void djp__recorder_counters(djp__recorder_totals *out, const djp_recorder *recorder);

#endif
