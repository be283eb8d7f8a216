/* The reasons of model/reasons.def as numbers, and as words. */
#ifndef DJP_MODEL_REASON_H
#define DJP_MODEL_REASON_H

#include <stdint.h>

#include "djp/value.h"

/* Decisions about a local trace. The order is that in which they win; those of one stratum stand
 * together. */
enum {
#define DJP__REASON(name, word, stratum, key, label) DJP_REASON_##name,
#define DJP__DROP(name, key, when)
#include "model/reasons.def"
    DJP__REASONS
};

/* What else may become of a span. */
enum {
#define DJP__REASON(name, word, stratum, key, label)
#define DJP__DROP(name, key, when) DJP__DROP_##name,
#include "model/reasons.def"
    DJP__DROPS
};

/* What the sampled spans of a reason count for: one each, or by the threshold of the parent or of
 * the ratio. */
enum { DJP__STRATUM_DROPPED, DJP__STRATUM_ONE, DJP__STRATUM_PARENT, DJP__STRATUM_RATIO };
/* AT_END: when it ended. OPEN: it never ended. UNSTARTED: it is none of the spans that started in
 * this process. */
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

/* A label for "rule:NAME", the same for the same name; 0 when there are too many. */
uint8_t djp__reason_label(djp_text name);
/* What sampling.reason says; empty when it says nothing. Borrowed for ever. */
djp_text djp__reason_text(uint8_t reason, uint8_t label);

#endif
