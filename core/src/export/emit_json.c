/* The verbs of export/emit.h as OTLP JSON. Each call appends whole members or brackets. Independent
 * of signals. */
#include "export/emit_json.h"

#include <string.h>

#define EMIT_JSON_UNUSED ((void)number, (void)label)

djp__buf *
djp__otlp_json_id(DJP__EMIT_FIELD_PARAMETERS, const uint8_t *id, size_t size)
{
    EMIT_JSON_UNUSED;
    djp__json_id(out, name, id, size);
    return out;
}

djp__buf *
djp__otlp_json_id_or_none(DJP__EMIT_FIELD_PARAMETERS, const uint8_t id[8])
{
    static const uint8_t none[8];
    return memcmp(id, none, sizeof none) != 0
               ? djp__otlp_json_id(out, number, name, label, id, sizeof none)
               : out;
}

djp__buf *
djp__otlp_json_text(DJP__EMIT_FIELD_PARAMETERS, djp_text text)
{
    EMIT_JSON_UNUSED;
    if (text.size != 0) {
        djp__json_name(out, name);
        djp__json_text(out, text);
    }
    return out;
}

djp__buf *
djp__otlp_json_count(DJP__EMIT_FIELD_PARAMETERS, uint32_t count)
{
    EMIT_JSON_UNUSED;
    djp__json_count(out, name, count);
    return out;
}

djp__buf *
djp__otlp_json_word(DJP__EMIT_FIELD_PARAMETERS, uint32_t value, const char *const *words,
                    size_t word_count)
{
    (void)words;
    (void)word_count;
    return djp__otlp_json_count(out, number, name, label, value);
}

djp__buf *
djp__otlp_json_time(DJP__EMIT_FIELD_PARAMETERS, uint64_t unix_ns)
{
    EMIT_JSON_UNUSED;
    if (unix_ns != 0) {
        djp__json_name(out, name);
        djp__json_u64_text(out, unix_ns);
    }
    return out;
}

djp__buf *
djp__otlp_json_open(djp__buf *out, const char *name, const char *label)
{
    (void)label;
    if (name != NULL) {
        djp__json_name(out, name);
    } else {
        djp__json_comma(out);
    }
    djp__buf_char(out, '{');
    return out;
}

djp__buf *
djp__otlp_json_close(djp__buf *out, unsigned number, const djp__buf *begin)
{
    (void)number;
    (void)begin;
    djp__buf_char(out, '}');
    return out;
}

djp__buf *
djp__otlp_json_list_begin(DJP__EMIT_FIELD_PARAMETERS)
{
    EMIT_JSON_UNUSED;
    djp__json_name(out, name);
    djp__buf_char(out, '[');
    return out;
}

djp__buf *
djp__otlp_json_list_end(DJP__EMIT_FIELD_PARAMETERS)
{
    size_t head = strlen(name) + sizeof "\"\":[" - 1;
    EMIT_JSON_UNUSED;
    if (out->failed || out->size < head || out->data[out->size - 1] != '[') {
        djp__buf_char(out, ']');
        return out;
    }
    out->size -= head;
    if (out->size > 0 && out->data[out->size - 1] == ',') {
        out->size--;
    }
    return out;
}

djp__buf *
djp__otlp_json_attributes(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, djp__walk_list list)
{
    EMIT_JSON_UNUSED;
    (void)name;
    djp__json_attributes(out, walk, list, DJP__JSON_OTLP);
    return out;
}

djp__buf *
djp__otlp_json_map(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, uint32_t from, uint32_t to)
{
    EMIT_JSON_UNUSED;
    (void)name;
    djp__json_map(out, walk, from, to, DJP__JSON_OTLP, 1);
    return out;
}

djp__buf *
djp__otlp_json_own_attribute(DJP__EMIT_FIELD_PARAMETERS, djp_text key, djp_text text)
{
    EMIT_JSON_UNUSED;
    (void)name;
    if (text.size != 0) {
        djp__json_attribute_text(out, key, text, DJP__JSON_OTLP);
    }
    return out;
}

/* Begins an attribute up to its value; the caller adds one brace for the value and one for the
 * attribute. */
static void
emit_json_own(djp__buf *out, djp_text key, const char *kind)
{
    djp__json_comma(out);
    djp__buf_text(out, "{\"key\":");
    djp__json_text(out, key);
    djp__buf_text(out, ",\"value\":{\"");
    djp__buf_text(out, kind);
    djp__buf_text(out, "\":");
}

djp__buf *
djp__otlp_json_own_number(DJP__EMIT_FIELD_PARAMETERS, djp_text key, int64_t value)
{
    EMIT_JSON_UNUSED;
    (void)name;
    emit_json_own(out, key, "intValue");
    djp__buf_char(out, '"');
    djp__buf_i64(out, value);
    djp__buf_text(out, "\"}}");
    return out;
}

djp__buf *
djp__otlp_json_own_truth(DJP__EMIT_FIELD_PARAMETERS, djp_text key)
{
    EMIT_JSON_UNUSED;
    (void)name;
    emit_json_own(out, key, "boolValue");
    djp__buf_text(out, "true}}");
    return out;
}

djp__buf *
djp__otlp_json_truth(DJP__EMIT_FIELD_PARAMETERS, int value)
{
    EMIT_JSON_UNUSED;
    if (value) {
        djp__json_name(out, name);
        djp__buf_text(out, "true");
    }
    return out;
}

djp__buf *
djp__otlp_json_real(DJP__EMIT_FIELD_PARAMETERS, double value)
{
    EMIT_JSON_UNUSED;
    djp__json_name(out, name);
    djp__json_double(out, value);
    return out;
}

djp__buf *
djp__otlp_json_totals(DJP__EMIT_FIELD_PARAMETERS, const uint64_t *values, size_t count)
{
    djp__otlp_json_list_begin(out, number, name, label);
    for (size_t i = 0; i < count; i++) {
        djp__json_comma(out);
        djp__json_u64_text(out, values[i]);
    }
    return djp__otlp_json_list_end(out, number, name, label);
}

djp__buf *
djp__otlp_json_signed_number(DJP__EMIT_FIELD_PARAMETERS, int32_t value)
{
    EMIT_JSON_UNUSED;
    if (value != 0) {
        djp__json_name(out, name);
        djp__buf_i64(out, value);
    }
    return out;
}

djp__buf *
djp__otlp_json_reals(DJP__EMIT_FIELD_PARAMETERS, const double *values, size_t count)
{
    djp__otlp_json_list_begin(out, number, name, label);
    djp__json_doubles(out, values, count);
    return djp__otlp_json_list_end(out, number, name, label);
}

djp__buf *
djp__otlp_json_value(DJP__EMIT_FIELD_PARAMETERS, djp__walk *walk, const djp__item *item)
{
    EMIT_JSON_UNUSED;
    if (item != NULL) {
        djp__json_name(out, name);
        djp__json_value(out, walk, item, DJP__JSON_OTLP);
    }
    return out;
}
