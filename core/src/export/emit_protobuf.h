/* The verbs of export/emit.h as protobuf, written backwards (export/wire.h). Zero and empty values
 * are omitted, as in proto3. All functions are inline: the name and the label of a field are
 * removed, and its number becomes a constant. */
#ifndef DJP_EXPORT_EMIT_PROTOBUF_H
#define DJP_EXPORT_EMIT_PROTOBUF_H

#include "export/wire.h"

enum { DJP__WIRE_VARINT = 0, DJP__WIRE_FIXED64 = 1, DJP__WIRE_BYTES = 2, DJP__WIRE_FIXED32 = 5 };
#define DJP__WIRE_TAG(number, type) ((unsigned)(number) << 3 | (unsigned)(type))
#define DJP__EMIT_NO_NAMES ((void)name, (void)label)

static inline char *
djp__protobuf_id(char *at, unsigned number, const char *name, const char *label, const void *id,
                 size_t size)
{
    DJP__EMIT_NO_NAMES;
    return djp__wire_field_varint(djp__wire_append(at, id, size),
                                  DJP__WIRE_TAG(number, DJP__WIRE_BYTES), size);
}

/* An identifier of 8 bytes, all of them zero where there is none. */
static inline char *
djp__protobuf_id_or_none(char *at, unsigned number, const char *name, const char *label,
                         const uint8_t id[8])
{
    uint64_t bits;
    memcpy(&bits, id, sizeof bits);
    return bits != 0 ? djp__protobuf_id(at, number, name, label, &bits, sizeof bits) : at;
}

static inline char *
djp__protobuf_text(char *at, unsigned number, const char *name, const char *label, djp_text text)
{
    DJP__EMIT_NO_NAMES;
    return djp__wire_text(at, DJP__WIRE_TAG(number, DJP__WIRE_BYTES), text);
}

#define djp__protobuf_title djp__protobuf_text
#define djp__protobuf_made_title djp__protobuf_made_text

static inline char *
djp__protobuf_made_text(char *at, unsigned number, const char *name, const char *label,
                        djp_text text)
{
    return text.size != 0 ? djp__protobuf_id(at, number, name, label, text.data, text.size) : at;
}

static inline char *
djp__protobuf_count(char *at, unsigned number, const char *name, const char *label, uint32_t count)
{
    DJP__EMIT_NO_NAMES;
    return count != 0 ? djp__wire_field_varint(at, DJP__WIRE_TAG(number, DJP__WIRE_VARINT), count)
                      : at;
}

static inline char *
djp__protobuf_word(char *at, unsigned number, const char *name, const char *label, uint32_t value,
                   const char *const *words, size_t word_count)
{
    (void)words;
    (void)word_count;
    return djp__protobuf_count(at, number, name, label, value);
}

static inline char *
djp__protobuf_time(char *at, unsigned number, const char *name, const char *label, uint64_t unix_ns)
{
    DJP__EMIT_NO_NAMES;
    return unix_ns != 0 ? djp__wire_fixed64(at, DJP__WIRE_TAG(number, DJP__WIRE_FIXED64), unix_ns)
                        : at;
}

/* A fixed 32-bit number; fields from 16 on have two bytes of tag. */
static inline char *
djp__protobuf_flags(char *at, unsigned number, const char *name, const char *label, uint32_t flags)
{
    unsigned tag = DJP__WIRE_TAG(number, DJP__WIRE_FIXED32);
    DJP__EMIT_NO_NAMES;
    if (flags == 0) {
        return at;
    }
    at = djp__wire_append(at, &flags, sizeof flags);
    if (tag < 0x80) {
        return djp__wire_byte(at, tag);
    }
    return djp__wire_byte(djp__wire_byte(at, tag >> 7), (tag & 0x7f) | 0x80);
}

static inline char *
djp__protobuf_open(char *at, const char *name, const char *label)
{
    DJP__EMIT_NO_NAMES;
    return at;
}

/* end: the position at which the message was opened. */
static inline char *
djp__protobuf_close(char *at, unsigned number, const char *end)
{
    return djp__wire_close(at, DJP__WIRE_TAG(number, DJP__WIRE_BYTES), end);
}

/* Brackets, which protobuf does not have. */
static inline char *
djp__protobuf_list_begin(char *at, unsigned number, const char *name, const char *label)
{
    (void)number;
    DJP__EMIT_NO_NAMES;
    return at;
}

#define djp__protobuf_list_end djp__protobuf_list_begin
#define djp__protobuf_attributes_begin djp__protobuf_list_begin
#define djp__protobuf_attributes_end djp__protobuf_list_begin

static inline char *
djp__protobuf_attributes(char *at, unsigned number, const char *name, const char *label,
                         djp__walk *walk, djp__walk_list list)
{
    DJP__EMIT_NO_NAMES;
    return djp__wire_attributes(at, walk, list, DJP__WIRE_TAG(number, DJP__WIRE_BYTES));
}

/* Attributes whose keys are texts in the payload: those of resources and scopes. */
static inline char *
djp__protobuf_map(char *at, unsigned number, const char *name, const char *label, djp__walk *walk,
                  uint32_t from, uint32_t to)
{
    DJP__EMIT_NO_NAMES;
    return djp__wire_map(at, walk, from, to, DJP__WIRE_TAG(number, DJP__WIRE_BYTES), 1);
}

/* An attribute of the SDK with a text value; nothing if it is empty. */
static inline char *
djp__protobuf_own_attribute(char *at, unsigned number, const char *name, const char *label,
                            djp_text key, djp_text text)
{
    DJP__EMIT_NO_NAMES;
    if (text.size == 0) {
        return at;
    }
    const char *end = at;
    at = djp__protobuf_id(at, 1, NULL, NULL, text.data, text.size); /* AnyValue.string_value */
    at = djp__protobuf_close(at, 2, end); /* KeyValue.value */
    at = djp__protobuf_id(at, 1, NULL, NULL, key.data, key.size); /* KeyValue.key */
    return djp__protobuf_close(at, number, end);
}

/* The same with a whole number or true. */
static inline char *
djp__protobuf_own_varint(char *at, unsigned number, djp_text key, unsigned tag, uint64_t value)
{
    const char *end = at;
    at = djp__wire_field_varint(at, tag, value);
    at = djp__protobuf_close(at, 2, end); /* KeyValue.value */
    at = djp__protobuf_id(at, 1, NULL, NULL, key.data, key.size); /* KeyValue.key */
    return djp__protobuf_close(at, number, end);
}

static inline char *
djp__protobuf_own_number(char *at, unsigned number, const char *name, const char *label,
                         djp_text key, int64_t value)
{
    DJP__EMIT_NO_NAMES; /* AnyValue.int_value */
    return djp__protobuf_own_varint(at, number, key, DJP__WIRE_TAG(3, DJP__WIRE_VARINT),
                                    (uint64_t)value);
}

static inline char *
djp__protobuf_own_truth(char *at, unsigned number, const char *name, const char *label,
                        djp_text key)
{
    DJP__EMIT_NO_NAMES; /* AnyValue.bool_value */
    return djp__protobuf_own_varint(at, number, key, DJP__WIRE_TAG(2, DJP__WIRE_VARINT), 1);
}

#define djp__protobuf_truth djp__protobuf_count

/* A double of a oneof or an optional one, which is written even if it is zero. */
static inline char *
djp__protobuf_real(char *at, unsigned number, const char *name, const char *label, double value)
{
    uint64_t bits;
    DJP__EMIT_NO_NAMES;
    memcpy(&bits, &value, sizeof bits);
    return djp__wire_fixed64(at, DJP__WIRE_TAG(number, DJP__WIRE_FIXED64), bits);
}

#define djp__protobuf_total djp__protobuf_time

/* Packed numbers of eight bytes. */
static inline char *
djp__protobuf_totals(char *at, unsigned number, const char *name, const char *label,
                     const uint64_t *values, size_t count)
{
    return count != 0 ? djp__protobuf_id(at, number, name, label, values, count * sizeof *values)
                      : at;
}

static inline char *
djp__protobuf_reals(char *at, unsigned number, const char *name, const char *label,
                    const double *values, size_t count)
{
    return count != 0 ? djp__protobuf_id(at, number, name, label, values, count * sizeof *values)
                      : at;
}

/* A sint32. */
static inline char *
djp__protobuf_signed_number(char *at, unsigned number, const char *name, const char *label,
                            int32_t value)
{
    uint32_t zigzag = (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0);
    return djp__protobuf_count(at, number, name, label, zigzag);
}

/* Packed numbers of variable size. */
static inline char *
djp__protobuf_varints(char *at, unsigned number, const char *name, const char *label,
                      const uint64_t *values, size_t count)
{
    const char *end = at;
    DJP__EMIT_NO_NAMES;
    for (size_t i = count; i > 0; i--) {
        at = djp__wire_varint_long(at, values[i - 1]);
    }
    return count != 0 ? djp__protobuf_close(at, number, end) : at;
}

/* An AnyValue; NULL: none. */
static inline char *
djp__protobuf_value(char *at, unsigned number, const char *name, const char *label, djp__walk *walk,
                    const djp__item *item)
{
    const char *end = at;
    DJP__EMIT_NO_NAMES;
    return item != NULL ? djp__protobuf_close(djp__wire_value(at, walk, item), number, end) : at;
}

#endif
