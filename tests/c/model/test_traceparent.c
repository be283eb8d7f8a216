/* The traceparent field at its edges: each character at its place, sizes, versions, ids and flags.
 * The shared vectors are in test_context.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/context.h"

#define GOOD "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"

/* In a block of just that size. What is refused leaves nothing. */
static int
parse(djp_span_context *out, const char *text, size_t size)
{
    static const djp_span_context none;
    char *exact = malloc(size + 1);
    memcpy(exact, text, size);
    memset(out, 0xee, sizeof *out);
    int good = djp_traceparent_parse(out, (djp_text){exact, size});
    free(exact);
    if (!good) {
        assert_memory_equal(out, &none, sizeof none);
    }
    return good;
}

static int
is_good(const char *text)
{
    djp_span_context context;
    return parse(&context, text, strlen(text));
}

static void
every_part_is_read(void **state)
{
    (void)state;
    djp_span_context context;
    assert_int_equal(strlen(GOOD), DJP_TRACEPARENT_SIZE);
    assert_true(parse(&context, GOOD, DJP_TRACEPARENT_SIZE));
    for (uint8_t i = 0; i < 16; i++) {
        assert_int_equal(context.trace_id[i], i + 1);
    }
    for (uint8_t i = 0; i < 8; i++) {
        assert_int_equal(context.span_id[i], i + 0x11);
    }
    assert_int_equal(context.flags, DJP_FLAG_SAMPLED);
    assert_int_equal(context.is_remote, 1);
    assert_null(context.state);
}

static void
blanks_around_it_are_ignored(void **state)
{
    (void)state;
    assert_true(is_good(" \t" GOOD "\t "));
    assert_false(is_good("\n" GOOD));
    assert_false(is_good("0 0-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"));
}

/* A character that does not belong where it is, at each place. */
static void
each_character_has_its_place(void **state)
{
    (void)state;
    char text[] = GOOD;
    for (size_t i = 0; i < DJP_TRACEPARENT_SIZE; i++) {
        static const char wrong[] = {'-', 'g', 'A', '/', ':', '`', '\0', ' '};
        for (size_t k = 0; k < sizeof wrong; k++) {
            char right = text[i];
            djp_span_context context;
            text[i] = wrong[k];
            int good = parse(&context, text, DJP_TRACEPARENT_SIZE);
            /* A blank at an end is cut off, and then it is too short. */
            if (good != (wrong[k] == right)) {
                fail_msg("place %zu, character %d", i, wrong[k]);
            }
            text[i] = right;
        }
    }
}

static void
sizes_depend_on_the_version(void **state)
{
    (void)state;
    djp_span_context context;
    for (size_t size = 0; size < DJP_TRACEPARENT_SIZE; size++) {
        assert_false(parse(&context, GOOD, size));
    }
    assert_false(is_good(GOOD "-"));
    assert_false(is_good(GOOD "0"));
    static const char *const versions[] = {"01", "cc", "fe"};
    for (size_t i = 0; i < 3; i++) {
        char text[] = GOOD "-more";
        memcpy(text, versions[i], 2);
        assert_true(parse(&context, text, DJP_TRACEPARENT_SIZE));
        assert_true(parse(&context, text, DJP_TRACEPARENT_SIZE + 1));
        assert_true(parse(&context, text, DJP_TRACEPARENT_SIZE + 5));
        assert_false(parse(&context, text, DJP_TRACEPARENT_SIZE - 1));
        text[DJP_TRACEPARENT_SIZE] = '0';
        assert_false(parse(&context, text, DJP_TRACEPARENT_SIZE + 1));
        assert_true(parse(&context, text, DJP_TRACEPARENT_SIZE));
    }
    char future[] = GOOD;
    memcpy(future, "ff", 2);
    assert_false(is_good(future));
    assert_false(djp_traceparent_parse(&context, (djp_text){NULL, 0}));
    assert_false(djp_traceparent_parse(&context, (djp_text){NULL, DJP_TRACEPARENT_SIZE}));
}

static void
ids_of_zeros_are_none(void **state)
{
    (void)state;
    assert_false(is_good("00-00000000000000000000000000000000-1112131415161718-01"));
    assert_false(is_good("00-0102030405060708090a0b0c0d0e0f10-0000000000000000-01"));
    assert_true(is_good("00-00000000000000000000000000000001-0000000000000001-01"));
    assert_true(is_good("00-10000000000000000000000000000000-1000000000000000-01"));
}

static void
unknown_flags_are_cut_off(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef";
    for (unsigned flags = 0; flags < 256; flags++) {
        char text[] = GOOD;
        djp_span_context context;
        text[53] = digits[flags / 16];
        text[54] = digits[flags % 16];
        assert_true(parse(&context, text, DJP_TRACEPARENT_SIZE));
        assert_int_equal(context.flags, flags & 3);
    }
}

/* ---- writing ---- */

static void
what_is_written_is_read(void **state)
{
    (void)state;
    char out[DJP_TRACEPARENT_SIZE + 2];
    djp_span_context context = {.flags = 0xff};
    for (uint8_t i = 0; i < 16; i++) {
        context.trace_id[i] = (uint8_t)(i * 17);
        context.span_id[i % 8] = (uint8_t)(0xff - i);
    }
    memset(out, 'x', sizeof out);
    djp_traceparent_write(out, &context);
    assert_string_equal(out, "00-00112233445566778899aabbccddeeff-f7f6f5f4f3f2f1f0-03");
    assert_int_equal(out[DJP_TRACEPARENT_SIZE + 1], 'x');
    for (uint8_t flags = 0; flags < 4; flags++) {
        context.flags = (uint8_t)(flags | 0x10);
        djp_traceparent_write(out, &context);
        assert_int_equal(out[53], '0');
        assert_int_equal(out[54], '0' + flags);
    }
}

static void
an_invalid_context_writes_nothing(void **state)
{
    (void)state;
    char out[DJP_TRACEPARENT_SIZE + 2];
    static const char nothing[DJP_TRACEPARENT_SIZE + 1];
    djp_span_context contexts[3] = {{.trace_id = {1}}, {.span_id = {1}}, {.flags = 1}};
    for (int i = 0; i < 4; i++) {
        memset(out, 'x', sizeof out);
        djp_traceparent_write(out, i < 3 ? &contexts[i] : NULL);
        assert_memory_equal(out, nothing, sizeof nothing);
        assert_int_equal(out[DJP_TRACEPARENT_SIZE + 1], 'x');
    }
}

/* One bit of each id is enough, wherever it is. */
static void
a_context_with_both_ids_is_valid(void **state)
{
    (void)state;
    assert_false(djp_span_context_is_valid(NULL));
    for (int i = 0; i < 16; i++) {
        djp_span_context context = {.flags = 1};
        context.trace_id[i] = 1;
        assert_false(djp_span_context_is_valid(&context));
        context.span_id[i % 8] = 0x80;
        assert_true(djp_span_context_is_valid(&context));
        context.trace_id[i] = 0;
        assert_false(djp_span_context_is_valid(&context));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_read),
        cmocka_unit_test(blanks_around_it_are_ignored),
        cmocka_unit_test(each_character_has_its_place),
        cmocka_unit_test(sizes_depend_on_the_version),
        cmocka_unit_test(ids_of_zeros_are_none),
        cmocka_unit_test(unknown_flags_are_cut_off),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(an_invalid_context_writes_nothing),
        cmocka_unit_test(a_context_with_both_ids_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
