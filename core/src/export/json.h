/* JSON writers shared by the OTLP and console forms: numbers, separators, values in both forms. */
#ifndef DJP_EXPORT_JSON_H
#define DJP_EXPORT_JSON_H

#include "base/buf.h"
#include "export/record_walk.h"

/* The form of values: OTLP's AnyValue objects, or plain JSON for log lines. */
typedef enum djp__json_form { DJP__JSON_OTLP, DJP__JSON_PLAIN } djp__json_form;

/* Writes "name": after a comma, unless the last byte opened an object or array. name needs no
 * escapes. */
void djp__json_name(djp__buf *out, const char *name);
/* A comma unless the last byte opened something. */
void djp__json_comma(djp__buf *out);
/* A 64-bit number as a decimal string. */
void djp__json_u64_text(djp__buf *out, uint64_t value);
/* A number, or one of "NaN", "Infinity", "-Infinity" as a string. */
void djp__json_double(djp__buf *out, double value);
/* The elements of an array of them. */
void djp__json_doubles(djp__buf *out, const double *values, size_t count);
/* Bytes as a quoted hex string. */
void djp__json_hex(djp__buf *out, const void *data, size_t size);
/* a member; borrows */
void djp__json_id(djp__buf *out, const char *name, const uint8_t *id, size_t size);
/* a member, left out when 0 */
void djp__json_count(djp__buf *out, const char *name, uint32_t count);
void djp__json_text(djp__buf *out, djp_text text);

/* A list of attributes, repeated keys resolved: in OTLP form the elements of an array, in plain
 * form the members of an object; both without their brackets. Changes and drops the list. Sets
 * walk->error when damaged. */
void djp__json_attributes(djp__buf *out, djp__walk *walk, djp__walk_list list, djp__json_form form);
/* The same for a map's payload between two offsets. depth counts from 1. */
void djp__json_map(djp__buf *out, djp__walk *walk, uint32_t from, uint32_t to, djp__json_form form,
                   int depth);
/* One value. */
void djp__json_value(djp__buf *out, djp__walk *walk, const djp__item *item, djp__json_form form);
/* One SDK attribute with a text value. */
void djp__json_attribute_text(djp__buf *out, djp_text key, djp_text value, djp__json_form form);

#endif
