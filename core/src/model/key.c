/* Interned attribute keys: a growing table of entries and an open-addressing index, read without a
 * lock. An entry is complete before its index slot is stored with release; entries are not moved or
 * freed. */
#include "djp/key.h"

#include <string.h>

#include "base/atomic.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/record.h"
#include "model/tables.h"

#define KEY__SLOTS (2u * DJP_KEY_LIMIT) /* a power of two, at most half full */

/* High half: upper bits of the hash, low half: the id; 0: free. Written under the tables lock,
 * release. */
static DJP__ATOMIC(uint64_t) key__slots[KEY__SLOTS];
/* Entry 0 is the empty key. Each is written once, before the slot or count that refers to it. */
static djp__key_entry key__entries[DJP_KEY_LIMIT + 1];
/* Ids 1 .. count are in use. Written under the tables lock, release. */
static DJP__ATOMIC(uint32_t) key__count;

static const uint8_t key__empty_encoded[] = {0x0a, 0x00};
static const djp__key_entry key__empty = {"", 0, sizeof key__empty_encoded, key__empty_encoded, 0};

/* Returns the id, or 0 and sets *free to the slot for the key. */
static djp_key
key_find(const char *text, size_t size, uint64_t hash, uint32_t *free)
{
    uint32_t slot = (uint32_t)hash & (KEY__SLOTS - 1);
    for (;; slot = (slot + 1) & (KEY__SLOTS - 1)) {
        uint64_t word = djp__load_acquire(&key__slots[slot]);
        if (word == 0) {
            *free = slot;
            return 0;
        }
        if ((word ^ hash) >> 32 == 0) {
            const djp__key_entry *entry = &key__entries[(uint32_t)word];
            if (entry->size == size && memcmp(entry->text, text, size) == 0) {
                return (djp_key)word;
            }
        }
    }
}

/* One block holds the text, its NUL and the encoded protobuf field. */
static int
key_make_entry(djp__key_entry *entry, const char *text, size_t size)
{
    size_t head = size < 128 ? 2 : 3;
    char *block = djp__alloc(size + 1 + head + size);
    if (block == NULL) {
        return 0;
    }
    memcpy(block, text, size);
    block[size] = '\0';
    uint8_t *encoded = (uint8_t *)block + size + 1;
    encoded[0] = 0x0a;
    encoded[1] = (uint8_t)(size < 128 ? size : (size & 127) | 128);
    if (head == 3) {
        encoded[2] = (uint8_t)(size >> 7);
    }
    memcpy(encoded + head, text, size);
    *entry = (djp__key_entry){block, (uint32_t)size, (uint32_t)(head + size), encoded, 0};
    return 1;
}

static djp_key
key_insert(const char *text, size_t size)
{
    uint64_t hash = djp__hash(text, size);
    uint32_t slot = 0;
    djp__tables_lock();
    djp_key key = key_find(text, size, hash, &slot);
    uint32_t count = djp__load_relaxed(&key__count);
    if (key == 0 && count < DJP_KEY_LIMIT && key_make_entry(&key__entries[count + 1], text, size)) {
        key = count + 1;
        djp__store_release(&key__count, key);
        djp__store_release(&key__slots[slot], (hash & ~(uint64_t)UINT32_MAX) | key);
    }
    djp__tables_unlock();
    return key;
}

djp_key
djp_key_intern(djp_text name)
{
    const char *text = name.data;
    size_t size = name.size;
    if (text == NULL || size == 0) {
        return 0;
    }
    size = djp__utf8_cut(text, size, DJP_KEY_SIZE_LIMIT);
    uint32_t slot;
    djp_key key = key_find(text, size, djp__hash(text, size), &slot);
    if (key) {
        return key;
    }
    if (djp__utf8_valid(text, size)) {
        return key_insert(text, size);
    }
    char repaired[DJP_KEY_SIZE_LIMIT];
    size_t made = djp__utf8_repair(repaired, sizeof repaired, text, size, NULL);
    return key_insert(repaired, made);
}

const djp__key_entry *
djp__key_entry_of(djp_key key)
{
    return key == 0 || key > djp__load_acquire(&key__count) ? &key__empty : &key__entries[key];
}

uint32_t
djp__key_count(void)
{
    return djp__load_acquire(&key__count);
}

djp_text
djp_key_text(djp_key key)
{
    const djp__key_entry *entry = djp__key_entry_of(key);
    djp_text text = {entry->text, entry->size};
    return text;
}
