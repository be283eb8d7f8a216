/* The traversal of a span, compiled once for each emitter (export/emit.h). Needs the emitter's
 * EMIT_ macros, and undefines them. Sets walk->error for a damaged record; the output so far is
 * then invalid. */

static inline DJP__EMIT_STATE
DJP__EMIT(span_status)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                       const djp__span_record *record)
{
    if (record->status == 0 && !DJP__EMIT_IS_LINE) {
        return at;
    }
    const DJP__EMIT_STATE end = at;
    at = DJP__EMIT(open)(at, name, label);
#if DJP__EMIT_IS_LINE
    DJP__STATUS_LINE(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#else
    DJP__STATUS_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#endif
    return DJP__EMIT(close)(at, number, end);
}

static DJP__EMIT_STATE
DJP__EMIT(span_event)(DJP__EMIT_STATE at, djp__walk *walk, const djp__walk_event *event)
{
    djp__walk_list list = djp__walk_attributes(walk, event->from, event->to);
#if DJP__EMIT_IS_LINE
    DJP__EVENT_LINE(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#else
    DJP__EVENT_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#endif
    djp__walk_drop(walk, list);
    return at;
}

static DJP__EMIT_STATE
DJP__EMIT(span_link)(DJP__EMIT_STATE at, djp__walk *walk, const djp__walk_link *link)
{
    djp__walk_list list = djp__walk_attributes(walk, link->from, link->to);
#if DJP__EMIT_IS_LINE
    DJP__LINK_LINE(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#else
    DJP__LINK_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#endif
    djp__walk_drop(walk, list);
    return at;
}

/* One event or link, by its kind. */
static DJP__EMIT_STATE
DJP__EMIT(span_other)(DJP__EMIT_STATE at, unsigned number, djp__walk *walk, uint32_t kind,
                      uint32_t offset)
{
    const DJP__EMIT_STATE end = at;
    djp__walk_event event;
    djp__walk_link link;
    at = DJP__EMIT(open)(at, NULL, NULL);
    if (kind == DJP_ITEM_EVENT && djp__walk_read_event(&event, walk, offset)) {
        at = DJP__EMIT(span_event)(at, walk, &event);
    } else if (kind == DJP_ITEM_LINK && djp__walk_read_link(&link, walk, offset)) {
        at = DJP__EMIT(span_link)(at, walk, &link);
    } else {
        walk->error = DJP_EPROTO;
    }
    return DJP__EMIT(close)(at, number, end);
}

static DJP__EMIT_STATE
DJP__EMIT(span_others_all)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                           djp__walk *walk, uint32_t kind)
{
    at = DJP__EMIT(list_begin)(at, number, name, label);
    for (size_t i = 0; i < walk->other_count; i++) {
        uint32_t offset = walk->others[DJP__EMIT_IS_BACKWARD ? walk->other_count - 1 - i : i];
        if (djp__item_kind(djp__walk_item(walk, offset)) == kind) {
            at = DJP__EMIT(span_other)(at, number, walk, kind, offset);
        }
    }
    return DJP__EMIT(list_end)(at, number, name, label);
}

/* Most spans have neither events nor links. */
static inline DJP__EMIT_STATE
DJP__EMIT(span_others)(DJP__EMIT_STATE at, unsigned number, const char *name, const char *label,
                       djp__walk *walk, uint32_t kind)
{
    return walk->other_count != 0 || DJP__EMIT_IS_LINE
               ? DJP__EMIT(span_others_all)(at, number, name, label, walk, kind)
               : at;
}

static DJP__EMIT_STATE
DJP__EMIT(span)(DJP__EMIT_STATE at, djp__walk *walk, const djp__encode_item *item)
{
    const djp__span_record *record = item->record;
#if DJP__EMIT_IS_LINE
    DJP__SPAN_LINE(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#else
    DJP__SPAN_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#endif
    return at;
}

#include "export/emit_undo.h"
