/* The map against a list: every size, every order of removal, keys that are prefixes of each other,
 * and growth without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"

enum { KEYS = 200 };
static int values[KEYS];

static const char *
key_of(int number, size_t *size)
{
    static char text[32];
    *size = (size_t)snprintf(text, sizeof text, "key-%d", number);
    return text;
}

static void *
get(const djp__map *map, int number)
{
    size_t size;
    const char *key = key_of(number, &size);
    return djp__map_get(map, key, size);
}

static int
set(djp__map *map, int number, void *value)
{
    size_t size;
    const char *key = key_of(number, &size);
    return djp__map_set(map, key, size, value);
}

static void *
take(djp__map *map, int number)
{
    size_t size;
    const char *key = key_of(number, &size);
    return djp__map_remove(map, key, size);
}

static void
it_holds_what_was_set(void **state)
{
    (void)state;
    djp__map map;
    djp__map_init(&map);
    assert_null(get(&map, 0));
    assert_null(take(&map, 0));
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(set(&map, i, &values[i]), 0);
        assert_int_equal(map.count, i + 1);
        /* Three quarters are the most, and a power of two. */
        size_t least = 8;
        while ((size_t)(i + 1) * 4 > least * 3) {
            least *= 2;
        }
        assert_int_equal(map.capacity, least);
        for (int k = 0; k < KEYS; k++) {
            assert_ptr_equal(get(&map, k), k <= i ? &values[k] : NULL);
        }
    }
    assert_int_equal(set(&map, 7, &values[8]), 0); /* replaced */
    assert_ptr_equal(get(&map, 7), &values[8]);
    assert_int_equal(map.count, KEYS);
    assert_null(djp__map_get(&map, "key", 3));
    assert_null(djp__map_get(&map, "key-1999", 8));
    assert_ptr_equal(djp__map_get(&map, "key-1999", 7), &values[199]);
    assert_null(djp__map_get(&map, "", 0));
    djp__map_fini(&map);
    assert_int_equal(map.count, 0);
}

/* Whatever is taken away, everything else is still found: runs of places close again. */
static void
removal_leaves_the_others(void **state)
{
    (void)state;
    for (int stride = 1; stride < 40; stride += 2) {
        djp__map map;
        char there[KEYS];
        memset(there, 1, sizeof there);
        djp__map_init(&map);
        for (int i = 0; i < KEYS; i++) {
            assert_int_equal(set(&map, i, &values[i]), 0);
        }
        for (int n = 0, i = 0; n < KEYS; n++) {
            while (!there[i]) {
                i = (i + 1) % KEYS;
            }
            assert_ptr_equal(take(&map, i), &values[i]);
            assert_null(take(&map, i));
            there[i] = 0;
            assert_int_equal(map.count, KEYS - n - 1);
            for (int k = 0; k < KEYS; k++) {
                assert_ptr_equal(get(&map, k), there[k] ? &values[k] : NULL);
            }
            i = (i + stride) % KEYS;
        }
        assert_int_equal(set(&map, 3, &values[3]), 0);
        assert_ptr_equal(get(&map, 3), &values[3]);
        djp__map_fini(&map);
    }
}

static void
without_memory_nothing_is_lost(void **state)
{
    (void)state;
    djp__map map;
    djp__map_init(&map);
    for (int i = 0; i < 60; i++) {
        for (long n = 1;; n++) {
            djp__alloc_fail_after(n);
            int result = set(&map, i, &values[i]);
            djp__alloc_fail_after(0);
            if (result == 0) {
                break;
            }
            assert_int_equal(result, DJP_ENOMEM);
            assert_int_equal(map.count, i);
            assert_null(get(&map, i));
            assert_true(i == 0 || get(&map, i - 1) == &values[i - 1]);
            assert_true(n < 4);
        }
    }
    djp__map_fini(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_was_set),
        cmocka_unit_test(removal_leaves_the_others),
        cmocka_unit_test(without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
