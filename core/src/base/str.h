/* Text helpers: UTF-8 checking and repair, ASCII case and trimming, strict number parsing, percent
 * coding, base64. */
#ifndef DJP_BASE_STR_H
#define DJP_BASE_STR_H

#include <string.h>

#include "djp/value.h"

struct djp__buf;

/* 1 when the bytes are valid UTF-8 (no surrogates, no overlong forms). ASCII runs are checked eight
 * bytes at a time. */
int djp__utf8_valid(const char *text, size_t size);
/* Copies at most out_size bytes of repaired text (each bad byte sequence becomes U+FFFD, never a
 * split character at the end) and returns the bytes written. *cut, when not NULL, becomes 1 if
 * something did not fit. */
size_t djp__utf8_repair(char *out, size_t out_size, const char *text, size_t size, int *cut);
/* Largest length <= size that holds at most max_chars characters and does not split one. Valid
 * UTF-8 expected. */
size_t djp__utf8_prefix(const char *text, size_t size, size_t max_chars);
/* Largest length <= max_bytes that does not split a character. */
size_t djp__utf8_cut(const char *text, size_t size, size_t max_bytes);

/* A short text as words, to compare without a call: texts of the same size are equal if their words
 * are. */
#define DJP__TEXT_WORDS_SIZE 16u
typedef struct djp__text_words {
    uint64_t first, last;
    size_t size;
} djp__text_words;
/* text.size <= DJP__TEXT_WORDS_SIZE; borrows. */
static inline djp__text_words
djp__text_to_words(djp_text text)
{
    djp__text_words words = {0, 0, text.size};
    uint32_t half[2];
    if (text.size >= 8) {
        memcpy(&words.first, text.data, 8);
        memcpy(&words.last, text.data + text.size - 8, 8);
    } else if (text.size >= 4) {
        memcpy(&half[0], text.data, 4);
        memcpy(&half[1], text.data + text.size - 4, 4);
        words.first = half[0];
        words.last = half[1];
    } else if (text.size > 0) {
        words.first = (unsigned char)text.data[0];
        words.last = (uint64_t)(unsigned char)text.data[text.size / 2] << 8 |
                     (unsigned char)text.data[text.size - 1];
    }
    return words;
}
static inline int
djp__text_words_equal(const djp__text_words *a, const djp__text_words *b)
{
    return a->first == b->first && a->last == b->last && a->size == b->size;
}

djp_text djp__text(const char *nul_terminated); /* NULL gives {NULL, 0} */
djp_text djp__text_trim(djp_text text); /* spaces and tabs at both ends */
int djp__text_equal(djp_text text, const char *nul_terminated);
int djp__text_equal_nocase(djp_text text, const char *nul_terminated);
/* 1: text equals the pattern or, for a prefix, begins with it. */
int djp__text_fits(djp_text text, djp_text pattern, int is_prefix);
/* Next part up to a separator; advances *rest; returns 0 when nothing is left. */
int djp__text_split(djp_text *part, djp_text *rest, char separator);
/* Parse the whole text: return 1 and set *out, or 0. Surrounding blanks are allowed. */
int djp__parse_double(djp_text text, double *out); /* finite, decimal, locale-independent */
int djp__parse_u64(djp_text text, uint64_t *out);
/* Writes at most 20 decimal digits that end before `end`, and returns their start. */
char *djp__digits_before(char *end, uint64_t value);
/* decimal, at the end of room; faster than snprintf */
djp_text djp__digits(char room[24], int64_t value);
/* lower-case hex of 2*out_size characters */
int djp__hex_decode(uint8_t *out, size_t out_size, const char *text);
/* Appends the decoded form; returns 0 when a '%' is not followed by two hex digits. '+' stays
 * '+'. */
int djp__percent_decode(struct djp__buf *out, djp_text text);
/* keeps unreserved characters */
void djp__percent_encode(struct djp__buf *out, djp_text text, const char *also_safe);
void djp__base64(struct djp__buf *out, const void *data, size_t size);
/* with or without padding; 0 on bad input */
int djp__base64_decode(struct djp__buf *out, djp_text text);
uint64_t djp__hash(const void *data, size_t size); /* fast 64-bit hash, seeded per process */
/* FNV-1a, the same in every process: adds bytes to a hash, which begins with DJP__HASH_FIXED. */
#define DJP__HASH_FIXED UINT64_C(0xcbf29ce484222325)
uint64_t djp__hash_fixed(uint64_t hash, const void *data, size_t size);

#endif
