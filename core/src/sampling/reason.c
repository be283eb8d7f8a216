/* Reasons that a user named ("rule:checkout"): a short table of interned texts that only grows, so that a record carries one byte
 * and a reader of records needs nothing else. */
#include <string.h>

#include "base/atomic.h"
#include "model/record.h"
#include "model/tables.h"

#define REASON__LABELS 255u

/* Written under the tables lock before the count that makes them known; relaxed. */
static DJP_ATOMIC(djp_key) reason__keys[REASON__LABELS + 1];
static DJP_ATOMIC(uint32_t) reason__count; /* labels 1 .. count are in use; release */

uint8_t
djp__reason_label(djp_text name)
{
    char text[64] = "rule:";
    size_t size = strlen(text);
    if (name.size == 0 || name.size > sizeof text - size) {
        return 0;
    }
    memcpy(text + size, name.data, name.size);
    djp_key key = djp_key_intern((djp_text){text, size + name.size});
    uint32_t label = 1;
    djp__tables_lock();
    uint32_t count = djp_load_relaxed(&reason__count);
    while (label <= count && djp_load_relaxed(&reason__keys[label]) != key) {
        label++;
    }
    if (key == 0 || label > REASON__LABELS) {
        label = 0;
    } else if (label > count) {
        djp_store_relaxed(&reason__keys[label], key);
        djp_store_release(&reason__count, label);
    }
    djp__tables_unlock();
    return (uint8_t)label;
}

djp_text
djp__reason_text(uint8_t reason, uint8_t label)
{
    static const char *const words[] = {
        [DJP_REASON_NONE] = "",         [DJP_REASON_ERROR] = "error",     [DJP_REASON_SLOW] = "slow",
        [DJP_REASON_RULE] = "rule",     [DJP_REASON_SLOWEST] = "slowest", [DJP_REASON_RARE] = "rare",
        [DJP_REASON_PARENT] = "parent", [DJP_REASON_RATIO] = "ratio",     [DJP_REASON_ALWAYS] = "",
    };
    if (label != 0 && label <= djp_load_acquire(&reason__count)) {
        return djp_key_text(djp_load_relaxed(&reason__keys[label]));
    }
    const char *word = reason < sizeof words / sizeof words[0] ? words[reason] : "";
    return (djp_text){word, strlen(word)};
}
