/* The memory of an oplog and its reader, which neither waits for the writer nor trusts its data. */
#include <sched.h>
#include <string.h>

#include "base/rand.h"
#include "metrics/registry.h"
#include "oplog/oplog.h"
#include "trace/recorder_state.h"

/* Units replayed before the writer sees the free space; tries of a writer that drains by itself
 * while another thread replays. */
enum { OPLOG_RING__STEP = 512, OPLOG_RING__YIELDS = 50, OPLOG_RING__ARENA_BYTES = 1 << 20 };
#define OPLOG_RING__SYMBOLS_BYTES (DJP_OPLOG_SYMBOLS * sizeof(djp__oplog_symbol))
#define OPLOG_RING__SPANS_BYTES (DJP_OPLOG_SLOTS * sizeof(djp__oplog_span))

int
djp_oplog_new(djp_oplog **out, size_t units)
{
    *out = NULL;
    if (units < DJP_OPLOG_UNITS_MIN || units > DJP_OPLOG_UNITS_MAX || (units & (units - 1)) != 0) {
        return DJP_EINVAL;
    }
    djp_oplog *log = djp__calloc(1, sizeof *log);
    if (log == NULL) {
        return DJP_ENOMEM;
    }
    djp__mutex_init(&log->mutex);
    djp__mutex_init(&log->link);
    djp__arena_init(&log->arena, OPLOG_RING__ARENA_BYTES);
    djp__store_relaxed(&log->references, 1);
    log->units = (uint32_t)units;
    log->control = djp__pages_new(djp_oplog_size(log));
    log->symbols = djp__pages_new(OPLOG_RING__SYMBOLS_BYTES);
    log->spans = djp__pages_new(OPLOG_RING__SPANS_BYTES);
    if (!log->control || !log->symbols || !log->spans) {
        djp_oplog_unref(log);
        return DJP_ENOMEM;
    }
    log->ring =
        (const uint64_t *)(const void *)((const char *)log->control + DJP_OPLOG_CONTROL_BYTES);
    *out = log;
    return 0;
}

void *
djp_oplog_memory(djp_oplog *log)
{
    return log->control;
}

size_t
djp_oplog_size(const djp_oplog *log)
{
    return DJP_OPLOG_CONTROL_BYTES + (size_t)log->units * 8;
}

djp_oplog *
djp_oplog_ref(djp_oplog *log)
{
    djp__add_acq_rel(&log->references, 1);
    return log;
}

void
djp_oplog_unref(djp_oplog *log)
{
    if (log == NULL || djp__sub_acq_rel(&log->references, 1) != 1) {
        return;
    }
    for (uint32_t i = 0; log->symbols && i < DJP_OPLOG_SYMBOLS; i++) {
        djp__free(log->symbols[i].text);
    }
    djp__pages_free(log->symbols, OPLOG_RING__SYMBOLS_BYTES);
    djp__pages_free(log->spans, OPLOG_RING__SPANS_BYTES);
    djp__pages_free(log->control, djp_oplog_size(log));
    djp__free(log->traces);
    djp__arena_fini(&log->arena);
    djp__oplog_baggage_discard(log);
    djp__mutex_fini(&log->link);
    djp__mutex_fini(&log->mutex);
    djp__free(log);
}

void
djp_oplog_random(uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word = 0;
        while (word == 0) {
            word = (uint32_t)(djp__rand64() >> 32);
        }
        words[i] = word;
    }
}

/* ---- reading ---- */

uint32_t
djp__oplog_published(const djp_oplog *log)
{
    return djp__load_acquire(&log->control[DJP_OPLOG_PUBLISHED]);
}

uint32_t
djp__oplog_consumed(const djp_oplog *log)
{
    return djp__load_relaxed(&log->control[DJP_OPLOG_CONSUMED]);
}

/* Takes over the writer's losses since the last check. */
void
djp__oplog_take_losses(djp_oplog *log)
{
    uint64_t fresh[3];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t now = djp__load_relaxed(&log->control[DJP_OPLOG_LOST_SPANS + i]);
        fresh[i] = now - log->seen_lost[i];
        log->seen_lost[i] = now;
    }
    if (log->owner != NULL) {
        djp__add_relaxed(&log->owner->damage, log->damaged - log->seen_damaged);
        log->seen_damaged = log->damaged;
    }
    if (log->recorder != NULL) {
        djp__count_add(log->recorder, DJP__COUNT_DROP(OPLOG_FULL), fresh[0]);
        djp__count_add(log->recorder, DJP__COUNT_ATTRIBUTES, fresh[1]);
    }
    if (log->owner != NULL && log->owner->host.registry != NULL) {
        djp__add_relaxed(&log->owner->host.registry->dropped, fresh[2]);
    }
}

/* The operation at a position; 0 if it is invalid. */
static int
ring_read(djp__oplog_operation *out, const djp_oplog *log, uint32_t position, uint32_t left)
{
    uint32_t place = position & (log->units - 1);
    uint64_t head = log->ring[place];
    out->kind = (unsigned)(head & 0xffu);
    out->size = (uint32_t)head >> 8;
    out->word = (uint32_t)(head >> 32);
    out->data = (const unsigned char *)&log->ring[place + 1];
    size_t units = 1 + (out->size + 7) / 8;
    return units <= left && units <= log->units - place;
}

int
djp__oplog_is_half_full(const djp_ring *ring)
{
    return ring && djp__ring_used(ring) > djp__ring_capacity(ring) / 2;
}

/* Replays until `end`, or until the budget is used up, or, with a ring, until the end of a span
 * finds it half full; the mutex is held. */
void
djp__oplog_replay_until(djp_oplog *log, uint32_t end, uint32_t budget, const djp_ring *ring)
{
    uint32_t position = djp__oplog_consumed(log), begin = position, shown = position;
    if (end - position > log->units) {
        position = end; /* the rest cannot be trusted */
        log->damaged++;
    }
    while (position != end && position - begin < budget) {
        djp__oplog_operation operation;
        if (djp__oplog_is_plain((unsigned)log->ring[position & (log->units - 1)] & 0xffu)) {
            uint32_t stop = end - position < OPLOG_RING__STEP ? end : position + OPLOG_RING__STEP;
            if ((position = djp__oplog_replay_attributes(log, position, stop)) == end) {
                break;
            }
        }
        if (!ring_read(&operation, log, position, end - position)) {
            log->damaged++;
            position = end;
            break;
        }
        log->damaged += !djp__oplog_replay(log, &operation);
        position += 1 + ((uint32_t)operation.size + 7) / 8;
        if (djp__oplog_is_end(operation.kind) && djp__oplog_is_half_full(ring)) {
            break;
        }
        if (position - shown >= OPLOG_RING__STEP) {
            shown = position;
            djp__store_release(&log->control[DJP_OPLOG_CONSUMED], position);
        }
    }
    djp__store_release(&log->control[DJP_OPLOG_CONSUMED], position);
}

int
djp_oplog_drain(djp_oplog *log, size_t units)
{
    uint32_t before = djp__oplog_consumed(log);
    uint32_t budget = units > 0 && units < UINT32_MAX ? (uint32_t)units : UINT32_MAX;
    for (int i = 0; i < OPLOG_RING__YIELDS; i++) {
        if (pthread_mutex_trylock(&log->mutex) == 0) {
            djp__oplog_replay_until(log, djp__oplog_published(log), budget, NULL);
            djp__oplog_take_losses(log);
            djp__mutex_unlock(&log->mutex);
            break;
        }
        sched_yield(); /* its owner does the same work, a slice at a time */
        if (djp__load_acquire(&log->control[DJP_OPLOG_CONSUMED]) != before) {
            break;
        }
    }
    return djp__load_acquire(&log->control[DJP_OPLOG_CONSUMED]) != before;
}
