/* Attribute values to protobuf, backwards. Must not recurse deeper than values may nest, nor trust a payload's size. */
#include "export/writer.h"

enum { WRITER_KEY = 0x0a, WRITER_VALUE = 0x12, WRITER_VALUES = 0x0a };
enum {
    WRITER_STRING = 0x0a,
    WRITER_BOOL = 0x10,
    WRITER_INT = 0x18,
    WRITER_DOUBLE = 0x21,
    WRITER_ARRAY = 0x2a,
    WRITER_MAP = 0x32,
    WRITER_BYTES = 0x3a
};

static char *writer_value(char *at, djp__walk *walk, const djp_item *item, int depth);

static inline uint64_t
writer_load(const djp_item *item)
{
    uint64_t bits;
    memcpy(&bits, djp_item_payload(item), sizeof bits);
    return bits;
}

/* ArrayValue: the elements, each an AnyValue. */
static char *
writer_array(char *at, djp__walk *walk, const djp_item *item, int depth)
{
    djp__walk_list list = djp__walk_array(walk, item);
    for (size_t i = list.first + list.count; i-- > list.first;) {
        const char *end = at;
        at = writer_value(at, walk, djp__walk_item(walk, walk->offsets[i]), depth);
        at = djp__writer_close(at, WRITER_VALUES, end);
    }
    djp__walk_drop(walk, list);
    return at;
}

char *
djp__writer_map(char *at, djp__walk *walk, uint32_t from, uint32_t to, unsigned tag, int depth)
{
    djp__walk_list list = djp__walk_map(walk, from, to);
    for (size_t i = list.first + list.count; i-- > list.first;) {
        const djp_item *key = djp__walk_item(walk, walk->offsets[i]);
        const char *end = at;
        at = writer_value(at, walk, djp_item_next(key), depth);
        at = djp__writer_close(at, WRITER_VALUE, end);
        djp_text text = {djp_item_payload(key), djp_item_size(key)};
        at = djp__writer_text(at, WRITER_KEY, text);
        at = djp__writer_close(at, tag, end);
    }
    djp__walk_drop(walk, list);
    return at;
}

/* An array or map that is `depth` levels deep. */
static char *
writer_nested(char *at, djp__walk *walk, const djp_item *item, int depth)
{
    if (depth > DJP_VALUE_DEPTH_MAX) {
        walk->error = DJP_EPROTO;
        return at;
    }
    const char *end = at;
    if (djp_item_type(item) == DJP_ARRAY) {
        return djp__writer_close(writer_array(at, walk, item, depth + 1), WRITER_ARRAY, end);
    }
    uint32_t from = djp__walk_payload_at(walk, item);
    at = djp__writer_map(at, walk, from, from + djp_item_size(item), WRITER_VALUES, depth + 1);
    return djp__writer_close(at, WRITER_MAP, end);
}

/* The content of an AnyValue; a member of a oneof is written even when it is zero or empty. */
static char *
writer_value(char *at, djp__walk *walk, const djp_item *item, int depth)
{
    uint32_t size = djp_item_size(item);
    if (!djp__walk_scalar_ok(item)) {
        walk->error = DJP_EPROTO;
        return at;
    }
    switch (djp_item_type(item)) {
    case DJP_EMPTY:
        return at;
    case DJP_BOOL:
        return djp__writer_field_varint(at, WRITER_BOOL, writer_load(item) != 0);
    case DJP_INT:
        return djp__writer_field_varint(at, WRITER_INT, writer_load(item));
    case DJP_DOUBLE:
        return djp__writer_fixed64(at, WRITER_DOUBLE, writer_load(item));
    case DJP_STRING:
        at = djp__writer_copy(at, djp_item_payload(item), size);
        return djp__writer_field_varint(at, WRITER_STRING, size);
    case DJP_BYTES:
        at = djp__writer_copy(at, djp_item_payload(item), size);
        return djp__writer_field_varint(at, WRITER_BYTES, size);
    case DJP_ARRAY:
    case DJP_MAP:
        return writer_nested(at, walk, item, depth);
    default:
        walk->error = DJP_EPROTO;
        return at;
    }
}

static inline char *
writer_key(char *at, const djp__key_slot *slot)
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

/* The usual attributes: KeyValue.value of a short string or a small number, whose tags and lengths are one store. Returns NULL for
 * all others. */
static inline char *
writer_short_value(char *at, const djp_item *item)
{
    uint32_t kind = djp_item_type(item), size = djp_item_size(item), bytes;
    if (kind == DJP_STRING && size < 0x80 - 2) {
        at = djp__writer_copy(at, djp_item_payload(item), size);
        bytes = WRITER_VALUE | (size + 2) << 8 | WRITER_STRING << 16 | size << 24;
    } else if (kind == DJP_INT && size == 8 && writer_load(item) < 0x4000) {
        uint32_t value = (uint32_t)writer_load(item), wide = value >= 0x80;
        /* One or two bytes of varint; the higher one is written in any case and counted when there is one. */
        at[-1] = (char)(value >> 7);
        at -= wide;
        bytes = WRITER_VALUE | (2 + wide) << 8 | WRITER_INT << 16 | ((value | wide << 7) & 0xff) << 24;
    } else {
        return NULL;
    }
    at -= sizeof bytes;
    memcpy(at, &bytes, sizeof bytes);
    return at;
}

static char *
writer_long_value(char *at, djp__walk *walk, const djp_item *item)
{
    const char *end = at;
    at = writer_value(at, walk, item, 1);
    return djp__writer_close(at, WRITER_VALUE, end);
}

char *
djp__writer_attributes(char *at, djp__walk *walk, djp__walk_list list, unsigned tag)
{
    uint32_t generation = djp__walk_next_generation(walk);
    const char *base = walk->base;
    djp__key_slot *slots = walk->slots;
    const uint32_t *first = walk->offsets + list.first;
    for (size_t i = list.count; i-- > 0;) {
        const djp_item *item = (const djp_item *)(const void *)(base + first[i]);
        djp__key_slot *slot = &slots[item->key];
        if (slot->stamp == generation) {
            continue;
        }
        slot->stamp = generation;
        const char *end = at;
        char *next = writer_short_value(at, item);
        if (next == NULL) {
            next = writer_long_value(at, walk, item);
            first = walk->offsets + list.first; /* nested values may have moved the stack */
        }
        at = djp__writer_close(writer_key(next, slot), tag, end);
    }
    return at;
}
