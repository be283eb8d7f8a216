/* Span records to OTLP JSON: ids as hex, other bytes as base64, enums as numbers, 64-bit numbers as strings, names in
 * lowerCamelCase, zero values left out. */
#include "export/encode_internal.h"

#include <string.h>

#include "export/json.h"
#include "export/resource_items.h"

static void
json_time(djp_buf *out, const char *name, uint64_t time)
{
    if (time != 0) {
        djp__json_name(out, name);
        djp__json_u64_text(out, time);
    }
}

static void
json_string(djp_buf *out, const char *name, djp_text text)
{
    if (text.size != 0) {
        djp__json_name(out, name);
        djp__json_text(out, text);
    }
}

/* "attributes":[...] of an event or a link, when there are any. */
static void
json_region(djp_buf *out, djp__walk *walk, uint32_t from, uint32_t to)
{
    djp__walk_list list = djp__walk_attributes(walk, from, to);
    if (list.count != 0) {
        djp__json_name(out, "attributes");
        djp__buf_char(out, '[');
        djp__json_attributes(out, walk, list, DJP__JSON_OTLP);
        djp__buf_char(out, ']');
    }
}

static void
json_event(djp_buf *out, djp__walk *walk, uint32_t offset)
{
    djp__walk_event event;
    if (!djp__walk_read_event(&event, walk, offset)) {
        walk->error = DJP_EPROTO;
        return;
    }
    json_time(out, "timeUnixNano", event.head.time_unix_ns);
    json_string(out, "name", event.name);
    json_region(out, walk, event.from, event.to);
    djp__json_count(out, "droppedAttributesCount", event.head.dropped_attributes);
}

static void
json_link(djp_buf *out, djp__walk *walk, uint32_t offset)
{
    djp__walk_link link;
    if (!djp__walk_read_link(&link, walk, offset)) {
        walk->error = DJP_EPROTO;
        return;
    }
    djp__json_id(out, "traceId", link.head.trace_id, sizeof link.head.trace_id);
    djp__json_id(out, "spanId", link.head.span_id, sizeof link.head.span_id);
    json_string(out, "traceState", link.state);
    json_region(out, walk, link.from, link.to);
    djp__json_count(out, "droppedAttributesCount", link.head.dropped_attributes);
    djp__json_count(out, "flags", link.head.flags);
}

static void
json_others(djp_buf *out, djp__walk *walk, uint32_t kind, const char *name)
{
    int found = 0;
    for (size_t i = 0; i < walk->other_count; i++) {
        uint32_t offset = walk->others[i];
        if (djp_item_kind(djp__walk_item(walk, offset)) != kind) {
            continue;
        }
        if (!found) {
            djp__json_name(out, name);
            djp__buf_char(out, '[');
            found = 1;
        }
        djp__json_comma(out);
        djp__buf_char(out, '{');
        if (kind == DJP_ITEM_EVENT) {
            json_event(out, walk, offset);
        } else {
            json_link(out, walk, offset);
        }
        djp__buf_char(out, '}');
    }
    if (found) {
        djp__buf_char(out, ']');
    }
}

static void
json_span_attributes(djp_buf *out, djp__walk *walk, const djp_span_record *record, djp__walk_list attributes)
{
    djp_text reason;
    int has_reason = djp__walk_reason(&reason, walk, record, attributes);
    if (attributes.count == 0 && !has_reason) {
        return;
    }
    djp__json_name(out, "attributes");
    djp__buf_char(out, '[');
    djp__json_attributes(out, walk, attributes, DJP__JSON_OTLP);
    if (has_reason) {
        djp__json_attribute_text(out, DJP__REASON_KEY, reason, DJP__JSON_OTLP);
    }
    djp__buf_char(out, ']');
}

static void
json_status(djp_buf *out, const djp_span_record *record)
{
    if (record->status == 0) {
        return;
    }
    djp__json_name(out, "status");
    djp__buf_char(out, '{');
    json_string(out, "message", djp__walk_text(record, record->status_at, record->status_size));
    djp__json_count(out, "code", record->status);
    djp__buf_char(out, '}');
}

static void
json_span(djp_buf *out, djp__walk *walk, const djp_span_record *record, djp__walk_list attributes, djp_text state)
{
    static const uint8_t none[8];
    djp__buf_char(out, '{');
    djp__json_id(out, "traceId", record->trace_id, sizeof record->trace_id);
    djp__json_id(out, "spanId", record->span_id, sizeof record->span_id);
    json_string(out, "traceState", state);
    if (memcmp(record->parent_id, none, sizeof none) != 0) {
        djp__json_id(out, "parentSpanId", record->parent_id, sizeof record->parent_id);
    }
    json_string(out, "name", djp__walk_text(record, record->name_at, record->name_size));
    djp__json_count(out, "kind", record->kind);
    json_time(out, "startTimeUnixNano", record->start_unix_ns);
    json_time(out, "endTimeUnixNano", record->end_unix_ns);
    json_span_attributes(out, walk, record, attributes);
    djp__json_count(out, "droppedAttributesCount", record->dropped_attributes);
    json_others(out, walk, DJP_ITEM_EVENT, "events");
    djp__json_count(out, "droppedEventsCount", record->dropped_events);
    json_others(out, walk, DJP_ITEM_LINK, "links");
    djp__json_count(out, "droppedLinksCount", record->dropped_links);
    json_status(out, record);
    djp__json_count(out, "flags", record->trace_flags | 0x100u | (record->parent_remote != 0 ? 0x200u : 0u));
    djp__buf_char(out, '}');
}

static int
json_resource(djp__encoder *encoder, djp_buf *out, const djp_buf *items)
{
    if (items->size > DJP__RESOURCE_ITEMS_FROM) {
        djp__buf_text(out, "\"resource\":{\"attributes\":[");
        djp__json_map(out, &encoder->walk, DJP__RESOURCE_ITEMS_FROM, (uint32_t)items->size, DJP__JSON_OTLP, 1);
        djp__buf_text(out, "]},");
    }
    return encoder->walk.error != 0 ? encoder->walk.error : out->failed ? DJP_ENOMEM : 0;
}

static int
json_scope(djp__encoder *encoder, djp__encode_group *group, const djp_scope_entry *scope, const djp_buf *items)
{
    djp_buf *out = &group->head;
    djp_text name = {scope->name, strlen(scope->name)}, version = {scope->version, strlen(scope->version)};
    djp_text schema = {scope->schema_url, strlen(scope->schema_url)};
    int empty = name.size == 0 && version.size == 0 && items->size == DJP__RESOURCE_ITEMS_FROM;
    djp__buf_text(out, empty ? "{" : "{\"scope\":{");
    json_string(out, "name", name);
    json_string(out, "version", version);
    if (items->size > DJP__RESOURCE_ITEMS_FROM) {
        djp__json_name(out, "attributes");
        djp__buf_char(out, '[');
        djp__json_map(out, &encoder->walk, DJP__RESOURCE_ITEMS_FROM, (uint32_t)items->size, DJP__JSON_OTLP, 1);
        djp__buf_char(out, ']');
    }
    djp__buf_text(out, empty ? "\"spans\":[" : "},\"spans\":[");
    djp__buf_char(&group->tail, ']');
    json_string(&group->tail, "schemaUrl", schema);
    djp__buf_char(&group->tail, '}');
    return encoder->walk.error != 0 ? encoder->walk.error : out->failed || group->tail.failed ? DJP_ENOMEM : 0;
}

static int
json_add(djp__encoder *encoder, djp__encode_group *group, const djp_span_record *record, djp__walk_list attributes,
         djp_text state, size_t *added)
{
    djp_buf *out = &group->text;
    size_t before = out->size;
    if (group->spans != 0) {
        djp__buf_char(out, ',');
    }
    json_span(out, &encoder->walk, record, attributes, state);
    int rc = encoder->walk.error != 0 ? encoder->walk.error : out->failed ? DJP_ENOMEM : 0;
    if (rc != 0) {
        out->size = before;
        out->failed = 0;
        return rc;
    }
    *added = out->size - before;
    return 0;
}

static int
json_finish(djp__encoder *encoder, djp_buf *out)
{
    djp__buf_text(out, "{\"resourceSpans\":[{");
    djp__buf_append(out, encoder->resource.data, encoder->resource.size);
    djp__buf_text(out, "\"scopeSpans\":[");
    for (size_t i = 0; i < encoder->order_count; i++) {
        const djp__encode_group *group = encoder->groups[encoder->order[i]];
        djp__json_comma(out);
        djp__buf_append(out, group->head.data, group->head.size);
        djp__buf_append(out, group->text.data, group->text.size);
        djp__buf_append(out, group->tail.data, group->tail.size);
    }
    djp__buf_text(out, "]}]}");
    return out->failed ? DJP_ENOMEM : 0;
}

const djp__encode_ops djp__encode_json = {json_resource, json_scope, json_add, json_finish};
