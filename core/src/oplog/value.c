/* Converts values of an oplog to djp_value. The bytes are untrusted: every size is checked, depth
 * and number are limited, and only the lists of items are copied. */
#include <string.h>

#include "oplog/oplog.h"

static int
value_take(void *out, size_t size, const unsigned char **at, const unsigned char *end)
{
    if ((size_t)(end - *at) < size) {
        return 0;
    }
    memcpy(out, *at, size);
    *at += size;
    return 1;
}

/* A 32-bit size and that many bytes. */
static int
value_bytes(djp_text *out, const unsigned char **at, const unsigned char *end)
{
    uint32_t size;
    if (!value_take(&size, sizeof size, at, end) || (size_t)(end - *at) < size) {
        return 0;
    }
    out->data = (const char *)*at;
    out->size = size;
    *at += size;
    return 1;
}

static int value_read(djp_value *out, djp__arena *arena, const unsigned char **at,
                      const unsigned char *end, unsigned depth);

/* Items in the arena. Each takes at least a byte, which limits the count before the allocation. */
static void *
value_items(djp__arena *arena, uint32_t *count, size_t item_size, const unsigned char **at,
            const unsigned char *end)
{
    if (!value_take(count, sizeof *count, at, end) || *count > (size_t)(end - *at)) {
        return NULL;
    }
    return djp__arena_alloc(arena, (*count > 0 ? *count : 1) * item_size);
}

static int
value_array(djp_value *out, djp__arena *arena, const unsigned char **at, const unsigned char *end,
            unsigned depth)
{
    uint32_t count;
    djp_value *items = value_items(arena, &count, sizeof *items, at, end);
    if (items == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!value_read(&items[i], arena, at, end, depth + 1)) {
            return 0;
        }
    }
    out->as.array.items = items;
    out->as.array.count = count;
    return 1;
}

static int
value_map(djp_value *out, djp__arena *arena, const unsigned char **at, const unsigned char *end,
          unsigned depth)
{
    uint32_t count;
    djp_attribute *items = value_items(arena, &count, sizeof *items, at, end);
    if (items == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!value_bytes(&items[i].key, at, end) ||
            !value_read(&items[i].value, arena, at, end, depth + 1)) {
            return 0;
        }
    }
    out->as.map.items = items;
    out->as.map.count = count;
    return 1;
}

/* The recursion is as deep as the value; writers send one level more than the core records, so that
 * it can count the cut. */
static int
value_read(djp_value *out, djp__arena *arena, const unsigned char **at, const unsigned char *end,
           unsigned depth)
{
    unsigned char type, byte;
    if (depth > DJP_VALUE_DEPTH_MAX + 1 || !value_take(&type, 1, at, end)) {
        return 0;
    }
    out->type = (djp_value_type)type;
    switch (type) {
    case DJP_EMPTY:
        return 1;
    case DJP_BOOL:
        if (!value_take(&byte, 1, at, end)) {
            return 0;
        }
        out->as.boolean = byte != 0;
        return 1;
    case DJP_INT:
        return value_take(&out->as.integer, sizeof out->as.integer, at, end);
    case DJP_DOUBLE:
        return value_take(&out->as.real, sizeof out->as.real, at, end);
    case DJP_STRING:
    case DJP_BYTES:
        return value_bytes(&out->as.text, at, end);
    case DJP_ARRAY:
        return value_array(out, arena, at, end, depth);
    case DJP_MAP:
        return value_map(out, arena, at, end, depth);
    default:
        return 0;
    }
}

int
djp__oplog_value(djp_value *out, djp_oplog *log, const unsigned char **at, const unsigned char *end)
{
    djp__arena_reset(&log->arena);
    return value_read(out, &log->arena, at, end, 0);
}

int
djp__oplog_attributes(const djp_attribute **out, size_t *count, djp_oplog *log,
                      const unsigned char **at, const unsigned char *end)
{
    djp_value value;
    if (!djp__oplog_value(&value, log, at, end) || value.type != DJP_MAP) {
        return 0;
    }
    *out = value.as.map.items;
    *count = value.as.map.count;
    return 1;
}

int
djp__oplog_attributes_in(const djp_attribute **out, size_t *count, djp__arena *arena,
                         const void *data, size_t size)
{
    djp_value value;
    const unsigned char *at = data;
    if (!value_read(&value, arena, &at, at + size, 0) || value.type != DJP_MAP) {
        return 0;
    }
    *out = value.as.map.items;
    *count = value.as.map.count;
    return 1;
}

int
djp__oplog_text(djp_text *out, const unsigned char **at, const unsigned char *end)
{
    unsigned char type;
    return value_take(&type, 1, at, end) && type == DJP_STRING && value_bytes(out, at, end);
}
