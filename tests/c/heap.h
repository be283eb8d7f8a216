/* Whether a call leaks, in every build: the bytes that the allocator has given out. For tests of
 * one thread; everything is static. */
#ifndef TESTS_C_HEAP_H
#define TESTS_C_HEAP_H

#include <malloc.h>
#include <stddef.h>

/* 0 with another C library, and under sanitizers, which look for leaks themselves. */
static inline size_t
heap_used(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

enum { HEAP_LEAST = 24 };

/* Bytes that each of many calls leaves behind. The first ones fill caches, and the same blocks may
 * lie in places of another size: less than the smallest block is nothing. */
static inline size_t
heap_growth_after(void (*act)(void), int first, int times)
{
    for (int i = 0; i < first; i++) {
        act();
    }
    size_t before = heap_used();
    for (int i = 0; i < times; i++) {
        act();
    }
    size_t after = heap_used();
    size_t each = after > before ? (after - before) / (size_t)times : 0;
    return each >= HEAP_LEAST ? each : 0;
}

static inline size_t
heap_growth(void (*act)(void), int times)
{
    return heap_growth_after(act, 12, times);
}

#endif
