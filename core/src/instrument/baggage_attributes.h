/* Copies named entries of the baggage to attributes of each recorded span, as a span processor. */
#ifndef DJP_INSTRUMENT_BAGGAGE_ATTRIBUTES_H
#define DJP_INSTRUMENT_BAGGAGE_ATTRIBUTES_H

#include "djp/sdk.h"

typedef struct djp__baggage_attributes djp__baggage_attributes;

/* Keys that prefixes may add in the life of a recorder: callers choose them, and each takes a place
 * in the table of keys for good. Further ones count as dropped attributes. */
enum { DJP__BAGGAGE_KEYS_MAX = 64 };

/* Registers a processor for entries (as djp_options.baggage_attributes; copied) and sets *out to
 * it, owned by the recorder. Before the first span. Returns 0, DJP_ENOMEM or DJP_EFULL. */
int djp__baggage_attributes_add(djp__baggage_attributes **out, djp_recorder *recorder,
                                const char *entries);
/* As djp_sdk_set_baggage_source. Accepts NULL. */
void djp__baggage_attributes_set_source(djp__baggage_attributes *copier, djp_baggage_source source,
                                        void *user);

#endif
