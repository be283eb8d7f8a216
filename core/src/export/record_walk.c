/* Checks the bounds of a record's items, and applies the rule that the last value of a key counts.
 * It does not read outside the record, whatever its content. */
#include "export/record_walk.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void
djp__walk_init(djp__walk *walk)
{
    memset(walk, 0, sizeof *walk);
    walk->reason_key = djp_key_intern((djp_text){DJP__REASON_KEY, sizeof DJP__REASON_KEY - 1});
}

void
djp__walk_fini(djp__walk *walk)
{
    djp__free(walk->offsets);
    djp__free(walk->others);
    djp__free(walk->slots);
    djp__free(walk->set);
    memset(walk, 0, sizeof *walk);
}

static void
walk_fail(djp__walk *walk, int error)
{
    if (walk->error == 0) {
        walk->error = error;
    }
}

/* Room for count offsets at *list, in steps that double. */
static int
walk_reserve(uint32_t **list, size_t *capacity, size_t count)
{
    if (count <= *capacity) {
        return 1;
    }
    size_t grown = *capacity != 0 ? *capacity : 256;
    while (grown < count) {
        grown *= 2;
    }
    uint32_t *moved = djp__realloc(*list, grown * sizeof **list);
    if (moved == NULL) {
        return 0;
    }
    *list = moved;
    *capacity = grown;
    return 1;
}

/* Room for every item that fits between two offsets. */
static int
walk_reserve_region(djp__walk *walk, uint32_t from, uint32_t to)
{
    if (!walk_reserve(&walk->offsets, &walk->capacity,
                      walk->top + (to - from) / sizeof(djp__item) + 1)) {
        walk_fail(walk, DJP_ENOMEM);
        return 0;
    }
    return 1;
}

static int
walk_grow_slots(djp__walk *walk, uint32_t count)
{
    if (count < walk->slot_room) {
        return 1;
    }
    uint32_t room = count + 64;
    djp__key_slot *slots = djp__realloc(walk->slots, room * sizeof *slots);
    if (slots == NULL) {
        return 0;
    }
    walk->slots = slots;
    walk->slot_room = room;
    return 1;
}

static void
walk_fill_slot(djp__walk *walk, djp_key key)
{
    const djp__key_entry *entry = djp__key_entry_of(key);
    djp__key_slot *slot = &walk->slots[key];
    memset(slot, 0, sizeof *slot);
    slot->encoded = entry->encoded;
    slot->size = entry->encoded_size;
    if (slot->size <= sizeof slot->tail) {
        memcpy(slot->tail + sizeof slot->tail - slot->size, entry->encoded, slot->size);
    }
    walk->key_max = slot->size > walk->key_max ? slot->size : walk->key_max;
}

/* Loads the keys interned since the last time. An id beyond the table is damage. */
static int
walk_learn_keys(djp__walk *walk, djp_key key)
{
    uint32_t count = djp__key_count();
    if (key == 0 || key > count) {
        walk_fail(walk, DJP_EPROTO);
        return 0;
    }
    if (!walk_grow_slots(walk, count)) {
        walk_fail(walk, DJP_ENOMEM);
        return 0;
    }
    while (walk->keys < count) {
        walk_fill_slot(walk, ++walk->keys);
    }
    return 1;
}

/* 1: the key is loaded, so its slot may be read. */
static inline int
walk_see_key(djp__walk *walk, djp_key key)
{
    return key - 1 < walk->keys || walk_learn_keys(walk, key);
}

/* Offset after the item at `at`, or 0 if it ends after `to`. */
static inline uint32_t
walk_after(const djp__walk *walk, uint32_t at, uint32_t to)
{
    if (to - at < sizeof(djp__item)) {
        return 0;
    }
    size_t whole = sizeof(djp__item) + djp__pad8(djp__item_size(djp__walk_item(walk, at)));
    return whole <= to - at ? at + (uint32_t)whole : 0;
}

void
djp__walk_begin(djp__walk *walk, const void *base, size_t size)
{
    walk->base = base;
    walk->end = (uint32_t)size;
    walk->error = 0;
    walk->top = 0;
    walk->other_count = 0;
    walk->attributes = 0;
}

static inline int
walk_text_ok(const djp__span_record *record, uint32_t at, uint32_t size)
{
    return size == 0 || (at >= sizeof *record && at <= record->size && size <= record->size - at);
}

static inline int
walk_head_ok(const djp__span_record *record)
{
    if (record->size < sizeof *record || record->size > DJP__RECORD_SIZE_MAX ||
        record->size % 8 != 0 || record->type != DJP_RECORD_SPAN ||
        record->scope > DJP_SCOPE_LIMIT) {
        return 0;
    }
    return walk_text_ok(record, record->name_at, record->name_size) &&
           walk_text_ok(record, record->status_at, record->status_size) &&
           walk_text_ok(record, record->state_at, record->state_size);
}

/* 1, or 0 with walk->error. */
static int
walk_check_keys(djp__walk *walk, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t next = walk_after(walk, from, to);
        if (next == 0) {
            walk_fail(walk, DJP_EPROTO);
            return 0;
        }
        const djp__item *item = djp__walk_item(walk, from);
        if (djp__item_kind(item) == DJP_ITEM_ATTRIBUTE) {
            if (!walk_see_key(walk, item->key)) {
                return 0;
            }
            walk->attributes++;
        }
        from = next;
    }
    return 1;
}

static int
walk_see_other(djp__walk *walk, uint32_t at)
{
    uint32_t from, to;
    if (djp__item_kind(djp__walk_item(walk, at)) == DJP_ITEM_EVENT) {
        djp__walk_event event;
        if (!djp__walk_read_event(&event, walk, at)) {
            walk_fail(walk, DJP_EPROTO);
            return 0;
        }
        from = event.from;
        to = event.to;
    } else {
        djp__walk_link link;
        if (!djp__walk_read_link(&link, walk, at)) {
            walk_fail(walk, DJP_EPROTO);
            return 0;
        }
        from = link.from;
        to = link.to;
    }
    if (!walk_reserve(&walk->others, &walk->other_capacity, walk->other_count + 1)) {
        walk_fail(walk, DJP_ENOMEM);
        return 0;
    }
    walk->others[walk->other_count++] = at;
    return walk_check_keys(walk, from, to);
}

int
djp__walk_span(djp__walk *walk, djp__walk_list *attributes, const djp__span_record *record)
{
    *attributes = (djp__walk_list){0, 0};
    if (!walk_head_ok(record)) {
        return DJP_EPROTO;
    }
    djp__walk_begin(walk, record, record->size);
    uint32_t at = (uint32_t)sizeof *record, end = record->size;
    if (!walk_reserve_region(walk, at, end)) {
        return walk->error;
    }
    const char *base = walk->base;
    uint32_t *offsets = walk->offsets, known = walk->keys;
    size_t count = 0;
    while (at < end) {
        /* Both are multiples of 8, so a head fits. head plus padding is one sum, to shorten the
         * dependency chain; the size check makes a carry out of its 24 bits harmless. */
        const djp__item *item = (const djp__item *)(const void *)(base + at);
        uint32_t head = item->head, kind = head >> 28;
        uint32_t next = at + ((head + sizeof *item + 7u) & (DJP__ITEM_SIZE_MAX - 7u));
        if ((head & DJP__ITEM_SIZE_MAX) > end - at - sizeof *item) {
            return DJP_EPROTO;
        }
        if (kind == DJP_ITEM_ATTRIBUTE) {
            if (item->key - 1 >= known) {
                if (!walk_see_key(walk, item->key)) {
                    return walk->error;
                }
                known = walk->keys;
            }
            offsets[count++] = at;
        } else if ((kind == DJP_ITEM_EVENT || kind == DJP_ITEM_LINK) && !walk_see_other(walk, at)) {
            return walk->error;
        }
        at = next;
    }
    walk->top = count;
    walk->attributes += count;
    attributes->count = count;
    return 0;
}

static djp__walk_list
walk_collect(djp__walk *walk, uint32_t from, uint32_t to)
{
    djp__walk_list list = {walk->top, 0};
    if (!walk_reserve_region(walk, from, to)) {
        return list;
    }
    while (from < to) {
        uint32_t next = walk_after(walk, from, to);
        if (next == 0) {
            walk_fail(walk, DJP_EPROTO);
            walk->top = list.first;
            return list;
        }
        if (djp__item_kind(djp__walk_item(walk, from)) == DJP_ITEM_ATTRIBUTE) {
            walk->offsets[walk->top++] = from;
        }
        from = next;
    }
    list.count = walk->top - list.first;
    return list;
}

int
djp__walk_keys(djp__walk *walk, uint32_t from, uint32_t to)
{
    return walk_check_keys(walk, from, to) ? 0 : walk->error;
}

djp__walk_list
djp__walk_attributes(djp__walk *walk, uint32_t from, uint32_t to)
{
    return walk_collect(walk, from, to);
}

djp__walk_list
djp__walk_array(djp__walk *walk, const djp__item *item)
{
    uint32_t from = djp__walk_payload_at(walk, item);
    return walk_collect(walk, from, from + djp__item_size(item));
}

uint32_t
djp__walk_next_generation(djp__walk *walk)
{
    if (++walk->generation == 0) {
        for (uint32_t i = 1; i <= walk->keys; i++) {
            walk->slots[i].stamp = 0;
        }
        walk->generation = 1;
    }
    return walk->generation;
}

/* Compacts the offsets that are not 0. */
static djp__walk_list
walk_compact(djp__walk *walk, djp__walk_list list)
{
    size_t kept = list.first;
    for (size_t i = list.first; i < list.first + list.count; i++) {
        if (walk->offsets[i] != 0) {
            walk->offsets[kept++] = walk->offsets[i];
        }
    }
    list.count = kept - list.first;
    walk->top = kept;
    return list;
}

djp__walk_list
djp__walk_unique(djp__walk *walk, djp__walk_list list)
{
    uint32_t generation = djp__walk_next_generation(walk);
    for (size_t i = list.first + list.count; i-- > list.first;) {
        djp__key_slot *slot = djp__walk_slot(walk, djp__walk_item(walk, walk->offsets[i]));
        if (slot->stamp == generation) {
            walk->offsets[i] = 0;
        }
        slot->stamp = generation;
    }
    return walk_compact(walk, list);
}

/* An empty set with room for count keys at half load. */
static int
walk_set_begin(djp__walk *walk, size_t count, size_t *mask)
{
    size_t room = 16;
    while (room < count * 2) {
        room *= 2;
    }
    if (room > walk->set_capacity) {
        djp_text *set = djp__realloc(walk->set, room * sizeof *set);
        if (set == NULL) {
            walk_fail(walk, DJP_ENOMEM);
            return 0;
        }
        walk->set = set;
        walk->set_capacity = room;
    }
    memset(walk->set, 0, room * sizeof *walk->set);
    *mask = room - 1;
    return 1;
}

/* 1: the key is new in the set. */
static int
walk_set_add(djp__walk *walk, size_t mask, djp_text key)
{
    size_t i = (size_t)djp__hash(key.data, key.size) & mask;
    while (walk->set[i].data != NULL) {
        if (walk->set[i].size == key.size && memcmp(walk->set[i].data, key.data, key.size) == 0) {
            return 0;
        }
        i = (i + 1) & mask;
    }
    walk->set[i] = key;
    return 1;
}

/* Offsets of the keys of a map, each followed by an attribute item. */
static djp__walk_list
walk_collect_map(djp__walk *walk, uint32_t from, uint32_t to)
{
    djp__walk_list list = {walk->top, 0};
    if (!walk_reserve_region(walk, from, to)) {
        return list;
    }
    while (from < to) {
        uint32_t value = walk_after(walk, from, to);
        uint32_t next = value != 0 ? walk_after(walk, value, to) : 0;
        if (next == 0 || djp__item_kind(djp__walk_item(walk, from)) != DJP_ITEM_KEY ||
            djp__item_kind(djp__walk_item(walk, value)) != DJP_ITEM_ATTRIBUTE) {
            walk_fail(walk, DJP_EPROTO);
            walk->top = list.first;
            return list;
        }
        walk->offsets[walk->top++] = from;
        from = next;
    }
    list.count = walk->top - list.first;
    return list;
}

djp__walk_list
djp__walk_map(djp__walk *walk, uint32_t from, uint32_t to)
{
    djp__walk_list list = walk_collect_map(walk, from, to);
    size_t mask;
    if (list.count < 2 || !walk_set_begin(walk, list.count, &mask)) {
        return list;
    }
    for (size_t i = list.first + list.count; i-- > list.first;) {
        const djp__item *item = djp__walk_item(walk, walk->offsets[i]);
        djp_text key = {djp__item_payload(item), djp__item_size(item)};
        if (!walk_set_add(walk, mask, key)) {
            walk->offsets[i] = 0;
        }
    }
    return walk_compact(walk, list);
}

/* Splits `size` text bytes at `at` from the attribute items after them. The items may be absent
 * together with the padding. */
static int
walk_split(djp_text *text, uint32_t *from, uint32_t *to, const djp__walk *walk, uint32_t at,
           uint32_t end, uint32_t size)
{
    if (size > end - at) {
        return 0;
    }
    text->data = walk->base + at;
    text->size = size;
    size_t padded = djp__pad8((size_t)size);
    *from = padded < end - at ? at + (uint32_t)padded : end;
    *to = end;
    return 1;
}

int
djp__walk_read_event(djp__walk_event *out, const djp__walk *walk, uint32_t at)
{
    const djp__item *item = djp__walk_item(walk, at);
    uint32_t payload = at + (uint32_t)sizeof *item, size = djp__item_size(item);
    if (size < sizeof out->head) {
        return 0;
    }
    memcpy(&out->head, walk->base + payload, sizeof out->head);
    return walk_split(&out->name, &out->from, &out->to, walk, payload + (uint32_t)sizeof out->head,
                      payload + size, out->head.name_size);
}

int
djp__walk_read_link(djp__walk_link *out, const djp__walk *walk, uint32_t at)
{
    const djp__item *item = djp__walk_item(walk, at);
    uint32_t payload = at + (uint32_t)sizeof *item, size = djp__item_size(item);
    if (size < sizeof out->head) {
        return 0;
    }
    memcpy(&out->head, walk->base + payload, sizeof out->head);
    return walk_split(&out->state, &out->from, &out->to, walk, payload + (uint32_t)sizeof out->head,
                      payload + size, out->head.state_size);
}

int
djp__walk_reason(djp_text *text, const djp__walk *walk, const djp__span_record *record,
                 djp__walk_list attributes)
{
    *text = djp__reason_text(record->reason, record->reason_label);
    if (record->local_root == 0 || text->size == 0) {
        return 0;
    }
    for (size_t i = 0; i < attributes.count; i++) {
        if (djp__walk_item(walk, walk->offsets[attributes.first + i])->key == walk->reason_key) {
            return 0;
        }
    }
    return 1;
}
