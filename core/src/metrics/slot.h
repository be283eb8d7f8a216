/* Slots of a shared segment: which process owns which stripe, and whether it still lives. Each
 * owner holds a robust mutex in its slot, which the kernel releases when the process ends, however
 * it ends. All calls need the segment's lock. */
#ifndef DJP_METRICS_SLOT_H
#define DJP_METRICS_SLOT_H

#include "metrics/segment.h"

/* A free slot's stripe is zero. */
typedef enum djp__slot_state {
    DJP__SLOT_FREE = 0,
    DJP__SLOT_USED = 1,
    DJP__SLOT_LEFT = 2 /* folded; a thread of the process still holds the mutex */
} djp__slot_state;

/* Takes a free slot and sets segment->own. Returns 0, DJP_EFULL (no free slot, or no memory for its
 * stripe) or DJP_ETHREAD. The process holds it until djp__slot_leave. */
int djp__slot_claim(djp__segment *segment);
/* In a forked child: the slot that the segment names is the parent's. */
void djp__slot_discard(djp__segment *segment);
/* Gives the own slot up. Its stripe is zero by now. */
void djp__slot_leave(djp__segment *segment);

/* 1: the stripe belongs to a process that has ended, and is to be folded; the caller then calls
 * djp__slot_free. */
int djp__slot_is_dead(djp__segment *segment, uint32_t stripe);
void djp__slot_free(djp__segment *segment, uint32_t stripe);
/* 1 while a process that lives owns any slot. */
int djp__slot_anyone(djp__segment *segment);

static inline djp__slot_state
djp__slot_state_of(const djp__segment *segment, uint32_t stripe)
{
    return (djp__slot_state)djp__load_relaxed(&segment->header->slots[stripe - 1].state);
}

#endif
