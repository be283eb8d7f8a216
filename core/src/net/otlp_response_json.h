/* Export...ServiceResponse as JSON. */
#ifndef DJP_NET_OTLP_RESPONSE_JSON_H
#define DJP_NET_OTLP_RESPONSE_JSON_H

#include "net/otlp_response.h"

/* Fills out (zeroed by the caller) from
 * {"partialSuccess":{"rejectedSpans":"3","errorMessage":"..."}} with the given name in place of
 * "rejectedSpans"; unknown members are skipped. Returns 1 if the whole text is a JSON object.
 * Borrows data. */
int djp__response_json(djp__partial *out, const char *data, size_t size, const char *rejected_name);

#endif
