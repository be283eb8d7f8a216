/* Interned instrumentation scopes: they compare as sets, are copied deeply, and nothing that a
 * caller gives makes one too large. The source is compiled in with a hook in front of the lock. */
#include "model/tables.h"

static void hooked_lock(void);
#define djp__tables_lock hooked_lock
#include "model/scope.c"
#undef djp__tables_lock

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "heap.h"
#include "lock_guard.h"

enum { TEXT_MAX = 4096, ATTRIBUTES_MAX = 128, SIZE_MAX_OF_ONE = 64 * 1024 };
/* values in the largest scope: its name and keys take a block of 1 KiB */
enum { LIST_MAX = (SIZE_MAX_OF_ONE - 1024) / sizeof(djp_value) };

static void (*before_lock)(void);

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

static djp_attribute
pair(const char *key, int64_t value)
{
    djp_attribute attribute = {djp__text(key), {.type = DJP_INT, .as.integer = value}};
    return attribute;
}

/* A scope of that name with one attribute. */
static djp_scope
with(const char *name, djp_value value)
{
    djp_attribute attribute = {{"k", 1}, value};
    return djp_scope_intern(name, NULL, NULL, &attribute, 1);
}

static const djp_value *
value_in(djp_scope scope)
{
    const djp__scope_entry *entry = djp__scope_entry_of(scope);
    assert_int_equal(entry->attribute_count, 1);
    return &entry->attributes[0].value;
}

static djp_value
text_value(djp_value_type type, const char *text, size_t size)
{
    return (djp_value){.type = type, .as.text = {text, size}};
}

static djp_value
array_of(const djp_value *items, size_t count)
{
    return (djp_value){.type = DJP_ARRAY, .as.array = {items, count}};
}

static djp_value
map_of(const djp_attribute *items, size_t count)
{
    return (djp_value){.type = DJP_MAP, .as.map = {items, count}};
}

/* ---- equality ---- */

static void
scopes_compare_as_sets(void **state)
{
    (void)state;
    djp_attribute forth[] = {pair("a", 1), pair("b", 2)};
    djp_attribute back[] = {pair("b", 9), pair("b", 2), pair("", 3), pair("a", 1)};
    djp_attribute other[] = {pair("a", 1), pair("b", 3)};
    djp_attribute renamed[] = {pair("a", 1), pair("bb", 2)};
    djp_scope plain = djp_scope_intern("lib", "1.0", NULL, NULL, 0);
    djp_scope with_two = djp_scope_intern("lib", "1.0", NULL, forth, 2);
    assert_true(plain != 0 && with_two != 0 && plain != with_two);
    assert_int_equal(djp_scope_intern("lib", "1.0", "", NULL, 0), plain);
    assert_int_equal(djp_scope_intern("lib", "1.0", "", NULL, 7), plain);
    assert_int_equal(djp_scope_intern("lib", "1.0", "", forth, 0), plain);
    assert_int_equal(djp_scope_intern("lib", "1.0", NULL, back, 4), with_two);
    assert_int_not_equal(djp_scope_intern("lib", "1.0", NULL, other, 2), with_two);
    assert_int_not_equal(djp_scope_intern("lib", "1.0", NULL, renamed, 2), with_two);
    assert_int_not_equal(djp_scope_intern("lib", "1.0", NULL, forth, 1), with_two);
    assert_int_not_equal(djp_scope_intern("lib", "1.1", NULL, NULL, 0), plain);
    assert_int_not_equal(djp_scope_intern("lib2", "1.0", NULL, NULL, 0), plain);
    assert_int_not_equal(djp_scope_intern("lib", "1.0", "http://x", NULL, 0), plain);
    const djp__scope_entry *entry = djp__scope_entry_of(with_two);
    assert_string_equal(entry->name, "lib");
    assert_string_equal(entry->version, "1.0");
    assert_string_equal(entry->schema_url, "");
    assert_int_equal(entry->attribute_count, 2);
    assert_true(djp__text_equal(entry->attributes[0].key, "a"));
    assert_int_equal(entry->attributes[1].value.as.integer, 2);
}

/* One part is enough for a scope. */
static void
nothing_is_no_scope(void **state)
{
    (void)state;
    djp_attribute no_key = {{NULL, 4}, {.type = DJP_INT, .as.integer = 1}};
    assert_int_equal(djp_scope_intern(NULL, NULL, NULL, NULL, 5), 0);
    assert_int_equal(djp_scope_intern("", "", "", NULL, 0), 0);
    assert_int_equal(djp_scope_intern("", "", "", &no_key, 1), 0);
    assert_int_equal(djp__scopes_refused(), 0);
    assert_int_not_equal(djp_scope_intern(NULL, "1", NULL, NULL, 0), 0);
    assert_int_not_equal(djp_scope_intern(NULL, NULL, "http://x", NULL, 0), 0);
    djp_scope last = with(NULL, (djp_value){.type = DJP_EMPTY});
    assert_int_not_equal(last, 0);
    static const djp_scope numbers[] = {0, 1, DJP_SCOPE_LIMIT, UINT16_MAX};
    for (size_t i = 0; i < 4; i++) {
        djp_scope number = numbers[i] == 1 ? (djp_scope)(last + 1) : numbers[i];
        const djp__scope_entry *entry = djp__scope_entry_of(number);
        assert_string_equal(entry->name, "");
        assert_string_equal(entry->version, "");
        assert_string_equal(entry->schema_url, "");
        assert_int_equal(entry->attribute_count, 0);
    }
}

/* Keys are in the order of their bytes, and a shorter one comes before its continuation. */
static void
attributes_are_sorted(void **state)
{
    (void)state;
    djp_attribute given[] = {pair("b", 1),  pair("ab", 2), pair("a", 3), pair("abc", 4),
                             pair("aa", 5), pair("ab", 6), pair("c", 7)};
    static const char *const keys[] = {"a", "aa", "ab", "abc", "b", "c"};
    static const int64_t values[] = {3, 5, 6, 4, 1, 7};
    const djp__scope_entry *entry =
        djp__scope_entry_of(djp_scope_intern("sorted", NULL, NULL, given, 7));
    assert_int_equal(entry->attribute_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(djp__text_equal(entry->attributes[i].key, keys[i]));
        assert_int_equal(entry->attributes[i].value.as.integer, values[i]);
    }
}

static void
values_compare_by_type_and_content(void **state)
{
    (void)state;
    djp_value one[] = {{.type = DJP_INT, .as.integer = 1}, {.type = DJP_INT, .as.integer = 2}};
    djp_value first[] = {{.type = DJP_INT, .as.integer = 9}, {.type = DJP_INT, .as.integer = 2}};
    djp_value other[] = {{.type = DJP_INT, .as.integer = 1}, {.type = DJP_INT, .as.integer = 3}};
    djp_attribute pairs[] = {pair("a", 1), pair("b", 2)}, renamed[] = {pair("a", 1), pair("c", 2)},
                  changed[] = {pair("a", 1), pair("b", 3)};
    const djp_value values[] = {
        {.type = DJP_EMPTY},
        {.type = DJP_BOOL, .as.boolean = 0},
        {.type = DJP_BOOL, .as.boolean = 1},
        {.type = DJP_INT, .as.integer = 1},
        {.type = DJP_INT, .as.integer = 2},
        {.type = DJP_DOUBLE, .as.real = 1},
        {.type = DJP_DOUBLE, .as.real = 0.0},
        {.type = DJP_DOUBLE, .as.real = -0.0},
        {.type = DJP_DOUBLE, .as.real = NAN},
        text_value(DJP_STRING, "a", 1),
        text_value(DJP_STRING, "b", 1),
        text_value(DJP_STRING, "ab", 2),
        text_value(DJP_STRING, "", 0),
        text_value(DJP_BYTES, "a", 1),
        text_value(DJP_BYTES, "a\0", 2),
        array_of(one, 2),
        array_of(one, 1),
        array_of(other, 2),
        array_of(one, 0),
        array_of(first, 2),
        map_of(pairs, 2),
        map_of(pairs, 1),
        map_of(renamed, 2),
        map_of(changed, 2),
    };
    enum { COUNT = sizeof values / sizeof values[0] };
    djp_scope scopes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        scopes[i] = with("compared", values[i]);
        assert_int_not_equal(scopes[i], 0);
        for (size_t k = 0; k < i; k++) {
            if (scopes[i] == scopes[k]) {
                fail_msg("values %zu and %zu are the same", k, i);
            }
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(with("compared", values[i]), scopes[i]);
    }
    /* Any number that is not 0 is true. */
    assert_int_equal(with("compared", (djp_value){.type = DJP_BOOL, .as.boolean = 9}), scopes[2]);
}

/* ---- copies ---- */

static void
attributes_are_copied_deeply(void **state)
{
    (void)state;
    char text[] = "mutable\xff";
    djp_value values[] = {text_value(DJP_STRING, text, 8),
                          text_value(DJP_BYTES, text, 2),
                          {.type = DJP_DOUBLE, .as.real = 0.5}};
    djp_attribute inner = {djp__text("k"), array_of(values, 3)};
    djp_attribute outer = {djp__text("m"), map_of(&inner, 1)};
    djp_scope scope = djp_scope_intern("deep", NULL, NULL, &outer, 1);
    assert_int_equal(djp_scope_intern("deep", NULL, NULL, &outer, 1), scope);
    memset(text, 'x', 8);
    assert_int_not_equal(djp_scope_intern("deep", NULL, NULL, &outer, 1), scope);
    const djp_value *map = value_in(scope);
    assert_int_equal(map->type, DJP_MAP);
    assert_int_equal(map->as.map.count, 1);
    assert_true(djp__text_equal(map->as.map.items[0].key, "k"));
    const djp_value *array = &map->as.map.items[0].value;
    assert_int_equal(array->as.array.count, 3);
    assert_true(djp__text_equal(array->as.array.items[0].as.text, "mutable\xef\xbf\xbd"));
    assert_int_equal(array->as.array.items[1].type, DJP_BYTES);
    assert_true(djp__text_equal(array->as.array.items[1].as.text, "mu"));
    assert_true(array->as.array.items[2].as.real == 0.5);
}

/* Each invalid byte becomes three. */
static void
texts_are_repaired(void **state)
{
    (void)state;
    static char text[1000];
    memset(text, '\xff', sizeof text - 1);
    assert_int_equal(strlen(djp__scope_entry_of(djp_scope_intern(text, NULL, NULL, NULL, 0))->name),
                     3 * (sizeof text - 1));
    const djp_value *value = value_in(with("bad", text_value(DJP_STRING, text, 10)));
    assert_int_equal(value->as.text.size, 30);
    assert_int_equal(value->as.text.data[30], 0);
}

/* What says that it has items and has none, has none; a type of another world is empty. */
static void
odd_values_are_harmless(void **state)
{
    (void)state;
    const djp_value *value = value_in(with("odd 1", array_of(NULL, 5)));
    assert_int_equal(value->type, DJP_ARRAY);
    assert_int_equal(value->as.array.count, 0);
    value = value_in(with("odd 2", map_of(NULL, 5)));
    assert_int_equal(value->type, DJP_MAP);
    assert_int_equal(value->as.map.count, 0);
    value = value_in(with("odd 3", text_value(DJP_STRING, NULL, 5)));
    assert_int_equal(value->as.text.size, 0);
    assert_non_null(value->as.text.data);
    value = value_in(with("odd 4", text_value(DJP_BYTES, NULL, 5)));
    assert_int_equal(value->as.text.size, 0);
    assert_int_equal(value_in(with("odd 5", (djp_value){.type = DJP_MAP + 1}))->type, DJP_EMPTY);
    assert_int_equal(value_in(with("odd 6", (djp_value){.type = (djp_value_type)-1}))->type,
                     DJP_EMPTY);
    djp_attribute unnamed = {{NULL, 3}, {.type = DJP_INT, .as.integer = 4}};
    value = value_in(with("odd 7", map_of(&unnamed, 1)));
    assert_int_equal(value->as.map.count, 1);
    assert_int_equal(value->as.map.items[0].key.size, 0);
    value = value_in(with("odd 8", text_value(DJP_BYTES, "z", 1)));
    assert_int_equal(value->as.text.size, 1);
    assert_int_equal(value->as.text.data[0], 'z');
}

static void
depth_is_bounded(void **state)
{
    (void)state;
    for (int depth = DJP_VALUE_DEPTH_MAX - 1; depth <= DJP_VALUE_DEPTH_MAX + 2; depth++) {
        djp_value values[DJP_VALUE_DEPTH_MAX + 3];
        char name[32];
        values[0] = (djp_value){.type = DJP_INT, .as.integer = 9};
        for (int i = 1; i <= depth; i++) {
            values[i] = array_of(&values[i - 1], 1);
        }
        snprintf(name, sizeof name, "depth %d", depth);
        const djp_value *value = value_in(with(name, values[depth]));
        int levels = 0;
        for (; value->type == DJP_ARRAY; value = value->as.array.items) {
            levels++;
        }
        assert_int_equal(levels, depth < DJP_VALUE_DEPTH_MAX ? depth : DJP_VALUE_DEPTH_MAX);
        assert_int_equal(value->type, depth <= DJP_VALUE_DEPTH_MAX ? DJP_INT : DJP_EMPTY);
    }
    /* Maps count alike. */
    djp_attribute members[DJP_VALUE_DEPTH_MAX + 2];
    members[0] = pair("m", 9);
    for (int i = 1; i < DJP_VALUE_DEPTH_MAX + 2; i++) {
        members[i] = (djp_attribute){{"m", 1}, map_of(&members[i - 1], 1)};
    }
    const djp_value *value = value_in(with("maps", members[DJP_VALUE_DEPTH_MAX + 1].value));
    for (int level = 0; level < DJP_VALUE_DEPTH_MAX; level++) {
        assert_int_equal(value->type, DJP_MAP);
        value = &value->as.map.items[0].value;
    }
    assert_int_equal(value->type, DJP_EMPTY);
}

/* ---- sizes ---- */

static void
texts_are_cut_and_bytes_refused(void **state)
{
    (void)state;
    static char text[TEXT_MAX + 2];
    memset(text, 't', sizeof text - 1);
    for (size_t size = TEXT_MAX - 1; size <= TEXT_MAX + 1; size++) {
        size_t kept = size < TEXT_MAX ? size : TEXT_MAX;
        text[size] = '\0';
        const djp__scope_entry *entry =
            djp__scope_entry_of(djp_scope_intern(text, text, text, NULL, 0));
        assert_int_equal(strlen(entry->name), kept);
        assert_int_equal(strlen(entry->version), kept);
        assert_int_equal(strlen(entry->schema_url), kept);
        char name[16];
        snprintf(name, sizeof name, "size %zu", size);
        assert_int_equal(value_in(with(name, text_value(DJP_STRING, text, size)))->as.text.size,
                         kept);
        djp_scope bytes = with(name, text_value(DJP_BYTES, text, size));
        assert_int_equal(bytes != 0, size <= TEXT_MAX);
        text[size] = 't';
    }
    djp_value too_long = text_value(DJP_BYTES, text, TEXT_MAX + 1); /* wherever it lies */
    djp_attribute member = {{"m", 1}, too_long};
    assert_int_equal(with("inner", array_of(&too_long, 1)), 0);
    assert_int_equal(with("inner", map_of(&member, 1)), 0);
    for (size_t size = DJP_KEY_SIZE_LIMIT - 1; size <= DJP_KEY_SIZE_LIMIT + 1; size++) {
        djp_attribute attribute = {{text, size}, {.type = DJP_EMPTY}};
        djp_scope scope = djp_scope_intern("keys", NULL, NULL, &attribute, 1);
        assert_int_equal(djp__scope_entry_of(scope)->attributes[0].key.size,
                         size < DJP_KEY_SIZE_LIMIT ? size : DJP_KEY_SIZE_LIMIT);
    }
}

static void
attributes_are_bounded(void **state)
{
    (void)state;
    djp_attribute many[ATTRIBUTES_MAX + 1];
    char keys[ATTRIBUTES_MAX + 1][8];
    for (int i = 0; i <= ATTRIBUTES_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "k%03d", i);
        many[i] = pair(keys[i], i);
    }
    for (size_t count = ATTRIBUTES_MAX - 1; count <= ATTRIBUTES_MAX + 1; count++) {
        djp_scope scope = djp_scope_intern("bounded", NULL, NULL, many, count);
        const djp__scope_entry *entry = djp__scope_entry_of(scope);
        assert_int_equal(entry->attribute_count, count < ATTRIBUTES_MAX ? count : ATTRIBUTES_MAX);
        assert_int_equal(entry->attributes[entry->attribute_count - 1].value.as.integer,
                         entry->attribute_count - 1);
    }
}

/* A list that cannot fit is refused before memory is taken, whatever its count says. */
static void
a_scope_is_bounded(void **state)
{
    (void)state;
    static djp_value items[SIZE_MAX_OF_ONE];
    static const size_t counts[] = {SIZE_MAX_OF_ONE / sizeof(djp_value) + 1, SIZE_MAX / 2,
                                    SIZE_MAX};
    assert_int_not_equal(with("list", array_of(items, 100)), 0);
    for (size_t i = 0; i < 3; i++) {
        size_t before = heap_used();
        assert_int_equal(with("huge", array_of(items, counts[i])), 0);
        djp_attribute member = {{"m", 1}, {.type = DJP_EMPTY}};
        assert_int_equal(with("huge", map_of(&member, i == 0 ? SIZE_MAX_OF_ONE : counts[i])), 0);
        assert_true(heap_used() <= before + 4096);
    }
    assert_int_not_equal(with("list", array_of(items, LIST_MAX - 10)), 0);
    assert_int_equal(with("list", array_of(items, LIST_MAX + 10)), 0);
    djp_attribute many[40];
    static char text[TEXT_MAX];
    char keys[40][8];
    memset(text, 't', sizeof text);
    for (int i = 0; i < 40; i++) {
        snprintf(keys[i], sizeof keys[i], "k%03d", i);
        many[i] = (djp_attribute){djp__text(keys[i]), text_value(DJP_STRING, text, sizeof text)};
    }
    assert_int_not_equal(djp_scope_intern("texts", NULL, NULL, many, 10), 0);
    assert_int_equal(djp_scope_intern("texts", NULL, NULL, many, 40), 0);
    assert_int_equal(djp__scopes_refused(), 0); /* the table has room */
}

/* ---- threads and memory ---- */

static djp_scope meanwhile;

static void
intern_the_same(void)
{
    djp_scope_intern("of another thread", NULL, NULL, NULL, 0);
    meanwhile = djp_scope_intern("of two threads", "1", NULL, NULL, 0);
    djp_scope_intern("of a third thread", NULL, NULL, NULL, 0);
}

/* Other threads intern scopes, among them this one, between the search and the lock. */
static void
a_scope_is_interned_once(void **state)
{
    (void)state;
    before_lock = intern_the_same;
    djp_scope scope = djp_scope_intern("of two threads", "1", NULL, NULL, 0);
    assert_null(before_lock);
    assert_int_not_equal(scope, 0);
    assert_int_equal(scope, meanwhile);
    assert_int_equal(djp_scope_intern("of two threads", "1", NULL, NULL, 0), scope);
}

static void
intern_a_new_one(void)
{
    djp_scope_intern("never seen before", NULL, NULL, NULL, 0);
}

static void
known_scopes_take_no_lock(void **state)
{
    (void)state;
    assert_true(waits_for(NULL, intern_a_new_one));
    djp__tables_lock();
    intern_a_new_one();
    djp__tables_unlock();
}

static void
ask_for_known_and_refused(void)
{
    djp_value values[] = {text_value(DJP_STRING, "text", 4), {.type = DJP_INT}};
    djp_value huge = text_value(DJP_BYTES, "x", TEXT_MAX + 1);
    with("known", array_of(values, 2));
    with("refused", huge);
    static char long_key[DJP_KEY_SIZE_LIMIT];
    memset(long_key, 'k', sizeof long_key);
    djp_attribute attribute = {{long_key, sizeof long_key}, array_of(values, 2)};
    for (long n = 1; n < 3; n++) { /* the second is for the key */
        djp__alloc_fail_once(n);
        djp_scope scope = djp_scope_intern("without memory", NULL, NULL, &attribute, 1);
        djp__alloc_fail_after(0);
        assert_int_equal(scope, 0);
    }
    static char long_text[1500]; /* of which two do not fit the same block */
    memset(long_text, 't', sizeof long_text - 1);
    for (long n = 1; n <= 3; n++) { /* one for each text */
        djp__alloc_fail_once(n);
        djp_scope scope = djp_scope_intern("short", long_text, long_text, NULL, 0);
        djp__alloc_fail_after(0);
        assert_int_equal(scope, 0);
    }
    djp_attribute many[ATTRIBUTES_MAX];
    for (int i = 0; i < ATTRIBUTES_MAX; i++) {
        many[i] = pair("k", i);
    }
    djp__alloc_fail_once(2); /* for the list of attributes */
    djp_scope scope = djp_scope_intern("without memory", NULL, NULL, many, ATTRIBUTES_MAX);
    djp__alloc_fail_after(0);
    assert_int_equal(scope, 0);
}

static void
nothing_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(ask_for_known_and_refused, 50), 0);
}

/* The last test: the table is full from here on. */
static void
the_table_is_bounded(void **state)
{
    (void)state;
    char name[32];
    djp_scope last = 0, first = djp_scope_intern("lib", "1.0", NULL, NULL, 0);
    uint32_t refused = djp__scopes_refused();
    assert_int_equal(refused, 0);
    for (int i = 0; i < 2000 && djp__scopes_refused() == 0; i++) {
        snprintf(name, sizeof name, "scope %d", i);
        djp_scope scope = djp_scope_intern(name, NULL, NULL, NULL, 0);
        last = scope != 0 ? scope : last;
    }
    assert_int_equal(last, DJP_SCOPE_LIMIT - 1);
    assert_int_equal(djp_scope_intern("one more", NULL, NULL, NULL, 0), 0);
    assert_int_equal(djp__scopes_refused(), 2);
    assert_int_equal(djp_scope_intern("lib", "1.0", NULL, NULL, 0), first);
    assert_int_equal(djp__scopes_refused(), 2);
    assert_int_equal(djp__scope_entry_of(DJP_SCOPE_LIMIT - 1)->attribute_count, 0);
    assert_int_not_equal(strlen(djp__scope_entry_of(DJP_SCOPE_LIMIT - 1)->name), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_compare_as_sets),
        cmocka_unit_test(nothing_is_no_scope),
        cmocka_unit_test(attributes_are_sorted),
        cmocka_unit_test(values_compare_by_type_and_content),
        cmocka_unit_test(attributes_are_copied_deeply),
        cmocka_unit_test(texts_are_repaired),
        cmocka_unit_test(odd_values_are_harmless),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(texts_are_cut_and_bytes_refused),
        cmocka_unit_test(attributes_are_bounded),
        cmocka_unit_test(a_scope_is_bounded),
        cmocka_unit_test(a_scope_is_interned_once),
        cmocka_unit_test(known_scopes_take_no_lock),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
