/* Reading and checking of published records, see span_reader.h. */
#include "span_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define DEMAND(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

static char shown[1 << 16];

static void
broken(const char *rule, int line)
{
    fprintf(stderr, "span_reader.c:%d: record breaks the format: %s\n", line, rule);
    abort();
}

djp__recorder_options
span_reader_options(void)
{
    djp__recorder_options options = {.ring_bytes = 4u << 20,
                                     .decision_buffer_bytes = 16u << 20,
                                     .always_on = 1,
                                     .parent_based = 1,
                                     .slow_threshold_ns = 50000000000u,
                                     .sample_errors = 1,
                                     .attribute_count_limit = 128,
                                     .attribute_value_length_limit = UINT32_MAX,
                                     .event_count_limit = 128,
                                     .link_count_limit = 128,
                                     .event_attribute_count_limit = 128,
                                     .link_attribute_count_limit = 128};
    return options;
}

djp_recorder *
span_reader_recorder(const djp__recorder_options *options)
{
    djp_recorder *recorder = NULL;
    if (djp__recorder_new(&recorder, options) != 0) {
        fputs("no recorder\n", stderr);
        abort();
    }
    return recorder;
}

static void check_items(const char *from, const char *end, int depth, int in_map);

static void
check_attribute(const djp__item *item, const char *payload, int depth)
{
    uint32_t size = djp__item_size(item);
    switch (djp__item_type(item)) {
    case DJP_EMPTY:
        DEMAND(size == 0);
        break;
    case DJP_BOOL:
    case DJP_INT:
    case DJP_DOUBLE:
        DEMAND(size == 8);
        break;
    case DJP_STRING:
        DEMAND(djp__utf8_valid(payload, size));
        break;
    case DJP_BYTES:
        break;
    case DJP_ARRAY:
        DEMAND(size % 8 == 0 && depth < DJP_VALUE_DEPTH_MAX);
        check_items(payload, payload + size, depth + 1, 0);
        break;
    case DJP_MAP:
        DEMAND(size % 8 == 0 && depth < DJP_VALUE_DEPTH_MAX);
        check_items(payload, payload + size, depth + 1, 1);
        break;
    default:
        DEMAND(!"a known type");
    }
}

/* Children of an array (attributes) or a map (pairs of key and attribute). */
static void
check_items(const char *from, const char *end, int depth, int in_map)
{
    int wants_key = in_map;
    while (from < end) {
        const djp__item *item = (const djp__item *)(const void *)from;
        DEMAND(end - from >= (ptrdiff_t)sizeof *item);
        DEMAND((const char *)djp__item_next(item) <= end);
        DEMAND(item->key == 0);
        if (wants_key) {
            DEMAND(djp__item_kind(item) == DJP_ITEM_KEY);
            DEMAND(djp__utf8_valid(djp__item_payload(item), djp__item_size(item)));
        } else {
            DEMAND(djp__item_kind(item) == DJP_ITEM_ATTRIBUTE);
            check_attribute(item, djp__item_payload(item), depth);
        }
        wants_key = in_map && !wants_key;
        from = (const char *)djp__item_next(item);
    }
    DEMAND(from == end && wants_key == in_map);
}

static const djp__item *
first_in(const djp__item *item)
{
    const char *payload = djp__item_payload(item);
    if (djp__item_kind(item) == DJP_ITEM_EVENT) {
        const djp__event_head *head = (const void *)payload;
        return (const void *)(payload + sizeof *head + djp__pad8(head->name_size));
    }
    const djp__link_head *head = (const void *)payload;
    return (const void *)(payload + sizeof *head + djp__pad8(head->state_size));
}

static const djp__item *
end_in(const djp__item *item)
{
    return (const void *)((const char *)djp__item_payload(item) + djp__item_size(item));
}

static void
check_group(const djp__item *group)
{
    const djp__item *end = end_in(group);
    const djp__item *item = first_in(group);
    DEMAND(djp__item_size(group) % 8 == 0);
    DEMAND(item <= end);
    for (; item < end; item = djp__item_next(item)) {
        DEMAND(djp__item_kind(item) == DJP_ITEM_ATTRIBUTE && item->key != 0 &&
               djp__item_next(item) <= end);
        check_attribute(item, djp__item_payload(item), 0);
        for (const djp__item *other = first_in(group); other < item;
             other = djp__item_next(other)) {
            DEMAND(other->key != item->key);
        }
    }
}

static void
check_text(const djp__span_record *record, uint32_t at, uint32_t size)
{
    if (at == 0) {
        DEMAND(size == 0);
        return;
    }
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        if ((const char *)djp__item_payload(item) == (const char *)record + at) {
            DEMAND(djp__item_kind(item) == DJP_ITEM_TEXT && djp__item_size(item) == size);
            DEMAND(djp__utf8_valid(djp__item_payload(item), size));
            return;
        }
    }
    DEMAND(!"a text item at the offset");
}

void
span_reader_check(const djp__span_record *record, size_t size)
{
    unsigned attributes = 0, events = 0, links = 0;
    DEMAND(record->size == size && size % 8 == 0 && size >= sizeof *record &&
           size <= DJP__RECORD_SIZE_MAX);
    DEMAND(record->type == DJP_RECORD_SPAN && record->kind >= 1 && record->kind <= 5 &&
           record->status <= 2);
    DEMAND(record->end_unix_ns >= record->start_unix_ns);
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        DEMAND(djp__item_next(item) <= djp__record_end(record));
        switch (djp__item_kind(item)) {
        case DJP_ITEM_TEXT:
            break;
        case DJP_ITEM_ATTRIBUTE:
            DEMAND(item->key != 0 && item->key <= djp__key_count());
            check_attribute(item, djp__item_payload(item), 0);
            attributes++;
            break;
        case DJP_ITEM_EVENT:
            check_group(item);
            events++;
            break;
        case DJP_ITEM_LINK:
            check_group(item);
            links++;
            break;
        default:
            DEMAND(!"a known kind");
        }
    }
    DEMAND(attributes == record->attribute_items && events == record->event_items &&
           links == record->link_items);
    check_text(record, record->name_at, record->name_size);
    check_text(record, record->status_at, record->status_size);
    check_text(record, record->state_at, record->state_size);
}

djp__span_record *
span_reader_take(djp_recorder *recorder)
{
    size_t size = 0;
    void *record = djp__ring_peek(djp__recorder_ring(recorder), &size);
    if (record == NULL) {
        return NULL;
    }
    djp__span_record *copy = malloc(size);
    memcpy(copy, record, size);
    djp__ring_consume(djp__recorder_ring(recorder));
    span_reader_check(copy, size);
    return copy;
}

unsigned
span_reader_drain(djp_recorder *recorder)
{
    unsigned count = 0;
    djp__span_record *record;
    while ((record = span_reader_take(recorder))) {
        free(record);
        count++;
    }
    return count;
}

const djp__item *
span_reader_attribute(const djp__span_record *record, const char *key)
{
    djp_key wanted = djp_key_intern(djp_text_of(key));
    const djp__item *found = NULL;
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        if (djp__item_kind(item) == DJP_ITEM_ATTRIBUTE && item->key == wanted) {
            found = item;
        }
    }
    return found;
}

static size_t show(char *out, size_t room, const djp__item *item);

/* The items of an array, or the keys and values of a map. */
static size_t
show_children(char *out, size_t room, const djp__item *item)
{
    int map = djp__item_type(item) == DJP_MAP;
    size_t made = (size_t)snprintf(out, room, map ? "{" : "[");
    const djp__item *end = end_in(item);
    for (const djp__item *child = djp__item_payload(item); child < end;
         child = djp__item_next(child)) {
        if (djp__item_kind(child) == DJP_ITEM_KEY) {
            made += (size_t)snprintf(out + made, room - made, "%.*s=", (int)djp__item_size(child),
                                     (const char *)djp__item_payload(child));
            continue;
        }
        made += show(out + made, room - made, child);
        made += (size_t)snprintf(out + made, room - made, djp__item_next(child) < end ? "," : "");
    }
    return made + (size_t)snprintf(out + made, room - made, map ? "}" : "]");
}

static size_t
show(char *out, size_t room, const djp__item *item)
{
    const char *payload = djp__item_payload(item);
    uint32_t size = djp__item_size(item);
    int64_t whole = 0;
    double real = 0;
    if (size == 8) {
        memcpy(&whole, payload, 8);
        memcpy(&real, payload, 8);
    }
    switch (djp__item_type(item)) {
    case DJP_BOOL:
        return (size_t)snprintf(out, room, "b:%d", (int)whole);
    case DJP_INT:
        return (size_t)snprintf(out, room, "i:%lld", (long long)whole);
    case DJP_DOUBLE:
        return (size_t)snprintf(out, room, "d:%g", real);
    case DJP_STRING:
        return (size_t)snprintf(out, room, "s:%.*s", (int)size, payload);
    case DJP_BYTES: {
        size_t made = (size_t)snprintf(out, room, "x:");
        for (uint32_t i = 0; i < size && made + 3 < room; i++) {
            made += (size_t)snprintf(out + made, room - made, "%02x", (unsigned char)payload[i]);
        }
        return made;
    }
    case DJP_ARRAY:
    case DJP_MAP:
        return show_children(out, room, item);
    default:
        return (size_t)snprintf(out, room, "-");
    }
}

const char *
span_reader_show_item(const djp__item *item)
{
    shown[0] = '\0';
    if (item != NULL) {
        show(shown, sizeof shown, item);
    }
    return shown;
}

const char *
span_reader_show(const djp__span_record *record, const char *key)
{
    return span_reader_show_item(span_reader_attribute(record, key));
}

const djp__item *
span_reader_item(const djp__span_record *record, unsigned kind, unsigned n)
{
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        if (djp__item_kind(item) == kind && n-- == 0) {
            return item;
        }
    }
    return NULL;
}

const char *
span_reader_show_in(const djp__item *event_or_link, const char *key)
{
    djp_key wanted = djp_key_intern(djp_text_of(key));
    const djp__item *end = end_in(event_or_link);
    for (const djp__item *item = first_in(event_or_link); item < end; item = djp__item_next(item)) {
        if (item->key == wanted) {
            return span_reader_show_item(item);
        }
    }
    return "";
}

unsigned
span_reader_count_in(const djp__item *event_or_link)
{
    unsigned count = 0;
    const djp__item *end = end_in(event_or_link);
    for (const djp__item *item = first_in(event_or_link); item < end; item = djp__item_next(item)) {
        count++;
    }
    return count;
}

static djp_text
text_at(const djp__span_record *record, uint32_t at, uint32_t size)
{
    djp_text text = {at ? (const char *)record + at : "", size};
    return text;
}

djp_text
span_reader_name(const djp__span_record *record)
{
    return text_at(record, record->name_at, record->name_size);
}

djp_text
span_reader_status_text(const djp__span_record *record)
{
    return text_at(record, record->status_at, record->status_size);
}

djp_text
span_reader_state(const djp__span_record *record)
{
    return text_at(record, record->state_at, record->state_size);
}

djp_text
span_reader_event_name(const djp__item *event)
{
    const djp__event_head *head = djp__item_payload(event);
    djp_text text = {(const char *)(head + 1), head->name_size};
    return text;
}
