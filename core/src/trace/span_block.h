/* The inside of a span, shared by the files that record, decide and publish: one block of memory
 * that holds the handle's state, the local trace when the span is its root, and the record in the
 * very form in which it lies in the ring. */
#ifndef DJP_TRACE_SPAN_BLOCK_H
#define DJP_TRACE_SPAN_BLOCK_H

#include "base/atomic.h"
#include "djp/span.h"
#include "model/record.h"
#include "trace/local_trace_state.h"
#include "trace/recorder.h"
#include "sampling/head.h"

/* Bytes of items that fit a block; longer spans move their record to the heap. */
#define DJP_SPAN_ITEM_BYTES 512u
#define DJP_SPAN_INLINE_BYTES (sizeof(djp_span_record) + DJP_SPAN_ITEM_BYTES)

/* Spans of one local trace that may wait for its decision. */
#define DJP_PENDING_SPANS_MAX 100000u

/* The part of a trace that this process records under one local root. Lives in the root's block,
 * which therefore outlives all spans of the local trace. Fields without a word on writing are set
 * before the root's handle is given out. */
typedef struct djp__local_trace {
    /* Its state (local_trace_state.h); the spans that wait are linked by djp_span.next. Any thread,
     * compare-and-swap with acquire and release: who reads a decision also sees what led to it. */
    DJP_ATOMIC(uintptr_t) state_word;
    /* Blocks that belong to it, the root's included. Relaxed up (the caller holds one),
     * acquire-release down. */
    DJP_ATOMIC(uint32_t) refs;
    DJP_ATOMIC(uint32_t) pending_spans; /* any thread, relaxed */
    /* DJP__TRACE_FLAG_* and, above them, the number of the rule that a span met. Any thread,
     * relaxed; ordered by state_word. */
    DJP_ATOMIC(uint32_t) flags;
    uint32_t generation; /* of fork, when it began */
    djp_span *root;
    uint64_t threshold; /* exported by spans kept by ratio or parent; may be DJP_THRESHOLD_NONE */
    uint64_t recorded; /* the same of those with adjusted count 1; 0 where everything is recorded */
    int64_t anchor; /* Unix minus monotonic time for all its spans */
    djp_tracestate *state; /* to propagate, or NULL */
    uint8_t extras; /* DJP_EXTRA_* */
    uint8_t head_reason; /* what the head alone decides: DJP_REASON_NONE means drop */
    /* of the counters, one for each sampling result; DJP_SET_DROP: ids and context only, nothing is
     * recorded */
    uint8_t counter_set;
    /* First of its entries in the table of shared spans (shared.c), from 1; 0: none. Written under
     * the tables lock, release; read by who lets go of the trace, acquire, and before refs: without
     * an entry nobody new can come. */
    DJP_ATOMIC(uint32_t) shared;
    /* with DJP_EXTRA_NOTES: until they are on the root; a reference */
    struct djp__sampler_notes *notes;
} djp__local_trace;

#define djp_local_is_silent(local) ((local)->counter_set == DJP_SET_DROP)

#define DJP__TRACE_FLAG_ERROR 1u
#define DJP__TRACE_FLAG_LONG 2u /* the root is a connection: its length says nothing */
/* a rule may allow the root to be open for longer than decision_wait */
#define DJP__TRACE_FLAG_PATIENT 4u
#define DJP__TRACE_FLAG_RULE_SHIFT 8
#define djp__trace_flags_rule(saw) ((saw) >> DJP__TRACE_FLAG_RULE_SHIFT)
/* What speaks for the trace. */
#define djp__trace_flags_reason(saw) ((saw) & ~(DJP__TRACE_FLAG_LONG | DJP__TRACE_FLAG_PATIENT))

/* A span that is not the root of its local trace: it leads a late one, which lies in its block
 * beside it. Any span: it is in the table of shared spans. */
enum { DJP_MARK_LEADS = 1, DJP_MARK_SHARED = 2 };

/* What a span is to its local trace. */
enum { DJP_SPAN_CHILD = 0, DJP_SPAN_ROOT = 1, DJP_SPAN_LATE_ROOT = 2 };
/* It began below a span whose own local trace was over (local_late.c). */
#define djp_local_is_late(local) ((local)->root->is_root != DJP_SPAN_ROOT)

/* One thread at a time uses a span (djp/span.h); only `holds`, `ended`, `marks` and the ids are
 * read by several. */
struct djp_span {
    djp_span_record *record; /* &space or heap memory */
    uint32_t used; /* bytes of the record so far, a multiple of 8 */
    uint32_t capacity;
    uint32_t attributes; /* top-level attribute items that are alive */
    uint32_t attribute_limit; /* of items; at most UINT16_MAX */
    uint32_t value_limit; /* characters of text, bytes of bytes; UINT32_MAX: none */
    uint8_t recording;
    uint8_t is_root; /* DJP_SPAN_* */
    uint8_t explicit_start; /* start time given by the caller */
    uint8_t keys_unique; /* no key occurs twice among the attributes */
    DJP_ATOMIC(uint8_t) ended; /* by its thread; relaxed */
    DJP_ATOMIC(uint8_t) marks; /* DJP_MARK_*; written under the tables lock, release */
    /* The handle, and the pending list: who drops the last one gives the block back.
     * Acquire-release. */
    DJP_ATOMIC(uint32_t) refs;
    uint32_t dead_bytes; /* of items that were replaced */
    uint32_t lost; /* attributes of events and links that were dropped: only counted */
    uint64_t start_monotonic;
    djp_recorder *recorder;
    djp__local_trace *local;
    djp_span *next; /* in the free list or in the pending list */
    djp__local_trace own;
    uint64_t space[DJP_SPAN_INLINE_BYTES / 8];
};

/* The record as it was at the start: its ids and flags never change, whoever reads them. */
static inline const djp_span_record *
djp__span_identity(const djp_span *span)
{
    return (const djp_span_record *)(const void *)span->space;
}

static inline char *
djp__span_at(const djp_span *span, uint32_t offset)
{
    return (char *)span->record + offset;
}

/* span_room.c: space in the record. Growing keeps all offsets; only sweeping moves items, so it is
 * never called while one is being written. */

/* Grows the record by at least size bytes behind `used`; 0 when that passes the limit or memory is
 * short. */
int djp__span_grow(djp_span *span, size_t size);
/* Moves the living items together. */
void djp__span_sweep(djp_span *span);
/* Folds repeated keys and sweeps; 1 when that gained bytes. */
int djp__span_tidy(djp_span *span);
/* A place for one more attribute where the count is exhausted: repeated keys before offset end are
 * folded, or an older value of the same key gives way. 0: none. */
int djp__span_free_slot(djp_span *span, djp_key key, uint32_t end);

static inline int
djp__span_has_room(djp_span *span, size_t size)
{
    return __builtin_expect(size <= span->capacity - span->used, 1) || djp__span_grow(span, size);
}

/* Bytes that a text may take which does not fit whole: half of what is left, so that what follows
 * finds room, too. */
size_t djp__span_share(const djp_span *span);

/* value.c: values in record form, behind `used`. All return 0 when there is no room; the caller
 * then sets `used` back. */

/* Appends repaired text of at most max_chars characters, padded to 8. *written gets the bytes
 * without padding. */
int djp__span_put_text(djp_span *span, djp_text text, size_t max_chars, uint32_t *written);
/* Appends an item with text as payload. */
int djp__span_put_text_item(djp_span *span, unsigned kind, unsigned type, djp_key key,
                            djp_text text, size_t max_chars, uint32_t *written);
/* Appends one attribute item. */
int djp__span_put_value(djp_span *span, djp_key key, const djp_value *value);
/* Appends attributes of an event or link: unique keys, the last value wins, at most limit. Returns
 * how many were dropped. */
uint32_t djp__span_put_attributes(djp_span *span, const djp_attribute *attributes, size_t count,
                                  uint32_t limit);

/* span_error.c */

/* Adds error, and of the last exception error.type and error.message, to a failed span that is
 * still recording. */
void djp__span_tell_error(djp_span *span);
/* The attribute `error`, whose key this is, is set: true means the status error, unless another was
 * set. span may be NULL. */
void djp__span_heed_error(djp_span *span, djp_key key, int failed);
/* Interned with the first recorder; 0 before. Written by any that makes one, relaxed. */
extern DJP_ATOMIC(djp_key) djp__error_key;

/* span_block.c: where blocks come from. */
djp_span *djp__span_block_take(void);
void djp__span_block_give(djp_span *span);
/* Frees this thread's idle blocks (tests; thread exit does it by itself). */
void djp__span_block_trim(void);

/* local_trace.c: the decision and what follows from it. */

/* Makes span the root of a new local trace. Takes the state of head. */
void djp__local_trace_begin(djp_span *span, djp__head *head);
/* Files an ended span: publishes, drops or keeps it waiting. duration_ns is the root's, unused for
 * others. */
void djp__local_trace_submit(djp_span *span, uint64_t duration_ns);
/* The root goes without having ended: the others are decided without it. */
void djp__local_trace_abandon(djp_span *root);
/* local_limit.c: what a limit makes of a verdict that keeps. */
typedef struct djp__limit_question {
    uint64_t spans; /* that would be kept now */
    uint64_t end_unix_ns; /* of the span that brought it up; 0: now */
    int root_ended; /* 1: the root is the caller's and has ended, so that its route is known */
} djp__limit_question;
djp__verdict djp__local_limit_ask(const djp__local_trace *local, djp__verdict verdict,
                                  const djp__limit_question *question);
/* The same for spans of a local trace that is decided. */
djp__verdict djp__local_limit_follow(djp_recorder *recorder, djp__verdict verdict, uint64_t spans);

/* Drops one hold of the span's block and, with the last, the block. */
void djp__span_unref(djp_span *span);
/* Takes a block of the local trace away from it. */
void djp__local_trace_leave(djp__local_trace *local);

/* local_late.c: what begins or ends when the root of its local trace has ended. */

/* Whether anything that comes late, below a local trace with this decision, may be kept that would
 * be dropped otherwise, or with another weight. */
int djp__late_is_wanted(const djp_recorder *recorder, uintptr_t word);
/* The local trace that a child of parent, whose own is over, belongs to: borrowed from parent's
 * block; or NULL when it begins one in its own. head: of parent's. */
djp__local_trace *djp__late_home(djp_span *parent, uintptr_t word);
/* Makes span, a child of a span of `from`, the root of a late local trace in its own block. */
void djp__late_begin(djp_span *span, djp__local_trace *from);
/* shared.c: spans that are found by their ids (djp_span_share). */

/* Joins the local trace of the span with that context, or begins a late one below it: 1, and
 * span->local is set. 0: it is not known. Takes the tables lock. */
int djp__shared_join(djp_span *span, const djp_span_context *parent);
/* Takes out the entries of a local trace that ends. */
void djp__shared_discard_all(djp__local_trace *local);

/* The late local trace that span leads from now on, although it belongs to another one that is
 * over; made if need be. NULL: the span needs none. */
djp__local_trace *djp__late_lead(djp_span *span);
/* Adds sampling.late to a span that has ended. */
void djp__span_mark_late(djp_span *span);

#endif
