/* The process allocator through one table, and the arena. It does not abort or log: a failed
 * allocation returns NULL, which every caller handles. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/atomic.h"

/* 0: none fails; n: the nth from now and all after it; -n: only the nth. Written by tests only,
 * relaxed. */
static DJP__ATOMIC(long) mem__fail_in;

static int
mem_should_fail(void)
{
    long left = djp__load_relaxed(&mem__fail_in);
    if (left == 0 || left == 1) {
        return (int)left;
    }
    djp__store_relaxed(&mem__fail_in, left > 0 ? left - 1 : left + 1);
    return left == -1;
}

void
djp__alloc_fail_after(long n)
{
    djp__store_relaxed(&mem__fail_in, n);
}

void
djp__alloc_fail_once(long n)
{
    djp__store_relaxed(&mem__fail_in, -n);
}

void *
djp__alloc(size_t size)
{
    if (size == 0 || mem_should_fail()) {
        return NULL;
    }
    return malloc(size);
}

void *
djp__calloc(size_t count, size_t size)
{
    if (count == 0 || size == 0 || count > SIZE_MAX / size || mem_should_fail()) {
        return NULL;
    }
    return calloc(count, size);
}

void *
djp__realloc(void *block, size_t size)
{
    if (size == 0 || mem_should_fail()) {
        return NULL;
    }
    return realloc(block, size);
}

void
djp__free(void *block)
{
    free(block);
}

/* Sanitizers check the bounds of single allocations. */
#if defined(__SANITIZE_ADDRESS__)
#define MEM__PAGES_FROM_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM__PAGES_FROM_ALLOCATOR 1
#endif
#endif

#ifdef MEM__PAGES_FROM_ALLOCATOR
void *
djp__pages_new(size_t size)
{
    return djp__calloc(1, size);
}

void
djp__pages_free(void *pages, size_t size)
{
    (void)size;
    djp__free(pages);
}
#else
void *
djp__pages_new(size_t size)
{
    if (size == 0 || mem_should_fail()) {
        return NULL;
    }
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void
djp__pages_free(void *pages, size_t size)
{
    if (pages != NULL) {
        munmap(pages, size);
    }
}
#endif

char *
djp__strdup(const char *text)
{
    return text != NULL ? djp__strndup(text, strlen(text)) : NULL;
}

char *
djp__strndup(const char *text, size_t size)
{
    if (size == SIZE_MAX) {
        return NULL;
    }
    char *copy = djp__alloc(size + 1);
    if (copy != NULL) {
        if (size > 0) {
            memcpy(copy, text, size);
        }
        copy[size] = '\0';
    }
    return copy;
}

struct djp_arena_block {
    struct djp_arena_block *next;
    size_t capacity;
};

/* The block's data starts on a 16-byte boundary after its head. */
#define MEM__HEAD ((sizeof(djp_arena_block) + 15u) & ~(size_t)15u)
#define MEM__BLOCK_MIN 1024u

void
djp__arena_init(djp__arena *arena, size_t limit)
{
    memset(arena, 0, sizeof *arena);
    arena->limit = limit;
}

void *
djp__arena_alloc(djp__arena *arena, size_t size)
{
    if (size == 0 || size > SIZE_MAX / 4) {
        return NULL;
    }
    size = (size + 15u) & ~(size_t)15u;
    djp_arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - arena->used < size) {
        size_t capacity = block != NULL ? block->capacity * 2 : MEM__BLOCK_MIN;
        if (capacity > (1u << 20)) {
            capacity = 1u << 20;
        }
        if (capacity < size) {
            capacity = size;
        }
        if (arena->limit && capacity > arena->limit - arena->total) {
            capacity = size; /* near the limit: the requested size, or nothing */
            if (capacity > arena->limit - arena->total) {
                return NULL;
            }
        }
        block = djp__alloc(MEM__HEAD + capacity);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        block->capacity = capacity;
        arena->blocks = block;
        arena->used = 0;
        arena->total += capacity;
    }
    void *result = (char *)block + MEM__HEAD + arena->used;
    arena->used += size;
    return result;
}

static void
mem_free_blocks(djp_arena_block *block)
{
    while (block != NULL) {
        djp_arena_block *next = block->next;
        djp__free(block);
        block = next;
    }
}

void
djp__arena_reset(djp__arena *arena)
{
    arena->used = 0;
    if (arena->blocks != NULL) {
        mem_free_blocks(arena->blocks->next);
        arena->blocks->next = NULL;
        arena->total = arena->blocks->capacity;
    }
}

void
djp__arena_fini(djp__arena *arena)
{
    mem_free_blocks(arena->blocks);
    arena->blocks = NULL;
    arena->used = 0;
    arena->total = 0;
}
