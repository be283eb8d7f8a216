/* The texts in a span's header: name and status description. Each lies in a separate item; a newer
 * one is appended, and the older becomes dead bytes for the next sweep. */
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "trace/span_block.h"

/* Longer names and descriptions are cut at a character boundary. */
#define SPAN_TEXT__SIZE_MAX 4096u

/* The offset of a text field in the header, because the record may move. */
typedef struct span_text__field {
    size_t at;
    size_t size;
} span_text__field;

static const span_text__field span_text__name = {offsetof(djp__span_record, name_at),
                                                 offsetof(djp__span_record, name_size)};
static const span_text__field span_text__status = {offsetof(djp__span_record, status_at),
                                                   offsetof(djp__span_record, status_size)};

static uint32_t
span_text_get(const djp_span *span, size_t field)
{
    uint32_t value;
    memcpy(&value, djp__span_at(span, (uint32_t)field), sizeof value);
    return value;
}

static void
span_text_set(djp_span *span, const span_text__field *field, const char *text, size_t size)
{
    uint32_t at = 0, kept = 0;
    size = text != NULL ? djp__utf8_cut(text, size, SPAN_TEXT__SIZE_MAX) : 0;
    if (span_text_get(span, field->at) != 0) {
        span->dead_bytes +=
            (uint32_t)(sizeof(djp__item) + djp__pad8(span_text_get(span, field->size)));
        memset(djp__span_at(span, (uint32_t)field->at), 0, sizeof at);
    }
    if (size > 0) {
        djp_text copy = {text, size};
        at = span->used + (uint32_t)sizeof(djp__item);
        if (!djp__span_put_text_item(span, DJP_ITEM_TEXT, DJP_STRING, 0, copy, SIZE_MAX, &kept)) {
            span->used = at - (uint32_t)sizeof(djp__item);
            at = 0;
            span->lost++;
        }
    }
    memcpy(djp__span_at(span, (uint32_t)field->at), &at, sizeof at);
    memcpy(djp__span_at(span, (uint32_t)field->size), &kept, sizeof kept);
}

void
djp_span_update_name(djp_span *span, djp_text name)
{
    if (span != NULL && span->recording) {
        span_text_set(span, &span_text__name, name.data, name.size);
    }
}

void
djp_span_set_status(djp_span *span, djp_status_code status, djp_text description)
{
    if (span == NULL || !span->recording || span->record->status == DJP_STATUS_OK) {
        return;
    }
    if (status == DJP_STATUS_OK) {
        span->record->status = DJP_STATUS_OK;
        span_text_set(span, &span_text__status, NULL, 0);
    } else if (status == DJP_STATUS_ERROR) {
        span->record->status = DJP_STATUS_ERROR;
        span_text_set(span, &span_text__status, description.data, description.size);
    }
}
