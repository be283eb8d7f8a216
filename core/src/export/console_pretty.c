/* Formats span records for a terminal: the spans of a batch as one tree per local trace, without
 * the resource, which is always the same. Text is escaped as in JSON, so that no value can control
 * the terminal. */
#include "export/encoder_parts.h"

#include <string.h>

#include "base/str.h"
#include "export/emit_console.h"

enum { PRETTY_DEPTH = 24 /* limit of the indentation depth */ };

typedef struct pretty_span {
    uint8_t trace_id[16], span_id[8], parent_id[8];
    uint64_t start;
    size_t at, size; /* in encoder->lines: one or several lines, with "\n" between them */
    size_t parent, child, sibling; /* by position; PRETTY_NONE: none */
} pretty_span;

#define PRETTY_NONE SIZE_MAX

/* A text as in JSON, without its quotes. */
static void
pretty_text(djp__buf *out, djp_text text)
{
    size_t before = out->size;
    djp__json_text(out, text);
    if (!out->failed && out->size >= before + 2) {
        memmove(out->data + before, out->data + before + 1, out->size - before - 2);
        out->size -= 2;
    }
}

/* JSON does not escape DEL and 8-bit control characters, which terminals interpret: removes
 * them. */
static void
pretty_tame(djp__buf *out, size_t from)
{
    size_t to = from;
    for (; from < out->size; from++) {
        unsigned char c = (unsigned char)out->data[from];
        unsigned char next = from + 1 < out->size ? (unsigned char)out->data[from + 1] : 0;
        if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            from++;
        } else if (c != 0x7f) {
            out->data[to++] = (char)c;
        }
    }
    out->size = to;
}

static void
pretty_events(djp__buf *out, djp__walk *walk)
{
    for (size_t i = 0; i < walk->other_count; i++) {
        djp__walk_event event;
        if (djp__item_kind(djp__walk_item(walk, walk->others[i])) != DJP_ITEM_EVENT) {
            continue;
        }
        if (!djp__walk_read_event(&event, walk, walk->others[i])) {
            walk->error = DJP_EPROTO;
            return;
        }
        djp__walk_list attributes = djp__walk_attributes(walk, event.from, event.to);
        djp__buf_text(out, "\n* ");
        pretty_text(out, event.name);
        if (attributes.count != 0) {
            djp__buf_text(out, "  {");
            djp__json_attributes(out, walk, attributes, DJP__JSON_PLAIN);
            djp__buf_char(out, '}');
        }
    }
}

static void
pretty_line(djp__buf *out, djp__walk *walk, const djp__encode_item *item)
{
    const djp__span_record *record = item->record;
    static const char *const kinds[] = {"", "", "  SERVER", "  CLIENT", "  PRODUCER", "  CONSUMER"};
    uint64_t us = record->end_unix_ns > record->start_unix_ns
                      ? (record->end_unix_ns - record->start_unix_ns) / 1000u
                      : 0;
    pretty_text(out, djp__walk_text(record, record->name_at, record->name_size));
    djp__buf_printf(out, "  %llu.%03u ms%s", (unsigned long long)(us / 1000u),
                    (unsigned)(us % 1000u), kinds[record->kind < 6 ? record->kind : 0]);
    if (record->status == 2) {
        djp__buf_text(out, "  ERROR");
        if (record->status_size != 0) {
            djp__buf_text(out, ": ");
            pretty_text(out, djp__walk_text(record, record->status_at, record->status_size));
        }
    }
    if (item->attributes.count != 0 || item->own.size != 0) {
        djp__buf_text(out, "  {");
        djp__console_attributes(out, 0, NULL, NULL, walk, item->attributes);
        djp__console_own_attribute(out, 0, NULL, NULL, djp__text(DJP__REASON_KEY), item->own);
        djp__buf_char(out, '}');
    }
    pretty_events(out, walk);
}

static int
pretty_add(djp__encoder *encoder, djp__encode_group *group, const djp__encode_item *item,
           size_t *added)
{
    djp__buf *out = &encoder->lines;
    const djp__span_record *record = item->record;
    pretty_span span;
    (void)group;
    memset(&span, 0, sizeof span);
    memcpy(span.trace_id, record->trace_id, sizeof span.trace_id);
    memcpy(span.span_id, record->span_id, sizeof span.span_id);
    memcpy(span.parent_id, record->parent_id, sizeof span.parent_id);
    span.start = record->start_unix_ns;
    span.at = out->size;
    pretty_line(out, &encoder->walk, item);
    pretty_tame(out, span.at);
    span.size = out->size - span.at;
    if (encoder->items == 0) {
        djp__buf_clear(&encoder->scratch);
    }
    size_t known = encoder->scratch.size;
    djp__buf_append(&encoder->scratch, &span, sizeof span);
    int rc = encoder->walk.error != 0                 ? encoder->walk.error
             : out->failed || encoder->scratch.failed ? DJP_ENOMEM
                                                      : 0;
    if (rc != 0) {
        out->size = span.at;
        out->failed = 0;
        encoder->scratch.size = known;
        encoder->scratch.failed = 0;
        return rc;
    }
    *added = 2 * span.size + sizeof span;
    return 0;
}

static int
pretty_resource(djp__encoder *encoder, djp__buf *out, const djp__buf *items)
{
    (void)encoder;
    (void)out;
    (void)items;
    return 0;
}

static int
pretty_scope(djp__encoder *encoder, djp__encode_group *group, const djp__scope_entry *scope,
             const djp__buf *items)
{
    (void)encoder;
    (void)group;
    (void)scope;
    (void)items;
    return 0;
}

static int
pretty_is_parent(const pretty_span *parent, const pretty_span *span)
{
    return memcmp(parent->span_id, span->parent_id, sizeof span->parent_id) == 0 &&
           memcmp(parent->trace_id, span->trace_id, sizeof span->trace_id) == 0;
}

/* Inserts a span among its siblings, by its start. */
static void
pretty_insert(pretty_span *spans, size_t *first, size_t i)
{
    while (*first != PRETTY_NONE && spans[*first].start <= spans[i].start) {
        first = &spans[*first].sibling;
    }
    spans[i].sibling = *first;
    *first = i;
}

/* Links each span to its parent. Returns the first span whose parent is not in the batch. */
static size_t
pretty_link(pretty_span *spans, size_t count)
{
    size_t roots = PRETTY_NONE;
    for (size_t i = 0; i < count; i++) {
        spans[i].parent = spans[i].child = PRETTY_NONE;
        for (size_t k = 0; k < count && spans[i].parent == PRETTY_NONE; k++) {
            spans[i].parent = k != i && pretty_is_parent(&spans[k], &spans[i]) ? k : PRETTY_NONE;
        }
    }
    for (size_t i = 0; i < count; i++) {
        pretty_insert(spans,
                      spans[i].parent == PRETTY_NONE ? &roots : &spans[spans[i].parent].child, i);
    }
    return roots;
}

static void
pretty_print(djp__buf *out, const djp__buf *lines, const pretty_span *span, size_t depth)
{
    static const uint8_t none[8];
    const char *text = lines->data + span->at, *end = text + span->size;
    depth = depth < PRETTY_DEPTH ? depth : PRETTY_DEPTH;
    if (depth == 0) {
        djp__buf_text(out, "trace ");
        djp__buf_hex(out, span->trace_id, sizeof span->trace_id);
        if (memcmp(span->parent_id, none, sizeof none) != 0) {
            djp__buf_text(out, "  below span ");
            djp__buf_hex(out, span->parent_id, sizeof span->parent_id);
        }
        djp__buf_char(out, '\n');
    }
    for (int first = 1; text < end; first = 0) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((stop != NULL ? stop : end) - text);
        djp__buf_printf(out, "%*s", (int)(2 * depth + (first ? 2 : 6)), "");
        djp__buf_append(out, text, size);
        djp__buf_char(out, '\n');
        text += size + (stop != NULL);
    }
}

static int
pretty_finish(djp__encoder *encoder, djp__buf *out)
{
    pretty_span *spans = (pretty_span *)(void *)encoder->scratch.data;
    size_t at = pretty_link(spans, encoder->scratch.size / sizeof *spans), depth = 0;
    while (at != PRETTY_NONE) {
        pretty_print(out, &encoder->lines, &spans[at], depth);
        if (spans[at].child != PRETTY_NONE) {
            at = spans[at].child;
            depth++;
            continue;
        }
        while (spans[at].sibling == PRETTY_NONE && spans[at].parent != PRETTY_NONE) {
            at = spans[at].parent;
            depth--;
        }
        at = spans[at].sibling;
    }
    djp__buf_clear(&encoder->scratch);
    return out->failed ? DJP_ENOMEM : 0;
}

const djp__encode_form djp__encode_pretty = {pretty_resource, pretty_scope, pretty_add,
                                             pretty_finish};
