/* Escapes of the exposition formats. */
#ifndef DJP_METRICS_TEXT_H
#define DJP_METRICS_TEXT_H

#include "base/buf.h"
#include "djp/value.h"

/* Appends text with backslash and line feed escaped, and the double quote too if quote is 1 (label
 * values; help in OpenMetrics). Other characters are unchanged. Invalid UTF-8 is repaired. */
void djp__text_escape(djp__buf *out, djp_text text, int quote);

#endif
