/* Values that become items: every type with its payload and padding, text that is repaired, depth
 * and size at their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/error.h"
#include "export/resource_attributes.h"

static djp__buf out;

static int
set_up(void **state)
{
    (void)state;
    djp__buf_init(&out, 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__buf_fini(&out);
    return 0;
}

static const djp__item *
first(void)
{
    return (const djp__item *)(const void *)(out.data + DJP__RESOURCE_ATTRIBUTES_FROM);
}

static void
item_is(const djp__item *item, unsigned kind, unsigned type, const void *payload, size_t size)
{
    assert_int_equal(djp__item_kind(item), kind);
    assert_int_equal(djp__item_type(item), type);
    assert_int_equal(djp__item_size(item), size);
    if (size > 0) {
        assert_memory_equal(djp__item_payload(item), payload, size);
    }
    /* Padded with zeros up to the next one. */
    const char *end = (const char *)djp__item_next(item);
    for (const char *at = (const char *)djp__item_payload(item) + size; at < end; at++) {
        assert_int_equal(*at, 0);
    }
}

static int
items_of(djp_value value)
{
    djp_attribute attribute = {{"key", 3}, value};
    int result = djp__resource_attributes(&out, &attribute, 1);
    if (result == 0) {
        item_is(first(), DJP_ITEM_KEY, DJP_STRING, "key", 3);
    }
    return result;
}

static const djp__item *
value_item(void)
{
    return djp__item_next(first());
}

static void
scalars(void **state)
{
    int64_t one = 1, zero = 0, minus = -5;
    double real = 2.5;
    (void)state;
    assert_int_equal(items_of((djp_value){.type = DJP_BOOL, .as.boolean = 7}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_BOOL, &one, 8);
    assert_int_equal(items_of((djp_value){.type = DJP_BOOL, .as.boolean = 0}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_BOOL, &zero, 8);
    assert_int_equal(items_of((djp_value){.type = DJP_INT, .as.integer = -5}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_INT, &minus, 8);
    assert_int_equal(items_of((djp_value){.type = DJP_DOUBLE, .as.real = 2.5}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_DOUBLE, &real, 8);
    assert_int_equal(items_of((djp_value){.type = DJP_EMPTY}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_EMPTY, NULL, 0);
    assert_int_equal(items_of((djp_value){.type = (djp_value_type)(DJP_MAP + 1)}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_EMPTY, NULL, 0);
}

static void
texts_of_every_length(void **state)
{
    static const char text[] = "abcdefghijklmnopqrst";
    (void)state;
    for (size_t size = 0; size <= 20; size++) {
        assert_int_equal(items_of((djp_value){.type = DJP_STRING, .as.text = {text, size}}), 0);
        item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_STRING, text, size);
        assert_int_equal(out.size, DJP__RESOURCE_ATTRIBUTES_FROM + 16 + 8 + (size + 7) / 8 * 8);
        assert_int_equal(items_of((djp_value){.type = DJP_BYTES, .as.text = {text, size}}), 0);
        item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_BYTES, text, size);
    }
    assert_int_equal(items_of((djp_value){.type = DJP_STRING, .as.text = {NULL, 5}}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_STRING, NULL, 0);
    assert_int_equal(items_of((djp_value){.type = DJP_BYTES, .as.text = {NULL, 5}}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_BYTES, NULL, 0);
    /* Bad bytes are three each, and there is room for all of them; bytes stay as they are. */
    char bad[50], good[150];
    memset(bad, '\xff', sizeof bad);
    for (size_t i = 0; i < 50; i++) {
        memcpy(good + 3 * i, "\xef\xbf\xbd", 3);
    }
    assert_int_equal(items_of((djp_value){.type = DJP_STRING, .as.text = {bad, 50}}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_STRING, good, 150);
    assert_int_equal(items_of((djp_value){.type = DJP_BYTES, .as.text = {bad, 50}}), 0);
    item_is(value_item(), DJP_ITEM_ATTRIBUTE, DJP_BYTES, bad, 50);
}

/* Levels of arrays or maps inside each other: how deep the innermost value is kept. */
static void
depth_is_bounded(void **state)
{
    enum { MOST = DJP_VALUE_DEPTH_MAX + 3 };
    (void)state;
    for (int map = 0; map < 2; map++) {
        for (int depth = DJP_VALUE_DEPTH_MAX - 1; depth <= DJP_VALUE_DEPTH_MAX + 1; depth++) {
            djp_value values[MOST];
            djp_attribute members[MOST];
            values[0] = (djp_value){.type = DJP_INT, .as.integer = 9};
            for (int i = 1; i <= depth; i++) {
                members[i] = (djp_attribute){{"m", 1}, values[i - 1]};
                values[i] = map ? (djp_value){.type = DJP_MAP, .as.map = {&members[i], 1}}
                                : (djp_value){.type = DJP_ARRAY, .as.array = {&values[i - 1], 1}};
            }
            assert_int_equal(items_of(values[depth]), 0);
            const djp__item *item = value_item();
            int levels = 0;
            while (djp__item_type(item) == (map ? DJP_MAP : DJP_ARRAY)) {
                levels++;
                item = (const djp__item *)djp__item_payload(item);
                if (map) {
                    item_is(item, DJP_ITEM_KEY, DJP_STRING, "m", 1);
                    item = djp__item_next(item);
                }
            }
            int kept = depth <= DJP_VALUE_DEPTH_MAX;
            assert_int_equal(levels, kept ? depth : DJP_VALUE_DEPTH_MAX);
            assert_int_equal(djp__item_type(item), kept ? DJP_INT : DJP_EMPTY);
        }
    }
}

static void
several_values_in_their_order(void **state)
{
    djp_value items[2] = {{.type = DJP_INT, .as.integer = 1},
                          {.type = DJP_STRING, .as.text = {"x", 1}}};
    djp_attribute attributes[] = {{{"a", 1}, {.type = DJP_ARRAY, .as.array = {items, 2}}},
                                  {{"a", 1}, {.type = DJP_ARRAY, .as.array = {NULL, 2}}},
                                  {{"\xff", 1}, {.type = DJP_MAP, .as.map = {NULL, 2}}}};
    (void)state;
    assert_int_equal(djp__resource_attributes(&out, attributes, 3), 0);
    const djp__item *key = first(), *value = djp__item_next(key);
    item_is(key, DJP_ITEM_KEY, DJP_STRING, "a", 1);
    assert_int_equal(djp__item_type(value), DJP_ARRAY);
    assert_int_equal(djp__item_size(value), 32);
    const djp__item *inner = (const djp__item *)djp__item_payload(value);
    assert_int_equal(djp__item_type(inner), DJP_INT);
    item_is(djp__item_next(inner), DJP_ITEM_ATTRIBUTE, DJP_STRING, "x", 1);
    key = djp__item_next(value);
    value = djp__item_next(key);
    item_is(key, DJP_ITEM_KEY, DJP_STRING, "a", 1);
    item_is(value, DJP_ITEM_ATTRIBUTE, DJP_ARRAY, NULL, 0);
    key = djp__item_next(value);
    value = djp__item_next(key);
    item_is(key, DJP_ITEM_KEY, DJP_STRING, "\xef\xbf\xbd", 3);
    item_is(value, DJP_ITEM_ATTRIBUTE, DJP_MAP, NULL, 0);
    assert_ptr_equal(djp__item_next(value), out.data + out.size);
    for (size_t i = 0; i < DJP__RESOURCE_ATTRIBUTES_FROM; i++) {
        assert_int_equal(out.data[i], 0);
    }
    assert_int_equal(djp__resource_attributes(&out, NULL, 0), 0); /* replaces what was there */
    assert_int_equal(out.size, DJP__RESOURCE_ATTRIBUTES_FROM);
}

/* An item has a size that it can say; a larger payload is an empty value. */
static void
sizes_are_bounded(void **state)
{
    (void)state;
    char *text = calloc(1, DJP__ITEM_SIZE_MAX + 2u);
    memset(text, 't', DJP__ITEM_SIZE_MAX + 1u);
    for (size_t size = DJP__ITEM_SIZE_MAX - 1u; size <= DJP__ITEM_SIZE_MAX + 1u; size++) {
        djp_attribute attributes[] = {{{"key", 3}, {.type = DJP_STRING, .as.text = {text, size}}},
                                      {{"next", 4}, {.type = DJP_EMPTY}}};
        assert_int_equal(djp__resource_attributes(&out, attributes, 2), 0);
        int kept = size <= DJP__ITEM_SIZE_MAX;
        assert_int_equal(djp__item_type(value_item()), kept ? DJP_STRING : DJP_EMPTY);
        assert_int_equal(djp__item_size(value_item()), kept ? size : 0);
        item_is(djp__item_next(value_item()), DJP_ITEM_KEY, DJP_STRING, "next", 4);
    }
    free(text);
}

static void
no_memory(void **state)
{
    (void)state;
    djp__alloc_fail_after(1);
    int result = items_of((djp_value){.type = DJP_STRING, .as.text = {"x", 1}});
    djp__alloc_fail_after(0);
    assert_int_equal(result, DJP_ENOMEM);
    assert_int_equal(items_of((djp_value){.type = DJP_STRING, .as.text = {"x", 1}}), 0);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(scalars),           ONE(texts_of_every_length),
        ONE(depth_is_bounded),  ONE(several_values_in_their_order),
        ONE(sizes_are_bounded), ONE(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
