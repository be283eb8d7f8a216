/* A small open-addressing map from text to a pointer, for set-up and look-ups that are not hot.
 * Keys are copied. */
#ifndef DJP_BASE_MAP_H
#define DJP_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct djp__map_entry {
    char *key; /* owned, NUL-terminated; NULL: free place */
    size_t key_size;
    uint64_t hash;
    void *value; /* borrowed */
} djp__map_entry;

typedef struct djp__map {
    djp__map_entry *entries;
    size_t capacity;
    size_t count;
} djp__map;

void djp__map_init(djp__map *map);
void djp__map_fini(djp__map *map); /* frees keys, not values */
void *djp__map_get(const djp__map *map, const char *key, size_t size);
/* replaces; 0 or DJP_ENOMEM */
int djp__map_set(djp__map *map, const char *key, size_t size, void *value);
void *djp__map_remove(djp__map *map, const char *key, size_t size); /* the value or NULL */

#endif
