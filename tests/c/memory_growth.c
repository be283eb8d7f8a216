#include "memory_growth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>

/* The first calls fill the caches of the allocator, which count as in use. The least leak is that
 * of one small block a call. */
enum { LEAST_BLOCK = 16 };

static size_t
in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void
assert_no_growth(void (*step)(void *user), void *user, int calls)
{
    for (int i = 0; i < 2 + calls / 4; i++) {
        step(user);
    }
    size_t before = in_use();
    for (int i = 0; i < calls; i++) {
        step(user);
    }
    size_t after = in_use();
    if (after >= before + (size_t)calls * LEAST_BLOCK) {
        fail_msg("%zu bytes stay after each call", (after - before) / (size_t)calls);
    }
}
