/* Reads the counts of a source and of its pipeline as one balance. Writes nothing. */
#include "pipeline/books.h"

/* Later stages are read before earlier ones, so that no moving item is counted twice. */
void
djp__books_read(djp__books *out, const djp__signal *signal, const void *source,
                const djp__export_stats *stats)
{
    djp__source_counts counts;
    uint64_t lost = 0;
    out->exported = djp__load_acquire(&stats->items_exported);
    for (int i = 0; i < DJP__LOSS_COUNT; i++) {
        lost += djp__load_acquire(&stats->lost[i]);
    }
    signal->drain->counts(&counts, source);
    uint64_t gone = out->exported + lost;
    out->started = counts.started;
    out->live = counts.live;
    out->not_sampled = counts.not_sampled;
    out->dropped = lost + counts.dropped;
    out->waiting = counts.accepted > gone ? counts.accepted - gone : 0;
}

void
djp__books_losses(const djp__signal *signal, const void *source, const djp__export_stats *stats,
                  djp__visit_loss visit, void *user)
{
    djp__source_counts counts;
    signal->drain->counts(&counts, source);
    signal->drain->losses(source, visit, user);
    for (int i = 0; i < DJP__LOSS_COUNT; i++) {
        uint64_t earlier = i == DJP__LOSS_SWITCHED_OFF ? counts.switched_off : 0;
        visit(user, djp__loss_name((djp__loss)i), djp__load_relaxed(&stats->lost[i]) + earlier);
    }
}

uint64_t
djp__books_source_bytes(const djp__pipeline *pipeline)
{
    if (pipeline->signal == NULL) {
        return 0;
    }
    const djp__drain *drain = pipeline->signal->drain;
    uint64_t consumed = drain->consumed(pipeline->source);
    uint64_t written = drain->written(pipeline->source);
    uint64_t capacity = drain->capacity(pipeline->source);
    uint64_t used = written > consumed ? written - consumed : 0;
    return used < capacity ? used : capacity;
}
