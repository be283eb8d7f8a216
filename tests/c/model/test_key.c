/* Interned keys and scopes: the same text gives the same id from any thread, tables are bounded,
 * scopes compare as sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "model/record.h"

static void
keys_are_stable_and_encoded(void **state)
{
    (void)state;
    djp_key key = djp_key_intern(DJP_TEXT("http.route"));
    assert_true(key != 0);
    assert_int_equal(djp_key_intern((djp_text){"http.route.x", 10}), key);
    assert_int_not_equal(djp_key_intern(DJP_TEXT("http.rout")), key);
    assert_true(djp__text_equal(djp_key_text(key), "http.route"));
    const djp_key_entry *entry = djp__key_entry(key);
    assert_int_equal(entry->encoded_size, 12);
    assert_int_equal(entry->class, 0);
    assert_memory_equal(entry->encoded, "\x0a\x0ahttp.route", 12);
    assert_int_equal(djp_key_intern(DJP_TEXT("")), 0);
    assert_int_equal(djp_key_intern((djp_text){NULL, 3}), 0);
    assert_true(djp__text_equal(djp_key_text(0), ""));
    assert_true(djp__text_equal(djp_key_text(0xffffffff), ""));
    assert_int_equal(djp__key_entry(0)->encoded_size, 2);
}

static void
long_and_bad_keys_are_cut_and_repaired(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'k', sizeof text);
    djp_key key = djp_key_intern((djp_text){text, sizeof text});
    assert_int_equal(djp_key_text(key).size, DJP_KEY_SIZE_LIMIT);
    assert_int_equal(djp_key_intern((djp_text){text, DJP_KEY_SIZE_LIMIT}), key);
    const djp_key_entry *entry = djp__key_entry(key);
    assert_int_equal(entry->encoded_size, 3 + DJP_KEY_SIZE_LIMIT);
    assert_memory_equal(entry->encoded, "\x0a\x80\x08k", 4);
    memset(text, '\xff', sizeof text);
    key = djp_key_intern((djp_text){text, sizeof text});
    assert_true(djp__utf8_valid(djp_key_text(key).data, djp_key_text(key).size));
    assert_int_equal(djp_key_intern((djp_text){text, sizeof text}), key);
    assert_int_equal(djp_key_intern(DJP_TEXT("a\0b")), djp_key_intern(DJP_TEXT("a\0b")));
    assert_int_equal(djp_key_text(djp_key_intern(DJP_TEXT("a\0b"))).size, 3);
}

enum { SHARED = 500 };

static void *
intern_many(void *out)
{
    djp_key *ids = out;
    char name[32];
    for (int i = 0; i < SHARED; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "shared.key.%d", i);
        ids[i] = djp_key_intern((djp_text){name, size});
        if (!djp__text_equal(djp_key_text(ids[i]), name)) {
            ids[i] = 0;
        }
    }
    return NULL;
}

static void
threads_agree_on_ids(void **state)
{
    (void)state;
    static djp_key ids[4][SHARED];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, intern_many, ids[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_memory_equal(ids[i], ids[0], sizeof ids[0]);
    }
    for (int i = 0; i < SHARED; i++) {
        assert_true(ids[0][i] != 0);
    }
}

static djp_attribute
pair(const char *key, int64_t value)
{
    djp_attribute attribute = {djp__text(key), {.type = DJP_INT, .as.integer = value}};
    return attribute;
}

static void
scopes_compare_as_sets(void **state)
{
    (void)state;
    djp_attribute forth[] = {pair("a", 1), pair("b", 2)};
    djp_attribute back[] = {pair("b", 9), pair("b", 2), pair("", 3), pair("a", 1)};
    djp_attribute other[] = {pair("a", 1), pair("b", 3)};
    djp_scope plain = djp_scope_intern("lib", "1.0", NULL, NULL, 0);
    djp_scope with = djp_scope_intern("lib", "1.0", NULL, forth, 2);
    assert_true(plain != 0 && with != 0 && plain != with);
    assert_int_equal(djp_scope_intern("lib", "1.0", "", NULL, 0), plain);
    assert_int_equal(djp_scope_intern("lib", "1.0", NULL, back, 4), with);
    assert_int_not_equal(djp_scope_intern("lib", "1.0", NULL, other, 2), with);
    assert_int_not_equal(djp_scope_intern("lib", "1.1", NULL, NULL, 0), plain);
    assert_int_not_equal(djp_scope_intern("lib", "1.0", "http://x", NULL, 0), plain);
    assert_int_equal(djp_scope_intern(NULL, NULL, NULL, NULL, 5), 0);
    const djp_scope_entry *entry = djp__scope_entry(with);
    assert_string_equal(entry->name, "lib");
    assert_string_equal(entry->version, "1.0");
    assert_string_equal(entry->schema_url, "");
    assert_int_equal(entry->attribute_count, 2);
    assert_string_equal(djp__scope_entry(0)->name, "");
    assert_string_equal(djp__scope_entry(60000)->name, "");
}

static void
scope_attributes_are_copied_deeply(void **state)
{
    (void)state;
    char text[] = "mutable\xff";
    djp_value values[] = {{.type = DJP_STRING, .as.text = {text, 8}},
                          {.type = DJP_BYTES, .as.text = {text, 2}}};
    djp_attribute inner = {djp__text("k"), {.type = DJP_ARRAY, .as.array = {values, 2}}};
    djp_attribute outer = {djp__text("m"), {.type = DJP_MAP, .as.map = {&inner, 1}}};
    djp_scope scope = djp_scope_intern("deep", NULL, NULL, &outer, 1);
    assert_int_equal(djp_scope_intern("deep", NULL, NULL, &outer, 1), scope);
    memset(text, 'x', 8);
    assert_int_not_equal(djp_scope_intern("deep", NULL, NULL, &outer, 1), scope);
    const djp_value *map = &djp__scope_entry(scope)->attributes[0].value;
    assert_int_equal(map->as.map.count, 1);
    const djp_value *array = &map->as.map.items[0].value;
    assert_int_equal(array->as.array.count, 2);
    assert_true(djp__text_equal(array->as.array.items[0].as.text, "mutable\xef\xbf\xbd"));
    djp_value huge = {.type = DJP_ARRAY, .as.array = {values, SIZE_MAX / 2}};
    djp_attribute bad = {djp__text("huge"), huge};
    assert_int_equal(djp_scope_intern("huge", NULL, NULL, &bad, 1), 0);
}

static void
no_memory_gives_no_id(void **state)
{
    (void)state;
    djp_attribute attribute = pair("oom", 1);
    for (long n = 1; n < 3; n++) {
        djp__alloc_fail_after(n);
        djp_scope scope = djp_scope_intern("oom", "1", NULL, &attribute, 1);
        djp_key key = djp_key_intern(DJP_TEXT("oom.key"));
        djp__alloc_fail_after(0);
        assert_true(n > 1 || (scope == 0 && key == 0));
    }
    assert_true(djp_key_intern(DJP_TEXT("oom.key")) != 0);
    assert_true(djp_scope_intern("oom", "1", NULL, &attribute, 1) != 0);
}

static void
both_tables_are_bounded(void **state)
{
    (void)state;
    char name[32];
    djp_scope last_scope = 1;
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "scope %d", i);
        last_scope = djp_scope_intern(name, NULL, NULL, NULL, 0);
    }
    assert_int_equal(last_scope, 0);
    assert_int_equal(djp_scope_intern("lib", "1.0", NULL, NULL, 0), 1);
    djp_key last_key = 1;
    for (int i = 0; i < (int)DJP_KEY_LIMIT + 100; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "key %d", i);
        last_key = djp_key_intern((djp_text){name, size});
    }
    assert_int_equal(last_key, 0);
    assert_int_equal(djp__key_count(), DJP_KEY_LIMIT);
    assert_true(
        djp__text_equal(djp_key_text(djp_key_intern(DJP_TEXT("http.route"))), "http.route"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_stable_and_encoded),
        cmocka_unit_test(long_and_bad_keys_are_cut_and_repaired),
        cmocka_unit_test(threads_agree_on_ids),
        cmocka_unit_test(scopes_compare_as_sets),
        cmocka_unit_test(scope_attributes_are_copied_deeply),
        cmocka_unit_test(no_memory_gives_no_id),
        cmocka_unit_test(both_tables_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
