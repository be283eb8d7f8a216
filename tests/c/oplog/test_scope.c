/* Instrumentation scopes in the text of a symbol: fields, values, and texts of another form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "heap.h"
#include "model/record.h"
#include "oplog/oplog.h"

enum { ATTRIBUTES_MAX = 64 };

/* U+001F is written as '|'. */
static djp_scope
scope_of(const char *text)
{
    char bytes[4096];
    size_t size = strlen(text);
    assert_true(size < sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = text[i];
        if (text[i] == '|') {
            bytes[i] = '\x1f';
        }
    }
    bytes[size] = 'x'; /* not read */
    return djp__oplog_scope(bytes, size);
}

static const djp__scope_entry *
entry_of(const char *text)
{
    djp_scope scope = scope_of(text);
    assert_int_not_equal(scope, 0);
    return djp__scope_entry_of(scope);
}

static const djp_value *
value_of(const djp__scope_entry *entry, const char *key)
{
    for (size_t i = 0; i < entry->attribute_count; i++) {
        if (djp__text_equal(entry->attributes[i].key, key)) {
            return &entry->attributes[i].value;
        }
    }
    return NULL;
}

static void
fields_have_their_order(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *version, *schema_url;
        size_t attributes;
    } cases[] = {
        {"lib", "lib", "", "", 0},
        {"lib|1.2", "lib", "1.2", "", 0},
        {"lib|1.2|http://s", "lib", "1.2", "http://s", 0},
        {"lib||http://s", "lib", "", "http://s", 0},
        {"|1.2", "", "1.2", "", 0},
        {"lib|1.2||k|sv", "lib", "1.2", "", 1},
        {"lib|||k", "lib", "", "", 0}, /* a key without a value */
        {"lib|||k|sv|l", "lib", "", "", 1},
        {"lib|||k|", "lib", "", "", 0}, /* a value without a type */
        {"lib|||k|?v|l|sw", "lib", "", "", 1},
        {"lib|||k|sv|k|sw", "lib", "", "", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const djp__scope_entry *entry = entry_of(cases[i].text);
        assert_string_equal(entry->name, cases[i].name);
        assert_string_equal(entry->version, cases[i].version);
        assert_string_equal(entry->schema_url, cases[i].schema_url);
        assert_int_equal(entry->attribute_count, cases[i].attributes);
    }
    assert_int_equal(scope_of(""), 0);
    assert_int_equal(scope_of("||"), 0);
    assert_int_equal(scope_of("lib||"), scope_of("lib"));
}

static void
values_follow_their_letter(void **state)
{
    (void)state;
    const djp__scope_entry *entry =
        entry_of("typed|||s|stext|e|s|t|b1|f|b0|g|b|h|b10|i|i42|n|i-9223372036854775808|x|i7up|"
                 "d|d3fe0000000000000|z|d8000000000000000|u|dffffffffffffffff");
    assert_int_equal(entry->attribute_count, 12);
    const djp_value *value = value_of(entry, "s");
    assert_int_equal(value->type, DJP_STRING);
    assert_true(djp__text_equal(value->as.text, "text"));
    assert_int_equal(value_of(entry, "e")->type, DJP_STRING);
    assert_int_equal(value_of(entry, "e")->as.text.size, 0);
    static const struct {
        const char *key;
        int boolean;
    } booleans[] = {{"t", 1}, {"f", 0}, {"g", 0}, {"h", 1}};
    for (size_t i = 0; i < 4; i++) {
        value = value_of(entry, booleans[i].key);
        assert_int_equal(value->type, DJP_BOOL);
        assert_int_equal(value->as.boolean, booleans[i].boolean);
    }
    value = value_of(entry, "i");
    assert_int_equal(value->type, DJP_INT);
    assert_int_equal(value->as.integer, 42);
    assert_true(value_of(entry, "n")->as.integer == INT64_MIN);
    assert_int_equal(value_of(entry, "x")->as.integer, 7);
    value = value_of(entry, "d");
    assert_int_equal(value->type, DJP_DOUBLE);
    assert_true(value->as.real == 0.5);
    assert_true(value_of(entry, "z")->as.real == 0 && 1 / value_of(entry, "z")->as.real < 0);
    assert_true(value_of(entry, "u")->as.real != value_of(entry, "u")->as.real);
}

/* So many attributes are read; the text of the rest is ignored. */
static void
attributes_are_bounded(void **state)
{
    (void)state;
    for (int count = ATTRIBUTES_MAX - 1; count <= ATTRIBUTES_MAX + 2; count++) {
        djp__buf text;
        char pair[32];
        djp__buf_init(&text, 0);
        snprintf(pair, sizeof pair, "many %d||", count);
        djp__buf_text(&text, pair);
        for (int i = 0; i < count; i++) {
            snprintf(pair, sizeof pair, "|k%d|i%d", i, i);
            djp__buf_text(&text, pair);
        }
        djp__buf_char(&text, '\0');
        const djp__scope_entry *entry = entry_of(text.data);
        int kept = count < ATTRIBUTES_MAX ? count : ATTRIBUTES_MAX;
        assert_int_equal(entry->attribute_count, kept);
        snprintf(pair, sizeof pair, "k%d", kept - 1);
        assert_int_equal(value_of(entry, pair)->as.integer, kept - 1);
        djp__buf_fini(&text);
    }
}

static void
equal_texts_are_one_scope(void **state)
{
    (void)state;
    djp_scope first = scope_of("same|1||a|i1|b|i2");
    assert_int_equal(scope_of("same|1||a|i1|b|i2"), first);
    assert_int_equal(scope_of("same|1||b|i2|a|i1"), first);
    assert_int_not_equal(scope_of("same|1||a|i1|b|i3"), first);
    assert_int_equal(djp_scope_intern("same", "1", NULL, NULL, 0), scope_of("same|1"));
}

static void
know_it_already(void)
{
    scope_of("known|1|http://s|a|i1|b|stext");
}

static void
no_memory_gives_none(void **state)
{
    (void)state;
    djp__alloc_fail_after(1);
    djp_scope scope = scope_of("no memory");
    djp__alloc_fail_after(0);
    assert_int_equal(scope, 0);
    assert_int_equal(heap_growth(know_it_already, 20), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_their_order), cmocka_unit_test(values_follow_their_letter),
        cmocka_unit_test(attributes_are_bounded),  cmocka_unit_test(equal_texts_are_one_scope),
        cmocka_unit_test(no_memory_gives_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
