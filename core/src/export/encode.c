/* The encoder object: batches, groups by scope, the resource. It knows no wire format; writer and JSON files do. It must leave the
 * batch as it was when a span cannot be added. */
#include "export/encode_internal.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "export/resource_items.h"

/* What an idle group may keep for the next batch, and how many groups may. */
enum { ENCODE_KEEP_BYTES = 1 << 20, ENCODE_KEEP_GROUPS = 16 };
/* Envelopes of a group or of the request. */
enum { ENCODE_ENVELOPE = 48 };

static void
encode_reset(djp__encoder *encoder)
{
    for (size_t i = 0; i < encoder->order_count; i++) {
        djp__encode_group *group = encoder->groups[encoder->order[i]];
        group->spans = 0;
        group->used = 0;
        djp__buf_clear(&group->text);
        if (group->capacity > ENCODE_KEEP_BYTES || i >= ENCODE_KEEP_GROUPS) {
            djp__free(group->block);
            group->block = NULL;
            group->capacity = 0;
        }
        if (group->text.capacity > ENCODE_KEEP_BYTES || i >= ENCODE_KEEP_GROUPS) {
            djp__buf_fini(&group->text);
            djp__buf_init(&group->text, 0);
        }
    }
    if (encoder->lines.capacity > ENCODE_KEEP_BYTES) {
        djp__buf_fini(&encoder->lines);
        djp__buf_init(&encoder->lines, 0);
    }
    djp__buf_clear(&encoder->lines);
    encoder->order_count = 0;
    encoder->spans = 0;
    encoder->bytes = encoder->resource.size + ENCODE_ENVELOPE;
}

int
djp__encoder_new(djp__encoder **out, djp__encoding encoding, const djp_attribute *resource, size_t resource_count)
{
    static const djp__encode_ops *const ops[] = {
        [DJP__ENCODE_PROTOBUF] = &djp__encode_protobuf,
        [DJP__ENCODE_JSON] = &djp__encode_json,
        [DJP__ENCODE_CONSOLE] = &djp__encode_console,
        [DJP__ENCODE_PRETTY] = &djp__encode_pretty,
    };
    *out = NULL;
    if ((size_t)encoding >= sizeof ops / sizeof ops[0]) {
        return DJP_EINVAL;
    }
    djp__encoder *encoder = djp__calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        return DJP_ENOMEM;
    }
    encoder->ops = ops[encoding];
    djp__walk_init(&encoder->walk);
    djp_buf *bufs[] = {&encoder->resource, &encoder->items, &encoder->state, &encoder->scratch, &encoder->lines};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        djp__buf_init(bufs[i], 0);
    }
    int rc = djp__encoder_set_resource(encoder, resource, resource_count);
    if (rc != 0) {
        djp__encoder_free(encoder);
        return rc;
    }
    *out = encoder;
    return 0;
}

void
djp__encoder_free(djp__encoder *encoder)
{
    if (encoder == NULL) {
        return;
    }
    for (size_t i = 0; i <= DJP_SCOPE_LIMIT; i++) {
        djp__encode_group *group = encoder->groups[i];
        if (group != NULL) {
            djp__buf_fini(&group->head);
            djp__buf_fini(&group->tail);
            djp__buf_fini(&group->text);
            djp__free(group->block);
            djp__free(group);
        }
    }
    djp_buf *bufs[] = {&encoder->resource, &encoder->items, &encoder->state, &encoder->scratch, &encoder->lines};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        djp__buf_fini(bufs[i]);
    }
    djp__walk_fini(&encoder->walk);
    djp__free(encoder);
}

int
djp__encoder_set_resource(djp__encoder *encoder, const djp_attribute *resource, size_t resource_count)
{
    djp_buf encoded;
    djp__buf_init(&encoded, 0);
    int rc = djp__resource_items(&encoder->items, resource, resource_count);
    if (rc == 0) {
        djp__walk_begin(&encoder->walk, encoder->items.data, encoder->items.size);
        rc = encoder->ops->resource(encoder, &encoded, &encoder->items);
    }
    if (rc != 0) {
        djp__buf_fini(&encoded);
        return rc;
    }
    encoder->bytes += encoded.size - encoder->resource.size + (encoder->bytes == 0 ? ENCODE_ENVELOPE : 0);
    djp__buf_fini(&encoder->resource);
    encoder->resource = encoded;
    return 0;
}

static int
encode_group_new(djp__encode_group **out, djp__encoder *encoder, djp_scope scope)
{
    const djp_scope_entry *entry = djp__scope_entry(scope);
    djp__encode_group *group = djp__calloc(1, sizeof *group);
    if (group == NULL) {
        return DJP_ENOMEM;
    }
    djp__buf_init(&group->head, 0);
    djp__buf_init(&group->tail, 0);
    djp__buf_init(&group->text, 0);
    int rc = djp__resource_items(&encoder->items, entry->attributes, entry->attribute_count);
    if (rc == 0) {
        djp__walk_begin(&encoder->walk, encoder->items.data, encoder->items.size);
        rc = encoder->ops->scope(encoder, group, entry, &encoder->items);
    }
    if (rc != 0) {
        djp__buf_fini(&group->head);
        djp__buf_fini(&group->tail);
        djp__free(group);
        return rc;
    }
    *out = group;
    return 0;
}

/* The tracestate to write: the incoming text as it is, or a rewritten one in encoder->state. */
static djp_text
encode_state(djp__encoder *encoder, const djp_span_record *record)
{
    djp_text incoming = djp__walk_text(record, record->state_at, record->state_size);
    if (record->threshold == DJP_THRESHOLD_NONE && incoming.size == 0) {
        return incoming;
    }
    if (incoming.size != 0 || !encoder->state_cached || encoder->state_threshold != record->threshold) {
        djp__buf_clear(&encoder->state);
        djp__export_tracestate(&encoder->state, incoming, record->threshold);
        encoder->state_cached = incoming.size == 0 && !encoder->state.failed;
        encoder->state_threshold = record->threshold;
    }
    djp_text text = {encoder->state.data, encoder->state.size};
    return text;
}

int
djp__encoder_add(djp__encoder *encoder, const djp_span_record *record)
{
    djp_scope scope = record->scope;
    djp__walk_list attributes;
    if (scope <= DJP_SCOPE_LIMIT && encoder->groups[scope] == NULL) {
        int rc = encode_group_new(&encoder->groups[scope], encoder, scope);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = djp__walk_span(&encoder->walk, &attributes, record);
    if (rc != 0) {
        return rc;
    }
    djp_text state = encode_state(encoder, record);
    if (encoder->state.failed) {
        djp__buf_clear(&encoder->state);
        return DJP_ENOMEM;
    }
    djp__encode_group *group = encoder->groups[scope];
    size_t added = 0;
    rc = encoder->ops->add(encoder, group, record, attributes, state, &added);
    if (rc != 0) {
        return rc;
    }
    if (group->spans++ == 0) {
        encoder->order[encoder->order_count++] = scope;
        added += group->head.size + group->tail.size + ENCODE_ENVELOPE;
    }
    encoder->spans++;
    encoder->bytes += added;
    return 0;
}

size_t
djp__encoder_spans(const djp__encoder *encoder)
{
    return encoder->spans;
}

size_t
djp__encoder_bytes(const djp__encoder *encoder)
{
    return encoder->bytes;
}

int
djp__encoder_finish(djp__encoder *encoder, djp_buf *out)
{
    size_t before = out->size;
    int rc = encoder->spans != 0 ? encoder->ops->finish(encoder, out) : 0;
    if (rc != 0) {
        out->size = before;
    }
    encode_reset(encoder);
    return rc;
}
