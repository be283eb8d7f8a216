/* The traversal of a span, compiled once for each emitter (export/emit.h). Needs the emitter's
 * EMIT_ macros, and undefines them. Sets walk->error for a damaged record; the output so far is
 * then invalid. */

static inline EMIT_STATE
EMIT(span_status)(EMIT_STATE at, unsigned number, const char *name, const char *label,
                  const djp__span_record *record)
{
    if (record->status == 0 && !EMIT_IS_LINE) {
        return at;
    }
    const EMIT_STATE end = at;
    at = EMIT(open)(at, name, label);
#if EMIT_IS_LINE
    DJP__STATUS_LINE(DJP__EMIT_FIELD, EMIT_THEN)
#else
    DJP__STATUS_FIELDS(DJP__EMIT_FIELD, EMIT_THEN)
#endif
    return EMIT(close)(at, number, end);
}

static EMIT_STATE
EMIT(span_event)(EMIT_STATE at, djp__walk *walk, const djp__walk_event *event)
{
    djp__walk_list list = djp__walk_attributes(walk, event->from, event->to);
#if EMIT_IS_LINE
    DJP__EVENT_LINE(DJP__EMIT_FIELD, EMIT_THEN)
#else
    DJP__EVENT_FIELDS(DJP__EMIT_FIELD, EMIT_THEN)
#endif
    djp__walk_drop(walk, list);
    return at;
}

static EMIT_STATE
EMIT(span_link)(EMIT_STATE at, djp__walk *walk, const djp__walk_link *link)
{
    djp__walk_list list = djp__walk_attributes(walk, link->from, link->to);
#if EMIT_IS_LINE
    DJP__LINK_LINE(DJP__EMIT_FIELD, EMIT_THEN)
#else
    DJP__LINK_FIELDS(DJP__EMIT_FIELD, EMIT_THEN)
#endif
    djp__walk_drop(walk, list);
    return at;
}

/* One event or link, by its kind. */
static EMIT_STATE
EMIT(span_other)(EMIT_STATE at, unsigned number, djp__walk *walk, uint32_t kind, uint32_t offset)
{
    const EMIT_STATE end = at;
    djp__walk_event event;
    djp__walk_link link;
    at = EMIT(open)(at, NULL, NULL);
    if (kind == DJP_ITEM_EVENT && djp__walk_read_event(&event, walk, offset)) {
        at = EMIT(span_event)(at, walk, &event);
    } else if (kind == DJP_ITEM_LINK && djp__walk_read_link(&link, walk, offset)) {
        at = EMIT(span_link)(at, walk, &link);
    } else {
        walk->error = DJP_EPROTO;
    }
    return EMIT(close)(at, number, end);
}

static EMIT_STATE
EMIT(span_others_all)(EMIT_STATE at, unsigned number, const char *name, const char *label,
                      djp__walk *walk, uint32_t kind)
{
    at = EMIT(list_begin)(at, number, name, label);
    for (size_t i = 0; i < walk->other_count; i++) {
        uint32_t offset = walk->others[EMIT_IS_BACKWARD ? walk->other_count - 1 - i : i];
        if (djp__item_kind(djp__walk_item(walk, offset)) == kind) {
            at = EMIT(span_other)(at, number, walk, kind, offset);
        }
    }
    return EMIT(list_end)(at, number, name, label);
}

/* Most spans have neither events nor links. */
static inline EMIT_STATE
EMIT(span_others)(EMIT_STATE at, unsigned number, const char *name, const char *label,
                  djp__walk *walk, uint32_t kind)
{
    return walk->other_count != 0 || EMIT_IS_LINE
               ? EMIT(span_others_all)(at, number, name, label, walk, kind)
               : at;
}

static EMIT_STATE
EMIT(span)(EMIT_STATE at, djp__walk *walk, const djp__encode_item *item)
{
    const djp__span_record *record = item->record;
#if EMIT_IS_LINE
    DJP__SPAN_LINE(DJP__EMIT_FIELD, EMIT_THEN)
#else
    DJP__SPAN_FIELDS(DJP__EMIT_FIELD, EMIT_THEN)
#endif
    return at;
}

#include "export/emit_undo.h"
