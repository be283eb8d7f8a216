/* The growable byte buffer, and number and JSON forms for writers. After a failed growth it ignores
 * appends instead of returning errors, so that writers check once. Independent of the locale. */
#include "base/buf.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void
djp__buf_init(djp__buf *buf, size_t limit)
{
    memset(buf, 0, sizeof *buf);
    buf->limit = limit;
}

void
djp__buf_fini(djp__buf *buf)
{
    djp__free(buf->data);
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
    buf->failed = 0;
}

void
djp__buf_clear(djp__buf *buf)
{
    buf->size = 0;
    buf->failed = 0;
}

/* Grows to at least `needed` bytes, doubling so that appends are linear. */
static int
buf_grow(djp__buf *buf, size_t needed)
{
    size_t capacity = buf->capacity ? buf->capacity : 128;
    while (capacity < needed) {
        if (capacity > SIZE_MAX / 2) {
            return 0;
        }
        capacity *= 2;
    }
    char *data = djp__realloc(buf->data, capacity);
    if (data == NULL) {
        return 0;
    }
    buf->data = data;
    buf->capacity = capacity;
    return 1;
}

char *
djp__buf_reserve(djp__buf *buf, size_t size)
{
    if (buf->failed) {
        return NULL;
    }
    if (size > SIZE_MAX - buf->size || (buf->limit && size + buf->size > buf->limit)) {
        buf->failed = 1;
        return NULL;
    }
    size_t needed = buf->size + size;
    if ((needed > buf->capacity || !buf->data) && !buf_grow(buf, needed)) {
        buf->failed = 1;
        return NULL;
    }
    return buf->data + buf->size;
}

void
djp__buf_append(djp__buf *buf, const void *data, size_t size)
{
    char *end = djp__buf_reserve(buf, size);
    if (end != NULL && size > 0) {
        memcpy(end, data, size);
        buf->size += size;
    }
}

void
djp__buf_text(djp__buf *buf, const char *text)
{
    if (text != NULL) {
        djp__buf_append(buf, text, strlen(text));
    }
}

void
djp__buf_char(djp__buf *buf, char c)
{
    djp__buf_append(buf, &c, 1);
}

void
djp__buf_u64(djp__buf *buf, uint64_t value)
{
    char room[20], *end = room + sizeof room;
    char *at = djp__digits_before(end, value);
    djp__buf_append(buf, at, (size_t)(end - at));
}

void
djp__buf_i64(djp__buf *buf, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        djp__buf_char(buf, '-');
        magnitude = 0 - magnitude;
    }
    djp__buf_u64(buf, magnitude);
}

/* Replaces the locale's decimal separator by '.'. */
static size_t
buf_fix_point(char *text)
{
    char *out = text;
    int in_point = 0;
    for (const char *in = text; *in; in++) {
        if ((*in >= '0' && *in <= '9') || *in == '-' || *in == '+' || *in == 'e') {
            *out++ = *in;
            in_point = 0;
        } else if (!in_point) {
            *out++ = '.';
            in_point = 1;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

void
djp__buf_double(djp__buf *buf, double value)
{
    if (isnan(value)) {
        djp__buf_text(buf, "NaN");
        return;
    }
    if (isinf(value)) {
        djp__buf_text(buf, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (fabs(value) < 1e15 && value == (double)(int64_t)value && (value != 0 || !signbit(value))) {
        djp__buf_i64(buf, (int64_t)value);
        return;
    }
    char text[48];
    /* Every double of up to 15 digits parses back equal, except subnormal ones, which have
     * fewer. */
    int precision = fabs(value) < DBL_MIN ? 1 : 15;
    for (; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    djp__buf_append(buf, text, buf_fix_point(text));
}

static const char buf__hex_digits[] = "0123456789abcdef";

void
djp__buf_hex(djp__buf *buf, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    if (size > SIZE_MAX / 2) {
        buf->failed = 1;
        return;
    }
    char *end = djp__buf_reserve(buf, size * 2);
    if (end == NULL) {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        end[2 * i] = buf__hex_digits[bytes[i] >> 4];
        end[2 * i + 1] = buf__hex_digits[bytes[i] & 15];
    }
    buf->size += size * 2;
}

static void
buf_json_escape(djp__buf *buf, unsigned char c)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof short_forms; i += 2) {
        if ((unsigned char)short_forms[i] == c) {
            char pair[2] = {'\\', short_forms[i + 1]};
            djp__buf_append(buf, pair, 2);
            return;
        }
    }
    char form[6] = {'\\', 'u', '0', '0', buf__hex_digits[c >> 4], buf__hex_digits[c & 15]};
    djp__buf_append(buf, form, 6);
}

/* Expects valid UTF-8: escapes only quotes, backslashes and control characters. */
static void
buf_json_valid(djp__buf *buf, const char *text, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            djp__buf_append(buf, text + start, i - start);
            buf_json_escape(buf, c);
            start = i + 1;
        }
    }
    djp__buf_append(buf, text + start, size - start);
}

void
djp__buf_json(djp__buf *buf, const char *text, size_t size)
{
    djp__buf_char(buf, '"');
    if (djp__utf8_valid(text, size)) {
        buf_json_valid(buf, text, size);
    } else {
        /* Repaired in pieces that fit the stack; a piece does not end inside a character. */
        char piece[768];
        for (size_t at = 0; at < size;) {
            size_t take = size - at > 256 ? djp__utf8_cut(text + at, size - at, 256) : size - at;
            if (take == 0) {
                take = 256;
            }
            size_t made = djp__utf8_repair(piece, sizeof piece, text + at, take, NULL);
            buf_json_valid(buf, piece, made);
            at += take;
        }
    }
    djp__buf_char(buf, '"');
}

void
djp__buf_printf(djp__buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char local[256];
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(local, sizeof local, format, arguments);
    if (size < 0) {
        buf->failed = 1;
    } else if ((size_t)size < sizeof local) {
        djp__buf_append(buf, local, (size_t)size);
    } else {
        char *end = djp__buf_reserve(buf, (size_t)size + 1);
        if (end != NULL) {
            vsnprintf(end, (size_t)size + 1, format, again);
            buf->size += (size_t)size;
        }
    }
    va_end(again);
    va_end(arguments);
}

char *
djp__buf_take(djp__buf *buf, size_t *size)
{
    size_t limit = buf->limit;
    if (buf->limit) {
        buf->limit = SIZE_MAX; /* the closing NUL does not count */
    }
    char *end = djp__buf_reserve(buf, 1);
    buf->limit = limit;
    if (end == NULL) {
        djp__buf_fini(buf);
        if (size != NULL) {
            *size = 0;
        }
        return NULL;
    }
    *end = '\0';
    char *data = buf->data;
    if (size != NULL) {
        *size = buf->size;
    }
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
    return data;
}
