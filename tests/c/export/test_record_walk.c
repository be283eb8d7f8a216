/* Reading items: bounds, keys that were not interned, the last of equal keys, and memory that
 * fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "export/record_walk.h"

/* Items one behind the other, 8-byte aligned. */
typedef struct walk_items {
    uint64_t words[64];
    size_t size;
} walk_items;

static void
walk_put(walk_items *items, unsigned kind, djp_key key, unsigned type, const void *payload,
         size_t size)
{
    djp__item head = {key, djp__item_head(kind, type, size)};
    char *at = (char *)items->words + items->size;
    assert_true(items->size + sizeof head + djp__pad8(size) <= sizeof items->words);
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, payload, size);
    items->size += sizeof head + djp__pad8(size);
}

static void
walk_put_text(walk_items *items, djp_key key, const char *text)
{
    walk_put(items, DJP_ITEM_ATTRIBUTE, key, DJP_STRING, text, strlen(text));
}

static djp__walk walk;

/* The texts of a list, joined. */
static const char *
walk_show(djp__walk_list list)
{
    static char shown[256];
    shown[0] = '\0';
    for (size_t i = list.first; i < list.first + list.count; i++) {
        const djp__item *item = djp__walk_item(&walk, walk.offsets[i]);
        strncat(shown, djp__item_payload(item), djp__item_size(item));
    }
    return shown;
}

static void
walk_start(const walk_items *items)
{
    djp__walk_begin(&walk, items->words, items->size);
}

static void
keys_are_checked_and_learned(void **state)
{
    djp_key a = djp_key_intern(DJP_TEXT("walk.a"));
    walk_items items = {.size = 0};
    (void)state;
    walk_put_text(&items, a, "1");
    walk_put(&items, DJP_ITEM_TEXT, 0, 0, "skip", 4);
    walk_put_text(&items, a, "2");
    walk_start(&items);
    assert_int_equal(djp__walk_keys(&walk, 0, (uint32_t)items.size), 0);
    assert_int_equal(walk.attributes, 2);
    djp__walk_list list = djp__walk_attributes(&walk, 0, (uint32_t)items.size);
    assert_string_equal(walk_show(list), "12");
    assert_string_equal(walk_show(djp__walk_unique(&walk, list)), "2");

    walk_items strange = {.size = 0};
    walk_put_text(&strange, djp__key_count() + 1, "x");
    walk_start(&strange);
    assert_int_equal(djp__walk_keys(&walk, 0, (uint32_t)strange.size), DJP_EPROTO);
    walk_start(&items);
    assert_int_equal(walk.error, 0);
}

static void
items_that_do_not_fit_are_damage(void **state)
{
    walk_items items = {.size = 0};
    (void)state;
    walk_put_text(&items, djp_key_intern(DJP_TEXT("walk.a")), "12345678");
    for (uint32_t end = 1; end < items.size; end++) {
        walk_start(&items);
        djp__walk_list list = djp__walk_attributes(&walk, 0, end);
        assert_int_equal(list.count, 0);
        assert_int_equal(walk.error, DJP_EPROTO);
        assert_int_equal(walk.top, 0);
    }
    walk_start(&items);
    assert_int_equal(djp__walk_attributes(&walk, 0, 0).count, 0);
    assert_int_equal(walk.error, 0);
}

static void
the_last_of_equal_map_keys_counts(void **state)
{
    static const char *const keys[] = {"k", "other", "k", "", "k"};
    char value[2] = "1";
    walk_items items = {.size = 0};
    (void)state;
    for (size_t i = 0; i < 5; i++, value[0]++) {
        walk_put(&items, DJP_ITEM_KEY, 0, 0, keys[i], strlen(keys[i]));
        walk_put_text(&items, 0, value);
    }
    walk_start(&items);
    djp__walk_list list = djp__walk_map(&walk, 0, (uint32_t)items.size);
    assert_int_equal(list.count, 3);
    assert_string_equal(walk_show(list), "otherk");
    const djp__item *last = djp__item_next(djp__walk_item(&walk, walk.offsets[list.first + 2]));
    assert_memory_equal(djp__item_payload(last), "5", 1);
}

static void
a_map_needs_pairs(void **state)
{
    walk_items items = {.size = 0};
    (void)state;
    walk_put_text(&items, 0, "value");
    walk_put(&items, DJP_ITEM_KEY, 0, 0, "k", 1);
    walk_start(&items);
    assert_int_equal(djp__walk_map(&walk, 0, (uint32_t)items.size).count, 0);
    assert_int_equal(walk.error, DJP_EPROTO);
    walk_start(&items);
    /* a key without a value */
    assert_int_equal(djp__walk_map(&walk, 16, (uint32_t)items.size).count, 0);
    assert_int_equal(walk.error, DJP_EPROTO);
}

static void
scalars_have_eight_bytes(void **state)
{
    static const struct {
        unsigned type;
        size_t size;
        int good;
    } cases[] = {{DJP_BOOL, 8, 1},   {DJP_BOOL, 4, 0},   {DJP_INT, 8, 1},
                 {DJP_INT, 0, 0},    {DJP_DOUBLE, 8, 1}, {DJP_DOUBLE, 7, 0},
                 {DJP_STRING, 3, 1}, {DJP_EMPTY, 0, 1},  {DJP_BYTES, 0, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__item item = {0, djp__item_head(DJP_ITEM_ATTRIBUTE, cases[i].type, cases[i].size)};
        assert_int_equal(djp__walk_scalar_ok(&item), cases[i].good);
    }
}

static void
memory_that_fails_is_no_damage(void **state)
{
    walk_items items = {.size = 0};
    djp__walk fresh;
    (void)state;
    walk_put_text(&items, djp_key_intern(DJP_TEXT("walk.a")), "1");
    djp__walk_init(&fresh);
    djp__walk_begin(&fresh, items.words, items.size);
    djp__alloc_fail_after(1);
    assert_int_equal(djp__walk_keys(&fresh, 0, (uint32_t)items.size), DJP_ENOMEM);
    djp__walk_begin(&fresh, items.words, items.size);
    djp__alloc_fail_after(1);
    assert_int_equal(djp__walk_attributes(&fresh, 0, (uint32_t)items.size).count, 0);
    djp__alloc_fail_after(0);
    assert_int_equal(fresh.error, DJP_ENOMEM);
    djp__walk_fini(&fresh);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_checked_and_learned),
        cmocka_unit_test(items_that_do_not_fit_are_damage),
        cmocka_unit_test(the_last_of_equal_map_keys_counts),
        cmocka_unit_test(a_map_needs_pairs),
        cmocka_unit_test(scalars_have_eight_bytes),
        cmocka_unit_test(memory_that_fails_is_no_damage),
    };
    djp__walk_init(&walk);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    djp__walk_fini(&walk);
    return failed;
}
