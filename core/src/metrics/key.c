/* Label sets as words. 0xff ends each value: it occurs in no valid UTF-8, so different label sets
 * have different words. */
#include "metrics/key.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define KEY_END '\xff'

/* Upper bound of a value's size: repair makes up to three bytes of one. */
static size_t
key_bound(djp_text value)
{
    return value.size > DJP_LABEL_SIZE_MAX / 3 ? DJP_LABEL_SIZE_MAX : value.size * 3;
}

static size_t
key_put(char *out, djp_text value)
{
    size_t size = value.size;
    if (size == 0 || !value.data) {
        size = 0;
    } else if (size > DJP_LABEL_SIZE_MAX * 4 || !djp__utf8_valid(value.data, size)) {
        /* Only the start of a very long value is used. */
        size_t looked = size > DJP_LABEL_SIZE_MAX * 4 ? DJP_LABEL_SIZE_MAX * 4 : size;
        size = djp__utf8_repair(out, DJP_LABEL_SIZE_MAX, value.data, looked, NULL);
    } else {
        size =
            size > DJP_LABEL_SIZE_MAX ? djp__utf8_cut(value.data, size, DJP_LABEL_SIZE_MAX) : size;
        memcpy(out, value.data, size);
    }
    out[size] = KEY_END;
    return size + 1;
}

static uint64_t
key_hash(const uint64_t *words, uint32_t count, uint64_t seed)
{
    uint64_t hash = seed ^ count;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    hash *= 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

int
djp__series_key_build(djp__series_key *key, const djp_family *family, const djp_text *values)
{
    uint32_t labels = family->entry->label_count;
    size_t bound = 8;
    for (uint32_t i = 0; i < labels; i++) {
        bound += key_bound(values[i]) + 1;
    }
    key->words = key->stack;
    if (bound > sizeof key->stack) {
        key->words = djp__alloc(bound);
        if (!key->words) {
            return DJP_ENOMEM;
        }
    }
    char *start = (char *)key->words, *end = start;
    for (uint32_t i = 0; i < labels; i++) {
        end += key_put(end, values[i]);
    }
    size_t size = (size_t)(end - start);
    memset(end, 0, 8 - size % 8);
    key->count = (uint32_t)((size + 7) / 8);
    key->hash = key_hash(key->words, key->count, family->registry->segment.header->seed);
    return 0;
}

int
djp__series_key_overflow(djp__series_key *key, const djp_family *family)
{
    djp_text values[DJP_LABELS_MAX];
    for (uint32_t i = 0; i < DJP_LABELS_MAX; i++) {
        values[i] = djp__text(DJP__OVERFLOW);
    }
    return djp__series_key_build(key, family, values);
}

void
djp__series_key_fini(djp__series_key *key)
{
    if (key->words != key->stack) {
        djp__free(key->words);
    }
}

void
djp__series_key_values(djp_text *values, size_t count, const djp__series_key *key)
{
    djp__series_key_split(values, count, key->words, key->count);
}

void
djp__series_key_split(djp_text *values, size_t count, const void *words, size_t word_count)
{
    const char *at = words, *stop = at + word_count * 8;
    for (size_t i = 0; i < count; i++) {
        const char *end = memchr(at, KEY_END, (size_t)(stop - at));
        values[i] = (djp_text){at, (size_t)(end - at)};
        at = end + 1;
    }
}
