/* A label set as a sequence of 64-bit words, hashed and compared by the look-up, built without
 * allocation for usual sizes. */
#ifndef DJP_METRICS_KEY_H
#define DJP_METRICS_KEY_H

#include "metrics/registry.h"

#define DJP__SERIES_KEY_STACK 128u

typedef struct djp__series_key {
    uint64_t *words; /* stack, or owned heap memory */
    uint32_t count;
    uint64_t hash;
    uint64_t stack[DJP__SERIES_KEY_STACK];
} djp__series_key;

/* Copies the values as valid UTF-8, cut to DJP_LABEL_SIZE_MAX. 0 or DJP_ENOMEM. */
int djp__series_key_build(djp__series_key *key, const djp_family *family, const djp_text *values);
/* The key with every value DJP__OVERFLOW. */
int djp__series_key_overflow(djp__series_key *key, const djp_family *family);
void djp__series_key_fini(djp__series_key *key);
/* Splits a key into its values, which borrow from it. */
void djp__series_key_values(djp_text *values, size_t count, const djp__series_key *key);
/* The same for the words of a key at any place. */
void djp__series_key_split(djp_text *values, size_t count, const void *words, size_t word_count);

/* Compares without a lock: an entry that changes meanwhile has another generation afterwards. */
static inline int
djp__series_key_matches(const djp__series_key *key, const djp__segment *segment,
                        const djp__series_entry *entry)
{
    if (djp__load_acquire(&entry->hash) != key->hash ||
        djp__load_acquire(&entry->key_words) != key->count) {
        return 0;
    }
    const DJP__ATOMIC(uint64_t) *words = djp__segment_at(segment, entry->key_at);
    for (uint32_t i = 0; i < key->count; i++) {
        if (djp__load_acquire(&words[i]) != key->words[i]) {
            return 0;
        }
    }
    return 1;
}

#endif
