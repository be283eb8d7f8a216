/* Validates, repairs and cuts UTF-8. Accepts any bytes; the output is valid and does not end inside
 * a character. */
#include <string.h>

#include "base/str.h"

static int
utf8_is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Returns the length of the character that begins with c, or 0 for an invalid first byte; *low and
 * *high are the limits of its second byte, which exclude overlong forms, surrogates and code points
 * above U+10FFFF. */
static size_t
utf8_form(unsigned char c, unsigned char *low, unsigned char *high)
{
    if (c >= 0xc2 && c <= 0xdf) {
        return 2;
    }
    if ((c & 0xf0) == 0xe0) {
        *low = c == 0xe0 ? 0xa0 : 0x80;
        *high = c == 0xed ? 0x9f : 0xbf;
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        *low = c == 0xf0 ? 0x90 : 0x80;
        *high = c == 0xf4 ? 0x8f : 0xbf;
        return 4;
    }
    return 0;
}

/* Returns the length of the valid character at text, or 0 and in *bad the number of bytes to
 * replace by one U+FFFD (the longest prefix of a valid form, at least one). */
static size_t
utf8_step(const unsigned char *text, size_t size, size_t *bad)
{
    unsigned char low = 0x80, high = 0xbf;
    *bad = 1;
    if (text[0] < 0x80) {
        return 1;
    }
    size_t length = utf8_form(text[0], &low, &high);
    if (length == 0 || size < 2 || text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (i >= size || !utf8_is_tail(text[i])) {
            *bad = i;
            return 0;
        }
    }
    return length;
}

/* Returns the number of leading ASCII bytes, eight at a time. */
static size_t
utf8_ascii_run(const unsigned char *text, size_t size)
{
    size_t at = 0;
    while (size - at >= 8) {
        uint64_t word;
        memcpy(&word, text + at, 8);
        if (word & 0x8080808080808080ull) {
            break;
        }
        at += 8;
    }
    while (at < size && text[at] < 0x80) {
        at++;
    }
    return at;
}

int
djp__utf8_valid(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < size) {
        at += utf8_ascii_run(bytes + at, size - at);
        while (at < size && bytes[at] >= 0x80) {
            size_t bad;
            size_t length = utf8_step(bytes + at, size - at, &bad);
            if (length == 0) {
                return 0;
            }
            at += length;
        }
    }
    return 1;
}

size_t
djp__utf8_repair(char *out, size_t out_size, const char *text, size_t size, int *cut)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0, made = 0;
    int short_of_room = 0;
    while (at < size) {
        size_t bad;
        size_t length = utf8_step(bytes + at, size - at, &bad);
        const char *from = length ? text + at : "\xef\xbf\xbd";
        size_t bytes_out = length ? length : 3;
        if (bytes_out > out_size - made) {
            short_of_room = 1;
            break;
        }
        memcpy(out + made, from, bytes_out);
        made += bytes_out;
        at += length ? length : bad;
    }
    if (cut != NULL) {
        *cut = short_of_room;
    }
    return made;
}

size_t
djp__utf8_prefix(const char *text, size_t size, size_t max_chars)
{
    if (size <= max_chars) {
        return size;
    }
    size_t chars = 0;
    for (size_t at = 0; at < size; at++) {
        if (!utf8_is_tail((unsigned char)text[at]) && chars++ == max_chars) {
            return at;
        }
    }
    return size;
}

size_t
djp__utf8_cut(const char *text, size_t size, size_t max_bytes)
{
    if (size <= max_bytes) {
        return size;
    }
    size_t at = max_bytes;
    /* A character has at most three continuation bytes: more are invalid and may be cut
     * anywhere. */
    while (at > 0 && max_bytes - at < 4 && utf8_is_tail((unsigned char)text[at])) {
        at--;
    }
    return utf8_is_tail((unsigned char)text[at]) ? max_bytes : at;
}
