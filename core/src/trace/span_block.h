/* The private structure of a span: one memory block with the state of the handle, the local trace
 * if the span is its root, and the record in the form of the ring. */
#ifndef DJP_TRACE_SPAN_BLOCK_H
#define DJP_TRACE_SPAN_BLOCK_H

#include "base/atomic.h"
#include "djp/span.h"
#include "model/record.h"
#include "trace/local_trace_state.h"
#include "trace/recorder.h"
#include "sampling/head.h"

/* Bytes of items in a block; a longer record moves to the heap. */
#define DJP__SPAN_ITEM_BYTES 512u
#define DJP__SPAN_INLINE_BYTES (sizeof(djp__span_record) + DJP__SPAN_ITEM_BYTES)

/* Spans of one local trace that may wait for its decision. */
#define DJP__PENDING_SPANS_MAX 100000u

/* The part of a trace that this process records under one local root. Lies in the root's block,
 * which outlives all spans of the local trace. Fields without a note on writers are set before the
 * root's handle is returned. */
typedef struct djp__local_trace {
    /* Its state (local_trace_state.h); djp_span.next links waiting spans. Any thread,
     * compare-and-swap with acquire and release: a reader of a decision also sees its causes. */
    DJP__ATOMIC(uintptr_t) state_word;
    /* Number of its blocks, the root's included. Increments relaxed (the caller holds one),
     * decrements acquire-release. */
    DJP__ATOMIC(uint32_t) refs;
    DJP__ATOMIC(uint32_t) pending_spans; /* any thread, relaxed */
    /* DJP__TRACE_FLAG_* and, above them, the number of a matched rule. Any thread, relaxed; ordered
     * by state_word. */
    DJP__ATOMIC(uint32_t) flags;
    uint32_t generation; /* of fork, when it began */
    djp_span *root;
    /* exported by spans sampled by ratio or parent; may be DJP__THRESHOLD_NONE */
    uint64_t threshold;
    uint64_t recorded; /* the same for those of adjusted count 1; 0 if everything is recorded */
    int64_t anchor; /* Unix minus monotonic time for all its spans */
    djp_tracestate *state; /* to propagate, or NULL */
    uint8_t extras; /* DJP_EXTRA_* */
    uint8_t head_reason; /* the head decision: DJP_REASON_NONE means drop */
    /* one per sampling result; DJP__SET_DROP: not recorded, ids and context only */
    uint8_t counter_set;
    /* First of its entries in the table of shared spans (shared_context.c), from 1; 0: none.
     * Written under the tables lock, release; read, acquire, before refs when a block is released:
     * without an entry no new span can join. */
    DJP__ATOMIC(uint32_t) shared;
    /* with DJP_EXTRA_NOTES: a reference, until the root has the attributes */
    struct djp__sampler_notes *notes;
} djp__local_trace;

#define djp__local_is_silent(local) ((local)->counter_set == DJP__SET_DROP)

#define DJP__TRACE_FLAG_ERROR 1u
#define DJP__TRACE_FLAG_LONG 2u /* the root is a connection: its duration is ignored */
/* a rule may allow the root to be open for longer than decision_wait */
#define DJP__TRACE_FLAG_PATIENT 4u
#define DJP__TRACE_FLAG_RULE_SHIFT 8
#define djp__trace_flags_rule(flags) ((flags) >> DJP__TRACE_FLAG_RULE_SHIFT)
/* The reasons to sample the trace. */
#define djp__trace_flags_reason(flags) ((flags) & ~(DJP__TRACE_FLAG_LONG | DJP__TRACE_FLAG_PATIENT))

/* LEADS: a span that is not a root leads a late local trace, which lies in its block. SHARED: the
 * span is in the table of shared spans. */
enum { DJP_MARK_LEADS = 1, DJP_MARK_SHARED = 2 };

/* The role of a span in its local trace. */
enum { DJP_SPAN_CHILD = 0, DJP_SPAN_ROOT = 1, DJP_SPAN_LATE_ROOT = 2 };
/* It began after the end of the local trace above (local_trace_late.c). */
#define djp__local_is_late(local) ((local)->root->is_root != DJP_SPAN_ROOT)

/* In djp_span.lost: processors run at its end. A bit of that member, so that an end tests both at
 * once. */
#define DJP__SPAN_PROCESSED (UINT64_C(1) << 63)

/* One thread at a time uses a span (djp/span.h); several read only `refs`, `ended`, `marks` and the
 * ids. */
struct djp_span {
    djp__span_record *record; /* &space or heap memory */
    uint32_t used; /* bytes of the record so far, a multiple of 8 */
    uint32_t capacity;
    uint32_t attributes; /* top-level attribute items that are alive */
    uint32_t attribute_limit; /* of items; at most UINT16_MAX */
    uint32_t value_limit; /* characters of text, bytes of bytes; UINT32_MAX: none */
    uint8_t recording;
    uint8_t is_root; /* DJP_SPAN_* */
    uint8_t explicit_start; /* start time given by the caller */
    uint8_t keys_unique; /* no key occurs twice among the attributes */
    DJP__ATOMIC(uint8_t) ended; /* by its thread; relaxed */
    DJP__ATOMIC(uint8_t) marks; /* DJP_MARK_*; written under the tables lock, release */
    /* The handle and the pending list; the last release returns the block. Acquire-release. */
    DJP__ATOMIC(uint32_t) refs;
    uint32_t dead_bytes; /* of items that were replaced */
    /* Dropped attributes of events and links, counted only; and DJP__SPAN_PROCESSED. */
    uint64_t lost;
    uint64_t start_monotonic;
    djp_recorder *recorder;
    djp__local_trace *local;
    djp_span *next; /* in the free list or in the pending list */
    djp__local_trace own;
    uint64_t space[DJP__SPAN_INLINE_BYTES / 8];
};

/* The record at the start: its ids and flags do not change. */
static inline const djp__span_record *
djp__span_identity(const djp_span *span)
{
    return (const djp__span_record *)(const void *)span->space;
}

static inline char *
djp__span_at(const djp_span *span, uint32_t offset)
{
    return (char *)span->record + offset;
}

/* span_room.c: space in the record. Growing keeps all offsets; only sweeping moves items, so it is
 * not called while one is being written. */

/* Grows the record by at least size bytes after `used`; 0 beyond the limit or without memory. */
int djp__span_grow(djp_span *span, size_t size);
/* Compacts the live items. */
void djp__span_sweep(djp_span *span);
/* Folds repeated keys and sweeps; 1 if that freed bytes. */
int djp__span_tidy(djp_span *span);
/* Makes room for an attribute at the count limit: folds repeated keys before offset end, or removes
 * an older value of the same key. 0: none. */
int djp__span_free_slot(djp_span *span, djp_key key, uint32_t end);

static inline int
djp__span_has_room(djp_span *span, size_t size)
{
    return __builtin_expect(size <= span->capacity - span->used, 1) || djp__span_grow(span, size);
}

/* Bytes for a text that does not fit whole: half of the rest, so that later items find room. */
size_t djp__span_share(const djp_span *span);

/* value.c: values in record form, after `used`. All return 0 without room; the caller then restores
 * `used`. */

/* Appends repaired text of at most max_chars characters, padded to 8. *written gets the bytes
 * without padding. */
int djp__span_put_text(djp_span *span, djp_text text, size_t max_chars, uint32_t *written);
/* Appends an item with text as payload. */
int djp__span_put_text_item(djp_span *span, unsigned kind, unsigned type, djp_key key,
                            djp_text text, size_t max_chars, uint32_t *written);
/* Appends one attribute item. */
int djp__span_put_value(djp_span *span, djp_key key, const djp_value *value);
/* Appends attributes of an event or link: unique keys, the last value applies, at most limit.
 * Returns the number dropped. */
uint32_t djp__span_put_attributes(djp_span *span, const djp_attribute *attributes, size_t count,
                                  uint32_t limit);

/* span_error.c */

/* Adds `error` and, from the last exception, error.type and error.message to a failed span that is
 * still recording. */
void djp__span_tell_error(djp_span *span);
/* Handles the attribute `error`: true sets the status to error, unless another was set. span may be
 * NULL. */
void djp__span_heed_error(djp_span *span, djp_key key, int failed);
/* Interned by the first recorder; 0 before. Written relaxed. */
extern DJP__ATOMIC(djp_key) djp__error_key;

/* span_processor.c: call the processors. Neither seals the record. */
void djp__span_processors_start(djp_span *span, const djp_span_options *options);
void djp__span_processors_end(djp_span *span);

/* span_block.c: allocates blocks. */
djp_span *djp__span_block_take(void);
void djp__span_block_give(djp_span *span);
/* Frees this thread's idle blocks, as thread exit does (tests). */
void djp__span_block_trim(void);

/* local_trace.c: the decision and its effects. */

/* Makes span the root of a new local trace. Takes the state of head. */
void djp__local_trace_begin(djp_span *span, djp__head *head);
/* Submits an ended span: publishes, drops or queues it. duration_ns is the root's, unused for
 * others. */
void djp__local_trace_submit(djp_span *span, uint64_t duration_ns);
/* The root is released without an end: decides the others without it. */
void djp__local_trace_abandon(djp_span *root);
/* local_trace_limit.c: applies the limit to a verdict that samples. */
typedef struct djp__limit_question {
    uint64_t spans; /* that would be sampled now */
    uint64_t end_unix_ns; /* of the span that caused the decision; 0: now */
    int root_ended; /* 1: the caller's root has ended, so that its route is known */
} djp__limit_question;
djp__verdict djp__local_limit_ask(const djp__local_trace *local, djp__verdict verdict,
                                  const djp__limit_question *question);
/* The same for later spans of a decided local trace. */
djp__verdict djp__local_limit_follow(djp_recorder *recorder, djp__verdict verdict, uint64_t spans);

/* Releases one reference to the span's block. */
void djp__span_unref(djp_span *span);
/* Removes a block from the local trace. */
void djp__local_trace_leave(djp__local_trace *local);

/* local_trace_late.c: spans that begin or end after the root of their local trace. */

/* Whether late spans below a local trace with this decision may be sampled although they would be
 * dropped otherwise, or with another adjusted count. */
int djp__late_is_wanted(const djp_recorder *recorder, uintptr_t word);
/* Returns the local trace of a child of parent, whose own is over: borrowed from parent's block, or
 * NULL if the child begins one. head: of parent's. */
djp__local_trace *djp__late_home(djp_span *parent, uintptr_t word);
/* Makes span, a child of a span of `from`, the root of a late local trace in its own block. */
void djp__late_begin(djp_span *span, djp__local_trace *from);
/* shared_context.c: spans found by their ids (djp_span_share). */

/* Joins the local trace of that context's span, or begins a late one below it: 1, and span->local
 * is set. 0: unknown. Takes the tables lock. */
int djp__shared_join(djp_span *span, const djp_span_context *parent);
/* Removes the entries of a local trace that ends. */
void djp__shared_discard_all(djp__local_trace *local);

/* Returns the late local trace that span leads although it belongs to another one that is over;
 * created if needed. NULL: the span needs none. */
djp__local_trace *djp__late_lead(djp_span *span);
/* Adds sampling.late to a span that has ended. */
void djp__span_mark_late(djp_span *span);

#endif
