/* Memory: the process allocator through one table, so that a test can fail the 1st, 2nd, 3rd ...
 * allocation, and an arena for memory freed together. It does not abort. */
#ifndef DJP_BASE_MEM_H
#define DJP_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* All return NULL on failure; sizes of 0 give NULL. Any thread. */
void *djp__alloc(size_t size);
void *djp__calloc(size_t count, size_t size);
void *djp__realloc(void *block, size_t size);
void djp__free(void *block);
char *djp__strdup(const char *text); /* NULL gives NULL */
char *djp__strndup(const char *text, size_t size); /* always NUL-terminated */

/* Large zeroed blocks with a separate lifetime, in whole pages: used when touched, and returned to
 * the system at once. In the allocator, the first one freed would make it keep and clear all later
 * ones. size is that of the block. */
void *djp__pages_new(size_t size);
void djp__pages_free(void *pages, size_t size); /* accepts NULL */

/* Test hooks: the nth allocation from now (1 = next) and all after it fail until
 * djp__alloc_fail_after(0), or only the nth. Not thread-safe. */
void djp__alloc_fail_after(long n);
void djp__alloc_fail_once(long n);

/* Arena: bump allocation, freed as a whole. Zero-initialise with djp__arena_init. Not
 * thread-safe. */
typedef struct djp_arena_block djp_arena_block;
typedef struct djp__arena {
    djp_arena_block *blocks;
    size_t used; /* in the newest block */
    size_t limit; /* limit in bytes; 0: none */
    size_t total;
} djp__arena;
void djp__arena_init(djp__arena *arena, size_t limit);
/* 16-byte aligned; NULL on failure or over the limit */
void *djp__arena_alloc(djp__arena *arena, size_t size);
void djp__arena_reset(djp__arena *arena); /* keeps the newest block */
void djp__arena_fini(djp__arena *arena);

#endif
