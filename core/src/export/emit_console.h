/* The verbs of export/emit.h as members of a console line (docs/console-format.md), in plain
 * JSON. */
#ifndef DJP_EXPORT_EMIT_CONSOLE_H
#define DJP_EXPORT_EMIT_CONSOLE_H

#include "export/emit_json.h"

djp__buf *djp__console_id(DJP__EMIT_FIELD_PARAMETERS, const uint8_t *id, size_t size);
/* null for none. */
djp__buf *djp__console_id_or_none(DJP__EMIT_FIELD_PARAMETERS, const uint8_t id[8]);
djp__buf *djp__console_text(DJP__EMIT_FIELD_PARAMETERS, djp_text text);
djp__buf *djp__console_title(DJP__EMIT_FIELD_PARAMETERS, djp_text text);
#define djp__console_made_text djp__console_text
#define djp__console_made_title djp__console_title
djp__buf *djp__console_count(DJP__EMIT_FIELD_PARAMETERS, uint32_t count);
/* The word of a value; the first one if the value has none. */
djp__buf *djp__console_word(DJP__EMIT_FIELD_PARAMETERS, uint32_t value, const char *const *words,
                            size_t word_count);
/* "2026-01-31T12:00:00.123456Z" */
djp__buf *djp__console_time(DJP__EMIT_FIELD_PARAMETERS, uint64_t unix_ns);
/* Milliseconds with three decimals; exact, unlike a double. */
djp__buf *djp__console_duration(DJP__EMIT_FIELD_PARAMETERS, uint64_t from_ns, uint64_t to_ns);
djp__buf *djp__console_open(djp__buf *out, const char *name, const char *label);
#define djp__console_close djp__otlp_json_close
djp__buf *djp__console_list_begin(DJP__EMIT_FIELD_PARAMETERS);
djp__buf *djp__console_list_end(DJP__EMIT_FIELD_PARAMETERS);
djp__buf *djp__console_attributes_begin(DJP__EMIT_FIELD_PARAMETERS);
djp__buf *djp__console_attributes_end(DJP__EMIT_FIELD_PARAMETERS);
djp__buf *djp__console_attributes(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, djp__walk_list list);
djp__buf *djp__console_map(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, uint32_t from, uint32_t to);
djp__buf *djp__console_own_attribute(DJP__EMIT_FIELD_PARAMETERS, djp_text key, djp_text text);
djp__buf *djp__console_own_number(DJP__EMIT_FIELD_PARAMETERS, djp_text key, int64_t value);
djp__buf *djp__console_own_truth(DJP__EMIT_FIELD_PARAMETERS, djp_text key);
djp__buf *djp__console_truth(DJP__EMIT_FIELD_PARAMETERS, int value);
djp__buf *djp__console_real(DJP__EMIT_FIELD_PARAMETERS, double value);
/* Numbers, not texts; also zero. */
djp__buf *djp__console_total(DJP__EMIT_FIELD_PARAMETERS, uint64_t value);
djp__buf *djp__console_totals(DJP__EMIT_FIELD_PARAMETERS, const uint64_t *values, size_t count);
djp__buf *djp__console_signed_number(DJP__EMIT_FIELD_PARAMETERS, int32_t value);
#define djp__console_varints djp__console_totals
djp__buf *djp__console_reals(DJP__EMIT_FIELD_PARAMETERS, const double *values, size_t count);
djp__buf *djp__console_value(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, const djp__item *item);

#endif
