/* Attribute values as callers hand them in. All structures borrow what they point
 * to: the core copies the bytes before a recording call returns. The kinds are those
 * of OTLP's AnyValue (opentelemetry/proto/common/v1/common.proto). */
#ifndef DJP_VALUE_H
#define DJP_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum djp_value_type {
    DJP_EMPTY = 0,
    DJP_BOOL = 1,
    DJP_INT = 2,
    DJP_DOUBLE = 3,
    /* UTF-8 is expected; invalid sequences are replaced with U+FFFD while copying */
    DJP_STRING = 4,
    DJP_BYTES = 5,
    DJP_ARRAY = 6,
    DJP_MAP = 7
} djp_value_type;

typedef struct djp_text {
    const char *data; /* borrows; need not end in NUL */
    size_t size; /* bytes */
} djp_text;

/* A literal, and a text that ends in NUL (NULL: an empty one). */
#ifdef __cplusplus
#define DJP_TEXT(literal)             \
    djp_text                          \
    {                                 \
        (literal), sizeof literal - 1 \
    }
#else
#define DJP_TEXT(literal) ((djp_text){(literal), sizeof literal - 1})
#endif
static inline djp_text
djp_text_of(const char *text)
{
    djp_text out;
    out.data = text;
    out.size = text != NULL ? strlen(text) : 0;
    return out;
}

struct djp_attribute;

typedef struct djp_value {
    djp_value_type type;
    union {
        int boolean;
        int64_t integer;
        double real;
        djp_text text; /* DJP_STRING and DJP_BYTES */
        struct {
            const struct djp_value *items; /* borrows */
            size_t count;
        } array;
        struct {
            const struct djp_attribute *items; /* borrows */
            size_t count;
        } map;
    } as;
} djp_value;

typedef struct djp_attribute {
    djp_text key;
    djp_value value;
} djp_attribute;

/* Arrays and maps deeper than this become empty values (spec: attribute value depth
 * limit). A map costs three levels of protobuf messages, and decoders refuse a whole
 * request with more than 100. */
#define DJP_VALUE_DEPTH_MAX 30

#ifdef __cplusplus
}
#endif
#endif
