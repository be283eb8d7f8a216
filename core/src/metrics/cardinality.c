/* The families with the most series, for the status. */
#include "metrics/cardinality.h"

#include <string.h>

/* Keeps the list in descending order; of equal families the older one is first. */
static void
cardinality_insert(djp__cardinality *out, const djp__family_entry *family, uint32_t series)
{
    size_t at = out->count;
    while (at > 0 && out->largest[at - 1].series < series) {
        at--;
    }
    if (at == DJP__CARDINALITY_MAX) {
        return;
    }
    if (out->count < DJP__CARDINALITY_MAX) {
        out->count++;
    }
    memmove(&out->largest[at + 1], &out->largest[at],
            (out->count - 1 - at) * sizeof out->largest[0]);
    out->largest[at].family = family;
    out->largest[at].series = series;
}

void
djp__cardinality_read(djp__cardinality *out, const djp_registry *registry)
{
    const djp__segment *segment = &registry->segment;
    out->count = 0;
    /* Families are never removed, so the list is safe to read without the lock. */
    for (uint32_t at = djp__load_acquire(&segment->header->family_first); at != 0;) {
        const djp__family_entry *family = djp__segment_at(segment, at);
        const djp__series_entry *overflow = djp__segment_at(segment, family->overflow);
        uint32_t series =
            djp__load_relaxed(&family->live) + (djp__load_relaxed(&overflow->generation) & 1);
        if (series > 1) {
            cardinality_insert(out, family, series);
        }
        at = djp__load_acquire(&family->next);
    }
}

djp_text
djp__cardinality_name(const djp__cardinality *cardinality, size_t index,
                      const djp_registry *registry)
{
    djp__segment_text name = cardinality->largest[index].family->name;
    return (djp_text){djp__segment_at(&registry->segment, name.at), name.size};
}
