/* Attribute values. All structures borrow what they point to; a recording call copies
 * it. The types are those of OTLP's AnyValue
 * (opentelemetry/proto/common/v1/common.proto). */
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
    /* UTF-8; invalid sequences are copied as U+FFFD */
    DJP_STRING = 4,
    DJP_BYTES = 5,
    DJP_ARRAY = 6,
    DJP_MAP = 7
} djp_value_type;

typedef struct djp_text {
    const char *data; /* borrows; need not end in NUL */
    size_t size; /* bytes */
} djp_text;

/* A djp_text of a literal, and of a NUL-terminated string (NULL: empty). */
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

/* Arrays and maps nested deeper than this become empty values (specification: attribute
 * value depth limit). A map takes three levels of protobuf messages, and decoders
 * reject requests with more than 100. */
#define DJP_VALUE_DEPTH_MAX 30

#ifdef __cplusplus
}
#endif
#endif
