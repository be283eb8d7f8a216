/* A small scanner for JSON answers. It keeps no tree: it walks the text once, nests to a fixed depth and stores only the members it
 * was asked for. */
#include "export/response_json.h"

#include <string.h>

#include "base/str.h"

enum { SCAN_DEPTH_MAX = 32 };

typedef struct scan_state {
    const char *at;
    const char *end;
} scan_state;

static int scan_value(scan_state *scan, djp_partial *out, int depth, int inside);

static void
scan_blank(scan_state *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r')) {
        scan->at++;
    }
}

static int
scan_char(scan_state *scan, char c)
{
    scan_blank(scan);
    if (scan->at < scan->end && *scan->at == c) {
        scan->at++;
        return 1;
    }
    return 0;
}

static int
scan_hex4(scan_state *scan, unsigned *out)
{
    unsigned value = 0;
    if (scan->end - scan->at < 4) {
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        char c = *scan->at++;
        unsigned lower = (unsigned char)(c | 0x20);
        if (c >= '0' && c <= '9') {
            value = value << 4 | (unsigned)(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            value = value << 4 | (lower - 'a' + 10);
        } else {
            return 0;
        }
    }
    *out = value;
    return 1;
}

/* UTF-8 of a code point; 0 bytes are never written for a valid one. */
static size_t
scan_utf8(char out[4], unsigned point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* The part after "\u": one code point, a surrogate pair joined, a lone surrogate as U+FFFD. */
static size_t
scan_unicode(scan_state *scan, char out[4])
{
    unsigned point, low;
    if (!scan_hex4(scan, &point)) {
        return 0;
    }
    if (point >= 0xd800 && point < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u') {
        scan_state ahead = {scan->at + 2, scan->end};
        if (scan_hex4(&ahead, &low) && low >= 0xdc00 && low < 0xe000) {
            *scan = ahead;
            return scan_utf8(out, 0x10000 + ((point & 0x3ff) << 10 | (low & 0x3ff)));
        }
    }
    return scan_utf8(out, point >= 0xd800 && point < 0xe000 ? 0xfffd : point);
}

/* The character after a backslash. Returns its size in out, 0 when malformed. */
static size_t
scan_escape(scan_state *scan, char out[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (scan->at == scan->end) {
        return 0;
    }
    char c = *scan->at++;
    if (c == 'u') {
        return scan_unicode(scan, out);
    }
    const char *found = c != '\0' ? strchr(from, c) : NULL;
    if (found == NULL) {
        return 0;
    }
    out[0] = to[found - from];
    return 1;
}

/* A string, its text into out as far as it fits; *size is what was stored. */
static int
scan_string(scan_state *scan, char *out, size_t out_size, size_t *size)
{
    *size = 0;
    if (!scan_char(scan, '"')) {
        return 0;
    }
    while (scan->at < scan->end) {
        char piece[4] = {*scan->at++};
        size_t count = 1;
        if (piece[0] == '"') {
            return 1;
        }
        if ((unsigned char)piece[0] < 0x20) {
            return 0;
        }
        if (piece[0] == '\\' && (count = scan_escape(scan, piece)) == 0) {
            return 0;
        }
        if (count <= out_size - *size) {
            memcpy(out + *size, piece, count);
            *size += count;
        } else {
            out_size = *size; /* nothing after the cut */
        }
    }
    return 0;
}

static int
scan_digits(scan_state *scan)
{
    const char *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        scan->at++;
    }
    return scan->at > from;
}

static int
scan_number(scan_state *scan)
{
    scan->at += scan->at < scan->end && *scan->at == '-';
    const char *first = scan->at;
    if (!scan_digits(scan) || (*first == '0' && scan->at > first + 1)) {
        return 0;
    }
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!scan_digits(scan)) {
            return 0;
        }
    }
    if (scan->at < scan->end && (*scan->at | 0x20) == 'e') {
        scan->at++;
        scan->at += scan->at < scan->end && (*scan->at == '+' || *scan->at == '-');
        return scan_digits(scan);
    }
    return 1;
}

static int
scan_word(scan_state *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(scan->end - scan->at) >= size && memcmp(scan->at, words[i], size) == 0) {
            scan->at += size;
            return 1;
        }
    }
    return scan_number(scan);
}

/* A count: digits, or digits in quotes; other values are read and leave *out alone. */
static int
scan_count(scan_state *scan, int64_t *out, int depth)
{
    scan_blank(scan);
    const char *from = scan->at;
    if (!scan_value(scan, NULL, depth, 0)) {
        return 0;
    }
    djp_text text = {from, (size_t)(scan->at - from)};
    if (text.size >= 2 && text.data[0] == '"') {
        text.data++;
        text.size -= 2;
    }
    uint64_t value;
    if (djp__parse_u64(text, &value) && value <= INT64_MAX) {
        *out = (int64_t)value;
    }
    return 1;
}

static int
scan_message(scan_state *scan, djp_partial *out, int depth)
{
    /* Longer than the message, so that a character split by this cut is behind the next one. */
    char raw[sizeof out->message + 4];
    size_t size;
    scan_blank(scan);
    if (scan->at == scan->end || *scan->at != '"') {
        return scan_value(scan, NULL, depth, 0);
    }
    if (!scan_string(scan, raw, sizeof raw, &size)) {
        return 0;
    }
    out->message[djp__utf8_repair(out->message, sizeof out->message - 1, raw, size, NULL)] = '\0';
    return 1;
}

static int
scan_is(const char *key, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(key, name, size) == 0;
}

/* One member's value. inside: 1 at the top level, 2 in partialSuccess, 0 where nothing is wanted. */
static int
scan_member(scan_state *scan, const char *key, size_t size, djp_partial *out, int depth, int inside)
{
    if (inside == 1 && scan_is(key, size, "partialSuccess")) {
        return scan_value(scan, out, depth, 2);
    }
    if (inside == 2 && scan_is(key, size, "errorMessage")) {
        return scan_message(scan, out, depth);
    }
    if (inside == 2 && scan_is(key, size, "rejectedSpans")) {
        return scan_count(scan, &out->rejected, depth);
    }
    return scan_value(scan, NULL, depth, 0);
}

static int
scan_object(scan_state *scan, djp_partial *out, int depth, int inside)
{
    if (scan_char(scan, '}')) {
        return 1;
    }
    do {
        char key[32];
        size_t size;
        if (!scan_string(scan, key, sizeof key, &size) || !scan_char(scan, ':') ||
            !scan_member(scan, key, size, out, depth, inside)) {
            return 0;
        }
    } while (scan_char(scan, ','));
    return scan_char(scan, '}');
}

static int
scan_array(scan_state *scan, int depth)
{
    if (scan_char(scan, ']')) {
        return 1;
    }
    do {
        if (!scan_value(scan, NULL, depth, 0)) {
            return 0;
        }
    } while (scan_char(scan, ','));
    return scan_char(scan, ']');
}

static int
scan_value(scan_state *scan, djp_partial *out, int depth, int inside)
{
    size_t size;
    scan_blank(scan);
    if (depth > SCAN_DEPTH_MAX || scan->at == scan->end) {
        return 0;
    }
    switch (*scan->at) {
    case '{':
        scan->at++;
        return scan_object(scan, out, depth + 1, inside);
    case '[':
        scan->at++;
        return scan_array(scan, depth + 1);
    case '"':
        return scan_string(scan, NULL, 0, &size);
    default:
        return scan_word(scan);
    }
}

int
djp__response_json(djp_partial *out, const char *data, size_t size)
{
    scan_state scan = {data, data + size};
    scan_blank(&scan);
    if (scan.at == scan.end || *scan.at != '{' || !scan_value(&scan, out, 0, 1)) {
        return 0;
    }
    scan_blank(&scan);
    return scan.at == scan.end;
}
