/* The states of a local trace, as one word that any thread may change: a table (state, event) ->
 * state, and how the word holds them.
 *
 *   state        a span ends      reason of count 1     impatience     root ends       forked
 *   WAITING      waits            waits, noted          EARLY          OVER            FIXED
 *   FIXED        follows          follows               follows        follows         -
 *   EARLY        follows          EARLY, sampled        follows        EARLY_OVER      FIXED
 *   EARLY_OVER   late or follows  sampled from now on   follows        -               -
 *   OVER         late or follows  late, sampled alone   follows        -               -
 *
 * Leaving WAITING decides: all that waits is published or dropped; FORKED discards it.
 * Impatience: the decision buffer is full, the root has been open for longer than decision_wait, or
 * its handle was released without an end. "Decided" publishes or drops all that waits. "Follows":
 * goes the way of the decision. "Late": leads a separate local trace where that could change
 * anything (local_trace_late.c). Forked: the root ends in a child of its process, which sends
 * nothing of it. */
#ifndef DJP_TRACE_LOCAL_TRACE_STATE_H
#define DJP_TRACE_LOCAL_TRACE_STATE_H

#include <stdint.h>

#include "sampling/decision.h"

enum {
    DJP__TRACE_WAITING, /* not decided: ended spans wait on a list */
    /* decided at its start, finally: all of it has the same reason */
    DJP__TRACE_FIXED,
    DJP__TRACE_EARLY, /* decided before its root ended: may change to a reason of count 1 */
    DJP__TRACE_EARLY_OVER, /* as EARLY, and the root has ended */
    DJP__TRACE_OVER, /* decided when its root ended */
    DJP__TRACE_STATES
};

enum {
    DJP__TRACE_SPAN_ENDS,
    DJP__TRACE_REASON_COMES, /* a span with a reason of count 1 ends */
    DJP__TRACE_IMPATIENCE,
    DJP__TRACE_ROOT_ENDS,
    DJP__TRACE_FORKED,
    DJP__TRACE_EVENTS
};

static const uint8_t djp__trace_next[DJP__TRACE_STATES][DJP__TRACE_EVENTS] = {
    [DJP__TRACE_WAITING] = {DJP__TRACE_WAITING, DJP__TRACE_WAITING, DJP__TRACE_EARLY,
                            DJP__TRACE_OVER, DJP__TRACE_FIXED},
    [DJP__TRACE_FIXED] = {DJP__TRACE_FIXED, DJP__TRACE_FIXED, DJP__TRACE_FIXED, DJP__TRACE_FIXED,
                          DJP__TRACE_FIXED},
    [DJP__TRACE_EARLY] = {DJP__TRACE_EARLY, DJP__TRACE_EARLY, DJP__TRACE_EARLY,
                          DJP__TRACE_EARLY_OVER, DJP__TRACE_FIXED},
    [DJP__TRACE_EARLY_OVER] = {DJP__TRACE_EARLY_OVER, DJP__TRACE_EARLY_OVER, DJP__TRACE_EARLY_OVER,
                               DJP__TRACE_EARLY_OVER, DJP__TRACE_EARLY_OVER},
    [DJP__TRACE_OVER] = {DJP__TRACE_OVER, DJP__TRACE_OVER, DJP__TRACE_OVER, DJP__TRACE_OVER,
                         DJP__TRACE_OVER},
};

/* The word: while waiting, 0 or the latest span on the list, whose block is aligned; else the
 * verdict above three bits. */
enum {
    DJP__TRACE_DECIDED_BIT = 1,
    DJP__TRACE_EARLY_BIT = 2,
    DJP__TRACE_OVER_BIT = 4,
    DJP__TRACE_BITS = 3
};

static const uint8_t djp__trace_bits[DJP__TRACE_STATES] = {
    [DJP__TRACE_WAITING] = 0,
    [DJP__TRACE_FIXED] = DJP__TRACE_DECIDED_BIT,
    [DJP__TRACE_EARLY] = DJP__TRACE_DECIDED_BIT | DJP__TRACE_EARLY_BIT,
    [DJP__TRACE_EARLY_OVER] = DJP__TRACE_DECIDED_BIT | DJP__TRACE_EARLY_BIT | DJP__TRACE_OVER_BIT,
    [DJP__TRACE_OVER] = DJP__TRACE_DECIDED_BIT | DJP__TRACE_OVER_BIT,
};

/* The word of a decided state. */
static inline uintptr_t
djp__trace_word(int state, djp__verdict verdict)
{
    return (uintptr_t)verdict.word << DJP__TRACE_BITS | djp__trace_bits[state];
}

static inline int
djp__trace_is_decided(uintptr_t word)
{
    return (word & DJP__TRACE_DECIDED_BIT) != 0;
}

static inline int
djp__trace_is_early(uintptr_t word)
{
    return (word & DJP__TRACE_EARLY_BIT) != 0;
}

/* 1: the root has ended; spans that end later are late. */
static inline int
djp__trace_is_over(uintptr_t word)
{
    return (word & (DJP__TRACE_OVER_BIT | DJP__TRACE_DECIDED_BIT)) ==
           (DJP__TRACE_OVER_BIT | DJP__TRACE_DECIDED_BIT);
}

static inline djp__verdict
djp__trace_verdict(uintptr_t word)
{
    return (djp__verdict){word >> DJP__TRACE_BITS};
}

static inline int
djp__trace_state(uintptr_t word)
{
    int state = DJP__TRACE_WAITING;
    if (djp__trace_is_decided(word)) {
        while (djp__trace_bits[state] != (word & ((1u << DJP__TRACE_BITS) - 1))) {
            state++;
        }
    }
    return state;
}

#endif
