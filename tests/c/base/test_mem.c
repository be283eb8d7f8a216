/* Allocation that fails on demand, the arena, and the map against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "djp/error.h"

static void
allocations_fail_on_demand(void **state)
{
    (void)state;
    assert_null(djp__alloc(0));
    assert_null(djp__calloc(SIZE_MAX, 2));
    assert_null(djp__strdup(NULL));
    djp__alloc_fail_after(2);
    void *first = djp__alloc(1);
    assert_non_null(first);
    assert_null(djp__alloc(1));
    assert_null(djp__calloc(1, 1));
    assert_null(djp__realloc(first, 100));
    assert_null(djp__strdup("x"));
    djp__alloc_fail_after(0);
    first = djp__realloc(first, 100);
    assert_non_null(first);
    djp__free(first);
    djp__alloc_fail_once(2);
    void *last = djp__alloc(1);
    assert_non_null(last);
    assert_null(djp__calloc(1, 1));
    djp__free(last);
    last = djp__alloc(1); /* only one fails */
    assert_non_null(last);
    djp__free(last);
    char *text = djp__strndup("hello", 3);
    assert_string_equal(text, "hel");
    djp__free(text);
}

static void
arena_is_aligned_limited_and_reusable(void **state)
{
    (void)state;
    djp__arena arena;
    djp__arena_init(&arena, 0);
    char *last = NULL;
    for (size_t i = 1; i < 3000; i += 7) {
        char *block = djp__arena_alloc(&arena, i);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        memset(block, (int)i, i);
        last = block;
    }
    assert_non_null(last);
    djp__arena_reset(&arena);
    assert_non_null(djp__arena_alloc(&arena, 10));
    djp__arena_fini(&arena);
    djp__arena_init(&arena, 10000);
    size_t got = 0;
    while (djp__arena_alloc(&arena, 100)) {
        got += 112;
    }
    assert_true(got > 5000 && got <= 10000);
    assert_null(djp__arena_alloc(&arena, SIZE_MAX - 3));
    djp__arena_fini(&arena);
    djp__arena_init(&arena, 0);
    djp__alloc_fail_after(1);
    assert_null(djp__arena_alloc(&arena, 1));
    djp__alloc_fail_after(0);
    djp__arena_fini(&arena);
}

enum { NAMES = 64 };

static void
map_agrees_with_a_list(void **state)
{
    (void)state;
    djp__map map;
    int values[NAMES];
    void *expected[NAMES] = {NULL};
    djp__map_init(&map);
    assert_null(djp__map_get(&map, "x", 1));
    assert_null(djp__map_remove(&map, "x", 1));
    for (int round = 0; round < 50000; round++) {
        size_t i = djp__rand64() % NAMES;
        char name[16];
        size_t size = (size_t)snprintf(name, sizeof name, "key-%zu", i);
        switch (djp__rand64() % 3) {
        case 0:
            expected[i] = &values[djp__rand64() % NAMES];
            assert_int_equal(djp__map_set(&map, name, size, expected[i]), 0);
            break;
        case 1:
            assert_ptr_equal(djp__map_remove(&map, name, size), expected[i]);
            expected[i] = NULL;
            break;
        default:
            assert_ptr_equal(djp__map_get(&map, name, size), expected[i]);
        }
    }
    size_t count = 0;
    for (int i = 0; i < NAMES; i++) {
        count += expected[i] != NULL;
    }
    assert_int_equal(map.count, count);
    djp__map_fini(&map);
}

static void
map_survives_no_memory(void **state)
{
    (void)state;
    for (long n = 1; n < 20; n++) {
        djp__map map;
        int stored = 0;
        djp__map_init(&map);
        djp__alloc_fail_after(n);
        for (int i = 0; i < 20; i++) {
            char name[16];
            size_t size = (size_t)snprintf(name, sizeof name, "%d", i);
            int code = djp__map_set(&map, name, size, &map);
            assert_true(code == 0 || code == DJP_ENOMEM);
            stored += code == 0;
        }
        djp__alloc_fail_after(0);
        assert_int_equal(map.count, stored);
        djp__map_fini(&map);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_fail_on_demand),
        cmocka_unit_test(arena_is_aligned_limited_and_reusable),
        cmocka_unit_test(map_agrees_with_a_list),
        cmocka_unit_test(map_survives_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
