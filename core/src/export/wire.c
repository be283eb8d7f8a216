/* Writes attribute values as protobuf, backwards. The recursion is limited, and the size of a
 * payload is not trusted. */
#include "export/wire.h"

enum { WIRE_KEY = 0x0a, WIRE_VALUE = 0x12, WIRE_VALUES = 0x0a };
enum {
    WIRE_STRING = 0x0a,
    WIRE_BOOL = 0x10,
    WIRE_INT = 0x18,
    WIRE_DOUBLE = 0x21,
    WIRE_ARRAY = 0x2a,
    WIRE_MAP = 0x32,
    WIRE_BYTES = 0x3a
};

static char *wire_value(char *at, djp__walk *walk, const djp__item *item, int depth);

static inline uint64_t
wire_load(const djp__item *item)
{
    uint64_t bits;
    memcpy(&bits, djp__item_payload(item), sizeof bits);
    return bits;
}

/* ArrayValue: the elements, each an AnyValue. */
static char *
wire_array(char *at, djp__walk *walk, const djp__item *item, int depth)
{
    djp__walk_list list = djp__walk_array(walk, item);
    for (size_t i = list.first + list.count; i-- > list.first;) {
        const char *end = at;
        at = wire_value(at, walk, djp__walk_item(walk, walk->offsets[i]), depth);
        at = djp__wire_close(at, WIRE_VALUES, end);
    }
    djp__walk_drop(walk, list);
    return at;
}

char *
djp__wire_map(char *at, djp__walk *walk, uint32_t from, uint32_t to, unsigned tag, int depth)
{
    djp__walk_list list = djp__walk_map(walk, from, to);
    for (size_t i = list.first + list.count; i-- > list.first;) {
        const djp__item *key = djp__walk_item(walk, walk->offsets[i]);
        const char *end = at;
        at = wire_value(at, walk, djp__item_next(key), depth);
        at = djp__wire_close(at, WIRE_VALUE, end);
        djp_text text = {djp__item_payload(key), djp__item_size(key)};
        at = djp__wire_text(at, WIRE_KEY, text);
        at = djp__wire_close(at, tag, end);
    }
    djp__walk_drop(walk, list);
    return at;
}

/* An array or map that is `depth` levels deep. */
static char *
wire_nested(char *at, djp__walk *walk, const djp__item *item, int depth)
{
    if (depth > DJP_VALUE_DEPTH_MAX) {
        walk->error = DJP_EPROTO;
        return at;
    }
    const char *end = at;
    if (djp__item_type(item) == DJP_ARRAY) {
        return djp__wire_close(wire_array(at, walk, item, depth + 1), WIRE_ARRAY, end);
    }
    uint32_t from = djp__walk_payload_at(walk, item);
    at = djp__wire_map(at, walk, from, from + djp__item_size(item), WIRE_VALUES, depth + 1);
    return djp__wire_close(at, WIRE_MAP, end);
}

/* The content of an AnyValue; a member of a oneof is written even when it is zero or empty. */
static char *
wire_value(char *at, djp__walk *walk, const djp__item *item, int depth)
{
    uint32_t size = djp__item_size(item);
    if (!djp__walk_scalar_ok(item)) {
        walk->error = DJP_EPROTO;
        return at;
    }
    switch (djp__item_type(item)) {
    case DJP_EMPTY:
        return at;
    case DJP_BOOL:
        return djp__wire_field_varint(at, WIRE_BOOL, wire_load(item) != 0);
    case DJP_INT:
        return djp__wire_field_varint(at, WIRE_INT, wire_load(item));
    case DJP_DOUBLE:
        return djp__wire_fixed64(at, WIRE_DOUBLE, wire_load(item));
    case DJP_STRING:
        at = djp__wire_copy(at, djp__item_payload(item), size);
        return djp__wire_field_varint(at, WIRE_STRING, size);
    case DJP_BYTES:
        at = djp__wire_copy(at, djp__item_payload(item), size);
        return djp__wire_field_varint(at, WIRE_BYTES, size);
    case DJP_ARRAY:
    case DJP_MAP:
        return wire_nested(at, walk, item, depth);
    default:
        walk->error = DJP_EPROTO;
        return at;
    }
}

static inline char *
wire_key(char *at, const djp__key_slot *slot)
{
    const uint8_t *end = slot->tail + sizeof slot->tail;
    uint32_t size = slot->size;
    if (size <= 16) {
        memcpy(at - 16, end - 16, 16);
    } else if (size <= DJP__KEY_TAIL) {
        memcpy(at - DJP__KEY_TAIL, end - DJP__KEY_TAIL, DJP__KEY_TAIL);
    } else {
        memcpy(at - size, slot->encoded, size);
    }
    return at - size;
}

/* The fast path: KeyValue.value of a short string or a small number, whose tags and lengths are one
 * store. Returns NULL for all others. */
static inline char *
wire_short_value(char *at, const djp__item *item)
{
    uint32_t kind = djp__item_type(item), size = djp__item_size(item), bytes;
    if (kind == DJP_STRING && size < 0x80 - 2) {
        at = djp__wire_copy(at, djp__item_payload(item), size);
        bytes = WIRE_VALUE | (size + 2) << 8 | WIRE_STRING << 16 | size << 24;
    } else if (kind == DJP_INT && size == 8 && wire_load(item) < 0x4000) {
        uint32_t value = (uint32_t)wire_load(item), wide = value >= 0x80;
        /* A varint of one or two bytes; the higher one is always written, but counted only if
         * used. */
        at[-1] = (char)(value >> 7);
        at -= wide;
        bytes = WIRE_VALUE | (2 + wide) << 8 | WIRE_INT << 16 | ((value | wide << 7) & 0xff) << 24;
    } else {
        return NULL;
    }
    at -= sizeof bytes;
    memcpy(at, &bytes, sizeof bytes);
    return at;
}

static char *
wire_long_value(char *at, djp__walk *walk, const djp__item *item)
{
    const char *end = at;
    at = wire_value(at, walk, item, 1);
    return djp__wire_close(at, WIRE_VALUE, end);
}

char *
djp__wire_attributes(char *at, djp__walk *walk, djp__walk_list list, unsigned tag)
{
    uint32_t generation = djp__walk_next_generation(walk);
    const char *base = walk->base;
    djp__key_slot *slots = walk->slots;
    const uint32_t *first = walk->offsets + list.first;
    for (size_t i = list.count; i-- > 0;) {
        const djp__item *item = (const djp__item *)(const void *)(base + first[i]);
        djp__key_slot *slot = &slots[item->key];
        if (slot->stamp == generation) {
            continue;
        }
        slot->stamp = generation;
        const char *end = at;
        char *next = wire_short_value(at, item);
        if (next == NULL) {
            next = wire_long_value(at, walk, item);
            first = walk->offsets + list.first; /* nested values may have moved the stack */
        }
        at = djp__wire_close(wire_key(next, slot), tag, end);
    }
    return at;
}

char *
djp__wire_value(char *at, djp__walk *walk, const djp__item *item)
{
    return wire_value(at, walk, item, 1);
}
