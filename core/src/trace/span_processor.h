/* Span processors: functions that a recorder calls at the start and at the end of each span that it
 * records, in the order of their registration. A recorder without processors makes no check for
 * them: a local trace notes at its start that there are some, in the bits that a start tests
 * anyway. */
#ifndef DJP_TRACE_SPAN_PROCESSOR_H
#define DJP_TRACE_SPAN_PROCESSOR_H

#include "djp/span.h"

enum { DJP__SPAN_PROCESSORS_MAX = 8 }; /* of one recorder */

/* Both functions run in the thread that starts or ends the span; for spans of an operation log that
 * is the thread that replays it. Different spans are processed concurrently. A function may set
 * name, attributes, events, links and status of the span, and may start and end other spans, for
 * which no processor runs. It must not end or release the span, keep it beyond the call, block, or
 * add a processor. */
typedef struct djp__span_processor {
    /* The span has ids, name, kind, scope and start time; what its creator sets comes later and
     * replaces equal keys. Nothing that is set here was visible to the head sampler. options: as
     * given for the start, with parent and baggage. May be NULL. */
    void (*on_start)(void *user, djp_span *span, const djp_span_options *options);
    /* The span has its end time and is still recording (OnEnding in the specification): attributes
     * take part in tail sampling, and so does a status. Called for each span that on_start was
     * called for, except one that is released without an end, or ends in a forked child of its
     * process, or is ended by a processor. May be NULL. */
    void (*on_end)(void *user, djp_span *span);
    /* Called when the recorder is freed, after all spans. May be NULL. */
    void (*free)(void *user);
    void *user;
    unsigned needs; /* DJP_NEEDS_* of on_start, part of djp_recorder_needs */
} djp__span_processor;

/* Copies the processor, which then exists as long as the recorder, also in forked children. Called
 * before the first span starts and before an operation log is attached, by one thread. Returns 0,
 * or DJP_EFULL; then the caller frees `user`. */
int djp__recorder_add_processor(djp_recorder *recorder, const djp__span_processor *processor);

#endif
