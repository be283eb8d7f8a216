/* Formats the batch as an OTLP request in protobuf: items are written backwards into their group's
 * block, and joined forwards at the end. */
#include "export/encoder_parts.h"

#include <string.h>

#include "base/mem.h"
#include "export/emit_protobuf.h"

enum { PROTOBUF_BLOCK_MIN = 4096 };
/* Numbers of the envelope, the same for all signals. */
enum {
    PROTOBUF_RESOURCE_LIST = 1,
    PROTOBUF_SCOPE_LIST = 2,
    PROTOBUF_ITEM = 2,
    PROTOBUF_SCHEMA_URL = 3
};

/* Reserves space below the used bytes, which move to the end of a larger block if needed. */
static int
protobuf_reserve(djp__encode_group *group, size_t size)
{
    if (size <= group->capacity - group->used) {
        return 1;
    }
    size_t capacity = group->capacity != 0 ? group->capacity : PROTOBUF_BLOCK_MIN;
    while (capacity - group->used < size) {
        capacity *= 2;
    }
    char *block = djp__alloc(capacity);
    if (block == NULL) {
        return 0;
    }
    if (group->used != 0) {
        memcpy(block + capacity - group->used, group->block + group->capacity - group->used,
               group->used);
    }
    djp__free(group->block);
    group->block = block;
    group->capacity = capacity;
    return 1;
}

typedef char *(*protobuf_part)(char *at, djp__walk *walk, const djp__otlp_scope *scope);

/* Appends a resource or a scope. */
static int
protobuf_append(djp__encoder *encoder, djp__buf *out, protobuf_part part,
                const djp__otlp_scope *scope)
{
    size_t bound = djp__otlp_scope_bound(scope);
    char *block = djp__alloc(bound);
    if (block == NULL) {
        return DJP_ENOMEM;
    }
    char *end = block + bound, *at = part(end, &encoder->walk, scope);
    djp__buf_append(out, at, (size_t)(end - at));
    djp__free(block);
    return djp__encode_result(encoder, out);
}

/* Appends a length-delimited field's tag and length. */
static void
protobuf_begin(djp__buf *out, unsigned number, size_t size)
{
    char head[16 + DJP__WIRE_SLACK];
    char *end = head + sizeof head;
    char *at = djp__wire_field_varint(end, DJP__WIRE_TAG(number, DJP__WIRE_BYTES), size);
    djp__buf_append(out, at, (size_t)(end - at));
}

static int
protobuf_resource(djp__encoder *encoder, djp__buf *out, const djp__buf *items)
{
    djp__otlp_scope parts = djp__otlp_scope_of(NULL, items);
    return protobuf_append(encoder, out, djp__protobuf_resource, &parts);
}

static int
protobuf_scope(djp__encoder *encoder, djp__encode_group *group, const djp__scope_entry *scope,
               const djp__buf *items)
{
    djp__otlp_scope parts = djp__otlp_scope_of(scope, items);
    size_t schema_size = strlen(scope->schema_url);
    if (schema_size != 0) {
        protobuf_begin(&group->tail, PROTOBUF_SCHEMA_URL, schema_size);
        djp__buf_append(&group->tail, scope->schema_url, schema_size);
    }
    int rc = protobuf_append(encoder, &group->head, djp__protobuf_scope, &parts);
    return group->tail.failed ? DJP_ENOMEM : rc;
}

static int
protobuf_add(djp__encoder *encoder, djp__encode_group *group, const djp__encode_item *item,
             size_t *added)
{
    djp__walk *walk = &encoder->walk;
    if (!protobuf_reserve(group, encoder->signal->bound(walk, item) + DJP__WIRE_SLACK)) {
        return DJP_ENOMEM;
    }
    char *end = group->block + group->capacity - group->used;
    char *at = djp__protobuf_close(encoder->signal->protobuf(end, walk, item), PROTOBUF_ITEM, end);
    if (walk->error != 0) {
        return walk->error;
    }
    *added = (size_t)(end - at);
    group->used += *added;
    return 0;
}

static size_t
protobuf_field_size(size_t size)
{
    size_t whole = 2 + size;
    for (size_t left = size; left >= 0x80; left >>= 7) {
        whole++;
    }
    return whole;
}

static size_t
protobuf_group_size(const djp__encode_group *group)
{
    return group->head.size + group->used + group->tail.size;
}

/* The latest item lies lowest: copies the items in reverse order. */
static void
protobuf_copy_items(char *end, const djp__encode_group *group)
{
    const char *from = group->block + group->capacity - group->used,
               *stop = group->block + group->capacity;
    while (from < stop) {
        size_t size = 0, shift = 0, head = 1;
        uint8_t byte;
        do {
            byte = (uint8_t)from[head++];
            size |= (size_t)(byte & 0x7f) << shift;
            shift += 7;
        } while (byte & 0x80);
        size += head;
        end -= size;
        memcpy(end, from, size);
        from += size;
    }
}

static int
protobuf_finish(djp__encoder *encoder, djp__buf *out)
{
    size_t inner = encoder->resource.size;
    for (size_t i = 0; i < encoder->order_count; i++) {
        inner += protobuf_field_size(protobuf_group_size(encoder->groups[encoder->order[i]]));
    }
    if (djp__buf_reserve(out, protobuf_field_size(inner)) == NULL) {
        return DJP_ENOMEM;
    }
    protobuf_begin(out, PROTOBUF_RESOURCE_LIST, inner);
    djp__buf_append(out, encoder->resource.data, encoder->resource.size);
    for (size_t i = 0; i < encoder->order_count; i++) {
        const djp__encode_group *group = encoder->groups[encoder->order[i]];
        protobuf_begin(out, PROTOBUF_SCOPE_LIST, protobuf_group_size(group));
        djp__buf_append(out, group->head.data, group->head.size);
        char *items = djp__buf_reserve(out, group->used);
        if (items == NULL) {
            return DJP_ENOMEM;
        }
        protobuf_copy_items(items + group->used, group);
        out->size += group->used;
        djp__buf_append(out, group->tail.data, group->tail.size);
    }
    return out->failed ? DJP_ENOMEM : 0;
}

const djp__encode_form djp__encode_protobuf = {protobuf_resource, protobuf_scope, protobuf_add,
                                               protobuf_finish};
