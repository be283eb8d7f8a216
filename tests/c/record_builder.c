/* Random spans and their records. The records follow model/record.h and nothing else, so that they
 * test the readers' view of it. */
#include "record_builder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { RB_KEYS = 40 };

uint64_t
rb_next(rb_source *source)
{
    uint64_t z = source->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t
rb_below(rb_source *source, uint64_t limit)
{
    return rb_next(source) % limit;
}

djp_text
rb_text(const char *text)
{
    djp_text out = {text, strlen(text)};
    return out;
}

static void *
rb_alloc(rb_source *source, size_t size)
{
    void *block = djp__arena_alloc(&source->arena, size != 0 ? size : 1);
    if (block == NULL) {
        abort();
    }
    memset(block, 0, size);
    return block;
}

void
rb_source_init(rb_source *source, uint64_t seed)
{
    static const djp_attribute attributes[] = {
        {{"team", 4}, {DJP_STRING, {.text = {"orders", 6}}}},
        {{"level", 5}, {DJP_INT, {.integer = 3}}},
    };
    memset(source, 0, sizeof *source);
    source->seed = seed;
    djp__arena_init(&source->arena, 0);
    source->scopes[1] = djp_scope_intern("builder", NULL, NULL, NULL, 0);
    source->scopes[2] =
        djp_scope_intern("builder.http", "1.2.3", "https://example.test/schemas/1.0", NULL, 0);
    source->scopes[3] = djp_scope_intern("builder.db", "0.1", NULL, attributes, 2);
}

void
rb_source_fini(rb_source *source)
{
    djp__arena_fini(&source->arena);
}

/* Sizes around the borders of varints and of the writer's fixed-size copies come up often. */
static size_t
rb_size(rb_source *source)
{
    static const uint16_t borders[] = {0,  1,  7,   8,   9,   15,  16,  17,  31,  32,  33, 63,
                                       64, 65, 123, 124, 125, 126, 127, 128, 129, 255, 256};
    uint64_t kind = rb_below(source, 200);
    if (kind == 0) {
        return 16370 + rb_below(source, 30);
    }
    if (kind < 60) {
        return borders[rb_below(source, sizeof borders / sizeof borders[0])];
    }
    return rb_below(source, kind < 190 ? 40 : 400);
}

static djp_text
rb_text_random(rb_source *source)
{
    static const char *const wide[] = {"é",  "ß",  "漢", "字",   "😀",    "\"",
                                       "\\", "\n", "\t", "\x7f", "\x01", "/"};
    size_t size = rb_size(source), at = 0;
    char *text = rb_alloc(source, size + 1);
    while (at < size) {
        const char *piece = wide[rb_below(source, sizeof wide / sizeof wide[0])];
        if (rb_below(source, 12) == 0 && strlen(piece) <= size - at) {
            memcpy(text + at, piece, strlen(piece));
            at += strlen(piece);
        } else {
            text[at++] = (char)('a' + rb_below(source, 26));
        }
    }
    djp_text out = {text, size};
    return out;
}

static djp_text
rb_bytes_random(rb_source *source)
{
    size_t size = rb_size(source);
    uint8_t *bytes = rb_alloc(source, size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)rb_next(source);
    }
    djp_text out = {(const char *)bytes, size};
    return out;
}

static djp_text
rb_key_random(rb_source *source)
{
    static const char *const known[] = {"http.method", "http.status_code", "sampling.reason",
                                        "k",           "url.full",         "error.type"};
    uint64_t pick = rb_below(source, RB_KEYS);
    if (pick < sizeof known / sizeof known[0]) {
        return rb_text(known[pick]);
    }
    /* The same number always gives the same key; some are long. */
    size_t size = pick < 36 ? pick + 8 : pick * 25;
    char *text = rb_alloc(source, size + 1);
    memset(text, 'a' + (int)(pick % 26), size);
    djp_text out = {text, size};
    return out;
}

static int64_t
rb_int_random(rb_source *source)
{
    static const int64_t borders[] = {0,     1,     -1,        127,       128,
                                      16383, 16384, INT64_MAX, INT64_MIN, (int64_t)1 << 53};
    if (rb_below(source, 3) == 0) {
        return borders[rb_below(source, sizeof borders / sizeof borders[0])];
    }
    return (int64_t)(rb_next(source) >> rb_below(source, 64));
}

static double
rb_double_random(rb_source *source)
{
    static const double borders[] = {
        0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 1.7976931348623157e308, INFINITY, -INFINITY, NAN};
    if (rb_below(source, 2) == 0) {
        return borders[rb_below(source, sizeof borders / sizeof borders[0])];
    }
    return (double)(int64_t)rb_next(source) / 1e9;
}

static djp_attribute *rb_attributes_random(rb_source *source, size_t count, int depth);

static djp_value
rb_value_random(rb_source *source, int depth)
{
    djp_value value = {(djp_value_type)rb_below(source, depth < 5 ? 8 : 6), {0}};
    switch (value.type) {
    case DJP_EMPTY:
        break;
    case DJP_BOOL:
        value.as.boolean = (int)rb_below(source, 2);
        break;
    case DJP_INT:
        value.as.integer = rb_int_random(source);
        break;
    case DJP_DOUBLE:
        value.as.real = rb_double_random(source);
        break;
    case DJP_STRING:
        value.as.text = rb_text_random(source);
        break;
    case DJP_BYTES:
        value.as.text = rb_bytes_random(source);
        break;
    case DJP_ARRAY: {
        size_t count = rb_below(source, 5);
        djp_value *items = rb_alloc(source, count * sizeof *items);
        for (size_t i = 0; i < count; i++) {
            items[i] = rb_value_random(source, depth + 1);
        }
        value.as.array.items = items;
        value.as.array.count = count;
        break;
    }
    case DJP_MAP:
        value.as.map.count = rb_below(source, 5);
        value.as.map.items = rb_attributes_random(source, value.as.map.count, depth + 1);
        break;
    }
    return value;
}

/* depth 0: attributes of a span, event or link, whose keys are never empty. Repeated keys are
 * likely. */
static djp_attribute *
rb_attributes_random(rb_source *source, size_t count, int depth)
{
    djp_attribute *items = rb_alloc(source, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        djp_text empty = {"", 0};
        items[i].key = depth > 0 && rb_below(source, 20) == 0 ? empty : rb_key_random(source);
        items[i].value = rb_value_random(source, depth);
    }
    return items;
}

djp_value
rb_nested(rb_source *source, int depth, int map)
{
    djp_value value = {DJP_INT, {.integer = 7}};
    for (int i = 0; i < depth; i++) {
        djp_value outer = {map ? DJP_MAP : DJP_ARRAY, {0}};
        if (map) {
            djp_attribute *item = rb_alloc(source, sizeof *item);
            item->key = rb_text("inner");
            item->value = value;
            outer.as.map.items = item;
            outer.as.map.count = 1;
        } else {
            djp_value *item = rb_alloc(source, sizeof *item);
            *item = value;
            outer.as.array.items = item;
            outer.as.array.count = 1;
        }
        value = outer;
    }
    return value;
}

static void
rb_ids_random(rb_source *source, uint8_t trace_id[16], uint8_t span_id[8])
{
    uint64_t words[3] = {rb_next(source), rb_next(source), rb_next(source)};
    memcpy(trace_id, words, 16);
    memcpy(span_id, words + 2, 8);
}

static djp_text
rb_state_random(rb_source *source)
{
    static const char *const states[] = {
        "",           "",       "", "a=1", "vendor=x,ot=th:8", "ot=rv:0123456789abcd;th:c,z=1",
        "ot=k:v,b=2", "ot=th:0"};
    return rb_text(states[rb_below(source, sizeof states / sizeof states[0])]);
}

static uint64_t
rb_time_random(rb_source *source)
{
    return rb_below(source, 50) == 0 ? 0
                                     : 1700000000000000000u + rb_below(source, 1000000000000000u);
}

static uint32_t
rb_count_random(rb_source *source)
{
    return rb_below(source, 4) == 0 ? (uint32_t)(rb_next(source) >> rb_below(source, 33) >> 31) : 0;
}

static void
rb_header_random(djp__span_record *header, rb_source *source)
{
    rb_ids_random(source, header->trace_id, header->span_id);
    if (rb_below(source, 2) == 0) {
        uint64_t parent = rb_next(source);
        memcpy(header->parent_id, &parent, sizeof parent);
        header->parent_remote = (uint8_t)rb_below(source, 2);
    }
    header->type = DJP_RECORD_SPAN;
    header->kind = (uint8_t)rb_below(source, 6);
    header->status = (uint8_t)rb_below(source, 3);
    header->trace_flags = (uint8_t)rb_below(source, 4);
    header->start_unix_ns = rb_time_random(source);
    header->end_unix_ns = rb_time_random(source);
    header->threshold = rb_below(source, 2) == 0 ? DJP__THRESHOLD_NONE
                                                 : rb_next(source) >> 8 >> rb_below(source, 57);
    header->local_root = (uint8_t)rb_below(source, 2);
    header->reason = (uint8_t)rb_below(source, DJP_REASON_ALWAYS + 1);
    header->scope = source->scopes[rb_below(source, 4)];
    header->dropped_attributes = rb_count_random(source);
    header->dropped_events = rb_count_random(source);
    header->dropped_links = rb_count_random(source);
}

void
rb_span_random(rb_span *out, rb_source *source)
{
    memset(out, 0, sizeof *out);
    rb_header_random(&out->header, source);
    out->name = rb_text_random(source);
    djp_text empty = {"", 0};
    out->status = out->header.status == 2 ? rb_text_random(source) : empty;
    out->state = rb_state_random(source);
    out->count = rb_below(source, rb_below(source, 10) == 0 ? 60 : 9);
    out->attributes = rb_attributes_random(source, out->count, 0);
    out->event_count = rb_below(source, 3) == 0 ? rb_below(source, 4) : 0;
    out->events = rb_alloc(source, out->event_count * sizeof *out->events);
    for (size_t i = 0; i < out->event_count; i++) {
        rb_event *event = &out->events[i];
        event->time = rb_time_random(source);
        event->name = rb_text_random(source);
        event->count = rb_below(source, 4);
        event->attributes = rb_attributes_random(source, event->count, 0);
        event->dropped = rb_count_random(source);
    }
    out->link_count = rb_below(source, 3) == 0 ? rb_below(source, 4) : 0;
    out->links = rb_alloc(source, out->link_count * sizeof *out->links);
    for (size_t i = 0; i < out->link_count; i++) {
        rb_link *link = &out->links[i];
        rb_ids_random(source, link->trace_id, link->span_id);
        link->state = rb_state_random(source);
        link->count = rb_below(source, 4);
        link->attributes = rb_attributes_random(source, link->count, 0);
        link->dropped = rb_count_random(source);
        link->flags = (uint32_t)rb_below(source, 4) | (uint32_t)rb_below(source, 4) << 8;
    }
}

void
rb_span_typical(rb_span *out, rb_source *source)
{
    static const struct {
        const char *key, *text;
        int64_t number;
    } values[] = {{"http.method", "GET", 0},
                  {"http.route", "/orders/{order_id}", 0},
                  {"http.status_code", NULL, 200},
                  {"user_agent.original", "probe/1.0", 0},
                  {"server.port", NULL, 8080}};
    memset(out, 0, sizeof *out);
    rb_ids_random(source, out->header.trace_id, out->header.span_id);
    out->header.type = DJP_RECORD_SPAN;
    out->header.kind = 2;
    out->header.trace_flags = 3;
    memcpy(out->header.parent_id, out->header.trace_id, 8);
    out->header.start_unix_ns = 1700000000000000000u + rb_below(source, 1000000000u);
    out->header.end_unix_ns = out->header.start_unix_ns + rb_below(source, 1000000u);
    out->header.threshold = DJP__THRESHOLD_NONE;
    out->header.reason = DJP_REASON_ALWAYS;
    out->header.scope = source->scopes[1];
    out->name = rb_text("GET /orders/{order_id}");
    out->count = 5;
    out->attributes = rb_alloc(source, out->count * sizeof *out->attributes);
    for (size_t i = 0; i < out->count; i++) {
        djp_attribute *attribute = &out->attributes[i];
        attribute->key = rb_text(values[i].key);
        attribute->value.type = values[i].text != NULL ? DJP_STRING : DJP_INT;
        if (values[i].text != NULL) {
            attribute->value.as.text = rb_text(values[i].text);
        } else {
            attribute->value.as.integer = values[i].number;
        }
    }
}

/* ---- records ---- */

static void
rb_pad(djp__buf *out, size_t from)
{
    while ((out->size - from) % 8 != 0) {
        djp__buf_char(out, '#');
    }
}

static size_t
rb_open(djp__buf *out, uint32_t key, unsigned kind, unsigned type)
{
    size_t at = out->size;
    djp__item item = {key, djp__item_head(kind, type, 0)};
    djp__buf_append(out, &item, sizeof item);
    return at;
}

static void
rb_close(djp__buf *out, size_t at)
{
    djp__item *item = (djp__item *)(void *)(out->data + at);
    item->head |= (uint32_t)(out->size - at - sizeof *item);
    rb_pad(out, at);
}

static void rb_put_value(djp__buf *out, uint32_t key, const djp_value *value);

static void
rb_put_text(djp__buf *out, unsigned kind, djp_text text)
{
    size_t at = rb_open(out, 0, kind, DJP_STRING);
    djp__buf_append(out, text.data, text.size);
    rb_close(out, at);
}

static void
rb_put_value(djp__buf *out, uint32_t key, const djp_value *value)
{
    size_t at = rb_open(out, key, DJP_ITEM_ATTRIBUTE, value->type);
    int64_t integer = value->type == DJP_BOOL ? value->as.boolean : value->as.integer;
    switch (value->type) {
    case DJP_EMPTY:
        break;
    case DJP_BOOL:
    case DJP_INT:
        djp__buf_append(out, &integer, sizeof integer);
        break;
    case DJP_DOUBLE:
        djp__buf_append(out, &value->as.real, sizeof value->as.real);
        break;
    case DJP_STRING:
    case DJP_BYTES:
        djp__buf_append(out, value->as.text.data, value->as.text.size);
        break;
    case DJP_ARRAY:
        for (size_t i = 0; i < value->as.array.count; i++) {
            rb_put_value(out, 0, &value->as.array.items[i]);
        }
        break;
    case DJP_MAP:
        for (size_t i = 0; i < value->as.map.count; i++) {
            rb_put_text(out, DJP_ITEM_KEY, value->as.map.items[i].key);
            rb_put_value(out, 0, &value->as.map.items[i].value);
        }
        break;
    }
    rb_close(out, at);
}

static void
rb_put_attributes(djp__buf *out, const djp_attribute *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rb_put_value(out, djp_key_intern(attributes[i].key), &attributes[i].value);
    }
}

static uint32_t
rb_put_header_text(djp__buf *out, djp_text text)
{
    if (text.size == 0) {
        return 0;
    }
    uint32_t at = (uint32_t)(out->size + sizeof(djp__item));
    rb_put_text(out, DJP_ITEM_TEXT, text);
    return at;
}

static void
rb_put_event(djp__buf *out, const rb_event *event)
{
    size_t at = rb_open(out, 0, DJP_ITEM_EVENT, 0);
    djp__event_head head = {event->time, (uint32_t)event->name.size, event->dropped};
    djp__buf_append(out, &head, sizeof head);
    djp__buf_append(out, event->name.data, event->name.size);
    rb_pad(out, at);
    rb_put_attributes(out, event->attributes, event->count);
    rb_close(out, at);
}

static void
rb_put_link(djp__buf *out, const rb_link *link)
{
    size_t at = rb_open(out, 0, DJP_ITEM_LINK, 0);
    djp__link_head head = {.flags = link->flags,
                           .state_size = (uint32_t)link->state.size,
                           .dropped_attributes = link->dropped};
    memcpy(head.trace_id, link->trace_id, sizeof head.trace_id);
    memcpy(head.span_id, link->span_id, sizeof head.span_id);
    djp__buf_append(out, &head, sizeof head);
    djp__buf_append(out, link->state.data, link->state.size);
    rb_pad(out, at);
    rb_put_attributes(out, link->attributes, link->count);
    rb_close(out, at);
}

djp__span_record *
rb_record(const rb_span *span)
{
    djp__buf out;
    djp__span_record header = span->header;
    djp__buf_init(&out, 0);
    djp__buf_append(&out, &header, sizeof header);
    header.name_at = rb_put_header_text(&out, span->name);
    header.name_size = (uint32_t)span->name.size;
    /* Attributes and events come in the order of the calls, so the kinds are mixed. */
    rb_put_attributes(&out, span->attributes, span->count / 2);
    for (size_t i = 0; i < span->event_count; i++) {
        rb_put_event(&out, &span->events[i]);
    }
    header.state_at = rb_put_header_text(&out, span->state);
    header.state_size = (uint32_t)span->state.size;
    rb_put_attributes(&out, span->attributes + span->count / 2, span->count - span->count / 2);
    for (size_t i = 0; i < span->link_count; i++) {
        rb_put_link(&out, &span->links[i]);
    }
    header.status_at = rb_put_header_text(&out, span->status);
    header.status_size = (uint32_t)span->status.size;
    header.attribute_items = (uint16_t)span->count;
    header.event_items = (uint16_t)span->event_count;
    header.link_items = (uint16_t)span->link_count;
    header.size = (uint32_t)out.size;
    djp__span_record *record = malloc(out.size);
    if (record == NULL || out.failed) {
        abort();
    }
    memcpy(record, out.data, out.size);
    memcpy(record, &header, sizeof header);
    djp__buf_fini(&out);
    return record;
}
