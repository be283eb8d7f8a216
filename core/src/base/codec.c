/* Hex, percent and base64 coding, and the hash of the tables. Decoders accept any bytes and reject
 * malformed input. */
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/buf.h"
#include "base/rand.h"
#include "base/str.h"

static int
codec_hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
typedef uint8_t codec__digits __attribute__((vector_size(16)));
typedef uint16_t codec__pairs __attribute__((vector_size(16)));
typedef uint8_t codec__eight __attribute__((vector_size(8)));

/* Sixteen digits at once, stored as one word so that the next reader need not wait; 0 for an
 * invalid character. */
static inline int
codec_hex_eight(uint8_t *out, const char *text)
{
    codec__digits digits;
    memcpy(&digits, text, sizeof digits);
    codec__digits number = digits - (uint8_t)'0', letter = digits - (uint8_t)'a';
    codec__digits is_number = (codec__digits)(number <= 9),
                  is_letter = (codec__digits)(letter <= 5);
    codec__pairs pairs = (codec__pairs)((number & is_number) | ((letter + 10) & is_letter));
    pairs = (pairs << 4 | pairs >> 8) & 0xff; /* the first digit is the lower byte of a pair */
    codec__eight bytes = __builtin_convertvector(pairs, codec__eight);
    memcpy(out, &bytes, sizeof bytes);
    uint64_t good[2];
    is_number |= is_letter;
    memcpy(good, &is_number, sizeof good);
    return (good[0] & good[1]) == UINT64_MAX;
}
#else
#define codec_hex_eight(out, text) codec_hex_each(out, 8, text)
#endif

static int
codec_hex_each(uint8_t *out, size_t out_size, const char *text)
{
    for (size_t i = 0; i < out_size; i++) {
        int high = codec_hex_value(text[2 * i]);
        int low = high < 0 ? -1 : codec_hex_value(text[2 * i + 1]);
        if (low < 0) {
            return 0;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return 1;
}

int
djp__hex_decode(uint8_t *out, size_t out_size, const char *text)
{
    for (; out_size >= 8; out_size -= 8, out += 8, text += 16) {
        if (!codec_hex_eight(out, text)) {
            return 0;
        }
    }
    return codec_hex_each(out, out_size, text);
}

/* Percent codes may use capitals. */
static int
codec_hex_any(char c)
{
    return codec_hex_value(c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c);
}

int
djp__percent_decode(djp__buf *out, djp_text text)
{
    size_t start = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') {
            continue;
        }
        int high = text.size - i > 2 ? codec_hex_any(text.data[i + 1]) : -1;
        int low = high < 0 ? -1 : codec_hex_any(text.data[i + 2]);
        if (low < 0) {
            return 0;
        }
        djp__buf_append(out, text.data + start, i - start);
        djp__buf_char(out, (char)(high * 16 + low));
        i += 2;
        start = i + 1;
    }
    djp__buf_append(out, text.data ? text.data + start : NULL, text.size - start);
    return 1;
}

static int
codec_is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void
djp__percent_encode(djp__buf *out, djp_text text, const char *also_safe)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (codec_is_unreserved(c) || (c != '\0' && also_safe != NULL && strchr(also_safe, c))) {
            djp__buf_char(out, c);
        } else {
            char form[3] = {'%', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 15]};
            djp__buf_append(out, form, 3);
        }
    }
}

static const char codec__base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
djp__base64(djp__buf *out, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)bytes[i] << 16;
        word |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        word |= left > 2 ? bytes[i + 2] : 0;
        char form[4] = {codec__base64_digits[word >> 18], codec__base64_digits[(word >> 12) & 63],
                        left > 1 ? codec__base64_digits[(word >> 6) & 63] : '=',
                        left > 2 ? codec__base64_digits[word & 63] : '='};
        djp__buf_append(out, form, 4);
    }
}

static int
codec_base64_value(char c)
{
    const char *at = c ? strchr(codec__base64_digits, c) : NULL;
    return at != NULL ? (int)(at - codec__base64_digits) : -1;
}

int
djp__base64_decode(djp__buf *out, djp_text text)
{
    size_t size = text.size;
    size_t padding = 0;
    while (size > 0 && text.data[size - 1] == '=' && padding < 2) {
        size--;
        padding++;
    }
    if (size % 4 == 1 || (padding > 0 && (size + padding) % 4 != 0)) {
        return 0;
    }
    uint32_t word = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < size; i++) {
        int value = codec_base64_value(text.data[i]);
        if (value < 0) {
            return 0;
        }
        word = (word << 6) | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            djp__buf_char(out, (char)(word >> bits));
            word &= (1u << bits) - 1;
        }
    }
    return word == 0; /* leftover bits after the last byte are an error */
}

/* Chosen once per process, never 0 then. Written by the first hash, relaxed: an exchange makes all
 * threads agree. */
static DJP__ATOMIC(uint64_t) codec__hash_seed;

static uint64_t
codec_seed(void)
{
    uint64_t seed = djp__load_relaxed(&codec__hash_seed);
    if (seed == 0) {
        uint64_t fresh = djp__rand64() | 1;
        seed = djp__cas_strong_acq_rel(&codec__hash_seed, &seed, fresh) ? fresh : seed;
    }
    return seed;
}

static uint64_t
codec_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
codec_load(const uint8_t *bytes, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, bytes, size);
    return word;
}

uint64_t
djp__hash(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t state = codec_seed() ^ size;
    size_t left = size;
    while (left > 16) {
        state = codec_mix(codec_load(bytes, 8) ^ 0x9e3779b97f4a7c15ull,
                          codec_load(bytes + 8, 8) ^ state);
        bytes += 16;
        left -= 16;
    }
    uint64_t a = 0, b = 0;
    if (left >= 8) {
        a = codec_load(bytes, 8);
        b = codec_load(bytes + left - 8, 8);
    } else if (left > 0) {
        a = codec_load(bytes, left);
    }
    state = codec_mix(a ^ 0xbf58476d1ce4e5b9ull, b ^ state);
    return codec_mix(state ^ 0x94d049bb133111ebull, size ^ 0xd6e8feb86659fd93ull);
}

uint64_t
djp__hash_fixed(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
