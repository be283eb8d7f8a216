/* Events, links and exceptions: items with a separate head, a name or tracestate, and attributes.
 * An item that does not fit is dropped as a whole and counted. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/span.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"
#include "trace/span_seed.h"

#define EVENT__NAME_MAX 4096u /* longer names are cut */
#define EVENT__STACK_ATTRIBUTES 32u /* more need the heap */
#define EVENT__ATTRIBUTES_MAX 4096u /* limit of attributes; the rest is dropped */

/* Sets to 0 the keys of attributes that a later one replaces; returns the number of the others. */
static size_t
event_unique(djp_key *keys, size_t count)
{
    uint64_t seen[DJP_KEY_LIMIT / 64 + 1];
    size_t kept = 0;
    if (count > 1) {
        memset(seen, 0, sizeof seen);
    }
    for (size_t i = count; i-- > 0;) {
        uint64_t bit = 1ull << (keys[i] % 64);
        if (keys[i] == 0 || (count > 1 && (seen[keys[i] / 64] & bit))) {
            keys[i] = 0;
            continue;
        }
        if (count > 1) {
            seen[keys[i] / 64] |= bit;
        }
        kept++;
    }
    return kept;
}

uint32_t
djp__span_put_attributes(djp_span *span, const djp_attribute *attributes, size_t count,
                         uint32_t limit)
{
    djp_key stack[EVENT__STACK_ATTRIBUTES];
    djp_key *keys = stack;
    uint32_t dropped = 0;
    if (attributes == NULL || count == 0) {
        return 0;
    }
    if (count > EVENT__ATTRIBUTES_MAX) {
        dropped = count - EVENT__ATTRIBUTES_MAX > UINT32_MAX / 2
                      ? UINT32_MAX / 2
                      : (uint32_t)(count - EVENT__ATTRIBUTES_MAX);
        count = EVENT__ATTRIBUTES_MAX;
    }
    if (count > EVENT__STACK_ATTRIBUTES) {
        keys = djp__alloc(count * sizeof *keys);
        if (keys == NULL) {
            return dropped + (uint32_t)count;
        }
    }
    for (size_t i = 0; i < count; i++) {
        keys[i] = djp_key_intern(attributes[i].key);
        dropped += keys[i] == 0;
    }
    size_t left = event_unique(keys, count);
    for (size_t i = 0; i < count && left > 0; i++) {
        uint32_t start = span->used;
        if (keys[i] == 0) {
            continue;
        }
        left--;
        if (limit > 0 && djp__span_put_value(span, keys[i], &attributes[i].value)) {
            limit--;
        } else {
            span->used = start;
            dropped++;
        }
    }
    if (keys != stack) {
        djp__free(keys);
    }
    return dropped;
}

/* Appends an item's head, a fixed part and a text; the caller completes the head later. 0: no
 * room. */
static int
event_open(djp_span *span, size_t fixed, djp_text text, uint32_t *text_size)
{
    if (!djp__span_has_room(span, sizeof(djp__item) + fixed)) {
        return 0;
    }
    memset(djp__span_at(span, span->used), 0, sizeof(djp__item) + fixed);
    span->used += (uint32_t)(sizeof(djp__item) + fixed);
    return djp__span_put_text(span, text, SIZE_MAX, text_size);
}

static void
event_close(djp_span *span, uint32_t start, unsigned kind, const void *fixed, size_t fixed_size)
{
    djp__item item = {
        0, djp__item_head(kind, DJP_EMPTY, span->used - start - (uint32_t)sizeof(djp__item))};
    memcpy(djp__span_at(span, start), &item, sizeof item);
    memcpy(djp__span_at(span, start + (uint32_t)sizeof item), fixed, fixed_size);
}

void
djp_span_add_event(djp_span *span, djp_text name, uint64_t time_unix_ns,
                   const djp_attribute *attributes, size_t count)
{
    if (span == NULL || !span->recording) {
        return;
    }
    const djp__recorder_options *options = &span->recorder->options;
    if (span->record->event_items >= options->event_count_limit) {
        span->record->dropped_events++;
        return;
    }
    djp__event_head head = {time_unix_ns, 0, 0};
    if (time_unix_ns == 0) {
        head.time_unix_ns = djp__clock_monotonic() + (uint64_t)span->local->anchor;
    }
    name.size = name.data ? djp__utf8_cut(name.data, name.size, EVENT__NAME_MAX) : 0;
    uint32_t start = span->used;
    if (!event_open(span, sizeof head, name, &head.name_size)) {
        span->used = start;
        span->record->dropped_events++;
        return;
    }
    head.dropped_attributes =
        djp__span_put_attributes(span, attributes, count, options->event_attribute_count_limit);
    span->lost += head.dropped_attributes;
    event_close(span, start, DJP_ITEM_EVENT, &head, sizeof head);
    span->record->event_items++;
}

/* A link without ids is useful if it has a tracestate or attributes. */
static int
event_links(const djp_span_context *context, size_t count)
{
    return context && (djp_span_context_is_valid(context) || count > 0 ||
                       djp_tracestate_text(context->state).size > 0);
}

void
djp_span_add_link(djp_span *span, const djp_span_context *context, const djp_attribute *attributes,
                  size_t count)
{
    if (span == NULL || !span->recording) {
        return;
    }
    const djp__recorder_options *options = &span->recorder->options;
    if (!event_links(context, count) || span->record->link_items >= options->link_count_limit) {
        span->record->dropped_links++;
        return;
    }
    djp__link_head head;
    memset(&head, 0, sizeof head);
    memcpy(head.trace_id, context->trace_id, sizeof head.trace_id);
    memcpy(head.span_id, context->span_id, sizeof head.span_id);
    head.flags = context->flags | 0x100u | (context->is_remote ? 0x200u : 0u);
    uint32_t start = span->used;
    if (!event_open(span, sizeof head, djp_tracestate_text(context->state), &head.state_size)) {
        span->used = start;
        span->record->dropped_links++;
        return;
    }
    head.dropped_attributes =
        djp__span_put_attributes(span, attributes, count, options->link_attribute_count_limit);
    span->lost += head.dropped_attributes;
    event_close(span, start, DJP_ITEM_LINK, &head, sizeof head);
    span->record->link_items++;
}

/* Huge messages and stack traces are cut, so that both fit a record. */
static djp_attribute
event_text_attribute(const char *key, djp_text text, size_t limit)
{
    djp_attribute attribute = {.key = djp__text(key), .value = {.type = DJP_STRING}};
    attribute.value.as.text.data = text.data;
    attribute.value.as.text.size = text.data ? djp__utf8_cut(text.data, text.size, limit) : 0;
    return attribute;
}

void
djp__span_record_exception_at(djp_span *span, uint64_t time_unix_ns,
                              const djp__exception *exception, const djp_attribute *attributes,
                              size_t count)
{
    djp_text type = exception->type, message = exception->message,
             stacktrace = exception->stacktrace;
    djp_attribute stack[EVENT__STACK_ATTRIBUTES];
    djp_attribute *all = stack;
    size_t made = 0;
    if (span == NULL || !span->recording) {
        return;
    }
    count = attributes != NULL ? count : 0;
    if (count > EVENT__STACK_ATTRIBUTES - 4) {
        all = count < EVENT__ATTRIBUTES_MAX ? djp__alloc((count + 4) * sizeof *all) : NULL;
        if (all == NULL) {
            /* The exception has priority over the attributes. */
            span->lost += (uint32_t)(count > UINT32_MAX / 2 ? UINT32_MAX / 2 : count);
            all = stack;
            count = 0;
        }
    }
    size_t limit = span->recorder->record_max / 8;
    if (type.size > 0) {
        all[made++] = event_text_attribute("exception.type", type, limit);
    }
    if (message.size > 0) {
        all[made++] = event_text_attribute("exception.message", message, limit);
    }
    if (stacktrace.size > 0) {
        all[made++] = event_text_attribute("exception.stacktrace", stacktrace, limit);
    }
    if (exception->escaped) {
        all[made++] = (djp_attribute){.key = djp__text("exception.escaped"),
                                      .value = {.type = DJP_BOOL, .as.boolean = 1}};
    }
    if (count > 0) {
        memcpy(all + made, attributes, count * sizeof *all);
    }
    djp_span_add_event(span, DJP_TEXT("exception"), time_unix_ns, all, made + count);
    if (all != stack) {
        djp__free(all);
    }
}

void
djp_span_record_exception(djp_span *span, djp_text type, djp_text message, djp_text stacktrace,
                          int escaped, const djp_attribute *attributes, size_t count)
{
    djp_span_record_exception_at(span, 0, type, message, stacktrace, escaped, attributes, count);
}

void
djp_span_record_exception_at(djp_span *span, uint64_t time_unix_ns, djp_text type, djp_text message,
                             djp_text stacktrace, int escaped, const djp_attribute *attributes,
                             size_t count)
{
    djp__exception exception = {type, message, stacktrace, escaped};
    djp__span_record_exception_at(span, time_unix_ns, &exception, attributes, count);
}
