/* Attribute values as JSON, in OTLP's mapping and in plain form. Yields valid JSON for every
 * record; the recursion is limited. */
#include "export/json.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

static void
json_value(djp__buf *out, djp__walk *walk, const djp__item *item, djp__json_form form, int depth);

void
djp__json_comma(djp__buf *out)
{
    char last = out->size != 0 ? out->data[out->size - 1] : '{';
    if (last != '{' && last != '[' && last != '\n') {
        djp__buf_char(out, ',');
    }
}

void
djp__json_name(djp__buf *out, const char *name)
{
    djp__json_comma(out);
    djp__buf_char(out, '"');
    djp__buf_text(out, name);
    djp__buf_append(out, "\":", 2);
}

void
djp__json_u64_text(djp__buf *out, uint64_t value)
{
    djp__buf_char(out, '"');
    djp__buf_u64(out, value);
    djp__buf_char(out, '"');
}

void
djp__json_double(djp__buf *out, double value)
{
    if (isnan(value)) {
        djp__buf_text(out, "\"NaN\"");
    } else if (isinf(value)) {
        djp__buf_text(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else if (value == 0 && signbit(value)) {
        djp__buf_text(out, "-0.0"); /* readers parse "-0" as an integer, without the sign */
    } else {
        djp__buf_double(out, value);
    }
}

void
djp__json_doubles(djp__buf *out, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        djp__json_comma(out);
        djp__json_double(out, values[i]);
    }
}

void
djp__json_hex(djp__buf *out, const void *data, size_t size)
{
    djp__buf_char(out, '"');
    djp__buf_hex(out, data, size);
    djp__buf_char(out, '"');
}

void
djp__json_id(djp__buf *out, const char *name, const uint8_t *id, size_t size)
{
    djp__json_name(out, name);
    djp__json_hex(out, id, size);
}

void
djp__json_count(djp__buf *out, const char *name, uint32_t count)
{
    if (count != 0) {
        djp__json_name(out, name);
        djp__buf_u64(out, count);
    }
}

void
djp__json_text(djp__buf *out, djp_text text)
{
    djp__buf_json(out, text.data != NULL ? text.data : "", text.size);
}

static void
json_base64(djp__buf *out, const djp__item *item)
{
    djp__buf_char(out, '"');
    djp__base64(out, djp__item_payload(item), djp__item_size(item));
    djp__buf_char(out, '"');
}

static void
json_scalar(djp__buf *out, const djp__item *item, djp__json_form form)
{
    int64_t integer = 0;
    double real;
    if (djp__item_size(item) == sizeof integer) {
        memcpy(&integer, djp__item_payload(item), sizeof integer);
    }
    memcpy(&real, &integer, sizeof real);
    djp_text text = {djp__item_payload(item), djp__item_size(item)};
    switch (djp__item_type(item)) {
    case DJP_BOOL:
        djp__buf_text(out, integer != 0 ? "true" : "false");
        break;
    case DJP_INT:
        djp__buf_text(out, form == DJP__JSON_OTLP ? "\"" : "");
        djp__buf_i64(out, integer);
        djp__buf_text(out, form == DJP__JSON_OTLP ? "\"" : "");
        break;
    case DJP_DOUBLE:
        djp__json_double(out, real);
        break;
    case DJP_STRING:
        djp__json_text(out, text);
        break;
    default:
        json_base64(out, item);
        break;
    }
}

static void
json_array(djp__buf *out, djp__walk *walk, const djp__item *item, djp__json_form form, int depth)
{
    djp__walk_list list = djp__walk_array(walk, item);
    for (size_t i = list.first; i < list.first + list.count; i++) {
        djp__json_comma(out);
        json_value(out, walk, djp__walk_item(walk, walk->offsets[i]), form, depth);
    }
    djp__walk_drop(walk, list);
}

static void
json_nested(djp__buf *out, djp__walk *walk, const djp__item *item, djp__json_form form, int depth)
{
    int array = djp__item_type(item) == DJP_ARRAY, otlp = form == DJP__JSON_OTLP;
    if (depth > DJP_VALUE_DEPTH_MAX) {
        walk->error = DJP_EPROTO;
        return;
    }
    djp__buf_text(out, otlp ? "{\"values\":[" : array ? "[" : "{");
    if (array) {
        json_array(out, walk, item, form, depth + 1);
    } else {
        uint32_t from = djp__walk_payload_at(walk, item);
        djp__json_map(out, walk, from, from + djp__item_size(item), form, depth + 1);
    }
    djp__buf_text(out, otlp ? "]}" : array ? "]" : "}");
}

static void
json_value(djp__buf *out, djp__walk *walk, const djp__item *item, djp__json_form form, int depth)
{
    static const char *const names[] = {
        [DJP_BOOL] = "{\"boolValue\":",     [DJP_INT] = "{\"intValue\":",
        [DJP_DOUBLE] = "{\"doubleValue\":", [DJP_STRING] = "{\"stringValue\":",
        [DJP_BYTES] = "{\"bytesValue\":",   [DJP_ARRAY] = "{\"arrayValue\":",
        [DJP_MAP] = "{\"kvlistValue\":"};
    uint32_t type = djp__item_type(item);
    int otlp = form == DJP__JSON_OTLP;
    if (type > DJP_MAP || !djp__walk_scalar_ok(item)) {
        walk->error = DJP_EPROTO;
        return;
    }
    if (type == DJP_EMPTY) {
        djp__buf_text(out, otlp ? "{}" : "null");
        return;
    }
    djp__buf_text(out, otlp ? names[type] : "");
    if (type == DJP_ARRAY || type == DJP_MAP) {
        json_nested(out, walk, item, form, depth);
    } else {
        json_scalar(out, item, form);
    }
    djp__buf_text(out, otlp ? "}" : "");
}

static void
json_key(djp__buf *out, djp_text key, djp__json_form form)
{
    djp__json_comma(out);
    djp__buf_text(out, form == DJP__JSON_OTLP ? "{\"key\":" : "");
    djp__json_text(out, key);
    djp__buf_text(out, form == DJP__JSON_OTLP ? ",\"value\":" : ":");
}

static void
json_key_end(djp__buf *out, djp__json_form form)
{
    djp__buf_text(out, form == DJP__JSON_OTLP ? "}" : "");
}

void
djp__json_map(djp__buf *out, djp__walk *walk, uint32_t from, uint32_t to, djp__json_form form,
              int depth)
{
    djp__walk_list list = djp__walk_map(walk, from, to);
    for (size_t i = list.first; i < list.first + list.count; i++) {
        const djp__item *item = djp__walk_item(walk, walk->offsets[i]);
        djp_text key = {djp__item_payload(item), djp__item_size(item)};
        json_key(out, key, form);
        json_value(out, walk, djp__item_next(item), form, depth);
        json_key_end(out, form);
    }
    djp__walk_drop(walk, list);
}

void
djp__json_attributes(djp__buf *out, djp__walk *walk, djp__walk_list list, djp__json_form form)
{
    list = djp__walk_unique(walk, list);
    for (size_t i = list.first; i < list.first + list.count; i++) {
        const djp__item *item = djp__walk_item(walk, walk->offsets[i]);
        json_key(out, djp_key_text(item->key), form);
        json_value(out, walk, item, form, 1);
        json_key_end(out, form);
    }
    djp__walk_drop(walk, list);
}

void
djp__json_attribute_text(djp__buf *out, djp_text key, djp_text value, djp__json_form form)
{
    json_key(out, key, form);
    djp__buf_text(out, form == DJP__JSON_OTLP ? "{\"stringValue\":" : "");
    djp__json_text(out, value);
    djp__buf_text(out, form == DJP__JSON_OTLP ? "}" : "");
    json_key_end(out, form);
}

void
djp__json_value(djp__buf *out, djp__walk *walk, const djp__item *item, djp__json_form form)
{
    json_value(out, walk, item, form, 1);
}
