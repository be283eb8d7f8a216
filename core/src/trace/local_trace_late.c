/* Spans that begin after the end of their root. The first local trace was exported or dropped as a
 * whole; a later span below it begins a separate, late local trace, so that an error there is
 * sampled with its spans. Its head is the outcome of the first one. A span that was open when its
 * root ended also leads a late local trace, for itself and for its later children. */
#include "trace/recorder_state.h"
#include "trace/span_block.h"
#include "model/tables.h"

int
djp__late_is_wanted(const djp_recorder *recorder, uintptr_t word)
{
    return (recorder->options.sample_errors || recorder->rules) &&
           !djp__verdict_counts_once(djp__trace_verdict(word));
}

static void
late_init(djp_span *span, const djp__local_trace *from, uintptr_t word)
{
    djp__local_trace *local = &span->own;
    djp__verdict verdict = djp__trace_verdict(word);
    uint64_t raised = djp__verdict_threshold(verdict);
    djp__store_relaxed(&local->refs, 1u);
    djp__store_relaxed(&local->pending_spans, 0u);
    djp__store_relaxed(&local->flags, 0u);
    djp__store_relaxed(&local->state_word, (uintptr_t)0);
    local->generation = from->generation;
    local->root = span;
    local->threshold = raised ? raised : from->threshold;
    local->recorded = from->recorded;
    local->anchor = from->anchor;
    local->extras = from->extras & (DJP_EXTRA_STATE | DJP__EXTRA_PROCESSED);
    local->state = local->extras & DJP_EXTRA_STATE ? djp_tracestate_ref(from->state) : from->state;
    local->head_reason = djp__verdict_reason(verdict); /* possibly of a limit that dropped it */
    local->counter_set = from->counter_set;
    djp__store_relaxed(&local->shared, 0u);
}

void
djp__late_begin(djp_span *span, djp__local_trace *from)
{
    late_init(span, from, djp__load_acquire(&from->state_word));
    span->is_root = DJP_SPAN_LATE_ROOT;
    span->local = &span->own;
}

djp__local_trace *
djp__late_lead(djp_span *span)
{
    uintptr_t word = djp__load_acquire(&span->local->state_word);
    if (span->is_root || !djp__late_is_wanted(span->recorder, word)) {
        return NULL;
    }
    /* Rare; one thread may end the span while another one starts a child. */
    djp__tables_lock();
    uint8_t marks = djp__load_relaxed(&span->marks);
    if (!(marks & DJP_MARK_LEADS)) {
        late_init(span, span->local, word);
        djp__store_release(&span->marks, (uint8_t)(marks | DJP_MARK_LEADS));
    }
    djp__tables_unlock();
    return &span->own;
}

djp__local_trace *
djp__late_home(djp_span *parent, uintptr_t word)
{
    djp__local_trace *home = parent->local;
    if (!djp__late_is_wanted(parent->recorder, word)) {
        return home;
    }
    if (djp__load_acquire(&parent->marks) & DJP_MARK_LEADS) {
        home = &parent->own;
    } else if (!parent->is_root && !djp__load_relaxed(&parent->ended)) {
        home = djp__late_lead(parent);
    }
    if (home == NULL) {
        return NULL;
    }
    word = djp__load_acquire(&home->state_word);
    return djp__trace_is_over(word) && djp__late_is_wanted(parent->recorder, word) ? NULL : home;
}
