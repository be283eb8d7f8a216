/* Escapes of the exposition formats. */
#ifndef DJP_METRICS_TEXT_H
#define DJP_METRICS_TEXT_H

#include "base/buf.h"
#include "djp/value.h"

/* Appends text with backslash and line feed escaped, and the double quote too if quote is 1 (label
 * values; help in OpenMetrics). Other characters are unchanged. Invalid UTF-8 is repaired. */
void djp__text_escape(djp__buf *out, djp_text text, int quote);

/* Takes the first of labels written as `a="x",b="y"`: its name, which borrows, and its plain value,
 * which replaces what value holds. Returns 0 at the end, or at text of another form. */
int djp__text_next_label(djp_text *name, djp__buf *value, djp_text *labels);

#endif
