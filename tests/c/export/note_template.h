/* The traversal of the test signal, compiled once for each emitter. */
static EMIT_STATE
EMIT(note)(EMIT_STATE at, djp__walk *walk, const djp__encode_item *item)
{
    const note_record *note = item->record;
#if EMIT_IS_LINE
    NOTE_LINE(DJP__EMIT_FIELD, EMIT_THEN)
#else
    NOTE_FIELDS(DJP__EMIT_FIELD, EMIT_THEN)
#endif
    return at;
}

#include "export/emit_undo.h"
