/* Slots of a striped segment: which process owns which stripe, and whether it still lives. Each
 * process holds a robust mutex in its slot, which the kernel releases when the process ends,
 * however it ends. Its writers (djp/shard.h) have slots that end with that of the process. All
 * calls need the segment's lock. */
#ifndef DJP_METRICS_SLOT_H
#define DJP_METRICS_SLOT_H

#include "metrics/segment.h"

/* A free slot's stripe is zero. */
typedef enum djp__slot_state {
    DJP__SLOT_FREE = 0,
    DJP__SLOT_USED = 1,
    DJP__SLOT_LEFT = 2, /* folded; a thread of the process still holds the mutex */
    DJP__SLOT_WRITER = 3,
    DJP__SLOT_WRITER_LEFT = 4 /* its shard has ended; its values count until the process ends */
} djp__slot_state;

/* Takes a free slot and sets segment->own. Returns 0, DJP_EFULL (no free slot, or no memory for its
 * stripe) or DJP_ETHREAD. The process holds it until djp__slot_leave. */
int djp__slot_claim(djp__segment *segment);
/* In a forked child: the slot that the segment names is the parent's. */
void djp__slot_discard(djp__segment *segment);
/* In private memory, which has one process: takes the first slot. */
void djp__slot_claim_alone(djp__segment *segment);
/* Gives the own slot up. Its stripe is zero by now. The process keeps the mutex if it has writers
 * whose slots are not free. */
void djp__slot_leave(djp__segment *segment);
/* Takes a slot for a writer of this process: the calling thread. It may be one that this thread
 * left or where another stopped, with its values. Returns the stripe, or 0 if none is free or there
 * is no memory for it. */
uint32_t djp__slot_claim_writer(djp__segment *segment, int exemplars);
/* The shard has ended. is_over 0: the writer may still store. */
void djp__slot_leave_writer(djp__segment *segment, uint32_t stripe, int is_over);

/* 1: the stripe belongs to a process that has ended, or a writer of one, and is to be folded; the
 * caller then calls djp__slot_free. */
int djp__slot_is_dead(djp__segment *segment, uint32_t stripe);
void djp__slot_free(djp__segment *segment, uint32_t stripe);
typedef struct djp__slot_totals {
    uint32_t processes, writers; /* that live */
    uint32_t damaged; /* slots with impossible contents, which are used no more */
} djp__slot_totals;
void djp__slot_count_all(djp__slot_totals *out, djp__segment *segment);
/* Notes the port of this process's Prometheus endpoint, or 0. Returns 1 if another process that
 * lives has noted the same one. */
int djp__slot_note_port(djp__segment *segment, uint32_t port);
/* 1 while a process that lives owns any slot. */
int djp__slot_anyone(djp__segment *segment);

static inline djp__slot_state
djp__slot_state_of(const djp__segment *segment, uint32_t stripe)
{
    return (djp__slot_state)djp__load_relaxed(&segment->header->slots[stripe - 1].state);
}

/* 1: a process has or had the slot, not a writer. */
static inline int
djp__slot_is_process(const djp__segment *segment, uint32_t stripe)
{
    djp__slot_state state = djp__slot_state_of(segment, stripe);
    return state == DJP__SLOT_USED || state == DJP__SLOT_LEFT;
}

/* 1: the stripe belongs to a writer of this process, or did until it stopped. */
static inline int
djp__slot_is_own_writer(const djp__segment *segment, uint32_t stripe)
{
    if (stripe == 0 || !segment->is_striped) {
        return 0;
    }
    djp__slot_state state = djp__slot_state_of(segment, stripe);
    const djp__segment_slot *slots = segment->header->slots;
    return (state == DJP__SLOT_WRITER || state == DJP__SLOT_WRITER_LEFT) &&
           slots[stripe - 1].process_stripe == segment->own && segment->own != 0 &&
           slots[stripe - 1].process == slots[segment->own - 1].process;
}

#endif
