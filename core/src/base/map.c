/* An open-addressing map from text to a borrowed pointer, linear probing, at most three quarters
 * full. Not thread-safe and not for hot paths. */
#include "base/map.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"

void
djp__map_init(djp__map *map)
{
    memset(map, 0, sizeof *map);
}

void
djp__map_fini(djp__map *map)
{
    for (size_t i = 0; i < map->capacity; i++) {
        djp__free(map->entries[i].key);
    }
    djp__free(map->entries);
    memset(map, 0, sizeof *map);
}

/* The entry of the key, or the free place for it, which always exists. */
static djp__map_entry *
map_find(const djp__map *map, const char *key, size_t size, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        djp__map_entry *entry = &map->entries[i];
        if (!entry->key || (entry->hash == hash && entry->key_size == size &&
                            memcmp(entry->key, key, size) == 0)) {
            return entry;
        }
    }
}

void *
djp__map_get(const djp__map *map, const char *key, size_t size)
{
    if (map->count == 0) {
        return NULL;
    }
    djp__map_entry *entry = map_find(map, key, size, djp__hash(key, size));
    return entry->key ? entry->value : NULL;
}

static int
map_grow(djp__map *map)
{
    djp__map bigger = {NULL, map->capacity ? map->capacity * 2 : 8, map->count};
    bigger.entries = djp__calloc(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries) {
        return DJP_ENOMEM;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        djp__map_entry *entry = &map->entries[i];
        if (entry->key) {
            *map_find(&bigger, entry->key, entry->key_size, entry->hash) = *entry;
        }
    }
    djp__free(map->entries);
    *map = bigger;
    return 0;
}

int
djp__map_set(djp__map *map, const char *key, size_t size, void *value)
{
    uint64_t hash = djp__hash(key, size);
    djp__map_entry *entry = map->capacity ? map_find(map, key, size, hash) : NULL;
    if (entry != NULL && entry->key) {
        entry->value = value;
        return 0;
    }
    if ((map->count + 1) * 4 > map->capacity * 3) {
        if (map_grow(map) != 0) {
            return DJP_ENOMEM;
        }
        entry = map_find(map, key, size, hash);
    }
    char *copy = djp__strndup(key, size);
    if (copy == NULL) {
        return DJP_ENOMEM;
    }
    *entry = (djp__map_entry){copy, size, hash, value};
    map->count++;
    return 0;
}

void *
djp__map_remove(djp__map *map, const char *key, size_t size)
{
    if (map->count == 0) {
        return NULL;
    }
    djp__map_entry *entry = map_find(map, key, size, djp__hash(key, size));
    if (!entry->key) {
        return NULL;
    }
    void *value = entry->value;
    djp__free(entry->key);
    map->count--;
    /* Later entries of the same run move back, so that no look-up stops at the gap. */
    size_t mask = map->capacity - 1;
    size_t hole = (size_t)(entry - map->entries);
    for (size_t i = (hole + 1) & mask; map->entries[i].key; i = (i + 1) & mask) {
        size_t home = (size_t)map->entries[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    memset(&map->entries[hole], 0, sizeof map->entries[hole]);
    return value;
}
