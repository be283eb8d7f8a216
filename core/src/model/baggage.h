/* Baggage for the files of the core; djp/context.h has its functions. */
#ifndef DJP_MODEL_BAGGAGE_H
#define DJP_MODEL_BAGGAGE_H

#include "djp/context.h"

/* A list without entries, for callers to whom NULL means that no list was given. */
extern const djp_baggage djp__baggage_empty;

#endif
