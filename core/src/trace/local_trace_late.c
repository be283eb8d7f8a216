/* What comes after the end of a root. A local trace that is over was kept or dropped as a whole; what begins below it later is a local
 * trace of its own, so that an error there is kept with all that belongs to it. Its head is what became of the first one. A span that was
 * open when its root ended leads such a late local trace, too: for itself and for what began below it since. */
#include "trace/recorder_state.h"
#include "trace/span_block.h"
#include "model/tables.h"

int
djp__late_is_wanted(const djp_recorder *recorder, uintptr_t head)
{
    return (recorder->options.sample_errors || recorder->keep) && !djp_stands_for_itself(djp_head_verdict(head));
}

static void
late__init(djp_span *span, const djp_local_trace *from, uintptr_t head)
{
    djp_local_trace *local = &span->own;
    djp_verdict verdict = djp_head_verdict(head);
    uint64_t raised = djp_verdict_threshold(verdict);
    djp_store_relaxed(&local->refs, 1u);
    djp_store_relaxed(&local->pending_spans, 0u);
    djp_store_relaxed(&local->saw, 0u);
    djp_store_relaxed(&local->head, (uintptr_t)0);
    local->generation = from->generation;
    local->root = span;
    local->threshold = raised ? raised : from->threshold;
    local->recorded = from->recorded;
    local->anchor = from->anchor;
    local->extras = from->extras & DJP_EXTRA_STATE;
    local->state = local->extras ? djp_tracestate_ref(from->state) : from->state;
    local->head_reason = djp_verdict_reason(verdict); /* perhaps one of a limit that dropped it */
    local->bank = from->bank;
    djp_store_relaxed(&local->shared, 0u);
}

void
djp__late_begin(djp_span *span, djp_local_trace *from)
{
    late__init(span, from, djp_load_acquire(&from->head));
    span->is_root = DJP_SPAN_LATE_ROOT;
    span->local = &span->own;
}

djp_local_trace *
djp__late_lead(djp_span *span)
{
    uintptr_t head = djp_load_acquire(&span->local->head);
    if (span->is_root || !djp__late_is_wanted(span->recorder, head)) {
        return NULL;
    }
    /* Rare, and two threads may come at once: one ends the span, another one starts a child of it. */
    djp__tables_lock();
    uint8_t marks = djp_load_relaxed(&span->marks);
    if (!(marks & DJP_MARK_LEADS)) {
        late__init(span, span->local, head);
        djp_store_release(&span->marks, (uint8_t)(marks | DJP_MARK_LEADS));
    }
    djp__tables_unlock();
    return &span->own;
}

djp_local_trace *
djp__late_home(djp_span *parent, uintptr_t head)
{
    djp_local_trace *home = parent->local;
    if (!djp__late_is_wanted(parent->recorder, head)) {
        return home;
    }
    if (djp_load_acquire(&parent->marks) & DJP_MARK_LEADS) {
        home = &parent->own;
    } else if (!parent->is_root && !djp_load_relaxed(&parent->ended)) {
        home = djp__late_lead(parent);
    }
    if (!home) {
        return NULL;
    }
    head = djp_load_acquire(&home->head);
    return djp_head_is_over(head) && djp__late_is_wanted(parent->recorder, head) ? NULL : home;
}
