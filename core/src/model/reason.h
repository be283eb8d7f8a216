/* The reasons of model/reasons.def as numbers, and as words. */
#ifndef DJP_MODEL_REASON_H
#define DJP_MODEL_REASON_H

#include <stdint.h>

#include "djp/value.h"

/* Decisions about a local trace, in the order of their priority; those of one stratum are
 * adjacent. */
enum {
#define DJP__REASON(name, word, stratum, key, label) DJP_REASON_##name,
#define DJP__DROP(name, key, when)
#include "model/reasons.def"
    DJP__REASONS
};

/* Other outcomes of a span. */
enum {
#define DJP__REASON(name, word, stratum, key, label)
#define DJP__DROP(name, key, when) DJP__DROP_##name,
#include "model/reasons.def"
    DJP__DROPS
};

/* The adjusted count of a reason's sampled spans: one, or by the threshold of the parent or of the
 * ratio. */
enum { DJP__STRATUM_DROPPED, DJP__STRATUM_ONE, DJP__STRATUM_PARENT, DJP__STRATUM_RATIO };
/* AT_END: dropped when it ended. OPEN: it did not end. UNSTARTED: not counted among the spans
 * started in this process. */
enum { DJP__DROPPED_AT_END, DJP__DROPPED_OPEN, DJP__DROPPED_UNSTARTED };

typedef struct djp__reason_row {
    const char *word, *key, *label;
    uint8_t stratum;
} djp__reason_row;
extern const djp__reason_row djp__reasons[DJP__REASONS];

typedef struct djp__drop_row {
    const char *key;
    uint8_t when;
} djp__drop_row;
extern const djp__drop_row djp__drops[DJP__DROPS];

/* Returns a label for "rule:NAME", the same for equal names; 0 beyond the limit. */
uint8_t djp__reason_label(djp_text name);
/* Returns the value of sampling.reason, static; empty for none. */
djp_text djp__reason_text(uint8_t reason, uint8_t label);

#endif
