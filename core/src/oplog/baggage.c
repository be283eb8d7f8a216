/* Baggage in an operation log. The spans of a request carry the same text, so that the last one is
 * parsed once. */
#include <string.h>

#include "djp/context.h"
#include "oplog/oplog.h"

const djp_baggage *
djp__oplog_baggage(djp_oplog *log, djp_text text)
{
    djp_text known = {log->baggage_text, log->baggage_size};
    if (known.data != NULL && known.size == text.size &&
        memcmp(known.data, text.data, text.size) == 0) {
        return log->baggage;
    }
    djp__oplog_baggage_discard(log);
    log->baggage_text = djp__strndup(text.data, text.size);
    if (log->baggage_text == NULL) {
        return NULL;
    }
    log->baggage_size = text.size;
    log->baggage = djp_baggage_parse(&text, 1);
    return log->baggage;
}

void
djp__oplog_baggage_discard(djp_oplog *log)
{
    djp_baggage_free(log->baggage);
    djp__free(log->baggage_text);
    log->baggage = NULL;
    log->baggage_text = NULL;
}
