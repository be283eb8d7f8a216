/* Values of an oplog: each type, every size at its edge, and what bytes from elsewhere may say. The
 * bytes lie in blocks of exactly their size, so that a sanitizer sees what is read beyond them. */
#include "oplog_host.h"

#include "heap.h"

static djp_oplog *log_of_test;

static int
set_up(void **state)
{
    (void)state;
    assert_int_equal(djp_oplog_new(&log_of_test, DJP_OPLOG_UNITS_MIN), 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp_oplog_unref(log_of_test);
    return 0;
}

/* Reads the first size bytes, and returns how many of them the value takes; -1: malformed. */
static long
take(djp_value *out, const writer_value *from, size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    memcpy(bytes, from->bytes, size);
    const unsigned char *at = bytes;
    int good = djp__oplog_value(out, log_of_test, &at, bytes + size);
    long taken = good ? (long)(at - bytes) : -1;
    free(bytes);
    return taken;
}

/* With all of its bytes and some more a value is read, with each number of fewer ones it is not. */
static djp_value
assert_exact(const writer_value *from)
{
    djp_value value;
    for (size_t size = 0; size < from->size; size++) {
        if (take(&value, from, size) >= 0) {
            fail_msg("read from %zu of %zu bytes", size, from->size);
        }
    }
    writer_value longer = *from;
    writer_value_add(&longer, "more", 4);
    assert_int_equal(take(&value, &longer, longer.size), from->size);
    assert_int_equal(take(&value, from, from->size), from->size);
    return value;
}

static void
every_type_is_read(void **state)
{
    (void)state;
    writer_value bytes = {.size = 0};
    double real = -0.5;
    writer_value_type(&bytes, DJP_EMPTY);
    assert_int_equal(assert_exact(&bytes).type, DJP_EMPTY);
    for (int flag = 0; flag < 3; flag++) {
        bytes.size = 0;
        writer_value_type(&bytes, DJP_BOOL);
        writer_value_add(&bytes, &(char){(char)flag}, 1);
        djp_value value = assert_exact(&bytes);
        assert_int_equal(value.type, DJP_BOOL);
        assert_int_equal(value.as.boolean, flag != 0);
    }
    bytes.size = 0;
    writer_value_int(&bytes, INT64_MIN + 1);
    djp_value value = assert_exact(&bytes);
    assert_int_equal(value.type, DJP_INT);
    assert_true(value.as.integer == INT64_MIN + 1);
    bytes.size = 0;
    writer_value_type(&bytes, DJP_DOUBLE);
    writer_value_add(&bytes, &real, sizeof real);
    value = assert_exact(&bytes);
    assert_int_equal(value.type, DJP_DOUBLE);
    assert_true(value.as.real == real);
    for (int type = DJP_STRING; type <= DJP_BYTES; type++) {
        for (size_t size = 0; size < 3; size++) {
            bytes.size = 0;
            writer_value_type(&bytes, (djp_value_type)type);
            writer_value_key(&bytes, &"ab"[2 - size]);
            value = assert_exact(&bytes);
            assert_int_equal(value.type, type);
            assert_int_equal(value.as.text.size, size);
        }
    }
    for (int type = DJP_MAP + 1; type <= UINT8_MAX; type++) {
        bytes.bytes[0] = (char)type;
        assert_int_equal(take(&value, &bytes, bytes.size), -1);
    }
}

static void
lists_are_read_with_all_of_their_items(void **state)
{
    (void)state;
    writer_value bytes = {.size = 0};
    writer_value_type(&bytes, DJP_ARRAY);
    writer_value_count(&bytes, 3);
    writer_value_int(&bytes, 7);
    writer_value_string(&bytes, "text");
    writer_value_type(&bytes, DJP_ARRAY);
    writer_value_count(&bytes, 0);
    djp_value value = assert_exact(&bytes);
    assert_int_equal(value.type, DJP_ARRAY);
    assert_int_equal(value.as.array.count, 3);
    assert_int_equal(value.as.array.items[0].as.integer, 7);
    assert_int_equal(value.as.array.items[1].as.text.size, 4);
    assert_int_equal(value.as.array.items[2].as.array.count, 0);
    bytes.size = 0;
    writer_value_map(&bytes, 2);
    writer_value_key(&bytes, "first");
    writer_value_int(&bytes, 8);
    writer_value_key(&bytes, "");
    writer_value_map(&bytes, 0);
    value = assert_exact(&bytes);
    assert_int_equal(value.type, DJP_MAP);
    assert_int_equal(value.as.map.count, 2);
    assert_int_equal(value.as.map.items[0].key.size, 5);
    assert_int_equal(value.as.map.items[0].value.as.integer, 8);
    assert_int_equal(value.as.map.items[1].key.size, 0);
    assert_int_equal(value.as.map.items[1].value.type, DJP_MAP);
    assert_int_equal(value.as.map.items[1].value.as.map.count, 0);
}

/* A list has at most as many items as bytes, so that a count alone costs no memory. */
static void
counts_are_no_promises(void **state)
{
    (void)state;
    djp_value value;
    static const uint32_t counts[] = {7, 20000, UINT32_MAX / 16, UINT32_MAX};
    for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
        writer_value promise = {.size = 0};
        writer_value_type(&promise, i % 2 ? DJP_MAP : DJP_ARRAY);
        writer_value_count(&promise, counts[i / 2]);
        writer_value_type(&promise, DJP_EMPTY);
        size_t before = heap_used();
        assert_int_equal(take(&value, &promise, promise.size), -1);
        assert_true(heap_used() <= before + 4096);
    }
    writer_value bytes = {.size = 0};
    writer_value_type(&bytes, DJP_ARRAY);
    writer_value_count(&bytes, 2);
    writer_value_type(&bytes, DJP_EMPTY);
    writer_value_type(&bytes, DJP_EMPTY); /* as many items as bytes */
    assert_int_equal(take(&value, &bytes, bytes.size), 7);
    assert_int_equal(value.as.array.count, 2);
}

/* One level more than is recorded, so that the cut is counted; then no further. */
static void
depth_is_bounded(void **state)
{
    (void)state;
    for (int type = DJP_ARRAY; type <= DJP_MAP; type++) {
        for (int depth = DJP_VALUE_DEPTH_MAX; depth <= DJP_VALUE_DEPTH_MAX + 3; depth++) {
            djp_value value;
            writer_value bytes = {.size = 0};
            for (int i = 0; i < depth; i++) {
                writer_value_type(&bytes, (djp_value_type)type);
                writer_value_count(&bytes, 1);
                if (type == DJP_MAP) {
                    writer_value_key(&bytes, "k");
                }
            }
            writer_value_int(&bytes, 5);
            int good = depth <= DJP_VALUE_DEPTH_MAX + 1;
            assert_int_equal(take(&value, &bytes, bytes.size) >= 0, good);
            const djp_attribute *items;
            size_t count;
            djp__arena arena;
            djp__arena_init(&arena, 1 << 16);
            assert_int_equal(
                djp__oplog_attributes_in(&items, &count, &arena, bytes.bytes, bytes.size),
                good && type == DJP_MAP);
            djp__arena_fini(&arena);
        }
    }
}

/* The list of a value is used until the next one; the memory of a log stays that of one value. */
static void
read_a_list(void)
{
    static writer_value bytes;
    djp_value value;
    bytes.size = 0;
    writer_value_type(&bytes, DJP_ARRAY);
    writer_value_count(&bytes, 400);
    for (int i = 0; i < 400; i++) {
        writer_value_int(&bytes, i);
    }
    assert_true(take(&value, &bytes, bytes.size) > 0);
    assert_int_equal(value.as.array.items[399].as.integer, 399);
}

static void
memory_is_that_of_one_value(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(read_a_list, 200), 0);
}

static void
attributes_are_maps(void **state)
{
    (void)state;
    const djp_attribute *items = NULL;
    size_t count = 77;
    djp__arena arena;
    djp__arena_init(&arena, 4096);
    for (int in_arena = 0; in_arena < 2; in_arena++) {
        writer_value bytes = {.size = 0};
        writer_value_map(&bytes, 1);
        writer_value_key(&bytes, "key");
        writer_value_int(&bytes, 9);
        for (size_t size = 0; size <= bytes.size; size++) {
            const unsigned char *at = (const unsigned char *)bytes.bytes;
            items = NULL;
            count = 77;
            int good = in_arena
                           ? djp__oplog_attributes_in(&items, &count, &arena, bytes.bytes, size)
                           : djp__oplog_attributes(&items, &count, log_of_test, &at, at + size);
            assert_int_equal(good, size == bytes.size);
        }
        assert_int_equal(count, 1);
        assert_int_equal(items[0].key.size, 3);
        assert_int_equal(items[0].value.as.integer, 9);
        bytes.size = 0;
        writer_value_int(&bytes, 9); /* no map */
        const unsigned char *at = (const unsigned char *)bytes.bytes;
        assert_false(
            in_arena ? djp__oplog_attributes_in(&items, &count, &arena, at, bytes.size)
                     : djp__oplog_attributes(&items, &count, log_of_test, &at, at + bytes.size));
    }
    djp__arena_fini(&arena);
}

static void
texts_are_strings(void **state)
{
    (void)state;
    djp_text text;
    writer_value bytes = {.size = 0};
    writer_value_string(&bytes, "abc");
    for (size_t size = 0; size <= bytes.size; size++) {
        const unsigned char *at = (const unsigned char *)bytes.bytes;
        assert_int_equal(djp__oplog_text(&text, &at, at + size), size == bytes.size);
    }
    assert_int_equal(text.size, 3);
    assert_memory_equal(text.data, "abc", 3);
    bytes.bytes[0] = DJP_BYTES;
    const unsigned char *at = (const unsigned char *)bytes.bytes;
    assert_false(djp__oplog_text(&text, &at, at + bytes.size));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(every_type_is_read),          CASE(lists_are_read_with_all_of_their_items),
        CASE(counts_are_no_promises),      CASE(depth_is_bounded),
        CASE(memory_is_that_of_one_value), CASE(attributes_are_maps),
        CASE(texts_are_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
