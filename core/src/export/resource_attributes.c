/* Converts values to items, with valid text and a limited recursion. */
#include "export/resource_attributes.h"

#include <string.h>

#include "base/str.h"
#include "djp/error.h"

static void resource_value(djp__buf *out, const djp_value *value, int depth);

/* Appends a head whose size is filled in by resource_close. Returns its offset. */
static size_t
resource_open(djp__buf *out, unsigned kind, unsigned type)
{
    size_t at = out->size;
    djp__item item = {0, djp__item_head(kind, type, 0)};
    djp__buf_append(out, &item, sizeof item);
    return at;
}

/* Fills in the size and pads. A payload too large for an item becomes an empty value. */
static void
resource_close(djp__buf *out, size_t at)
{
    if (out->failed) {
        return;
    }
    size_t size = out->size - at - sizeof(djp__item);
    djp__item item;
    memcpy(&item, out->data + at, sizeof item);
    if (size > DJP__ITEM_SIZE_MAX) {
        out->size = at + sizeof item;
        item.head = djp__item_head(djp__item_kind(&item), DJP_EMPTY, 0);
    } else {
        item.head |= (uint32_t)size;
    }
    memcpy(out->data + at, &item, sizeof item);
    static const char zeros[8];
    djp__buf_append(
        out, zeros,
        djp__pad8(size) - size > 7 || size > DJP__ITEM_SIZE_MAX ? 0 : djp__pad8(size) - size);
}

static void
resource_text(djp__buf *out, djp_text text)
{
    if (text.data == NULL || text.size == 0) {
        return;
    }
    if (djp__utf8_valid(text.data, text.size)) {
        djp__buf_append(out, text.data, text.size);
        return;
    }
    char *room = djp__buf_reserve(out, text.size * 3);
    if (room != NULL) {
        out->size += djp__utf8_repair(room, text.size * 3, text.data, text.size, NULL);
    }
}

static void
resource_scalar(djp__buf *out, const djp_value *value)
{
    int64_t integer = value->type == DJP_BOOL ? value->as.boolean != 0 : value->as.integer;
    switch (value->type) {
    case DJP_BOOL:
    case DJP_INT:
        djp__buf_append(out, &integer, sizeof integer);
        break;
    case DJP_DOUBLE:
        djp__buf_append(out, &value->as.real, sizeof value->as.real);
        break;
    case DJP_STRING:
        resource_text(out, value->as.text);
        break;
    case DJP_BYTES:
        djp__buf_append(out, value->as.text.data,
                        value->as.text.data != NULL ? value->as.text.size : 0);
        break;
    default:
        break;
    }
}

static void
resource_map(djp__buf *out, const djp_attribute *items, size_t count, int depth)
{
    for (size_t i = 0; items != NULL && i < count; i++) {
        size_t at = resource_open(out, DJP_ITEM_KEY, DJP_STRING);
        resource_text(out, items[i].key);
        resource_close(out, at);
        resource_value(out, &items[i].value, depth);
    }
}

/* depth: the nesting level of this value if it is an array or a map. */
static void
resource_value(djp__buf *out, const djp_value *value, int depth)
{
    int nested = value->type == DJP_ARRAY || value->type == DJP_MAP;
    unsigned type = (unsigned)value->type > DJP_MAP || (nested && depth > DJP_VALUE_DEPTH_MAX)
                        ? DJP_EMPTY
                        : value->type;
    size_t at = resource_open(out, DJP_ITEM_ATTRIBUTE, type);
    if (type == DJP_ARRAY) {
        for (size_t i = 0; value->as.array.items != NULL && i < value->as.array.count; i++) {
            resource_value(out, &value->as.array.items[i], depth + 1);
        }
    } else if (type == DJP_MAP) {
        resource_map(out, value->as.map.items, value->as.map.count, depth + 1);
    } else if (type != DJP_EMPTY) {
        resource_scalar(out, value);
    }
    resource_close(out, at);
}

int
djp__resource_attributes(djp__buf *out, const djp_attribute *attributes, size_t count)
{
    static const char preamble[DJP__RESOURCE_ATTRIBUTES_FROM];
    djp__buf_clear(out);
    djp__buf_append(out, preamble, sizeof preamble);
    resource_map(out, attributes, count, 1);
    return out->failed ? DJP_ENOMEM : 0;
}
