/* Sets attributes. The fast path appends one item; limits, repeated keys and full records take the
 * slow path. */
#include <string.h>

#include "djp/span.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"
#include "model/text_copy.h"

static void
attribute_drop(djp_span *span)
{
    if (span->record->dropped_attributes < UINT32_MAX) {
        span->record->dropped_attributes++;
    }
}

/* Compacts the record when half of it is replaced items, so that setting a key repeatedly needs no
 * growth. */
static void
attribute_reclaim(djp_span *span)
{
    if (span->dead_bytes > span->used / 2) {
        djp__span_sweep(span);
    }
}

/* Any value, through the general writer. */
static __attribute__((noinline)) void
attribute_put(djp_span *span, djp_key key, const djp_value *value)
{
    if (key == 0 || key > DJP_KEY_LIMIT) {
        attribute_drop(span);
        return;
    }
    attribute_reclaim(span);
    uint32_t start = span->used;
    if (!djp__span_put_value(span, key, value)) {
        span->used = start;
        int gained = djp__span_tidy(span);
        start = span->used;
        if (!gained || !djp__span_put_value(span, key, value)) {
            span->used = start;
            attribute_drop(span);
            return;
        }
    }
    if (span->attributes >= span->attribute_limit && !djp__span_free_slot(span, key, start)) {
        span->used = start;
        attribute_drop(span);
        return;
    }
    span->attributes++;
}

/* 1: an attribute item of this payload size can be written without further checks. */
static inline int
attribute_is_easy(const djp_span *span, djp_key key, size_t size)
{
    size_t bytes = sizeof(djp__item) + djp__pad8(size);
    return key - 1u < DJP_KEY_LIMIT && span->attributes < span->attribute_limit &&
           bytes <= span->capacity - span->used;
}

/* The item's head at the end of the record; the item counts only after attribute_keep. */
static inline char *
attribute_begin(djp_span *span, djp_key key, unsigned type, size_t size)
{
    djp__item item = {key, djp__item_head(DJP_ITEM_ATTRIBUTE, type, size)};
    char *at = djp__span_at(span, span->used);
    memcpy(at, &item, sizeof item);
    return at + sizeof item;
}

static inline void
attribute_keep(djp_span *span, size_t size)
{
    span->used += (uint32_t)(sizeof(djp__item) + djp__pad8(size));
    span->attributes++;
}

static __attribute__((noinline)) void
attribute_put_text(djp_span *span, djp_key key, const char *text, size_t size)
{
    djp_value value = {.type = DJP_STRING, .as.text = {text, text != NULL ? size : 0}};
    attribute_put(span, key, &value);
}

/* Not inlined in parts, which would cost the fast path a call. */
__attribute__((noinline)) void
djp_span_set_string(djp_span *span, djp_key key, djp_text text)
{
    if (span == NULL || !span->recording) {
        return;
    }
    if (__builtin_expect(
            text.data && text.size <= span->value_limit && text.size < DJP__SPAN_ITEM_BYTES, 1) &&
        attribute_is_easy(span, key, text.size) &&
        !djp__copy_text(attribute_begin(span, key, DJP_STRING, text.size), text.data, text.size)) {
        attribute_keep(span, text.size);
        return;
    }
    attribute_put_text(span, key, text.data, text.size);
}

static __attribute__((noinline)) void
attribute_put_word(djp_span *span, djp_key key, unsigned type, int64_t word)
{
    djp_value value = {.type = (djp_value_type)type, .as.integer = word};
    if (type == DJP_BOOL) {
        value.as.boolean = word != 0;
    } else if (type == DJP_DOUBLE) {
        memcpy(&value.as.real, &word, sizeof value.as.real);
    }
    attribute_put(span, key, &value);
}

static inline void
attribute_set_word(djp_span *span, djp_key key, unsigned type, int64_t word)
{
    if (span == NULL || !span->recording) {
        return;
    }
    if (attribute_is_easy(span, key, sizeof word)) {
        memcpy(attribute_begin(span, key, type, sizeof word), &word, sizeof word);
        attribute_keep(span, sizeof word);
        return;
    }
    attribute_put_word(span, key, type, word);
}

void
djp_span_set_int(djp_span *span, djp_key key, int64_t value)
{
    attribute_set_word(span, key, DJP_INT, value);
}

void
djp_span_set_double(djp_span *span, djp_key key, double value)
{
    int64_t word;
    memcpy(&word, &value, sizeof word);
    attribute_set_word(span, key, DJP_DOUBLE, word);
}

void
djp_span_set_bool(djp_span *span, djp_key key, int value)
{
    if (__builtin_expect(key == djp__load_relaxed(&djp__error_key), 0)) {
        djp__span_heed_error(span, key, value);
    }
    attribute_set_word(span, key, DJP_BOOL, value != 0);
}

void
djp_span_set_value(djp_span *span, djp_key key, const djp_value *value)
{
    if (span == NULL || !span->recording) {
        return;
    }
    if (value == NULL) {
        attribute_drop(span);
        return;
    }
    if (__builtin_expect(key == djp__load_relaxed(&djp__error_key), 0)) {
        djp__span_heed_error(span, key, value->type == DJP_BOOL && value->as.boolean);
    }
    attribute_put(span, key, value);
}

void
djp_span_drop_attribute(djp_span *span)
{
    if (span != NULL && span->recording) {
        attribute_drop(span);
    }
}
