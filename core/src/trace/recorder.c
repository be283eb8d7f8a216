/* Creates and frees recorders and reads their counters. A recorder that its owner frees while spans
 * live is parked and freed later. */
#include "trace/recorder.h"

#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "djp/error.h"
#include "sampling/rate_limit.h"
#include "model/record.h"
#include "trace/recorder_state.h"
#include "sampling/head.h"
#include "model/tables.h"

/* The last serial number of a recorder; any thread, relaxed. */
static DJP__ATOMIC(uint64_t) recorder__last_serial;
static djp_recorder *recorder__all; /* under the tables lock */

static uint64_t
recorder_next_serial(void)
{
    return djp__add_relaxed(&recorder__last_serial, 1) + 1;
}

static void
recorder_destroy(djp_recorder *recorder)
{
    djp__ring_free(recorder->ring);
    djp__tail_rules_free(recorder->rules);
    djp__rate_limit_free(recorder->limit);
    djp__policies_free(recorder);
    djp__span_processors_free(recorder);
    djp__free(recorder->memory);
}

/* One place of the stripes: a counter under one sampling result. */
static uint64_t
recorder_place(const djp_recorder *recorder, unsigned place)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < DJP__STRIPES; i++) {
        sum += djp__load_acquire(&recorder->stripes[i].value[place]);
    }
    return sum;
}

static uint64_t
recorder_sum(const djp_recorder *recorder, unsigned which)
{
    uint64_t sum = 0;
    for (unsigned result = 0; result < DJP__OUTCOMES; result++) {
        sum += recorder_place(recorder, result * DJP__COUNT_SET + which);
    }
    return sum;
}

static uint64_t
recorder_started(const djp_recorder *recorder)
{
    return recorder_sum(recorder, DJP__COUNT_STARTED) +
           recorder_sum(recorder, DJP__COUNT_STARTED_LOCAL) +
           recorder_sum(recorder, DJP__COUNT_STARTED_REMOTE);
}

/* Started and not ended under one sampling result. Ends are read first, so that it is not too small
 * for long. */
static uint64_t
recorder_open(const djp_recorder *recorder, unsigned result)
{
    unsigned set = result * DJP__COUNT_SET;
    uint64_t completed = recorder_place(recorder, set + DJP__COUNT_COMPLETED);
    uint64_t waited = recorder_place(recorder, set + DJP__COUNT_WAITED);
    uint64_t gone = waited > completed ? waited - completed : 0, started = 0;
    for (unsigned reason = 0; reason < DJP__REASONS; reason++) {
        gone += recorder_place(recorder, set + DJP__COUNT_DECIDED + reason);
    }
    for (unsigned drop = 0; drop < DJP__DROPS; drop++) {
        gone += djp__drops[drop].when == DJP__DROPPED_UNSTARTED
                    ? 0
                    : recorder_place(recorder, set + DJP__COUNT_DROPPED + drop);
    }
    for (unsigned origin = 0; origin < DJP_ORIGINS; origin++) {
        started += recorder_place(recorder, set + DJP__COUNT_STARTED + origin);
    }
    return started > gone ? started - gone : 0;
}

/* Spans with live handles. Releases are read first: a counted release has its start counted too, so
 * the result may briefly be too large but never too small. */
static uint64_t
recorder_live(const djp_recorder *recorder)
{
    uint64_t released = recorder_sum(recorder, DJP__COUNT_RELEASED);
    return recorder_started(recorder) - released;
}

/* Unlinks parked recorders without spans and returns them linked. Under the tables lock. */
static djp_recorder *
recorder_reap_locked(void)
{
    djp_recorder *dead = NULL;
    djp_recorder **link = &recorder__all;
    while (*link) {
        djp_recorder *recorder = *link;
        if (recorder->parked && recorder_live(recorder) == 0 &&
            djp__load_acquire(&recorder->inherited) == 0) {
            *link = recorder->next;
            recorder->next = dead;
            dead = recorder;
        } else {
            link = &recorder->next;
        }
    }
    return dead;
}

static void
recorder_destroy_all(djp_recorder *dead)
{
    while (dead != NULL) {
        djp_recorder *next = dead->next;
        recorder_destroy(dead);
        dead = next;
    }
}

static uint32_t
recorder_limit_items(uint32_t limit)
{
    return limit > UINT16_MAX ? UINT16_MAX : limit;
}

/* Whether rules may apply: not if nothing is ever exported. */
static int
recorder_may_keep(const djp__recorder_options *options)
{
    return options->tail_sampling_rule_count > 0 && (!options->drop_all || options->wake);
}

int
djp__recorder_new(djp_recorder **out, const djp__recorder_options *options)
{
    *out = NULL;
    void *memory = djp__calloc(1, sizeof(djp_recorder) + 63);
    if (memory == NULL) {
        return DJP_ENOMEM;
    }
    djp_recorder *recorder = (djp_recorder *)(((uintptr_t)memory + 63u) & ~(uintptr_t)63u);
    recorder->memory = memory;
    recorder->options = *options;
    recorder->options.attribute_count_limit = recorder_limit_items(options->attribute_count_limit);
    recorder->options.event_count_limit = recorder_limit_items(options->event_count_limit);
    recorder->options.link_count_limit = recorder_limit_items(options->link_count_limit);
    recorder->options.tail_sampling_rules = NULL;
    recorder->decision_wait_ns = options->decision_wait_ns ? options->decision_wait_ns : INT64_MAX;
    recorder->late_key = djp_key_intern(DJP_TEXT("sampling.late"));
    djp__error_keys_init(&recorder->error_keys);
    recorder->serial = recorder_next_serial();
    djp__store_relaxed(&recorder->wake_level, DJP__WAKE_NEVER);
    djp__store_relaxed(&recorder->state, options->wake_first ? DJP__RECORDER_FIRST : 0);
    int result = djp__ring_new(&recorder->ring, options->ring_bytes);
    if (result == 0 && recorder_may_keep(options)) {
        result = djp__tail_rules_new(&recorder->rules, options->tail_sampling_rules,
                                     options->tail_sampling_rule_count);
    }
    if (result == 0 && options->span_rate_limit > 0) {
        recorder->route_key = djp_key_intern(DJP_TEXT("http.route"));
        result = djp__rate_limit_new(&recorder->limit, options->span_rate_limit);
    }
    if (result != 0) {
        recorder_destroy(recorder);
        return result;
    }
    recorder->tail_rules =
        options->sample_errors || options->slow_threshold_ns > 0 || recorder->rules;
    recorder->begins = recorder->rules != NULL ? DJP__BEGINS_RULED : 0;
    recorder->tail_counter_set = recorder->tail_rules ? DJP__SET_RECORD : DJP__SET_DROP;
    uint64_t quarter = options->ring_bytes / 4;
    recorder->record_max =
        quarter < DJP__RECORD_SIZE_MAX ? (uint32_t)quarter : DJP__RECORD_SIZE_MAX;
    djp__policies_init(recorder);
    djp__clock_anchor_refresh();
    djp__tables_lock();
    djp_recorder *dead = recorder_reap_locked();
    recorder->next = recorder__all;
    recorder__all = recorder;
    djp__tables_unlock();
    recorder_destroy_all(dead);
    *out = recorder;
    return 0;
}

djp_ring *
djp__recorder_ring(djp_recorder *recorder)
{
    return recorder->ring;
}

void
djp__recorder_free(djp_recorder *recorder)
{
    if (recorder == NULL) {
        return;
    }
    djp__recorder_close(recorder);
    while (djp__load_seq_cst(&recorder->waking) > 0) {
        sched_yield(); /* wake_user must outlive the call, which is short */
    }
    djp__tables_lock();
    recorder->parked = 1;
    djp_recorder *dead = recorder_reap_locked();
    djp__tables_unlock();
    recorder_destroy_all(dead);
}

void
djp__recorder_fork_child(djp_recorder *recorder)
{
    /* Resets the counters; spans that the parent had open stay counted, so that the recorder is not
     * freed under them. */
    djp__add_relaxed(&recorder->inherited, recorder_live(recorder));
    for (unsigned i = 0; i < DJP__STRIPES; i++) {
        djp__stripe *stripe = &recorder->stripes[i];
        for (unsigned k = 0; k < DJP__OUTCOMES * DJP__COUNT_SET; k++) {
            djp__store_relaxed(&stripe->value[k], 0u);
        }
        djp__store_relaxed(&stripe->owner, 0u);
    }
    recorder->serial = recorder_next_serial();
    djp__store_relaxed(&recorder->waking, 0);
    djp__store_relaxed(&recorder->slot.readers, 0u); /* threads of the parent */
    if (recorder->options.wake_first) {
        djp__or_seq_cst(&recorder->state, DJP__RECORDER_FIRST);
    }
    djp__store_relaxed(&recorder->decision_buffer_bytes, 0u);
    djp__ring_reset(recorder->ring);
    djp__recorder_set_wake_level(recorder, 0);
}

static djp__stripe *
recorder_find_stripe(djp_recorder *recorder, uint64_t token)
{
    for (unsigned i = 1; i < DJP__STRIPES; i++) {
        if (djp__load_relaxed(&recorder->stripes[i].owner) == token) {
            return &recorder->stripes[i];
        }
    }
    for (unsigned i = 1; i < DJP__STRIPES; i++) {
        uint64_t nobody = 0;
        if (djp__load_relaxed(&recorder->stripes[i].owner) == 0 &&
            djp__cas_strong_acq_rel(&recorder->stripes[i].owner, &nobody, token)) {
            return &recorder->stripes[i];
        }
    }
    return &recorder->stripes[0];
}

void
djp__count_unclaimed(djp_recorder *recorder, uint32_t which, uint64_t n)
{
    djp__thread_state *thread = &djp__thread;
    if (thread->shared != recorder->serial) {
        if (!thread->registered) {
            djp__thread_register(thread);
        }
        thread->stripe = recorder_find_stripe(recorder, thread->token);
        int is_shared = thread->stripe == recorder->stripes;
        thread->serial = is_shared ? 0 : recorder->serial;
        thread->shared = is_shared ? recorder->serial : 0;
    }
    DJP__ATOMIC(uint64_t) *value =
        thread->shared ? &recorder->stripes[0].value[which] : &thread->stripe->value[which];
    djp__add_acq_rel(value, n);
}

void
djp__recorder_leave(uint64_t token)
{
    if (token == 0) {
        return;
    }
    djp__tables_lock();
    for (djp_recorder *recorder = recorder__all; recorder; recorder = recorder->next) {
        for (unsigned i = 1; i < DJP__STRIPES; i++) {
            if (djp__load_relaxed(&recorder->stripes[i].owner) == token) {
                djp__store_release(&recorder->stripes[i].owner, 0u);
            }
        }
    }
    djp__tables_unlock();
}

/* Outcomes of ended spans. Returns how many of all started ones are decided or dropped. */
static uint64_t
recorder_count_ends(djp__recorder_totals *out, const djp_recorder *recorder)
{
    uint64_t completed = recorder_sum(recorder, DJP__COUNT_COMPLETED);
    uint64_t waited = recorder_sum(recorder, DJP__COUNT_WAITED), ended = 0, open = 0;
    for (unsigned reason = 0; reason < DJP__REASONS; reason++) {
        out->by_reason[reason] = recorder_sum(recorder, DJP__COUNT_DECIDED + reason);
        out->sampled +=
            djp__reasons[reason].stratum != DJP__STRATUM_DROPPED ? out->by_reason[reason] : 0;
        ended += out->by_reason[reason];
    }
    for (unsigned drop = 0; drop < DJP__DROPS; drop++) {
        out->dropped[drop] = recorder_sum(recorder, DJP__COUNT_DROPPED + drop);
        ended += djp__drops[drop].when == DJP__DROPPED_AT_END ? out->dropped[drop] : 0;
        open += djp__drops[drop].when == DJP__DROPPED_OPEN ? out->dropped[drop] : 0;
    }
    out->ended = (waited > completed ? waited - completed : 0) + ended;
    return ended + open;
}

static void
recorder_count_sampling(djp__recorder_totals *out, const djp_recorder *recorder)
{
    djp__tail_history_totals history;
    djp__tail_rules_counters(&history, recorder->rules);
    out->rule_routes_evicted = history.routes_evicted;
    out->rule_table_full = history.kinds_shared;
    out->rule_checks_skipped = history.skipped;
    if (recorder->limit) {
        djp__rate_counters rate;
        djp__rate_limit_counters(&rate, recorder->limit);
        out->rate_routes = rate.routes;
        out->rate_shared = rate.shared;
        out->rate_level = rate.level;
    }
}

void
djp__recorder_counters(djp__recorder_totals *out, const djp_recorder *recorder)
{
    memset(out, 0, sizeof *out);
    if (recorder == NULL) {
        return;
    }
    uint64_t gone = recorder_count_ends(out, recorder);
    out->decided_on_buffer_full = recorder_sum(recorder, DJP__COUNT_BUFFER_FULL);
    out->decided_on_timeout = recorder_sum(recorder, DJP__COUNT_TIMEOUT);
    out->late_sampled = recorder_sum(recorder, DJP__COUNT_LATE_SAMPLED);
    out->late_sampled_parts = recorder_sum(recorder, DJP__COUNT_LATE_SAMPLED_PARTS);
    out->dropped_attributes = recorder_sum(recorder, DJP__COUNT_ATTRIBUTES);
    out->started = recorder_started(recorder);
    /* Not the handles: a program may keep the handle of an exported span. */
    out->live = out->started > gone ? out->started - gone : 0;
    out->decision_buffer_bytes = djp__load_relaxed(&recorder->decision_buffer_bytes);
    recorder_count_sampling(out, recorder);
    for (unsigned result = 0; result < DJP__OUTCOMES; result++) {
        out->open[result] = recorder_open(recorder, result);
        for (unsigned origin = 0; origin < DJP_ORIGINS; origin++) {
            unsigned place = result * DJP__COUNT_SET + DJP__COUNT_STARTED + origin;
            out->started_by[origin][result] = recorder_place(recorder, place);
        }
    }
}
