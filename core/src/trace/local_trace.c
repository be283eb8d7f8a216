/* The tail decision. Ended spans of a local trace wait in a push-only list until its root ends; then all go to the ring or none
 * does, and spans that end later follow. Lock-free: a decision replaces the list's head in one exchange. */
#include <stddef.h>
#include <string.h>

#include "base/fork.h"
#include "base/mem.h"
#include "trace/recorder_state.h"
#include "trace/sampler.h"
#include "trace/span_block.h"

void
djp__local_trace_begin(djp_span *span, djp_head *head)
{
    const djp_recorder *recorder = span->recorder;
    djp_local_trace *local = &span->own;
    span->local = local;
    span->is_root = 1;
    djp_store_relaxed(&local->refs, 1u);
    djp_store_relaxed(&local->pending_spans, 0u);
    djp_store_relaxed(&local->saw_error, 0u);
    local->generation = djp__fork_generation();
    local->root = span;
    local->threshold = head->threshold;
    local->state = head->state;
    local->state_owned = (uint8_t)head->state_owned;
    local->head_reason = head->reason;
    local->silent = (uint8_t)(recorder->options.drop_all || (!head->sampled && !recorder->tail_rules));
    /* Nothing to wait for when the trace is kept anyway and every stratum exports the same threshold. */
    int same_weight = head->threshold == DJP_THRESHOLD_NONE || head->threshold == 0 || !recorder->tail_rules;
    int decided = local->silent || (head->sampled && same_weight);
    djp_store_relaxed(&local->head, decided ? DJP_DECIDED(head->reason) : (uintptr_t)0);
}

/* The last span of a local trace is gone. */
static void
local__end(djp_local_trace *local)
{
    if (local->state_owned) {
        djp_tracestate_unref(local->state);
    }
    djp__span_block_give(local->root);
}

void
djp__span_drop_hold(djp_span *span)
{
    /* A count of one is ours alone: nobody else can add to it. */
    if (djp_load_acquire(&span->holds) != 1 && djp_sub_acq_rel(&span->holds, 1u) != 1) {
        return;
    }
    djp_local_trace *local = span->local;
    if (__builtin_expect(span->record != (djp_span_record *)(void *)span->space, 0)) {
        djp__free(span->record);
        span->record = (djp_span_record *)(void *)span->space;
    }
    if (!span->is_root) {
        djp__span_block_give(span);
    }
    if (djp_load_acquire(&local->refs) == 1 || djp_sub_acq_rel(&local->refs, 1u) == 1) {
        local__end(local);
    }
}

/* Copies a kept span into the ring, or counts why not. `reason` NONE drops it. */
static void
local__publish(djp_span *span, uint8_t reason, uint8_t label)
{
    djp_recorder *recorder = span->recorder;
    if (__builtin_expect(djp_load_relaxed(&recorder->closed), 0)) {
        djp__count(recorder, DJP_COUNT_AFTER_SHUTDOWN);
        return;
    }
    if (reason == DJP_REASON_NONE) {
        djp__count(recorder, DJP_COUNT_UNSAMPLED);
        return;
    }
    djp_span_record *record = span->record;
    int own_stratum = reason == DJP_REASON_ERROR || reason == DJP_REASON_SLOW;
    record->threshold = own_stratum ? 0 : span->local->threshold;
    record->reason = span->is_root ? label : (uint8_t)DJP_REASON_NONE;
    void *place = djp__ring_reserve(recorder->ring, record->size);
    if (__builtin_expect(!place, 0)) {
        djp__count(recorder, DJP_COUNT_RING_FULL);
        djp__recorder_committed(recorder); /* a full ring wants its reader more than ever */
        return;
    }
    memcpy(place, record, record->size);
    djp__ring_commit(recorder->ring, place);
    djp__count(recorder, DJP_COUNT_UNSAMPLED + label);
    djp__recorder_committed(recorder);
}

/* What a waiting span costs: its block and what it moved to the heap. */
static uint64_t
local__weight(const djp_span *span)
{
    uint64_t grown = span->record == (const djp_span_record *)(const void *)span->space ? 0 : span->capacity;
    return sizeof *span + grown;
}

/* Publishes or drops a list, oldest first, and lets go of it. */
static void
local__settle(djp_span *newest, uint8_t reason, int discard)
{
    djp_span *oldest = NULL;
    while (newest) {
        djp_span *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    uint64_t bytes = 0;
    djp_recorder *recorder = oldest ? oldest->recorder : NULL;
    while (oldest) {
        djp_span *next = oldest->next;
        bytes += local__weight(oldest);
        if (!discard) {
            djp__count(recorder, DJP_COUNT_SETTLED);
            local__publish(oldest, reason, reason);
        }
        djp__span_drop_hold(oldest);
        oldest = next;
    }
    if (recorder && !discard) {
        djp_sub_relaxed(&recorder->pending_bytes, bytes);
    }
}

static uint8_t
local__tail_reason(const djp_local_trace *local, uint64_t duration_ns)
{
    const djp_recorder_options *options = &local->root->recorder->options;
    if (options->keep_errors && djp_load_relaxed(&local->saw_error)) {
        return DJP_REASON_ERROR;
    }
    if (options->slow_threshold_ns > 0 && duration_ns > options->slow_threshold_ns) {
        return DJP_REASON_SLOW;
    }
    return local->head_reason;
}

/* Decides unless that has happened; returns the reason that holds. *tail is what speaks for the trace by now. The caller holds a block
 * of the local trace. */
static uint8_t
local__decide(djp_local_trace *local, uint64_t duration_ns, uint8_t *tail)
{
    uintptr_t head = djp_load_acquire(&local->head);
    if (head == 0 && djp_load_acquire(&local->refs) == 1) {
        *tail = local__tail_reason(local, duration_ns);
        djp_store_release(&local->head, DJP_DECIDED(*tail)); /* a root alone: nobody else can look */
        return *tail;
    }
    do {
        /* Asked after each look at the list: an error that is on it has been noted before. */
        *tail = local__tail_reason(local, duration_ns);
        if (djp_head_is_decided(head)) {
            return djp_head_reason(head);
        }
    } while (!djp_cas_weak_acq_rel(&local->head, &head, DJP_DECIDED(*tail)));
    local__settle((djp_span *)head, *tail, 0);
    return *tail;
}

/* Too much waits: the head decides at once, except that an error already seen still keeps the trace. */
static void
local__overflow(djp_span *span)
{
    djp_local_trace *local = span->local;
    djp__count(span->recorder, DJP_COUNT_OVERFLOW);
    uint8_t tail, reason = local__decide(local, 0, &tail);
    local__publish(span, reason, reason);
}

/* Puts an ended span on the waiting list, or lets it follow the decision. */
static void
local__push(djp_span *span)
{
    djp_local_trace *local = span->local;
    djp_recorder *recorder = span->recorder;
    uintptr_t head = djp_load_acquire(&local->head);
    if (djp_head_is_decided(head)) {
        local__publish(span, djp_head_reason(head), djp_head_reason(head));
        return;
    }
    uint64_t weight = local__weight(span);
    uint64_t bytes = djp_add_relaxed(&recorder->pending_bytes, weight) + weight;
    uint32_t spans = djp_add_relaxed(&local->pending_spans, 1u);
    if (bytes > recorder->options.pending_bytes || spans >= DJP_PENDING_SPANS_MAX) {
        djp_sub_relaxed(&recorder->pending_bytes, weight);
        local__overflow(span);
        return;
    }
    djp_store_relaxed(&span->holds, 2u);
    do {
        if (djp_head_is_decided(head)) {
            djp_store_relaxed(&span->holds, 1u);
            djp_sub_relaxed(&recorder->pending_bytes, weight);
            local__publish(span, djp_head_reason(head), djp_head_reason(head));
            return;
        }
        span->next = (djp_span *)head;
    } while (!djp_cas_weak_acq_rel(&local->head, &head, (uintptr_t)span));
    djp__count(recorder, DJP_COUNT_WAITED);
}

/* Spans of another process are its own to send: this one forgets the copies. */
static void
local__forget(djp_span *span)
{
    djp_local_trace *local = span->local;
    djp__count(span->recorder, DJP_COUNT_FORKED);
    if (span->is_root) {
        uintptr_t head = djp_swap_acq_rel(&local->head, DJP_DECIDED(DJP_REASON_NONE));
        if (!djp_head_is_decided(head)) {
            local__settle((djp_span *)head, DJP_REASON_NONE, 1);
        }
    }
}

void
djp__local_trace_file(djp_span *span, uint64_t duration_ns)
{
    djp_local_trace *local = span->local;
    if (__builtin_expect(local->generation != djp__fork_generation(), 0)) {
        local__forget(span);
        return;
    }
    if (span->record->status == DJP_STATUS_ERROR) {
        djp_store_relaxed(&local->saw_error, 1u);
    }
    if (!span->is_root) {
        local__push(span);
        return;
    }
    uint8_t tail, reason = local__decide(local, duration_ns, &tail);
    /* A trace that was kept from the start still tells why it is worth a look. */
    uint8_t label = reason == DJP_REASON_NONE || reason == DJP_REASON_ALWAYS ? reason : tail;
    local__publish(span, reason, label == DJP_REASON_NONE ? reason : label);
}

void
djp__local_trace_abandon(djp_span *root)
{
    djp_local_trace *local = root->local;
    uint8_t tail;
    if (local->generation == djp__fork_generation()) {
        local__decide(local, 0, &tail);
    } else {
        uintptr_t head = djp_swap_acq_rel(&local->head, DJP_DECIDED(DJP_REASON_NONE));
        if (!djp_head_is_decided(head)) {
            local__settle((djp_span *)head, DJP_REASON_NONE, 1);
        }
    }
}
