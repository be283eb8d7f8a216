/* Label sets as keys: equal for equal sets, apart for others, and taken apart again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/key.h"
#include "metrics_fixture.h"

static djp_family *key_family;

static djp__series_key
key_of(const char *a, const char *b)
{
    djp__series_key key;
    djp_text values[] = {djp_text_of(a), djp_text_of(b)};
    assert_int_equal(djp__series_key_build(&key, key_family, values), 0);
    if (key.count <= DJP__SERIES_KEY_STACK) {
        key.words = NULL; /* the copy has its own stack */
    }
    return key;
}

static const uint64_t *
key_words(const djp__series_key *key)
{
    return key->words != NULL ? key->words : key->stack;
}

static int
key_equal(const djp__series_key *a, const djp__series_key *b)
{
    return a->hash == b->hash && a->count == b->count &&
           memcmp(key_words(a), key_words(b), a->count * 8) == 0;
}

static void
borders_between_values_count(void **state)
{
    (void)state;
    djp__series_key ab_c = key_of("ab", "c"), a_bc = key_of("a", "bc"), same = key_of("ab", "c"),
                    e_abc = key_of("", "abc");
    assert_true(key_equal(&ab_c, &same));
    assert_false(key_equal(&ab_c, &a_bc));
    assert_false(key_equal(&a_bc, &e_abc));
}

static void
keys_are_taken_apart_again(void **state)
{
    char longest[DJP_LABEL_SIZE_MAX + 1];
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t size = 0; size < sizeof longest; size += 1 + size / 3) {
        djp__series_key key;
        djp_text given[] = {{longest, size}, DJP_TEXT("b")}, values[2];
        assert_int_equal(djp__series_key_build(&key, key_family, given), 0);
        djp__series_key_values(values, 2, &key);
        assert_int_equal(values[0].size, size);
        assert_memory_equal(values[0].data, longest, size);
        assert_int_equal(values[1].size, 1);
        assert_int_equal(values[1].data[0], 'b');
        djp__series_key_fini(&key);
    }
}

static void
values_are_cut_and_repaired(void **state)
{
    static char too_long[DJP_LABEL_SIZE_MAX + 10];
    djp__series_key key;
    djp_text given[] = {{too_long, sizeof too_long}, DJP_TEXT("a\xff")}, values[2];
    (void)state;
    memset(too_long, 'y', sizeof too_long);
    assert_int_equal(djp__series_key_build(&key, key_family, given), 0);
    djp__series_key_values(values, 2, &key);
    assert_int_equal(values[0].size, DJP_LABEL_SIZE_MAX);
    assert_int_equal(values[1].size, 4);
    assert_memory_equal(values[1].data, "a\xef\xbf\xbd", 4);
    djp__series_key_fini(&key);
}

static void
the_overflow_key_has_one_value_everywhere(void **state)
{
    djp__series_key key;
    djp_text values[2];
    (void)state;
    assert_int_equal(djp__series_key_overflow(&key, key_family), 0);
    djp__series_key_values(values, 2, &key);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(values[i].size, strlen(DJP__OVERFLOW));
        assert_memory_equal(values[i].data, DJP__OVERFLOW, values[i].size);
    }
    djp__series_key_fini(&key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders_between_values_count),
        cmocka_unit_test(keys_are_taken_apart_again),
        cmocka_unit_test(values_are_cut_and_repaired),
        cmocka_unit_test(the_overflow_key_has_one_value_everywhere),
    };
    djp_registry *registry = fixture_registry(0, 10);
    key_family = fixture_family(registry, DJP_COUNTER, "keys", 2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    djp_registry_free(registry);
    return failed;
}
