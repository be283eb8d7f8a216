/* The verbs of export/emit.h as OTLP JSON: ids as hex, enumerations as numbers, 64-bit numbers as
 * texts, zero and empty values left out. */
#ifndef DJP_EXPORT_EMIT_JSON_H
#define DJP_EXPORT_EMIT_JSON_H

#include "export/json.h"

#define DJP__EMIT_FIELD_PARAMETERS \
    djp__buf *out, unsigned number, const char *name, const char *label

djp__buf *djp__otlp_json_id(DJP__EMIT_FIELD_PARAMETERS, const uint8_t *id, size_t size);
djp__buf *djp__otlp_json_id_or_none(DJP__EMIT_FIELD_PARAMETERS, const uint8_t id[8]);
djp__buf *djp__otlp_json_text(DJP__EMIT_FIELD_PARAMETERS, djp_text text);
#define djp__otlp_json_title djp__otlp_json_text
#define djp__otlp_json_made_text djp__otlp_json_text
#define djp__otlp_json_made_title djp__otlp_json_text
djp__buf *djp__otlp_json_count(DJP__EMIT_FIELD_PARAMETERS, uint32_t count);
#define djp__otlp_json_flags djp__otlp_json_count
djp__buf *djp__otlp_json_word(DJP__EMIT_FIELD_PARAMETERS, uint32_t value, const char *const *words,
                              size_t word_count);
djp__buf *djp__otlp_json_time(DJP__EMIT_FIELD_PARAMETERS, uint64_t unix_ns);
/* name NULL: an element of a list. */
djp__buf *djp__otlp_json_open(djp__buf *out, const char *name, const char *label);
djp__buf *djp__otlp_json_close(djp__buf *out, unsigned number, const djp__buf *begin);
/* Removes the list if it is empty at its end. */
djp__buf *djp__otlp_json_list_begin(DJP__EMIT_FIELD_PARAMETERS);
djp__buf *djp__otlp_json_list_end(DJP__EMIT_FIELD_PARAMETERS);
#define djp__otlp_json_attributes_begin djp__otlp_json_list_begin
#define djp__otlp_json_attributes_end djp__otlp_json_list_end
/* Changes and drops the list. */
djp__buf *
djp__otlp_json_attributes(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, djp__walk_list list);
djp__buf *
djp__otlp_json_map(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, uint32_t from, uint32_t to);
djp__buf *djp__otlp_json_own_attribute(DJP__EMIT_FIELD_PARAMETERS, djp_text key, djp_text text);
djp__buf *djp__otlp_json_own_number(DJP__EMIT_FIELD_PARAMETERS, djp_text key, int64_t value);
djp__buf *djp__otlp_json_own_truth(DJP__EMIT_FIELD_PARAMETERS, djp_text key);
djp__buf *djp__otlp_json_truth(DJP__EMIT_FIELD_PARAMETERS, int value);
djp__buf *djp__otlp_json_real(DJP__EMIT_FIELD_PARAMETERS, double value);
#define djp__otlp_json_total djp__otlp_json_time
djp__buf *djp__otlp_json_totals(DJP__EMIT_FIELD_PARAMETERS, const uint64_t *values, size_t count);
djp__buf *djp__otlp_json_signed_number(DJP__EMIT_FIELD_PARAMETERS, int32_t value);
#define djp__otlp_json_varints djp__otlp_json_totals
djp__buf *djp__otlp_json_reals(DJP__EMIT_FIELD_PARAMETERS, const double *values, size_t count);
djp__buf *djp__otlp_json_value(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, const djp__item *item);

#endif
