/* Setting attributes. The usual call writes one item behind the others and looks at nothing else; limits, repeated keys and full
 * records are the slow path's work. */
#include <string.h>

#include "base/str.h"
#include "djp/span.h"
#include "trace/span_block.h"
#include "trace/text_copy.h"

static void
attribute__drop(djp_span *span)
{
    if (span->record->dropped_attributes < UINT32_MAX) {
        span->record->dropped_attributes++;
    }
}

/* Takes back bytes of replaced items when they are half of the record, so that a key set over and over needs no growth. */
static void
attribute__reclaim(djp_span *span)
{
    if (span->dead_bytes > span->used / 2) {
        djp__span_sweep(span);
    }
}

/* Finds room and a place in the count for an item of this many bytes. 0: the attribute was dropped. */
static __attribute__((noinline)) int
attribute__make_place(djp_span *span, djp_key key, size_t bytes)
{
    if (key == 0 || key > DJP_KEY_LIMIT) {
        attribute__drop(span);
        return 0;
    }
    attribute__reclaim(span);
    if (!djp__span_has_room(span, bytes) && !(djp__span_tidy(span) && djp__span_has_room(span, bytes))) {
        attribute__drop(span);
        return 0;
    }
    if (span->attributes >= span->attribute_limit && !djp__span_free_slot(span, key, span->used)) {
        attribute__drop(span);
        return 0;
    }
    return 1;
}

/* Appends an item of the size and returns its payload, or NULL. */
static inline char *
attribute__append(djp_span *span, djp_key key, unsigned type, size_t size)
{
    size_t bytes = sizeof(djp_item) + djp_pad8(size);
    if (__builtin_expect(key - 1u >= DJP_KEY_LIMIT || span->attributes >= span->attribute_limit ||
                             bytes > span->capacity - span->used,
                         0) &&
        !attribute__make_place(span, key, bytes)) {
        return NULL;
    }
    djp_item item = {key, djp_item_head(DJP_ITEM_ATTRIBUTE, type, size)};
    char *at = djp__span_at(span, span->used);
    memcpy(at, &item, sizeof item);
    span->used += (uint32_t)bytes;
    span->attributes++;
    return at + sizeof item;
}

/* Any value, by way of the general writer. */
static __attribute__((noinline)) void
attribute__put(djp_span *span, djp_key key, const djp_value *value)
{
    if (key == 0 || key > DJP_KEY_LIMIT) {
        attribute__drop(span);
        return;
    }
    attribute__reclaim(span);
    uint32_t start = span->used;
    if (!djp__span_put_value(span, key, value)) {
        span->used = start;
        int gained = djp__span_tidy(span);
        start = span->used;
        if (!gained || !djp__span_put_value(span, key, value)) {
            span->used = start;
            attribute__drop(span);
            return;
        }
    }
    if (span->attributes >= span->attribute_limit && !djp__span_free_slot(span, key, start)) {
        span->used = start;
        attribute__drop(span);
        return;
    }
    span->attributes++;
}

void
djp_span_set_string(djp_span *span, djp_key key, const char *text, size_t size)
{
    if (!span || !span->recording) {
        return;
    }
    if (__builtin_expect(text != NULL && size <= span->value_limit && size < DJP_SPAN_ITEM_BYTES, 1)) {
        char *payload = attribute__append(span, key, DJP_STRING, size);
        if (!payload || !djp__copy_text(payload, text, size) || djp__utf8_valid(text, size)) {
            return;
        }
        /* Not valid: taken back and written again by the writer that repairs. */
        span->used = (uint32_t)(payload - (char *)span->record) - (uint32_t)sizeof(djp_item);
        span->attributes--;
    }
    djp_value value = {.type = DJP_STRING, .as.text = {text, text ? size : 0}};
    attribute__put(span, key, &value);
}

static inline void
attribute__set_word(djp_span *span, djp_key key, unsigned type, const void *word)
{
    char *payload = span && span->recording ? attribute__append(span, key, type, 8) : NULL;
    if (payload) {
        memcpy(payload, word, 8);
    }
}

void
djp_span_set_int(djp_span *span, djp_key key, int64_t value)
{
    attribute__set_word(span, key, DJP_INT, &value);
}

void
djp_span_set_double(djp_span *span, djp_key key, double value)
{
    attribute__set_word(span, key, DJP_DOUBLE, &value);
}

void
djp_span_set_bool(djp_span *span, djp_key key, int value)
{
    int64_t flag = value != 0;
    attribute__set_word(span, key, DJP_BOOL, &flag);
}

void
djp_span_set_value(djp_span *span, djp_key key, const djp_value *value)
{
    if (!span || !span->recording) {
        return;
    }
    if (value) {
        attribute__put(span, key, value);
    } else {
        attribute__drop(span);
    }
}

void
djp_span_drop_attribute(djp_span *span)
{
    if (span && span->recording) {
        attribute__drop(span);
    }
}
