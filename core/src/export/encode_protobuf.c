/* The batch as an ExportTraceServiceRequest: spans written backwards into their group's block, joined forwards at the end. */
#include "export/encode_internal.h"

#include <string.h>

#include "base/mem.h"
#include "export/resource_items.h"
#include "export/writer.h"

enum { PROTOBUF_BLOCK_MIN = 4096 };
enum {
    PROTOBUF_RESOURCE_SPANS = 0x0a,
    PROTOBUF_RESOURCE = 0x0a,
    PROTOBUF_SCOPE_SPANS = 0x12,
    PROTOBUF_SCOPE = 0x0a,
    PROTOBUF_SCHEMA_URL = 0x1a
};

/* Room below the bytes in use. They move to the end of a larger block. */
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
        memcpy(block + capacity - group->used, group->block + group->capacity - group->used, group->used);
    }
    djp__free(group->block);
    group->block = block;
    group->capacity = capacity;
    return 1;
}

/* KeyValues of the items, in out; every item pays for its own tags (see djp__writer_bound). */
static int
protobuf_attributes(djp__encoder *encoder, djp_buf *out, const djp_buf *items, unsigned tag)
{
    size_t bound = items->size * 2 + DJP__WRITER_SLACK;
    char *block = djp__alloc(bound);
    if (block == NULL) {
        return DJP_ENOMEM;
    }
    char *end = block + bound;
    char *at = djp__writer_map(end, &encoder->walk, DJP__RESOURCE_ITEMS_FROM, (uint32_t)items->size, tag, 1);
    djp__buf_append(out, at, (size_t)(end - at));
    djp__free(block);
    return encoder->walk.error != 0 ? encoder->walk.error : out->failed ? DJP_ENOMEM : 0;
}

/* Appends a length-delimited field's tag and length. */
static void
protobuf_open(djp_buf *out, unsigned tag, size_t size)
{
    char head[16 + DJP__WRITER_SLACK];
    char *end = head + sizeof head;
    char *at = djp__writer_field_varint(end, tag, size);
    djp__buf_append(out, at, (size_t)(end - at));
}

static void
protobuf_text(djp_buf *out, unsigned tag, const char *text)
{
    size_t size = strlen(text);
    if (size != 0) {
        protobuf_open(out, tag, size);
        djp__buf_append(out, text, size);
    }
}

/* Wraps what scratch holds as one field, unless it is empty. */
static int
protobuf_wrap(djp__encoder *encoder, djp_buf *out, unsigned tag)
{
    if (encoder->scratch.size != 0) {
        protobuf_open(out, tag, encoder->scratch.size);
        djp__buf_append(out, encoder->scratch.data, encoder->scratch.size);
    }
    return out->failed || encoder->scratch.failed ? DJP_ENOMEM : 0;
}

static int
protobuf_resource(djp__encoder *encoder, djp_buf *out, const djp_buf *items)
{
    djp__buf_clear(&encoder->scratch);
    int rc = protobuf_attributes(encoder, &encoder->scratch, items, 0x0a);
    return rc != 0 ? rc : protobuf_wrap(encoder, out, PROTOBUF_RESOURCE);
}

static int
protobuf_scope(djp__encoder *encoder, djp__encode_group *group, const djp_scope_entry *scope, const djp_buf *items)
{
    djp__buf_clear(&encoder->scratch);
    protobuf_text(&encoder->scratch, 0x0a, scope->name);
    protobuf_text(&encoder->scratch, 0x12, scope->version);
    int rc = protobuf_attributes(encoder, &encoder->scratch, items, 0x1a);
    if (rc != 0) {
        return rc;
    }
    protobuf_text(&group->tail, PROTOBUF_SCHEMA_URL, scope->schema_url);
    rc = protobuf_wrap(encoder, &group->head, PROTOBUF_SCOPE);
    return group->tail.failed ? DJP_ENOMEM : rc;
}

static int
protobuf_add(djp__encoder *encoder, djp__encode_group *group, const djp_span_record *record, djp__walk_list attributes,
             djp_text state, size_t *added)
{
    djp__walk *walk = &encoder->walk;
    if (!protobuf_reserve(group, djp__writer_bound(walk, record, state) + DJP__WRITER_SLACK)) {
        return DJP_ENOMEM;
    }
    char *end = group->block + group->capacity - group->used;
    char *at = djp__writer_span(end, walk, record, attributes, state);
    if (walk->error != 0) {
        return walk->error;
    }
    *added = (size_t)(end - at);
    group->used += *added;
    return 0;
}

static size_t
protobuf_varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

static size_t
protobuf_field_size(size_t size)
{
    return 1 + protobuf_varint_size(size) + size;
}

static size_t
protobuf_group_size(const djp__encode_group *group)
{
    return group->head.size + group->used + group->tail.size;
}

/* The newest span lies lowest: copies them to the other order. The lengths are our own. */
static void
protobuf_copy_spans(char *end, const djp__encode_group *group)
{
    const char *from = group->block + group->capacity - group->used, *stop = group->block + group->capacity;
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
protobuf_finish(djp__encoder *encoder, djp_buf *out)
{
    size_t inner = encoder->resource.size;
    for (size_t i = 0; i < encoder->order_count; i++) {
        inner += protobuf_field_size(protobuf_group_size(encoder->groups[encoder->order[i]]));
    }
    if (djp__buf_reserve(out, protobuf_field_size(inner)) == NULL) {
        return DJP_ENOMEM;
    }
    protobuf_open(out, PROTOBUF_RESOURCE_SPANS, inner);
    djp__buf_append(out, encoder->resource.data, encoder->resource.size);
    for (size_t i = 0; i < encoder->order_count; i++) {
        const djp__encode_group *group = encoder->groups[encoder->order[i]];
        protobuf_open(out, PROTOBUF_SCOPE_SPANS, protobuf_group_size(group));
        djp__buf_append(out, group->head.data, group->head.size);
        char *spans = djp__buf_reserve(out, group->used);
        if (spans == NULL) {
            return DJP_ENOMEM;
        }
        protobuf_copy_spans(spans + group->used, group);
        out->size += group->used;
        djp__buf_append(out, group->tail.data, group->tail.size);
    }
    return out->failed ? DJP_ENOMEM : 0;
}

const djp__encode_ops djp__encode_protobuf = {protobuf_resource, protobuf_scope, protobuf_add, protobuf_finish};
