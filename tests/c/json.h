/* A tiny JSON reader for test vectors: whole documents, no streaming, nothing shared with the code
 * under test. */
#ifndef TESTS_C_JSON_H
#define TESTS_C_JSON_H

#include <stddef.h>

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

typedef struct json {
    json_kind kind;
    int boolean;
    double number;
    char *text; /* UTF-8 with a NUL behind; the literal text of a number, too */
    size_t size; /* bytes of text */
    struct json *items; /* array elements or object values */
    char **keys; /* of an object, NUL-terminated */
    size_t count;
} json;

/* Returns NULL on malformed text. Copies. */
json *json_parse(const char *text, size_t size);
/* Reads a file of the vectors folder (DJP_VECTORS, or tests/vectors below the working directory);
 * ends the program with a message when it is missing or malformed, because a test without its
 * vectors must not pass. */
json *json_load(const char *file);
void json_free(json *value);

/* All accept NULL. */
const json *json_get(const json *object, const char *key); /* NULL when absent */
const json *json_at(const json *array, size_t i); /* NULL when out of range */
size_t json_count(const json *array);
/* otherwise, unless it is a string */
const char *json_string(const json *value, const char *otherwise);
double json_number(const json *value, double otherwise);
int json_is_null(const json *value); /* absent counts as null */

#endif
