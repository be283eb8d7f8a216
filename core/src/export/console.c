/* Span records to console lines: one JSON object a span for people and log collectors, described in docs/console-format.md. A line
 * must always be whole: a damaged record writes nothing. */
#include "export/encode_internal.h"

#include <string.h>

#include "export/json.h"
#include "export/resource_items.h"

static void
console_text(djp_buf *out, const char *name, djp_text text)
{
    djp__json_name(out, name);
    djp__json_text(out, text);
}

static char *
console_digits(char *at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

/* "2026-01-31T12:00:00.123456Z". Counts days in years that begin in March, so that the leap day comes last. */
static void
console_time(djp_buf *out, const char *name, uint64_t unix_ns)
{
    uint64_t seconds = unix_ns / 1000000000u, days = seconds / 86400u + 719468u, second = seconds % 86400u;
    uint64_t era = days / 146097u, of_era = days % 146097u;
    uint64_t year = (of_era - of_era / 1460u + of_era / 36524u - of_era / 146096u) / 365u;
    uint64_t of_year = of_era - (365u * year + year / 4u - year / 100u);
    uint64_t march = (5u * of_year + 2u) / 153u, day = of_year - (153u * march + 2u) / 5u + 1u;
    uint64_t month = march < 10 ? march + 3 : march - 9;
    char text[32], *at = text;
    at = console_digits(at, era * 400u + year + (month <= 2), 4);
    *at++ = '-';
    at = console_digits(at, month, 2);
    *at++ = '-';
    at = console_digits(at, day, 2);
    *at++ = 'T';
    at = console_digits(at, second / 3600u, 2);
    *at++ = ':';
    at = console_digits(at, second / 60u % 60u, 2);
    *at++ = ':';
    at = console_digits(at, second % 60u, 2);
    *at++ = '.';
    at = console_digits(at, unix_ns / 1000u % 1000000u, 6);
    *at++ = 'Z';
    djp_text value = {text, (size_t)(at - text)};
    console_text(out, name, value);
}

static void
console_region(djp_buf *out, djp__walk *walk, uint32_t from, uint32_t to)
{
    djp__json_name(out, "attributes");
    djp__buf_char(out, '{');
    djp__json_attributes(out, walk, djp__walk_attributes(walk, from, to), DJP__JSON_PLAIN);
    djp__buf_char(out, '}');
}

static void
console_event(djp_buf *out, djp__walk *walk, uint32_t offset)
{
    djp__walk_event event;
    if (!djp__walk_read_event(&event, walk, offset)) {
        walk->error = DJP_EPROTO;
        return;
    }
    console_text(out, "name", event.name);
    console_time(out, "time", event.head.time_unix_ns);
    console_region(out, walk, event.from, event.to);
    djp__json_count(out, "dropped_attributes", event.head.dropped_attributes);
}

static void
console_link(djp_buf *out, djp__walk *walk, uint32_t offset)
{
    djp__walk_link link;
    if (!djp__walk_read_link(&link, walk, offset)) {
        walk->error = DJP_EPROTO;
        return;
    }
    djp__json_id(out, "trace_id", link.head.trace_id, sizeof link.head.trace_id);
    djp__json_id(out, "span_id", link.head.span_id, sizeof link.head.span_id);
    if (link.state.size != 0) {
        console_text(out, "trace_state", link.state);
    }
    console_region(out, walk, link.from, link.to);
    djp__json_count(out, "dropped_attributes", link.head.dropped_attributes);
}

static void
console_others(djp_buf *out, djp__walk *walk, uint32_t kind, const char *name)
{
    djp__json_name(out, name);
    djp__buf_char(out, '[');
    for (size_t i = 0; i < walk->other_count; i++) {
        uint32_t offset = walk->others[i];
        if (djp_item_kind(djp__walk_item(walk, offset)) != kind) {
            continue;
        }
        djp__json_comma(out);
        djp__buf_char(out, '{');
        if (kind == DJP_ITEM_EVENT) {
            console_event(out, walk, offset);
        } else {
            console_link(out, walk, offset);
        }
        djp__buf_char(out, '}');
    }
    djp__buf_char(out, ']');
}

/* Milliseconds with microseconds behind the point; exact, unlike a double. */
static void
console_duration(djp_buf *out, const djp_span_record *record)
{
    uint64_t us =
        record->end_unix_ns > record->start_unix_ns ? (record->end_unix_ns - record->start_unix_ns) / 1000u : 0;
    char fraction[3];
    console_digits(fraction, us % 1000u, 3);
    djp__json_name(out, "duration_ms");
    djp__buf_u64(out, us / 1000u);
    djp__buf_char(out, '.');
    djp__buf_append(out, fraction, sizeof fraction);
}

static void
console_status(djp_buf *out, const djp_span_record *record)
{
    static const char *const names[] = {"UNSET", "OK", "ERROR"};
    djp__json_name(out, "status");
    djp__buf_text(out, "{\"code\":\"");
    djp__buf_text(out, names[record->status < 3 ? record->status : 0]);
    djp__buf_char(out, '"');
    if (record->status_size != 0) {
        console_text(out, "message", djp__walk_text(record, record->status_at, record->status_size));
    }
    djp__buf_char(out, '}');
}

static void
console_attributes(djp_buf *out, djp__walk *walk, const djp_span_record *record, djp__walk_list attributes)
{
    djp_text reason;
    int has_reason = djp__walk_reason(&reason, walk, record, attributes);
    djp__json_name(out, "attributes");
    djp__buf_char(out, '{');
    djp__json_attributes(out, walk, attributes, DJP__JSON_PLAIN);
    if (has_reason) {
        djp__json_attribute_text(out, DJP__REASON_KEY, reason, DJP__JSON_PLAIN);
    }
    djp__buf_char(out, '}');
}

static void
console_identity(djp_buf *out, const djp_span_record *record, djp_text state)
{
    static const char *const kinds[] = {"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    static const uint8_t none[8];
    console_text(out, "name", djp__walk_text(record, record->name_at, record->name_size));
    djp__json_id(out, "trace_id", record->trace_id, sizeof record->trace_id);
    djp__json_id(out, "span_id", record->span_id, sizeof record->span_id);
    if (memcmp(record->parent_id, none, sizeof none) != 0) {
        djp__json_id(out, "parent_id", record->parent_id, sizeof record->parent_id);
    } else {
        djp__json_name(out, "parent_id");
        djp__buf_text(out, "null");
    }
    if (state.size != 0) {
        console_text(out, "trace_state", state);
    }
    djp__json_name(out, "kind");
    djp__buf_char(out, '"');
    djp__buf_text(out, kinds[record->kind < 6 ? record->kind : 0]);
    djp__buf_char(out, '"');
}

static int
console_add(djp__encoder *encoder, djp__encode_group *group, const djp_span_record *record, djp__walk_list attributes,
            djp_text state, size_t *added)
{
    djp_buf *out = &encoder->lines;
    size_t before = out->size;
    djp__buf_char(out, '{');
    console_identity(out, record, state);
    console_time(out, "start", record->start_unix_ns);
    console_time(out, "end", record->end_unix_ns);
    console_duration(out, record);
    console_status(out, record);
    console_attributes(out, &encoder->walk, record, attributes);
    djp__json_count(out, "dropped_attributes", record->dropped_attributes);
    console_others(out, &encoder->walk, DJP_ITEM_EVENT, "events");
    djp__json_count(out, "dropped_events", record->dropped_events);
    console_others(out, &encoder->walk, DJP_ITEM_LINK, "links");
    djp__json_count(out, "dropped_links", record->dropped_links);
    djp__buf_append(out, group->head.data, group->head.size);
    djp__buf_append(out, encoder->resource.data, encoder->resource.size);
    djp__buf_text(out, "}\n");
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
console_resource(djp__encoder *encoder, djp_buf *out, const djp_buf *items)
{
    djp__buf_text(out, ",\"resource\":{");
    djp__json_map(out, &encoder->walk, DJP__RESOURCE_ITEMS_FROM, (uint32_t)items->size, DJP__JSON_PLAIN, 1);
    djp__buf_char(out, '}');
    return encoder->walk.error != 0 ? encoder->walk.error : out->failed ? DJP_ENOMEM : 0;
}

static int
console_scope(djp__encoder *encoder, djp__encode_group *group, const djp_scope_entry *scope, const djp_buf *items)
{
    djp_buf *out = &group->head;
    djp_text name = {scope->name, strlen(scope->name)}, version = {scope->version, strlen(scope->version)};
    djp__buf_text(out, ",\"scope\":{");
    console_text(out, "name", name);
    if (version.size != 0) {
        console_text(out, "version", version);
    }
    if (items->size > DJP__RESOURCE_ITEMS_FROM) {
        djp__json_name(out, "attributes");
        djp__buf_char(out, '{');
        djp__json_map(out, &encoder->walk, DJP__RESOURCE_ITEMS_FROM, (uint32_t)items->size, DJP__JSON_PLAIN, 1);
        djp__buf_char(out, '}');
    }
    djp__buf_char(out, '}');
    return encoder->walk.error != 0 ? encoder->walk.error : out->failed ? DJP_ENOMEM : 0;
}

static int
console_finish(djp__encoder *encoder, djp_buf *out)
{
    djp__buf_append(out, encoder->lines.data, encoder->lines.size);
    return out->failed ? DJP_ENOMEM : 0;
}

const djp__encode_ops djp__encode_console = {console_resource, console_scope, console_add, console_finish};
