/* The traversal of the test signal, compiled once for each emitter. */
static DJP__EMIT_STATE
DJP__EMIT(note)(DJP__EMIT_STATE at, djp__walk *walk, const djp__encode_item *item)
{
    const note_record *note = item->record;
#if DJP__EMIT_IS_LINE
    NOTE_LINE(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#else
    NOTE_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#endif
    return at;
}

#include "export/emit_undo.h"
