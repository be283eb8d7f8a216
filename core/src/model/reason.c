/* The rows of reasons.def, and the reasons named by users ("rule:checkout"): a short, growing table
 * of interned texts, so that a record carries one byte. */
#include "model/reason.h"

#include <string.h>

#include "base/atomic.h"
#include "djp/key.h"
#include "model/tables.h"

const djp__reason_row djp__reasons[DJP__REASONS] = {
#define DJP__REASON(name, word, stratum, key, label) {word, key, label, DJP__STRATUM_##stratum},
#define DJP__DROP(name, key, when)
#include "model/reasons.def"
};

const djp__drop_row djp__drops[DJP__DROPS] = {
#define DJP__REASON(name, word, stratum, key, label)
#define DJP__DROP(name, key, when) {key, DJP__DROPPED_##when},
#include "model/reasons.def"
};

#define REASON__LABELS 255u

/* Written under the tables lock before the count that includes them; relaxed. */
static DJP__ATOMIC(djp_key) reason__keys[REASON__LABELS + 1];
static DJP__ATOMIC(uint32_t) reason__count; /* labels 1 .. count are in use; release */

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
    uint32_t count = djp__load_relaxed(&reason__count);
    while (label <= count && djp__load_relaxed(&reason__keys[label]) != key) {
        label++;
    }
    if (key == 0 || label > REASON__LABELS) {
        label = 0;
    } else if (label > count) {
        djp__store_relaxed(&reason__keys[label], key);
        djp__store_release(&reason__count, label);
    }
    djp__tables_unlock();
    return (uint8_t)label;
}

djp_text
djp__reason_text(uint8_t reason, uint8_t label)
{
    if (label != 0 && label <= djp__load_acquire(&reason__count)) {
        return djp_key_text(djp__load_relaxed(&reason__keys[label]));
    }
    const char *word = reason < DJP__REASONS ? djp__reasons[reason].word : "";
    return (djp_text){word, strlen(word)};
}
