/* One walk over JSON text. Recursion is bounded by the depth, everything else by the size of the
 * text. */
#include "base/json_scan.h"

#include <string.h>

#include "base/str.h"

enum { SCAN_DEPTH_MAX = 32 };

static int
scan_fail(djp__json_scan *scan)
{
    scan->failed = 1;
    scan->at = scan->end; /* so that loops over the rest end */
    return 0;
}

static void
scan_blank(djp__json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r')) {
        scan->at++;
    }
}

static int
scan_hex4(djp__json_scan *scan, unsigned *out)
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

/* The UTF-8 of a code point; at least 1 byte for a valid one. */
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
scan_unicode(djp__json_scan *scan, char out[4])
{
    unsigned point, low;
    if (!scan_hex4(scan, &point)) {
        return 0;
    }
    if (point >= 0xd800 && point < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
        scan->at[1] == 'u') {
        djp__json_scan ahead = *scan;
        ahead.at += 2;
        if (scan_hex4(&ahead, &low) && low >= 0xdc00 && low < 0xe000) {
            scan->at = ahead.at;
            return scan_utf8(out, 0x10000 + ((point & 0x3ff) << 10 | (low & 0x3ff)));
        }
    }
    return scan_utf8(out, point >= 0xd800 && point < 0xe000 ? 0xfffd : point);
}

/* The character after a backslash. Returns its size in out, 0 when malformed. */
static size_t
scan_escape(djp__json_scan *scan, char out[4])
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

static int
scan_digits(djp__json_scan *scan)
{
    const char *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        scan->at++;
    }
    return scan->at > from;
}

static int
scan_char(djp__json_scan *scan, char c)
{
    scan_blank(scan);
    if (scan->at < scan->end && *scan->at == c) {
        scan->at++;
        return 1;
    }
    return 0;
}

static int
scan_is_number(djp__json_scan *scan)
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
scan_word(djp__json_scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(scan->end - scan->at) >= size && memcmp(scan->at, words[i], size) == 0) {
            scan->at += size;
            return 1;
        }
    }
    return scan_is_number(scan) || scan_fail(scan);
}

void
djp__json_scan_init(djp__json_scan *scan, const char *data, size_t size)
{
    *scan = (djp__json_scan){data, data + size, 0, 0, 0};
}

char
djp__json_scan_peek(djp__json_scan *scan)
{
    scan_blank(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

int
djp__json_scan_enter(djp__json_scan *scan, char open)
{
    if (scan->depth > SCAN_DEPTH_MAX || !scan_char(scan, open)) {
        return scan_fail(scan);
    }
    scan->depth++;
    scan->first = 1;
    return 1;
}

int
djp__json_scan_next(djp__json_scan *scan, char close)
{
    int first = scan->first;
    scan->first = 0;
    if (scan_char(scan, close)) {
        scan->depth--;
        return 0;
    }
    if (!first && !scan_char(scan, ',')) {
        return scan_fail(scan);
    }
    return djp__json_scan_peek(scan) != '\0' || scan_fail(scan);
}

int
djp__json_scan_string(djp__json_scan *scan, char *out, size_t out_size, size_t *size)
{
    *size = 0;
    if (!scan_char(scan, '"')) {
        return scan_fail(scan);
    }
    while (scan->at < scan->end) {
        char piece[4] = {*scan->at++};
        size_t count = 1;
        if (piece[0] == '"') {
            return 1;
        }
        if ((unsigned char)piece[0] < 0x20 ||
            (piece[0] == '\\' && (count = scan_escape(scan, piece)) == 0)) {
            return scan_fail(scan);
        }
        if (count <= out_size - *size) {
            memcpy(out + *size, piece, count);
            *size += count;
        } else {
            out_size = *size; /* nothing after the cut */
        }
    }
    return scan_fail(scan);
}

int
djp__json_scan_name(djp__json_scan *scan, char *out, size_t out_size, size_t *size)
{
    return djp__json_scan_string(scan, out, out_size, size) &&
           (scan_char(scan, ':') || scan_fail(scan));
}

int
djp__json_scan_number(djp__json_scan *scan, double *out)
{
    scan_blank(scan);
    const char *from = scan->at;
    if (!scan_is_number(scan) ||
        !djp__parse_double((djp_text){from, (size_t)(scan->at - from)}, out)) {
        return scan_fail(scan);
    }
    return 1;
}

static void
scan_skip_container(djp__json_scan *scan, char open)
{
    char close = open == '{' ? '}' : ']';
    size_t size;
    if (!djp__json_scan_enter(scan, open)) {
        return;
    }
    while (djp__json_scan_next(scan, close)) {
        if (open == '{' && !djp__json_scan_name(scan, NULL, 0, &size)) {
            return;
        }
        djp__json_scan_skip(scan);
    }
}

int
djp__json_scan_skip(djp__json_scan *scan)
{
    size_t size;
    char c = djp__json_scan_peek(scan);
    if (c == '{' || c == '[') {
        scan_skip_container(scan, c);
    } else if (c == '"') {
        djp__json_scan_string(scan, NULL, 0, &size);
    } else {
        scan_word(scan);
    }
    return !scan->failed;
}

int
djp__json_scan_end(djp__json_scan *scan)
{
    scan_blank(scan);
    return scan->at == scan->end && !scan->failed && scan->depth == 0;
}
