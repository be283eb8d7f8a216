/* The encoder: batches, groups by scope, the resource. Independent of form and signal. A record
 * that cannot be added leaves the batch unchanged. */
#include "export/encoder_parts.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "export/resource_attributes.h"

/* Memory that an idle group may retain for the next batch, and the number of such groups. */
enum { ENCODE_KEEP_BYTES = 1 << 20, ENCODE_KEEP_GROUPS = 16 };
/* Envelopes of a group or of the request. */
enum { ENCODE_ENVELOPE = 48 };

static void
encoder_reset(djp__encoder *encoder)
{
    for (size_t i = 0; i < encoder->order_count; i++) {
        djp__encode_group *group = encoder->groups[encoder->order[i]];
        group->items = 0;
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
    encoder->items = 0;
    encoder->bytes = encoder->resource.size + ENCODE_ENVELOPE;
}

/* The forms by encoding. */
static const djp__encode_form *
encoder_form_of(const djp__encode_signal *signal, djp__encoding encoding)
{
    switch (encoding) {
    case DJP__ENCODE_PROTOBUF:
        return &djp__encode_protobuf;
    case DJP__ENCODE_JSON:
        return &djp__encode_json;
    case DJP__ENCODE_CONSOLE:
        return &djp__encode_console;
    case DJP__ENCODE_PRETTY:
        return signal->pretty != NULL ? signal->pretty : &djp__encode_console;
    }
    return NULL;
}

int
djp__encoder_new(djp__encoder **out, const djp__encode_signal *signal, djp__encoding encoding,
                 const djp_attribute *resource, size_t resource_count)
{
    const djp__encode_form *form = encoder_form_of(signal, encoding);
    *out = NULL;
    if (form == NULL) {
        return DJP_EINVAL;
    }
    djp__encoder *encoder = djp__calloc(1, sizeof *encoder);
    if (encoder == NULL) {
        return DJP_ENOMEM;
    }
    encoder->signal = signal;
    encoder->form = form;
    djp__walk_init(&encoder->walk);
    djp__buf *bufs[] = {&encoder->resource, &encoder->attributes, &encoder->made, &encoder->scratch,
                        &encoder->lines};
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
    djp__buf *bufs[] = {&encoder->resource, &encoder->attributes, &encoder->made, &encoder->scratch,
                        &encoder->lines};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        djp__buf_fini(bufs[i]);
    }
    djp__walk_fini(&encoder->walk);
    djp__free(encoder);
}

int
djp__encoder_set_resource(djp__encoder *encoder, const djp_attribute *resource,
                          size_t resource_count)
{
    djp__buf encoded;
    djp__buf_init(&encoded, 0);
    int rc = djp__resource_attributes(&encoder->attributes, resource, resource_count);
    if (rc == 0) {
        djp__walk_begin(&encoder->walk, encoder->attributes.data, encoder->attributes.size);
        rc = encoder->form->resource(encoder, &encoded, &encoder->attributes);
    }
    if (rc != 0) {
        djp__buf_fini(&encoded);
        return rc;
    }
    encoder->bytes +=
        encoded.size - encoder->resource.size + (encoder->bytes == 0 ? ENCODE_ENVELOPE : 0);
    djp__buf_fini(&encoder->resource);
    encoder->resource = encoded;
    return 0;
}

static int
encoder_group_new(djp__encode_group **out, djp__encoder *encoder, djp_scope scope)
{
    const djp__scope_entry *entry = djp__scope_entry_of(scope);
    djp__encode_group *group = djp__calloc(1, sizeof *group);
    if (group == NULL) {
        return DJP_ENOMEM;
    }
    djp__buf_init(&group->head, 0);
    djp__buf_init(&group->tail, 0);
    djp__buf_init(&group->text, 0);
    int rc =
        djp__resource_attributes(&encoder->attributes, entry->attributes, entry->attribute_count);
    if (rc == 0) {
        djp__walk_begin(&encoder->walk, encoder->attributes.data, encoder->attributes.size);
        rc = encoder->form->scope(encoder, group, entry, &encoder->attributes);
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

void
djp__encoder_set_rewrite(djp__encoder *encoder, djp__encode_rewrite rewrite, void *user)
{
    encoder->rewrite = rewrite;
    encoder->rewrite_user = user;
}

int
djp__encoder_add(djp__encoder *encoder, const void *record)
{
    djp__encode_item item;
    item.record =
        encoder->rewrite == NULL ? record : encoder->rewrite(encoder->rewrite_user, record);
    if (item.record == NULL) {
        return DJP_ENOMEM;
    }
    djp_scope scope = encoder->signal->scope(item.record);
    if (scope <= DJP_SCOPE_LIMIT && encoder->groups[scope] == NULL) {
        int rc = encoder_group_new(&encoder->groups[scope], encoder, scope);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = scope <= DJP_SCOPE_LIMIT ? encoder->signal->read(&item, encoder) : DJP_EPROTO;
    if (rc != 0) {
        return rc;
    }
    djp__encode_group *group = encoder->groups[scope];
    size_t added = 0;
    rc = encoder->form->add(encoder, group, &item, &added);
    if (rc != 0) {
        return rc;
    }
    if (group->items++ == 0) {
        encoder->order[encoder->order_count++] = scope;
        added += group->head.size + group->tail.size + ENCODE_ENVELOPE;
    }
    encoder->items++;
    encoder->bytes += added;
    return 0;
}

size_t
djp__encoder_items(const djp__encoder *encoder)
{
    return encoder->items;
}

size_t
djp__encoder_bytes(const djp__encoder *encoder)
{
    return encoder->bytes;
}

int
djp__encoder_finish(djp__encoder *encoder, djp__buf *out)
{
    size_t before = out->size;
    int rc = encoder->items != 0 ? encoder->form->finish(encoder, out) : 0;
    if (rc != 0) {
        out->size = before;
    }
    encoder_reset(encoder);
    return rc;
}
