/* Writes values in record form. Text is repaired and cut; a value that does not fit leaves the
 * record unchanged. Recursion follows the nesting of values and ends at DJP_VALUE_DEPTH_MAX. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "trace/span_block.h"
#include "model/text_copy.h"

enum { VALUE__LEAST = 64 /* a text with less room is left out */ };

/* Bytes that always hold max_chars characters. */
static size_t
value_bytes_for(size_t max_chars)
{
    return max_chars > SIZE_MAX / 4 ? SIZE_MAX : max_chars * 4;
}

/* Text that is too long or invalid: cut to the limit. The record has room for three bytes per
 * invalid one. */
static int
value_put_hard_text(djp_span *span, djp_text text, size_t max_chars, uint32_t *written)
{
    /* A character has at most four bytes; this also bounds the work for huge text. */
    size_t most = value_bytes_for(max_chars);
    size_t size = text.size > most ? most : text.size;
    size_t share = djp__span_share(span);
    if (size > share && !djp__span_has_room(span, djp__pad8(size))) {
        if (share < VALUE__LEAST) {
            return 0;
        }
        size = share;
    }
    int valid = djp__utf8_valid(text.data, size);
    if (!valid && size < text.size) {
        /* The cut may have split a character. */
        size = djp__utf8_cut(text.data, text.size, size);
        valid = djp__utf8_valid(text.data, size);
    }
    if (valid) {
        size = djp__utf8_prefix(text.data, size, max_chars);
    }
    size_t room = djp__pad8(valid ? size : 3 * size);
    if (!valid && !djp__span_has_room(span, room) && share >= VALUE__LEAST) {
        size = size < share / 3
                   ? size
                   : share / 3; /* a split character is repaired like an invalid byte */
        room = djp__pad8(3 * size);
    }
    if (!djp__span_has_room(span, room)) {
        return 0;
    }
    char *out = djp__span_at(span, span->used);
    if (valid) {
        memcpy(out, text.data, size);
    } else {
        size = djp__utf8_prefix(out, djp__utf8_repair(out, room, text.data, size, NULL), max_chars);
    }
    *written = (uint32_t)size;
    span->used += (uint32_t)djp__pad8(size);
    return 1;
}

int
djp__span_put_text(djp_span *span, djp_text text, size_t max_chars, uint32_t *written)
{
    *written = 0;
    if (!text.data || text.size == 0) {
        return 1;
    }
    if (text.size > max_chars || text.size > DJP__RECORD_SIZE_MAX ||
        !djp__span_has_room(span, djp__pad8(text.size)) ||
        (djp__copy_text(djp__span_at(span, span->used), text.data, text.size) &&
         !djp__utf8_valid(text.data, text.size))) {
        return value_put_hard_text(span, text, max_chars, written);
    }
    *written = (uint32_t)text.size;
    span->used += (uint32_t)djp__pad8(text.size);
    return 1;
}

/* Reserves the head of an item, to fill in when its size is known. */
static int
value_open(djp_span *span)
{
    if (!djp__span_has_room(span, sizeof(djp__item))) {
        return 0;
    }
    span->used += (uint32_t)sizeof(djp__item);
    return 1;
}

static void
value_close(djp_span *span, uint32_t start, unsigned kind, unsigned type, djp_key key,
            uint32_t size)
{
    djp__item item = {key, djp__item_head(kind, type, size)};
    memcpy(djp__span_at(span, start), &item, sizeof item);
}

int
djp__span_put_text_item(djp_span *span, unsigned kind, unsigned type, djp_key key, djp_text text,
                        size_t max_chars, uint32_t *written)
{
    uint32_t start = span->used;
    if (!value_open(span) || !djp__span_put_text(span, text, max_chars, written)) {
        return 0;
    }
    value_close(span, start, kind, type, key, *written);
    return 1;
}

static int
value_put_bytes(djp_span *span, djp_key key, djp_text bytes)
{
    uint32_t start = span->used;
    size_t size = bytes.data ? bytes.size : 0;
    if (span->value_limit != UINT32_MAX && size > span->value_limit) {
        size = span->value_limit;
    }
    if (size > DJP__RECORD_SIZE_MAX || !value_open(span) ||
        !djp__span_has_room(span, djp__pad8(size))) {
        return 0;
    }
    if (size > 0) {
        memcpy(djp__span_at(span, span->used), bytes.data, size);
    }
    span->used += (uint32_t)djp__pad8(size);
    value_close(span, start, DJP_ITEM_ATTRIBUTE, DJP_BYTES, key, (uint32_t)size);
    return 1;
}

static int
value_put_fixed(djp_span *span, djp_key key, unsigned type, const void *payload, size_t size)
{
    uint32_t start = span->used;
    if (!djp__span_has_room(span, sizeof(djp__item) + size)) {
        return 0;
    }
    span->used += (uint32_t)(sizeof(djp__item) + size);
    value_close(span, start, DJP_ITEM_ATTRIBUTE, type, key, (uint32_t)size);
    if (size > 0) {
        memcpy(djp__span_at(span, start + (uint32_t)sizeof(djp__item)), payload, size);
    }
    return 1;
}

static size_t
value_text_limit(const djp_span *span)
{
    return span->value_limit == UINT32_MAX ? SIZE_MAX : span->value_limit;
}

static int value_put(djp_span *span, djp_key key, const djp_value *value, int depth);

static int
value_put_children(djp_span *span, const djp_value *value, int depth)
{
    if (value->type == DJP_ARRAY) {
        size_t count = value->as.array.items ? value->as.array.count : 0;
        for (size_t i = 0; i < count; i++) {
            if (!value_put(span, 0, &value->as.array.items[i], depth)) {
                return 0;
            }
        }
        return 1;
    }
    size_t count = value->as.map.items ? value->as.map.count : 0;
    for (size_t i = 0; i < count; i++) {
        const djp_attribute *item = &value->as.map.items[i];
        djp_text name = item->key;
        uint32_t written;
        name.size = name.data ? djp__utf8_cut(name.data, name.size, DJP_KEY_SIZE_LIMIT) : 0;
        if (!djp__span_put_text_item(span, DJP_ITEM_KEY, DJP_STRING, 0, name, SIZE_MAX, &written) ||
            !value_put(span, 0, &item->value, depth)) {
            return 0;
        }
    }
    return 1;
}

static int
value_put_nested(djp_span *span, djp_key key, const djp_value *value, int depth)
{
    uint32_t start = span->used;
    if (depth >= DJP_VALUE_DEPTH_MAX) {
        return value_put_fixed(span, key, DJP_EMPTY, NULL, 0);
    }
    if (!value_open(span) || !value_put_children(span, value, depth + 1)) {
        return 0;
    }
    uint32_t size = span->used - start - (uint32_t)sizeof(djp__item);
    value_close(span, start, DJP_ITEM_ATTRIBUTE, value->type, key, size);
    return 1;
}

static int
value_put(djp_span *span, djp_key key, const djp_value *value, int depth)
{
    int64_t flag;
    uint32_t written;
    switch (value->type) {
    case DJP_BOOL:
        flag = value->as.boolean != 0;
        return value_put_fixed(span, key, DJP_BOOL, &flag, sizeof flag);
    case DJP_INT:
        return value_put_fixed(span, key, DJP_INT, &value->as.integer, sizeof value->as.integer);
    case DJP_DOUBLE:
        return value_put_fixed(span, key, DJP_DOUBLE, &value->as.real, sizeof value->as.real);
    case DJP_STRING:
        return djp__span_put_text_item(span, DJP_ITEM_ATTRIBUTE, DJP_STRING, key, value->as.text,
                                       value_text_limit(span), &written);
    case DJP_BYTES:
        return value_put_bytes(span, key, value->as.text);
    case DJP_ARRAY:
    case DJP_MAP:
        return value_put_nested(span, key, value, depth);
    case DJP_EMPTY:
        return value_put_fixed(span, key, DJP_EMPTY, NULL, 0);
    default:
        return 0; /* an unknown type */
    }
}

int
djp__span_put_value(djp_span *span, djp_key key, const djp_value *value)
{
    return value_put(span, key, value, 0);
}
