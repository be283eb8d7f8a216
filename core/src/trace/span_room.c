/* Space in a span's record: heap growth up to the limit, folding of repeated keys, and the sweep
 * that closes gaps. A replaced item stays as an unreferenced text, which readers skip. */
#include <string.h>

#include "base/mem.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

#define SPAN_ROOM__STACK_ITEMS 256u

int
djp__span_grow(djp_span *span, size_t size)
{
    size_t limit = span->recorder->record_max;
    if (size > limit || span->used + size > limit) {
        return 0;
    }
    size_t capacity = (size_t)span->capacity * 2;
    if (capacity < span->used + size) {
        capacity = span->used + size;
    }
    capacity = djp__pad8(capacity > limit ? limit : capacity);
    djp__span_record *own = (djp__span_record *)(void *)span->space;
    djp__span_record *record = djp__realloc(span->record == own ? NULL : span->record, capacity);
    if (record == NULL) {
        return 0;
    }
    if (span->record == own) {
        memcpy(record, own, span->used);
    }
    span->record = record;
    span->capacity = (uint32_t)capacity;
    return 1;
}

size_t
djp__span_share(const djp_span *span)
{
    size_t limit = span->recorder->record_max;
    return limit > span->used ? ((limit - span->used) / 2) & ~(size_t)7 : 0;
}

/* The header reference to the text at the offset: name, status description or tracestate; NULL if
 * none. */
static uint32_t *
span_room_reference(djp__span_record *record, uint32_t offset)
{
    if (offset == record->name_at) {
        return &record->name_at;
    }
    if (offset == record->status_at) {
        return &record->status_at;
    }
    return offset == record->state_at ? &record->state_at : NULL;
}

void
djp__span_sweep(djp_span *span)
{
    djp__span_record *record = span->record;
    uint32_t from = sizeof *record, to = from;
    while (from < span->used) {
        const djp__item *item = (const djp__item *)(const void *)djp__span_at(span, from);
        uint32_t bytes = (uint32_t)(sizeof *item + djp__pad8(djp__item_size(item)));
        uint32_t *reference = NULL;
        int alive = djp__item_kind(item) != DJP_ITEM_TEXT;
        if (!alive) {
            reference = span_room_reference(record, from + (uint32_t)sizeof *item);
            alive = reference != NULL;
        }
        if (alive) {
            memmove(djp__span_at(span, to), item, bytes);
            if (reference != NULL) {
                *reference = to + (uint32_t)sizeof *item;
            }
            to += bytes;
        }
        from += bytes;
    }
    span->used = to;
    span->dead_bytes = 0;
}

static void
span_room_kill(djp_span *span, djp__item *item)
{
    uint32_t size = djp__item_size(item);
    item->key = 0;
    item->head = djp__item_head(DJP_ITEM_TEXT, DJP_STRING, size);
    span->dead_bytes += (uint32_t)(sizeof *item + djp__pad8(size));
    span->attributes--;
}

/* Removes all but the last attribute of each key among the items before end: from the back, with a
 * bit per key. */
static void
span_room_fold(djp_span *span, uint32_t end)
{
    uint32_t stack[SPAN_ROOM__STACK_ITEMS];
    uint64_t seen[DJP_KEY_LIMIT / 64 + 1];
    uint32_t *offsets = stack;
    uint32_t count = 0;
    if (span->attributes > SPAN_ROOM__STACK_ITEMS) {
        offsets = djp__alloc(span->attributes * sizeof *offsets);
        if (offsets == NULL) {
            return;
        }
    }
    for (uint32_t at = sizeof(djp__span_record); at < end;) {
        const djp__item *item = (const djp__item *)(const void *)djp__span_at(span, at);
        if (djp__item_kind(item) == DJP_ITEM_ATTRIBUTE) {
            offsets[count++] = at;
        }
        at += (uint32_t)(sizeof *item + djp__pad8(djp__item_size(item)));
    }
    memset(seen, 0, sizeof seen);
    while (count-- > 0) {
        djp__item *item = (djp__item *)(void *)djp__span_at(span, offsets[count]);
        uint64_t bit = 1ull << (item->key % 64);
        uint64_t *word = &seen[item->key / 64];
        if (*word & bit) {
            span_room_kill(span, item);
        }
        *word |= bit;
    }
    if (offsets != stack) {
        djp__free(offsets);
    }
}

int
djp__span_tidy(djp_span *span)
{
    if (!span->keys_unique) {
        span_room_fold(span, span->used);
    }
    if (span->dead_bytes == 0) {
        return 0;
    }
    djp__span_sweep(span);
    return 1;
}

int
djp__span_free_slot(djp_span *span, djp_key key, uint32_t end)
{
    if (!span->keys_unique) {
        span_room_fold(span, end);
        if (span->attributes < span->attribute_limit) {
            return 1;
        }
        span->keys_unique = 1;
    }
    for (uint32_t at = sizeof(djp__span_record); at < end;) {
        djp__item *item = (djp__item *)(void *)djp__span_at(span, at);
        if (djp__item_kind(item) == DJP_ITEM_ATTRIBUTE && item->key == key) {
            span_room_kill(span, item);
            return 1;
        }
        at += (uint32_t)(sizeof *item + djp__pad8(djp__item_size(item)));
    }
    return 0;
}
