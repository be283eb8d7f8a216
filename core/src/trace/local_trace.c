/* The life of a local trace. Ended spans wait in a push-only list until its root ends; then the
 * tail decision (tail_decision.c) writes all or none of them to the ring, and so the spans that end
 * later. Lock-free: a decision replaces the list's head in one exchange. */
#include <stddef.h>
#include <string.h>

#include "base/fork.h"
#include "base/mem.h"
#include "trace/recorder_state.h"
#include "sampling/head.h"
#include "trace/span_block.h"
#include "trace/tail_decision.h"

void
djp__local_trace_begin(djp_span *span, djp__head *head)
{
    const djp_recorder *recorder = span->recorder;
    const djp__decision *decision = &head->decision;
    djp__local_trace *local = &span->own;
    span->local = local;
    span->is_root = DJP_SPAN_ROOT;
    djp__store_relaxed(&local->refs, 1u);
    djp__store_relaxed(&local->pending_spans, 0u);
    djp__store_relaxed(&local->flags, 0u);
    local->generation = djp__fork_generation();
    local->root = span;
    local->threshold = decision->threshold;
    local->recorded = decision->recorded;
    local->state = head->state;
    local->extras = (uint8_t)head->extras;
    djp__store_relaxed(&local->shared, 0u);
    local->head_reason = decision->reason;
    uint8_t counter_set =
        decision->outcome == DJP__OUTCOME_SAMPLE ? DJP__SET_SAMPLE : recorder->tail_counter_set;
    local->counter_set = decision->outcome == DJP__OUTCOME_DROP ? DJP__SET_DROP : counter_set;
    /* Do not wait if the trace is sampled in any case and each stratum exports the same
     * threshold. */
    int same_threshold = decision->threshold == DJP__THRESHOLD_NONE ||
                         decision->threshold == decision->recorded || !recorder->tail_rules;
    int decided = djp__local_is_silent(local) ||
                  (decision->outcome == DJP__OUTCOME_SAMPLE && same_threshold && !recorder->limit);
    djp__store_relaxed(&local->state_word,
                       decided
                           ? djp__trace_word(DJP__TRACE_FIXED, djp__verdict_of(decision->reason, 0))
                           : (uintptr_t)0);
}

/* The last span of a local trace is gone. */
static inline void
local_end(djp__local_trace *local)
{
    if (local->extras & DJP_EXTRA_STATE) {
        djp_tracestate_unref(local->state);
    }
    if (__builtin_expect(djp__load_acquire(&local->shared) != 0, 0)) {
        djp__shared_discard_all(local);
    }
    djp__span_block_give(local->root);
}

static inline __attribute__((always_inline)) void
local_leave(djp__local_trace *local)
{
    /* A count of one belongs to the caller, except that a start may find the local trace by its
     * ids. */
    if ((djp__load_acquire(&local->shared) == 0 && djp__load_acquire(&local->refs) == 1) ||
        djp__sub_acq_rel(&local->refs, 1u) == 1) {
        local_end(local);
    }
}

void
djp__local_trace_leave(djp__local_trace *local)
{
    local_leave(local);
}

/* The block of a span that is not a root but may lead a late local trace. */
static __attribute__((noinline)) void
local_drop_marked(djp_span *span)
{
    if (!(djp__load_acquire(&span->marks) & DJP_MARK_LEADS)) {
        djp__span_block_give(span);
        return;
    }
    if (!djp__trace_is_decided(djp__load_acquire(&span->own.state_word))) {
        djp__local_trace_abandon(span); /* the span did not end */
    }
    djp__local_trace_leave(&span->own);
}

void
djp__span_unref(djp_span *span)
{
    /* A count of one belongs to the caller: no other thread can add to it. */
    if (djp__load_acquire(&span->refs) != 1 && djp__sub_acq_rel(&span->refs, 1u) != 1) {
        return;
    }
    djp__local_trace *local = span->local;
    if (__builtin_expect(span->record != (djp__span_record *)(void *)span->space, 0)) {
        djp__free(span->record);
        span->record = (djp__span_record *)(void *)span->space;
    }
    if (!span->is_root) {
        if (__builtin_expect(djp__load_relaxed(&span->marks) != 0, 0)) {
            local_drop_marked(span);
        } else {
            djp__span_block_give(span);
        }
    }
    local_leave(local);
}

/* The counter of spans with this verdict. */
static inline djp__count_place
local_count_of(djp__verdict verdict)
{
    return (djp__count_place)(DJP__COUNT_DECIDED + djp__verdict_reason(verdict));
}

/* Copies a sampled span into the ring; drops it for the verdict NONE. shown is the reason that the
 * root exports. Returns the outcome, which the caller counts. */
static djp__count_place
local_publish(djp_span *span, const djp__local_trace *local, djp__verdict verdict,
              djp__verdict shown)
{
    djp_recorder *recorder = span->recorder;
    int state = djp__load_relaxed(&recorder->state);
    if (__builtin_expect(state & DJP__RECORDER_NO_ENDS, 0)) {
        djp__count_place fate =
            djp__verdict_drops(verdict) ? local_count_of(verdict) : DJP__COUNT_DROP(SWITCHED_OFF);
        return state & DJP__RECORDER_CLOSED ? DJP__COUNT_DROP(AFTER_SHUTDOWN) : fate;
    }
    if (djp__verdict_drops(verdict)) {
        return local_count_of(verdict);
    }
    djp__span_record *record = span->record;
    record->threshold = djp__verdict_counts_once(verdict) ? local->recorded : local->threshold;
    if (__builtin_expect(djp__verdict_threshold(verdict) != 0, 0)) {
        record->threshold = djp__verdict_threshold(verdict);
    }
    uint8_t reason = djp__verdict_reason(shown);
    if (record->local_root) {
        record->reason = reason;
        record->reason_label = djp__verdict_label(shown);
    }
    void *place = djp__ring_reserve(recorder->ring, record->size);
    if (__builtin_expect(place == NULL, 0)) {
        djp__recorder_committed(recorder); /* a full ring needs its reader */
        return DJP__COUNT_DROP(RING_FULL);
    }
    memcpy(place, record, record->size);
    djp__ring_commit(recorder->ring, place);
    djp__recorder_committed(recorder);
    return (djp__count_place)(DJP__COUNT_DECIDED + reason);
}

/* Memory of a waiting span: its block and its heap record. */
static uint64_t
local_bytes(const djp_span *span)
{
    uint64_t grown =
        span->record == (const djp__span_record *)(const void *)span->space ? 0 : span->capacity;
    return sizeof *span + grown;
}

/* Publishes or drops a list, oldest first, and releases it. */
static __attribute__((noinline)) void
local_complete(djp_span *newest, djp__verdict verdict, int discard)
{
    djp_span *oldest = NULL;
    uint64_t spans = 0;
    while (newest != NULL) {
        djp_span *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
        spans++;
    }
    uint64_t bytes = 0;
    djp_recorder *recorder = oldest != NULL ? oldest->recorder : NULL;
    uint32_t counter_set = oldest != NULL ? oldest->local->counter_set : 0,
             fate = DJP__COUNT_DECIDED + DJP_REASON_NONE;
    uint64_t alike = 0; /* spans with the same outcome, counted together */
    if (recorder != NULL && !discard) {
        djp__count_add(recorder, DJP__COUNT_COMPLETED + counter_set, spans);
    }
    while (oldest != NULL) {
        djp_span *next = oldest->next;
        bytes += local_bytes(oldest);
        if (!discard) {
            uint32_t found = (uint32_t)local_publish(oldest, oldest->local, verdict, verdict);
            if (found != fate) {
                djp__count_add(recorder, fate + counter_set, alike);
                fate = found;
                alike = 0;
            }
            alike++;
        }
        djp__span_unref(oldest);
        oldest = next;
    }
    if (recorder != NULL && !discard) {
        djp__count_add(recorder, fate + counter_set, alike);
        djp__sub_relaxed(&recorder->decision_buffer_bytes, bytes);
    }
}

/* Decides, unless that has happened; returns the resulting word. *tail is the reason so far. event:
 * DJP__TRACE_IMPATIENCE or _ROOT_ENDS; end_unix_ns of the span that caused the decision. The caller
 * holds a block of the local trace. */
static inline __attribute__((always_inline)) uintptr_t
local_decide(djp__local_trace *local, djp__verdict own, int event, uint64_t end_unix_ns,
             djp__verdict *tail)
{
    uintptr_t word = djp__load_acquire(&local->state_word), decided;
    int next = djp__trace_next[DJP__TRACE_WAITING][event], early = event == DJP__TRACE_IMPATIENCE;
    if (word == 0 && djp__load_acquire(&local->shared) == 0 &&
        djp__load_acquire(&local->refs) == 1) {
        *tail = djp__tail_reason(local, own);
        decided = djp__trace_word(next, djp__tail_limit(local, *tail, early, end_unix_ns));
        /* only a root: no other thread can read it */
        djp__store_release(&local->state_word, decided);
        return decided;
    }
    djp__verdict limited = {UINT64_MAX}, verdict = djp__tail_none;
    do {
        /* Read after the list: an error of a listed span was noted before. */
        *tail = djp__tail_reason(local, own);
        if (djp__trace_is_decided(word)) {
            return word;
        }
        verdict = djp__verdict_is(*tail, limited)
                      ? verdict
                      : djp__tail_limit(local, *tail, early, end_unix_ns);
        limited = *tail;
        decided = djp__trace_word(next, verdict);
    } while (!djp__cas_weak_acq_rel(&local->state_word, &word, decided));
    local_complete((djp_span *)word, verdict, 0);
    return decided;
}

/* An early decision not to sample changes when an error or another tail reason comes later: from
 * then on the trace is sampled with the adjusted count 1. Spans already published or dropped keep
 * their outcome and the head's adjusted count. Returns the verdict that applies. */
static __attribute__((noinline)) djp__verdict
local_reconsider(djp__local_trace *local, uintptr_t word, djp__verdict tail)
{
    while (djp__verdict_counts_once(tail) && !djp__verdict_is_final(djp__trace_verdict(word))) {
        djp__verdict verdict = tail;
        if (local->root->recorder->limit) {
            djp__limit_question question = {0, 0, 0};
            verdict = djp__local_limit_ask(local, tail, &question);
        }
        int next = djp__trace_next[djp__trace_state(word)][DJP__TRACE_REASON_COMES];
        if (djp__cas_weak_acq_rel(&local->state_word, &word, djp__trace_word(next, verdict))) {
            if (djp__verdict_drops(djp__trace_verdict(word)) && !djp__verdict_drops(verdict)) {
                djp__count(local->root->recorder, DJP__COUNT_LATE_SAMPLED);
            }
            return verdict;
        }
    }
    return djp__trace_verdict(word);
}

static void local_submit_late(djp_span *root, djp__local_trace *local);

/* Publishes or drops a span whose local trace is decided. */
static void
local_follow(djp_span *span, uintptr_t word)
{
    djp__local_trace *late = djp__trace_is_over(word) ? djp__late_lead(span) : NULL;
    if (late != NULL) {
        local_submit_late(span, late);
        return;
    }
    djp__verdict verdict = djp__trace_verdict(word);
    if (__builtin_expect(djp__trace_is_early(word), 0)) {
        verdict =
            local_reconsider(span->local, word, djp__tail_reason(span->local, djp__tail_none));
    }
    if (__builtin_expect(span->recorder->limit != NULL, 0)) {
        verdict = djp__local_limit_follow(span->recorder, verdict, 1);
    }
    djp__count_in(span->recorder, span->local, local_publish(span, span->local, verdict, verdict));
}

/* Decides the other spans without the root, which has not ended. */
static __attribute__((noinline)) uintptr_t
local_decide_early(djp__local_trace *local, djp__verdict own, uint64_t end_unix_ns)
{
    djp__verdict tail;
    return local_decide(local, own, DJP__TRACE_IMPATIENCE, end_unix_ns, &tail);
}

/* Stops waiting for the root: the head decides, unless an error, a matched rule or the elapsed time
 * samples the trace. */
static __attribute__((noinline)) void
local_decide_now(djp_span *span, djp__count_place why)
{
    djp__count(span->recorder, why);
    local_follow(span, local_decide_early(span->local, djp__tail_slow_by_now(span),
                                          span->record->end_unix_ns));
}

/* 1: the root has been open too long at the end of span. */
static inline int
local_is_old(const djp_span *span)
{
    return djp__tail_age(span) > (int64_t)span->recorder->decision_wait_ns;
}

/* Adds an ended span to the waiting list, or applies the decision to it. */
static void
local_push(djp_span *span)
{
    djp__local_trace *local = span->local;
    djp_recorder *recorder = span->recorder;
    uintptr_t word = djp__load_acquire(&local->state_word);
    if (djp__trace_is_decided(word)) {
        local_follow(span, word);
        return;
    }
    if (__builtin_expect(local_is_old(span), 0)) {
        local_decide_now(span, DJP__COUNT_TIMEOUT);
        return;
    }
    uint64_t size = local_bytes(span);
    uint64_t bytes = djp__add_relaxed(&recorder->decision_buffer_bytes, size) + size;
    uint32_t spans = djp__add_relaxed(&local->pending_spans, 1u);
    if (bytes > recorder->options.decision_buffer_bytes || spans >= DJP__PENDING_SPANS_MAX) {
        djp__sub_relaxed(&recorder->decision_buffer_bytes, size);
        local_decide_now(span, DJP__COUNT_BUFFER_FULL);
        return;
    }
    djp__store_relaxed(&span->refs, 2u);
    do {
        if (djp__trace_is_decided(word)) {
            djp__store_relaxed(&span->refs, 1u);
            djp__sub_relaxed(&recorder->decision_buffer_bytes, size);
            local_follow(span, word);
            return;
        }
        span->next = (djp_span *)word;
    } while (!djp__cas_weak_acq_rel(&local->state_word, &word, (uintptr_t)span));
    djp__count_in(recorder, local, DJP__COUNT_WAITED);
}

/* The root belongs to another process: this process exports none of the local trace. */
static void
local_leave_to_parent(djp__local_trace *local)
{
    uintptr_t word = djp__load_acquire(&local->state_word), fixed;
    do {
        fixed = djp__trace_word(djp__trace_next[djp__trace_state(word)][DJP__TRACE_FORKED],
                                djp__tail_none);
    } while (!djp__cas_weak_acq_rel(&local->state_word, &word, fixed));
    if (!djp__trace_is_decided(word)) {
        local_complete((djp_span *)word, djp__tail_none, 1);
    }
}

/* Discards copies of another process's spans, which that process exports. */
static void
local_discard(djp_span *span)
{
    djp__local_trace *local = span->local;
    djp__count(span->recorder, DJP__COUNT_DROP(FORKED));
    if (span->is_root) {
        local_leave_to_parent(local);
    }
}

/* own: the root's verdict. Returns the final verdict; *tail is the tail reason. */
static inline __attribute__((always_inline)) djp__verdict
local_close(djp_span *root, djp__local_trace *local, djp__verdict own, djp__verdict *tail)
{
    uintptr_t word =
        local_decide(local, own, DJP__TRACE_ROOT_ENDS, root->record->end_unix_ns, tail);
    djp__verdict verdict = djp__trace_verdict(word);
    if (__builtin_expect(djp__trace_is_early(word), 0)) {
        uintptr_t over = djp__trace_bits[djp__trace_next[DJP__TRACE_EARLY][DJP__TRACE_ROOT_ENDS]];
        djp__or_acq_rel(&local->state_word, over);
        verdict = local_reconsider(local, word | over, *tail);
        if (root->recorder->limit) {
            verdict = djp__local_limit_follow(root->recorder, verdict, 1);
        }
    }
    return verdict;
}

static inline djp__count_place
local_publish_root(djp_span *root, const djp__local_trace *local, djp__verdict verdict,
                   djp__verdict tail)
{
    /* A trace sampled by its head still exports its tail reason. */
    int plain = djp__verdict_drops(verdict) || djp__verdict_reason(verdict) == DJP_REASON_ALWAYS ||
                djp__verdict_reason(tail) == DJP_REASON_NONE;
    return local_publish(root, local, verdict, plain ? verdict : tail);
}

static void
local_submit_root(djp_span *root, uint64_t duration_ns)
{
    djp__verdict tail,
        verdict = local_close(root, root->local, djp__tail_root(root, duration_ns), &tail);
    djp__count_in(root->recorder, root->local,
                  local_publish_root(root, root->local, verdict, tail));
}

/* The same for a late local trace, of which the span is the root or the leader. It is marked as
 * late only if a tail reason samples it; otherwise it continues the first one. */
static __attribute__((noinline)) void
local_submit_late(djp_span *root, djp__local_trace *local)
{
    djp__verdict tail, verdict;
    if (local != root->local) {
        djp__tail_note(root, local);
    }
    verdict = local_close(root, local, djp__tail_none, &tail);
    root->record->local_root = DJP_ROOT_NOT;
    if (djp__verdict_counts_once(verdict)) {
        djp__count(root->recorder, DJP__COUNT_LATE_SAMPLED_PARTS);
        djp__span_mark_late(root);
        root->record->local_root = DJP_ROOT_LATE;
    }
    djp__count_in(root->recorder, local, local_publish_root(root, local, verdict, tail));
}

void
djp__local_trace_submit(djp_span *span, uint64_t duration_ns)
{
    djp__local_trace *local = span->local;
    if (__builtin_expect(local->generation != djp__fork_generation(), 0)) {
        local_discard(span);
        return;
    }
    djp__tail_note(span, local);
    if (span->is_root == DJP_SPAN_ROOT) {
        local_submit_root(span, duration_ns);
    } else if (span->is_root == DJP_SPAN_CHILD) {
        local_push(span);
    } else {
        local_submit_late(span, local);
    }
}

void
djp__local_trace_abandon(djp_span *root)
{
    djp__local_trace *local = root->is_root ? root->local : &root->own;
    if (local->generation == djp__fork_generation()) {
        local_decide_early(local, djp__tail_none, 0);
    } else {
        local_leave_to_parent(local);
    }
}
