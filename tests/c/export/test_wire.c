/* Protobuf written backwards: numbers at every length, copies of every size, and what the bytes
 * are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/emit_protobuf.h"

enum { WIRE_ROOM = 512 };

/* What a varint should be, by the definition. */
static size_t
wire_expect_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    do {
        out[size] = (uint8_t)(value & 0x7f);
        value >>= 7;
        out[size] |= value != 0 ? 0x80 : 0;
        size++;
    } while (value != 0);
    return size;
}

static void
varints_have_every_length(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int less = 0; less <= 1; less++) {
            uint64_t value = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - (uint64_t)less;
            char room[64];
            uint8_t expected[16] = {0x08};
            size_t size = 1 + wire_expect_varint(expected + 1, value);
            char *end = room + sizeof room, *at = djp__wire_field_varint(end, 0x08, value);
            assert_int_equal(end - at, size);
            assert_memory_equal(at, expected, size);
        }
    }
}

static void
copies_have_every_size(void **state)
{
    char room[WIRE_ROOM], from[WIRE_ROOM];
    (void)state;
    for (size_t i = 0; i < sizeof from; i++) {
        from[i] = (char)(i * 7 + 1);
    }
    for (size_t size = 0; size <= 130; size++) {
        memset(room, 0, sizeof room);
        char *end = room + sizeof room, *at = djp__wire_copy(end, from + DJP__WIRE_SLACK, size);
        assert_int_equal(end - at, size);
        assert_memory_equal(at, from + DJP__WIRE_SLACK, size);
        at = djp__wire_append(end, from, size);
        assert_int_equal(end - at, size);
        assert_memory_equal(at, from, size);
    }
}

static void
zero_and_empty_are_left_out(void **state)
{
    static const uint8_t none[8], some[8] = {0, 0, 0, 0, 0, 0, 0, 1};
    static const char *const words[] = {"A"};
    char room[64], *end = room + sizeof room;
    djp_text empty = {NULL, 0};
    (void)state;
    assert_ptr_equal(djp__protobuf_id_or_none(end, 4, NULL, NULL, none), end);
    assert_int_equal(end - djp__protobuf_id_or_none(end, 4, NULL, NULL, some), 10);
    assert_ptr_equal(djp__protobuf_text(end, 5, NULL, NULL, empty), end);
    assert_ptr_equal(djp__protobuf_made_text(end, 5, NULL, NULL, empty), end);
    assert_ptr_equal(djp__protobuf_own_attribute(end, 9, NULL, NULL, DJP_TEXT("k"), empty), end);
    assert_ptr_equal(djp__protobuf_count(end, 6, NULL, NULL, 0), end);
    assert_ptr_equal(djp__protobuf_word(end, 6, NULL, NULL, 0, words, 1), end);
    assert_ptr_equal(djp__protobuf_time(end, 7, NULL, NULL, 0), end);
    assert_ptr_equal(djp__protobuf_flags(end, 16, NULL, NULL, 0), end);
    assert_ptr_equal(djp__protobuf_value(end, 5, NULL, NULL, NULL, NULL), end);
    assert_ptr_equal(djp__protobuf_list_begin(end, 5, NULL, NULL), end);
}

static void
fields_from_16_on_have_two_bytes_of_tag(void **state)
{
    char room[64], *end = room + sizeof room;
    (void)state;
    char *at = djp__protobuf_flags(end, 16, NULL, NULL, 0x101);
    assert_int_equal(end - at, 6);
    assert_memory_equal(at, "\x85\x01\x01\x01\x00\x00", 6);
    at = djp__protobuf_flags(end, 15, NULL, NULL, 1);
    assert_int_equal(end - at, 5);
    assert_memory_equal(at, "\x7d\x01\x00\x00\x00", 5);
}

static void
an_attribute_of_ours_is_a_key_value(void **state)
{
    char room[128], *end = room + sizeof room;
    (void)state;
    char *at = djp__protobuf_own_attribute(end, 9, NULL, NULL, DJP_TEXT("why"), DJP_TEXT("slow"));
    assert_int_equal(end - at, 15);
    assert_memory_equal(at, "\x4a\x0d\x0a\x03why\x12\x06\x0a\x04slow", 15);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_have_every_length),
        cmocka_unit_test(copies_have_every_size),
        cmocka_unit_test(zero_and_empty_are_left_out),
        cmocka_unit_test(fields_from_16_on_have_two_bytes_of_tag),
        cmocka_unit_test(an_attribute_of_ours_is_a_key_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
