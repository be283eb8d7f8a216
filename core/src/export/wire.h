/* Protobuf written backwards: every function takes the lowest byte written so far and returns the
 * new one, so that each length is known when it is written. The caller reserves the whole message
 * and DJP__WIRE_SLACK more bytes; these functions check no bounds. */
#ifndef DJP_EXPORT_WIRE_H
#define DJP_EXPORT_WIRE_H

#include <string.h>

#include "export/record_walk.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the writer stores numbers in the wire's byte order as they are");

/* Copies of fixed size may write this many bytes below their place, and read as many before their
 * source: sources in a record lie after its larger header. */
enum { DJP__WIRE_SLACK = 64 };

static inline char *
djp__wire_byte(char *at, unsigned byte)
{
    *--at = (char)byte;
    return at;
}

/* Lengths and numbers from 128 on; smaller ones are written with their tag. */
static inline char *
djp__wire_varint_long(char *at, uint64_t value)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
    unsigned size = (bits + 6) / 7;
    at -= size;
    for (unsigned i = 0; i + 1 < size; i++) {
        at[i] = (char)(value | 0x80);
        value >>= 7;
    }
    at[size - 1] = (char)value;
    return at;
}

/* A field number below 16 and its wire type are one tag byte. */
static inline char *
djp__wire_field_varint(char *at, unsigned tag, uint64_t value)
{
    if (value < 0x80) {
        uint16_t both = (uint16_t)(tag | value << 8);
        at -= sizeof both;
        memcpy(at, &both, sizeof both);
        return at;
    }
    return djp__wire_byte(djp__wire_varint_long(at, value), tag);
}

static inline char *
djp__wire_fixed64(char *at, unsigned tag, uint64_t value)
{
    at -= 8;
    memcpy(at, &value, 8);
    return djp__wire_byte(at, tag);
}

/* Bytes from inside a record. */
static inline char *
djp__wire_copy(char *at, const char *from, size_t size)
{
    if (size <= 16) {
        memcpy(at - 16, from + size - 16, 16);
    } else if (size <= 32) {
        memcpy(at - 32, from + size - 32, 32);
    } else if (size <= 64) {
        memcpy(at - 64, from + size - 64, 64);
    } else {
        memcpy(at - size, from, size);
    }
    return at - size;
}

/* Bytes from anywhere. */
static inline char *
djp__wire_append(char *at, const void *from, size_t size)
{
    if (size != 0) {
        memcpy(at - size, from, size);
    }
    return at - size;
}

/* Closes a length-delimited field that ended at `end`. */
static inline char *
djp__wire_close(char *at, unsigned tag, const char *end)
{
    return djp__wire_field_varint(at, tag, (uint64_t)(end - at));
}

/* A string or bytes field from inside the record; nothing when empty. */
static inline char *
djp__wire_text(char *at, unsigned tag, djp_text text)
{
    if (text.size == 0) {
        return at;
    }
    return djp__wire_field_varint(djp__wire_copy(at, text.data, text.size), tag, text.size);
}

/* KeyValues of a list of attributes, each as a field with this tag, repeated keys resolved. */
char *djp__wire_attributes(char *at, djp__walk *walk, djp__walk_list list, unsigned tag);
/* KeyValues of a map's payload between two offsets; depth counts from 1. */
char *djp__wire_map(char *at, djp__walk *walk, uint32_t from, uint32_t to, unsigned tag, int depth);
/* The content of an AnyValue. */
char *djp__wire_value(char *at, djp__walk *walk, const djp__item *item);

#endif
