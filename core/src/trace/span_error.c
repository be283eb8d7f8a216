/* Failed spans: adds the documented attributes `error`, error.type and error.message to the status.
 * Also handles the attribute `error` set by a program. */
#include <string.h>

#include "base/str.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

enum { SPAN_ERROR__TEXT_MAX = 1024 };

typedef struct span_error__found {
    int error, type, message; /* 1: the span has such an attribute */
    uint32_t exception; /* offset of the last exception event, or 0 */
} span_error__found;

static int
span_error_is_exception(const djp__item *item)
{
    djp__event_head head;
    memcpy(&head, djp__item_payload(item), sizeof head);
    return head.name_size == 9 &&
           memcmp((const char *)djp__item_payload(item) + sizeof head, "exception", 9) == 0;
}

static void
span_error_look(span_error__found *out, djp_span *span)
{
    const djp__error_keys *keys = &span->recorder->error_keys;
    memset(out, 0, sizeof *out);
    for (uint32_t at = sizeof(djp__span_record); at < span->used;) {
        const djp__item *item = (const djp__item *)(const void *)djp__span_at(span, at);
        if (djp__item_kind(item) == DJP_ITEM_EVENT && span_error_is_exception(item)) {
            out->exception = at;
        } else if (djp__item_kind(item) == DJP_ITEM_ATTRIBUTE) {
            out->error |= item->key == keys->error;
            out->type |= item->key == keys->type;
            out->message |= item->key == keys->message;
        }
        at += (uint32_t)(sizeof *item + djp__pad8(djp__item_size(item)));
    }
}

/* A text of the event, copied because writing may move the record. */
static djp_text
span_error_text(char room[SPAN_ERROR__TEXT_MAX], djp_span *span, uint32_t event, djp_key key)
{
    const djp__item *all = (const djp__item *)(const void *)djp__span_at(span, event);
    const char *payload = djp__item_payload(all);
    djp__event_head head;
    memcpy(&head, payload, sizeof head);
    const djp__item *item =
        (const djp__item *)(const void *)(payload + sizeof head + djp__pad8(head.name_size));
    for (const char *end = payload + djp__item_size(all); (const char *)item < end;
         item = djp__item_next(item)) {
        if (item->key == key && djp__item_type(item) == DJP_STRING) {
            size_t size =
                djp__utf8_cut(djp__item_payload(item), djp__item_size(item), SPAN_ERROR__TEXT_MAX);
            memcpy(room, djp__item_payload(item), size);
            return (djp_text){room, size};
        }
    }
    return (djp_text){room, 0};
}

static void
span_error_set(djp_span *span, djp_key key, djp_text text)
{
    if (text.size > 0) {
        djp_span_set_string(span, key, text);
    }
}

void
djp__span_tell_error(djp_span *span)
{
    const djp__error_keys *keys = &span->recorder->error_keys;
    char room[SPAN_ERROR__TEXT_MAX];
    span_error__found found;
    span_error_look(&found, span);
    if (!found.error) {
        djp_span_set_bool(span, keys->error, 1);
    }
    if (found.exception) {
        djp_text type = span_error_text(room, span, found.exception, keys->exception_type);
        if (!found.type) {
            span_error_set(span, keys->type, type);
        }
        span_error_look(&found, span);
        djp_text message = span_error_text(room, span, found.exception, keys->exception_message);
        if (!found.message) {
            span_error_set(span, keys->message, message);
        }
    } else if (!found.message && span->record->status_size > 0) {
        const char *status = djp__span_at(span, span->record->status_at);
        size_t size = djp__utf8_cut(status, span->record->status_size, SPAN_ERROR__TEXT_MAX);
        memcpy(room, status, size);
        span_error_set(span, keys->message, (djp_text){room, size});
    }
}

DJP__ATOMIC(djp_key) djp__error_key;

void
djp__span_heed_error(djp_span *span, djp_key key, int failed)
{
    if (failed && key != 0 && span != NULL && span->recording &&
        span->record->status == DJP_STATUS_UNSET) {
        djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    }
}

void
djp__error_keys_init(djp__error_keys *out)
{
    out->error = djp_key_intern(DJP_TEXT("error"));
    djp__store_relaxed(&djp__error_key, out->error);
    out->type = djp_key_intern(DJP_TEXT("error.type"));
    out->message = djp_key_intern(DJP_TEXT("error.message"));
    out->exception_type = djp_key_intern(DJP_TEXT("exception.type"));
    out->exception_message = djp_key_intern(DJP_TEXT("exception.message"));
}
