/* Interned keys: the same text gives the same id from any thread, each has its protobuf form, and
 * the table is bounded. The source is compiled in with a hook in front of the lock. */
#include "model/tables.h"

static void hooked_lock(void);
#define djp__tables_lock hooked_lock
#include "model/key.c"
#undef djp__tables_lock

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
#include "lock_guard.h"
#include "model/record.h"

static _Thread_local void (*before_lock)(void); /* of the thread that sets it */

/* Runs the hook once, before the lock is taken. */
static void
hooked_lock(void)
{
    void (*run)(void) = before_lock;
    before_lock = NULL;
    if (run != NULL) {
        run();
    }
    djp__tables_lock();
}

static void
keys_are_stable_and_encoded(void **state)
{
    (void)state;
    djp_key key = djp_key_intern(DJP_TEXT("http.route"));
    assert_true(key != 0);
    assert_int_equal(djp_key_intern((djp_text){"http.route.x", 10}), key);
    assert_int_not_equal(djp_key_intern(DJP_TEXT("http.rout")), key);
    assert_true(djp__text_equal(djp_key_text(key), "http.route"));
    const djp__key_entry *entry = djp__key_entry_of(key);
    assert_int_equal(entry->encoded_size, 12);
    assert_int_equal(entry->class, 0);
    assert_memory_equal(entry->encoded, "\x0a\x0ahttp.route", 12);
    assert_int_equal(djp_key_intern(DJP_TEXT("")), 0);
    assert_int_equal(djp_key_intern((djp_text){NULL, 3}), 0);
    assert_true(djp__text_equal(djp_key_text(0), ""));
    assert_true(djp__text_equal(djp_key_text(0xffffffff), ""));
    assert_int_equal(djp__key_entry_of(0)->encoded_size, 2);
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
    const djp__key_entry *entry = djp__key_entry_of(key);
    assert_int_equal(entry->encoded_size, 3 + DJP_KEY_SIZE_LIMIT);
    assert_memory_equal(entry->encoded, "\x0a\x80\x08k", 4);
    memset(text, '\xff', sizeof text);
    key = djp_key_intern((djp_text){text, sizeof text});
    assert_int_not_equal(key, 0);
    assert_in_range(djp_key_text(key).size, DJP_KEY_SIZE_LIMIT - 3, DJP_KEY_SIZE_LIMIT);
    assert_true(djp__utf8_valid(djp_key_text(key).data, djp_key_text(key).size));
    assert_int_equal(djp_key_intern((djp_text){text, sizeof text}), key);
    assert_int_equal(djp_key_intern(DJP_TEXT("a\0b")), djp_key_intern(DJP_TEXT("a\0b")));
    assert_int_equal(djp_key_text(djp_key_intern(DJP_TEXT("a\0b"))).size, 3);
}

/* The protobuf form: a field of that size, which takes two bytes from 128 on. */
static void
every_size_has_its_form(void **state)
{
    (void)state;
    char text[DJP_KEY_SIZE_LIMIT];
    memset(text, 's', sizeof text);
    for (size_t size = 1; size <= sizeof text; size += size < 300 ? 1 : 81) {
        djp_key key = djp_key_intern((djp_text){text, size});
        const djp__key_entry *entry = djp__key_entry_of(key);
        size_t head = size < 128 ? 2 : 3;
        assert_int_equal(entry->size, size);
        assert_int_equal(entry->text[size], 0);
        assert_memory_equal(entry->text, text, size);
        assert_int_equal(entry->encoded_size, head + size);
        size_t shown = head == 2 ? entry->encoded[1]
                                 : (entry->encoded[1] & 127u) | (size_t)entry->encoded[2] << 7;
        assert_int_equal(entry->encoded[0], 0x0a);
        assert_int_equal(entry->encoded[1] >> 7, head == 3);
        assert_int_equal(shown, size);
        assert_memory_equal(entry->encoded + head, text, size);
    }
}

static void
unknown_numbers_are_empty(void **state)
{
    (void)state;
    djp_key last = djp_key_intern(DJP_TEXT("the last so far"));
    assert_int_equal(last, djp__key_count());
    static const djp_key numbers[] = {0, 1, DJP_KEY_LIMIT + 1, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        const djp__key_entry *entry = djp__key_entry_of(numbers[i] == 1 ? last + 1 : numbers[i]);
        assert_string_equal(entry->text, "");
        assert_int_equal(entry->size, 0);
        assert_int_equal(entry->encoded_size, 2);
        assert_int_equal(entry->class, 0);
        assert_memory_equal(entry->encoded, "\x0a\0", 2);
    }
    assert_string_equal(djp__key_entry_of(last)->text, "the last so far");
}

static djp_key meanwhile;

static void
intern_the_same(void)
{
    meanwhile = djp_key_intern(DJP_TEXT("of two threads"));
}

/* Another thread interns the key between the search and the lock. */
static void
a_key_is_interned_once(void **state)
{
    (void)state;
    uint32_t before = djp__key_count();
    before_lock = intern_the_same;
    djp_key key = djp_key_intern(DJP_TEXT("of two threads"));
    assert_null(before_lock);
    assert_int_equal(key, before + 1);
    assert_int_equal(meanwhile, key);
    assert_int_equal(djp__key_count(), before + 1);
}

static void
intern_a_new_one(void)
{
    djp_key_intern(DJP_TEXT("never seen before"));
}

/* Only a new key takes the lock. */
static void
known_keys_take_no_lock(void **state)
{
    (void)state;
    assert_true(waits_for(NULL, intern_a_new_one));
    djp__tables_lock();
    intern_a_new_one();
    djp__tables_unlock();
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

static void
no_memory_gives_no_id(void **state)
{
    (void)state;
    uint32_t before = djp__key_count();
    djp__alloc_fail_after(1);
    djp_key key = djp_key_intern(DJP_TEXT("oom.key"));
    djp__alloc_fail_after(0);
    assert_int_equal(key, 0);
    assert_int_equal(djp__key_count(), before);
    assert_int_equal(djp_key_intern(DJP_TEXT("oom.key")), before + 1);
}

static void
the_table_is_bounded(void **state)
{
    (void)state;
    char name[32];
    djp_key last_key = 1;
    for (int i = 0; i < (int)DJP_KEY_LIMIT + 100; i++) {
        size_t size = (size_t)snprintf(name, sizeof name, "key %d", i);
        last_key = djp_key_intern((djp_text){name, size});
    }
    assert_int_equal(last_key, 0);
    assert_int_equal(djp__key_count(), DJP_KEY_LIMIT);
    assert_int_not_equal(djp__key_entry_of(DJP_KEY_LIMIT)->size, 0);
    assert_true(
        djp__text_equal(djp_key_text(djp_key_intern(DJP_TEXT("http.route"))), "http.route"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_stable_and_encoded),
        cmocka_unit_test(long_and_bad_keys_are_cut_and_repaired),
        cmocka_unit_test(every_size_has_its_form),
        cmocka_unit_test(unknown_numbers_are_empty),
        cmocka_unit_test(a_key_is_interned_once),
        cmocka_unit_test(known_keys_take_no_lock),
        cmocka_unit_test(threads_agree_on_ids),
        cmocka_unit_test(no_memory_gives_no_id),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
