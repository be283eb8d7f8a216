/* One span record to an OTLP Span, backwards: fields in descending order, zero values left out. Must write the same bytes as
 * protobuf-c does for the same span. */
#include "export/writer.h"

enum {
    WRITER_SCOPE_SPANS_SPAN = 0x12,
    WRITER_SPAN_TRACE_ID = 0x0a,
    WRITER_SPAN_ID = 0x12,
    WRITER_SPAN_STATE = 0x1a,
    WRITER_SPAN_PARENT = 0x22,
    WRITER_SPAN_NAME = 0x2a,
    WRITER_SPAN_KIND = 0x30,
    WRITER_SPAN_START = 0x39,
    WRITER_SPAN_END = 0x41,
    WRITER_SPAN_ATTRIBUTE = 0x4a,
    WRITER_SPAN_DROPPED_ATTRIBUTES = 0x50,
    WRITER_SPAN_EVENT = 0x5a,
    WRITER_SPAN_DROPPED_EVENTS = 0x60,
    WRITER_SPAN_LINK = 0x6a,
    WRITER_SPAN_DROPPED_LINKS = 0x70,
    WRITER_SPAN_STATUS = 0x7a,
    WRITER_EVENT_TIME = 0x09,
    WRITER_EVENT_NAME = 0x12,
    WRITER_EVENT_ATTRIBUTE = 0x1a,
    WRITER_EVENT_DROPPED = 0x20,
    WRITER_LINK_STATE = 0x1a,
    WRITER_LINK_ATTRIBUTE = 0x22,
    WRITER_LINK_DROPPED = 0x28,
    WRITER_LINK_FLAGS = 0x35,
    WRITER_STATUS_MESSAGE = 0x12,
    WRITER_STATUS_CODE = 0x18
};

/* KeyValue{key "sampling.reason", value string}: everything before the text of the value, with the text's size at two places. */
static char *
writer_reason(char *at, djp_text reason)
{
    const char *end = at;
    at = djp__writer_append(at, reason.data, reason.size);
    at = djp__writer_field_varint(at, 0x0a, reason.size);
    at = djp__writer_close(at, 0x12, end);
    at = djp__writer_append(at, DJP__REASON_KEY, sizeof DJP__REASON_KEY - 1);
    at = djp__writer_field_varint(at, 0x0a, sizeof DJP__REASON_KEY - 1);
    return djp__writer_close(at, WRITER_SPAN_ATTRIBUTE, end);
}

static inline char *
writer_count(char *at, unsigned tag, uint32_t count)
{
    return count != 0 ? djp__writer_field_varint(at, tag, count) : at;
}

static char *
writer_event(char *at, djp__walk *walk, uint32_t offset)
{
    djp__walk_event event;
    if (!djp__walk_read_event(&event, walk, offset)) {
        walk->error = DJP_EPROTO;
        return at;
    }
    const char *end = at;
    at = writer_count(at, WRITER_EVENT_DROPPED, event.head.dropped_attributes);
    if (event.from < event.to) {
        djp__walk_list list = djp__walk_attributes(walk, event.from, event.to);
        at = djp__writer_attributes(at, walk, list, WRITER_EVENT_ATTRIBUTE);
        djp__walk_drop(walk, list);
    }
    at = djp__writer_text(at, WRITER_EVENT_NAME, event.name);
    if (event.head.time_unix_ns != 0) {
        at = djp__writer_fixed64(at, WRITER_EVENT_TIME, event.head.time_unix_ns);
    }
    return djp__writer_close(at, WRITER_SPAN_EVENT, end);
}

static char *
writer_link(char *at, djp__walk *walk, uint32_t offset)
{
    djp__walk_link link;
    if (!djp__walk_read_link(&link, walk, offset)) {
        walk->error = DJP_EPROTO;
        return at;
    }
    const char *end = at;
    if (link.head.flags != 0) {
        at = djp__writer_append(at, &link.head.flags, sizeof link.head.flags);
        at = djp__writer_byte(at, WRITER_LINK_FLAGS);
    }
    at = writer_count(at, WRITER_LINK_DROPPED, link.head.dropped_attributes);
    if (link.from < link.to) {
        djp__walk_list list = djp__walk_attributes(walk, link.from, link.to);
        at = djp__writer_attributes(at, walk, list, WRITER_LINK_ATTRIBUTE);
        djp__walk_drop(walk, list);
    }
    at = djp__writer_text(at, WRITER_LINK_STATE, link.state);
    at = djp__writer_append(at, link.head.span_id, sizeof link.head.span_id);
    at = djp__writer_field_varint(at, WRITER_SPAN_ID, sizeof link.head.span_id);
    at = djp__writer_append(at, link.head.trace_id, sizeof link.head.trace_id);
    at = djp__writer_field_varint(at, WRITER_SPAN_TRACE_ID, sizeof link.head.trace_id);
    return djp__writer_close(at, WRITER_SPAN_LINK, end);
}

static char *
writer_others(char *at, djp__walk *walk, uint32_t kind)
{
    for (size_t i = walk->other_count; i-- > 0;) {
        uint32_t offset = walk->others[i];
        if (djp_item_kind(djp__walk_item(walk, offset)) == kind) {
            at = kind == DJP_ITEM_EVENT ? writer_event(at, walk, offset) : writer_link(at, walk, offset);
        }
    }
    return at;
}

static char *
writer_status(char *at, const djp_span_record *record)
{
    if (record->status == 0) {
        return at;
    }
    const char *end = at;
    at = djp__writer_field_varint(at, WRITER_STATUS_CODE, record->status);
    at = djp__writer_text(at, WRITER_STATUS_MESSAGE, djp__walk_text(record, record->status_at, record->status_size));
    return djp__writer_close(at, WRITER_SPAN_STATUS, end);
}

/* flags back to dropped_attributes. */
static inline char *
writer_span_end(char *at, djp__walk *walk, const djp_span_record *record)
{
    uint32_t flags = record->trace_flags | 0x100u | (record->parent_remote != 0 ? 0x200u : 0u);
    at = djp__writer_append(at, &flags, sizeof flags);
    at = djp__writer_append(at, "\x85\x01", 2);
    at = writer_status(at, record);
    at = writer_count(at, WRITER_SPAN_DROPPED_LINKS, record->dropped_links);
    if (walk->other_count != 0) {
        at = writer_others(at, walk, DJP_ITEM_LINK);
    }
    at = writer_count(at, WRITER_SPAN_DROPPED_EVENTS, record->dropped_events);
    if (walk->other_count != 0) {
        at = writer_others(at, walk, DJP_ITEM_EVENT);
    }
    return writer_count(at, WRITER_SPAN_DROPPED_ATTRIBUTES, record->dropped_attributes);
}

/* end_time back to trace_id. */
static inline char *
writer_span_start(char *at, const djp_span_record *record, djp_text state)
{
    if (record->end_unix_ns != 0) {
        at = djp__writer_fixed64(at, WRITER_SPAN_END, record->end_unix_ns);
    }
    if (record->start_unix_ns != 0) {
        at = djp__writer_fixed64(at, WRITER_SPAN_START, record->start_unix_ns);
    }
    at = writer_count(at, WRITER_SPAN_KIND, record->kind);
    at = djp__writer_text(at, WRITER_SPAN_NAME, djp__walk_text(record, record->name_at, record->name_size));
    uint64_t parent;
    memcpy(&parent, record->parent_id, sizeof parent);
    if (parent != 0) {
        at = djp__writer_append(at, &parent, sizeof parent);
        at = djp__writer_field_varint(at, WRITER_SPAN_PARENT, sizeof parent);
    }
    if (state.size != 0) {
        at = djp__writer_append(at, state.data, state.size);
        at = djp__writer_field_varint(at, WRITER_SPAN_STATE, state.size);
    }
    at = djp__writer_append(at, record->span_id, sizeof record->span_id);
    at = djp__writer_field_varint(at, WRITER_SPAN_ID, sizeof record->span_id);
    at = djp__writer_append(at, record->trace_id, sizeof record->trace_id);
    return djp__writer_field_varint(at, WRITER_SPAN_TRACE_ID, sizeof record->trace_id);
}

char *
djp__writer_span(char *at, djp__walk *walk, const djp_span_record *record, djp__walk_list attributes, djp_text state)
{
    const char *end = at;
    at = writer_span_end(at, walk, record);
    djp_text reason;
    if (djp__walk_reason(&reason, walk, record, attributes)) {
        at = writer_reason(at, reason);
    }
    at = djp__writer_attributes(at, walk, attributes, WRITER_SPAN_ATTRIBUTE);
    at = writer_span_start(at, record, state);
    return djp__writer_close(at, WRITER_SCOPE_SPANS_SPAN, end);
}
