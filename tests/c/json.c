/* The reader behind json.h: recursive descent over a NUL-terminated copy. It aborts on lack of
 * memory, being test code. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DEPTH_MAX = 64 };

static int json_read_value(json *out, const char **at, int depth);

static void *
json_grow(void *block, size_t size)
{
    void *grown = realloc(block, size);
    if (grown == NULL) {
        abort();
    }
    return grown;
}

static void
json_skip_blanks(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

static int
json_read_hex4(const char *at, unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef";
        const char *found = at[i] == '\0'
                                ? NULL
                                : strchr(digits, at[i] >= 'A' && at[i] <= 'F' ? at[i] + 32 : at[i]);
        if (found == NULL) {
            return 0;
        }
        value = value * 16 + (unsigned)(found - digits);
    }
    *out = value;
    return 1;
}

static size_t
json_put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* *at stands behind the 'u'. A lone surrogate becomes its three bytes, so that vectors can hold bad
 * UTF-8. */
static int
json_read_unicode(char *out, size_t *size, const char **at)
{
    unsigned code;
    unsigned low;
    if (!json_read_hex4(*at, &code)) {
        return 0;
    }
    *at += 4;
    if (code >= 0xd800 && code < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u' &&
        json_read_hex4(*at + 2, &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *at += 6;
    }
    *size += json_put_utf8(out + *size, code);
    return 1;
}

static int
json_read_escape(char *out, size_t *size, const char **at)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    char c = *(*at)++;
    if (c == 'u') {
        return json_read_unicode(out, size, at);
    }
    const char *found = c == '\0' ? NULL : strchr(names, c);
    if (found == NULL) {
        return 0;
    }
    out[(*size)++] = bytes[found - names];
    return 1;
}

static char *
json_read_text(const char **at, size_t *size)
{
    if (**at != '"') {
        return NULL;
    }
    (*at)++;
    char *out = json_grow(NULL, strlen(*at) + 1);
    *size = 0;
    while (**at != '"') {
        unsigned char c = (unsigned char)*(*at)++;
        int good = c >= 0x20;
        if (c == '\\') {
            good = json_read_escape(out, size, at);
        } else {
            out[(*size)++] = (char)c;
        }
        if (!good) {
            free(out);
            return NULL;
        }
    }
    (*at)++;
    out[*size] = '\0';
    return json_grow(out, *size + 1);
}

static json *
json_add_item(json *out)
{
    out->items = json_grow(out->items, (out->count + 1) * sizeof(json));
    memset(&out->items[out->count], 0, sizeof(json));
    return &out->items[out->count++];
}

static int
json_read_key(json *out, const char **at)
{
    size_t size;
    json_skip_blanks(at);
    char *key = json_read_text(at, &size);
    if (key == NULL) {
        return 0;
    }
    out->keys = json_grow(out->keys, (out->count + 1) * sizeof(char *));
    out->keys[out->count] = key;
    json_skip_blanks(at);
    if (**at != ':') {
        free(key);
        return 0;
    }
    (*at)++;
    return 1;
}

static int
json_read_items(json *out, const char **at, char close, int depth)
{
    (*at)++;
    json_skip_blanks(at);
    if (**at == close) {
        (*at)++;
        return 1;
    }
    for (;;) {
        if (out->kind == JSON_OBJECT && !json_read_key(out, at)) {
            return 0;
        }
        if (!json_read_value(json_add_item(out), at, depth + 1)) {
            return 0;
        }
        json_skip_blanks(at);
        if (**at == close) {
            (*at)++;
            return 1;
        }
        if (**at != ',') {
            return 0;
        }
        (*at)++;
    }
}

static int
json_read_word(json *out, const char **at)
{
    static const struct {
        const char *word;
        json_kind kind;
        int boolean;
    } words[] = {{"null", JSON_NULL, 0}, {"true", JSON_BOOL, 1}, {"false", JSON_BOOL, 0}};
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(words[i].word);
        if (strncmp(*at, words[i].word, size) == 0) {
            out->kind = words[i].kind;
            out->boolean = words[i].boolean;
            *at += size;
            return 1;
        }
    }
    return 0;
}

static int
json_read_number(json *out, const char **at)
{
    char *end;
    out->number = strtod(*at, &end);
    if (end == *at) {
        return 0;
    }
    out->kind = JSON_NUMBER;
    out->size = (size_t)(end - *at);
    out->text = json_grow(NULL, out->size + 1);
    memcpy(out->text, *at, out->size);
    out->text[out->size] = '\0';
    *at = end;
    return 1;
}

static int
json_read_value(json *out, const char **at, int depth)
{
    json_skip_blanks(at);
    if (depth > JSON_DEPTH_MAX) {
        return 0;
    }
    switch (**at) {
    case '{':
        out->kind = JSON_OBJECT;
        return json_read_items(out, at, '}', depth);
    case '[':
        out->kind = JSON_ARRAY;
        return json_read_items(out, at, ']', depth);
    case '"':
        out->kind = JSON_STRING;
        out->text = json_read_text(at, &out->size);
        return out->text != NULL;
    case 't':
    case 'f':
    case 'n':
        return json_read_word(out, at);
    default:
        return json_read_number(out, at);
    }
}

static void
json_clear(json *value)
{
    for (size_t i = 0; i < value->count; i++) {
        json_clear(&value->items[i]);
        if (value->keys != NULL) {
            free(value->keys[i]);
        }
    }
    free(value->items);
    free(value->keys);
    free(value->text);
}

json *
json_parse(const char *text, size_t size)
{
    char *copy = json_grow(NULL, size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    json *value = json_grow(NULL, sizeof *value);
    memset(value, 0, sizeof *value);
    const char *at = copy;
    int good = json_read_value(value, &at, 0);
    json_skip_blanks(&at);
    if (!good || at != copy + size) {
        json_free(value);
        value = NULL;
    }
    free(copy);
    return value;
}

json *
json_load(const char *file)
{
    const char *folder = getenv("DJP_VECTORS");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder == NULL ? "tests/vectors" : folder, file);
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(2);
    }
    char *text = NULL;
    size_t size = 0;
    size_t got = 0;
    do {
        size += got;
        text = json_grow(text, size + 65536);
        got = fread(text + size, 1, 65536, stream);
    } while (got != 0);
    fclose(stream);
    json *value = json_parse(text, size);
    free(text);
    if (value == NULL) {
        fprintf(stderr, "%s is not JSON\n", path);
        exit(2);
    }
    return value;
}

void
json_free(json *value)
{
    if (value != NULL) {
        json_clear(value);
        free(value);
    }
}

const json *
json_get(const json *object, const char *key)
{
    if (object != NULL && object->kind == JSON_OBJECT) {
        for (size_t i = 0; i < object->count; i++) {
            if (strcmp(object->keys[i], key) == 0) {
                return &object->items[i];
            }
        }
    }
    return NULL;
}

const json *
json_at(const json *array, size_t i)
{
    return array != NULL && array->kind == JSON_ARRAY && i < array->count ? &array->items[i] : NULL;
}

size_t
json_count(const json *array)
{
    return array == NULL ? 0 : array->count;
}

const char *
json_string(const json *value, const char *otherwise)
{
    return value != NULL && value->kind == JSON_STRING ? value->text : otherwise;
}

double
json_number(const json *value, double otherwise)
{
    return value != NULL && value->kind == JSON_NUMBER ? value->number : otherwise;
}

int
json_is_null(const json *value)
{
    return value == NULL || value->kind == JSON_NULL;
}
