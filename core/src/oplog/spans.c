/* The open spans of a writer, by slot, and their local traces, by number. A local trace remains for
 * a while after its last span ended, so that late spans follow its decision. */
#include <string.h>

#include "oplog/oplog.h"
#include "trace/span_block.h"

enum { OPLOG_SPANS__TRACE_PLACES = 256 };

static uint32_t
spans_place(const djp_oplog *log, uint32_t number)
{
    return number * 2654435761u & (log->trace_places - 1);
}

/* The trace of that number, or its free place; the table has free places. */
static djp__oplog_trace *
spans_seek(const djp_oplog *log, uint32_t number)
{
    uint32_t i = spans_place(log, number);
    while (log->traces[i].root && log->traces[i].number != number) {
        i = (i + 1) & (log->trace_places - 1);
    }
    return &log->traces[i];
}

static djp__oplog_trace *
spans_find(const djp_oplog *log, uint32_t number)
{
    djp__oplog_trace *trace = log->trace_places > 0 ? spans_seek(log, number) : NULL;
    return trace && trace->root ? trace : NULL;
}

static __attribute__((noinline)) int
spans_grow(djp_oplog *log)
{
    uint32_t old_places = log->trace_places;
    djp__oplog_trace *old = log->traces;
    uint32_t places = old_places ? old_places * 2 : OPLOG_SPANS__TRACE_PLACES;
    djp__oplog_trace *traces = djp__calloc(places, sizeof *traces);
    if (traces == NULL) {
        return log->trace_count + 1 < old_places;
    }
    log->traces = traces;
    log->trace_places = places;
    for (uint32_t i = 0; i < old_places; i++) {
        if (old[i].root) {
            *spans_seek(log, old[i].number) = old[i];
        }
    }
    djp__free(old);
    return 1;
}

static inline int
spans_has_room(djp_oplog *log)
{
    return log->trace_count * 2 < log->trace_places || spans_grow(log);
}

/* Removes a trace and closes the gap, so that others are still found. */
static void
spans_remove(djp_oplog *log, djp__oplog_trace *trace)
{
    uint32_t mask = log->trace_places - 1;
    uint32_t hole = (uint32_t)(trace - log->traces);
    djp_span_release(trace->root);
    trace->root = NULL;
    log->trace_count--;
    for (uint32_t i = (hole + 1) & mask; log->traces[i].root; i = (i + 1) & mask) {
        uint32_t home = spans_place(log, log->traces[i].number);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            log->traces[hole] = log->traces[i];
            log->traces[i].root = NULL;
            hole = i;
        }
    }
}

/* A local trace without open spans is retained in a list for late spans; the oldest is
 * discarded. */
static void
spans_retain(djp_oplog *log, djp__oplog_trace *trace)
{
    trace->retained = 1;
    uint32_t number = trace->number;
    if (log->retained_count == DJP_OPLOG_TRACES_KEPT) {
        djp__oplog_trace *oldest = spans_find(log, log->retained[log->retained_first]);
        log->retained_first = (log->retained_first + 1) % DJP_OPLOG_TRACES_KEPT;
        log->retained_count--;
        if (oldest != NULL && oldest->open > 0) {
            oldest->retained = 0;
        } else if (oldest != NULL) {
            spans_remove(log, oldest);
        }
    }
    log->retained[(log->retained_first + log->retained_count++) % DJP_OPLOG_TRACES_KEPT] = number;
}

djp_span *
djp__oplog_span_at(const djp_oplog *log, uint32_t slot)
{
    return slot < DJP_OPLOG_SLOTS ? log->spans[slot].span : NULL;
}

djp_span *
djp__oplog_parent(djp_oplog *log, uint32_t number, uint32_t slot, const uint8_t span_id[8])
{
    djp__oplog_trace *trace = spans_find(log, number);
    djp_span *span = djp__oplog_span_at(log, slot);
    int is_parent = span && trace != NULL && log->spans[slot].number == number &&
                    memcmp(djp__span_identity(span)->span_id, span_id, 8) == 0;
    return is_parent ? span : trace ? trace->root : NULL;
}

void
djp__oplog_open(djp_oplog *log, uint32_t slot, uint32_t number, djp_span *span, int is_root)
{
    djp__oplog_trace *trace;
    if (!is_root) {
        trace = spans_find(log, number);
    } else if (!spans_has_room(log)) {
        trace = NULL;
        is_root = 0; /* no memory for the trace: its spans become separate roots */
    } else if ((trace = spans_seek(log, number))->root) {
        /* a repeated number: the writer is wrong, or 2^32 traces have passed */
        trace = NULL;
        is_root = 0;
    } else {
        *trace = (djp__oplog_trace){.root = span, .number = number, .serial = ++log->serial};
        log->trace_count++;
    }
    if (trace != NULL) {
        trace->open++;
    }
    djp__oplog_span opened = {span, number, (uint8_t)is_root, trace != NULL,
                              trace != NULL ? trace->serial : 0};
    log->spans[slot] = opened;
    log->slot_end = slot < log->slot_end ? log->slot_end : slot + 1;
}

/* The trace that counts a span as open. Its number is not enough: after the root's slot was reused,
 * another trace may have begun under the same number. */
static djp__oplog_trace *
spans_trace_of(const djp_oplog *log, const djp__oplog_span *span)
{
    djp__oplog_trace *trace = span->in_trace ? spans_find(log, span->number) : NULL;
    return trace && trace->serial == span->serial ? trace : NULL;
}

/* An ended root remains only for its local trace: frees its heap record. */
static void
spans_shrink(djp_span *root)
{
    djp__span_record *own = (djp__span_record *)(void *)root->space;
    if (root->record != own) {
        djp__free(root->record);
        root->record = own;
        root->capacity = DJP__SPAN_INLINE_BYTES;
    }
}

void
djp__oplog_close(djp_oplog *log, uint32_t slot, int ended)
{
    djp__oplog_span closed = log->spans[slot];
    memset(&log->spans[slot], 0, sizeof log->spans[slot]);
    djp__oplog_trace *trace = spans_trace_of(log, &closed);
    if (!closed.is_root) {
        djp_span_release(closed.span);
    } else if (trace != NULL && !ended) {
        /* The rest of the trace continues without its root. */
        spans_remove(log, trace);
        return;
    } else if (trace != NULL) {
        spans_shrink(closed.span);
    }
    if (trace != NULL && trace->open > 0 && --trace->open == 0 && !trace->retained) {
        spans_retain(log, trace);
    }
}

void
djp__oplog_close_all(djp_oplog *log)
{
    for (uint32_t slot = 0; slot < log->slot_end; slot++) {
        djp__oplog_span *open = &log->spans[slot];
        if (open->span == NULL) {
            continue;
        }
        if (!open->is_root) {
            djp_span_release(open->span);
        }
        memset(open, 0, sizeof *open);
    }
    for (uint32_t i = 0; i < log->trace_places; i++) {
        if (log->traces[i].root) {
            djp_span_release(log->traces[i].root);
            log->traces[i].root = NULL;
        }
    }
    log->slot_end = 0;
    log->trace_count = 0;
    log->retained_count = 0;
}
