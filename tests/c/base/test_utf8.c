/* UTF-8 over all sequences of up to three bytes and those of four that matter, against a plain
 * reading of the standard, and cuts at every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"
#include "base/str.h"

#define BAD "\xef\xbf\xbd"

/* The length of the character at text by the table of well-formed sequences; 0: none. */
static size_t
well_formed(const unsigned char *t, size_t size)
{
    static const struct {
        unsigned char from, to, low, high;
        size_t length;
    } rows[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (t[0] < rows[i].from || t[0] > rows[i].to) {
            continue;
        }
        if (rows[i].length > size ||
            (rows[i].length > 1 && (t[1] < rows[i].low || t[1] > rows[i].high))) {
            return 0;
        }
        for (size_t k = 2; k < rows[i].length; k++) {
            if (t[k] < 0x80 || t[k] > 0xbf) {
                return 0;
            }
        }
        return rows[i].length;
    }
    return 0;
}

static int
expected(const unsigned char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t length = well_formed(text + at, size - at);
        if (length == 0) {
            return 0;
        }
        at += length;
    }
    return 1;
}

static void
check(const unsigned char *text, size_t size)
{
    int valid = djp__utf8_valid((const char *)text, size);
    if (valid != expected(text, size)) {
        fail_msg("%02x %02x %02x %02x, %zu", text[0], text[1], text[2], text[3], size);
    }
    char out[16];
    int cut;
    size_t made = djp__utf8_repair(out, sizeof out, (const char *)text, size, &cut);
    assert_false(cut);
    assert_true(expected((const unsigned char *)out, made));
    if (valid) {
        assert_int_equal(made, size);
        assert_memory_equal(out, text, size);
    }
}

static void
every_sequence(void **state)
{
    static const unsigned char tails[] = {0x00, 0x7f, 0x80, 0x8f, 0x90,
                                          0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            unsigned char text[4] = {(unsigned char)a, (unsigned char)b, 0, 0};
            check(text, 1);
            check(text, 2);
            for (size_t c = 0; c < sizeof tails; c++) {
                text[2] = tails[c];
                check(text, 3);
                for (size_t d = 0; d < sizeof tails; d++) {
                    text[3] = tails[d];
                    check(text, 4);
                }
            }
        }
    }
}

/* ASCII is looked at eight bytes at a time: a bad byte at every place of longer texts. */
static void
bad_bytes_at_every_place(void **state)
{
    char text[40];
    (void)state;
    for (size_t size = 1; size <= sizeof text; size++) {
        memset(text, 'a', sizeof text);
        assert_true(djp__utf8_valid(text, size));
        for (size_t at = 0; at < size; at++) {
            text[at] = '\x80';
            assert_false(djp__utf8_valid(text, size));
            assert_true(djp__utf8_valid(text, at));
            text[at] = 'a';
        }
    }
}

static void
cuts_and_prefixes(void **state)
{
    /* 1, 2, 3 and 4 bytes */
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t ends[] = {0, 1, 3, 6, 10, 11};
    (void)state;
    for (size_t bytes = 0; bytes <= 12; bytes++) {
        size_t want = 0;
        for (size_t i = 0; i < 6; i++) {
            want = ends[i] <= bytes ? ends[i] : want;
        }
        assert_int_equal(djp__utf8_cut(text, 11, bytes), want);
        char out[16];
        int cut;
        assert_int_equal(djp__utf8_repair(out, bytes, text, 11, &cut), want);
        assert_int_equal(cut, bytes < 11);
    }
    for (size_t characters = 0; characters <= 6; characters++) {
        assert_int_equal(djp__utf8_prefix(text, 11, characters),
                         ends[characters < 5 ? characters : 5]);
    }
    /* no character has so many tails */
    assert_int_equal(djp__utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
}

static void
cases_of_letters(void **state)
{
    (void)state;
    for (int a = 1; a < 256; a++) {
        for (int b = 1; b < 256; b++) {
            char one = (char)a, other[2] = {(char)b, '\0'};
            int upper_a = a >= 'A' && a <= 'Z' ? a + 32 : a,
                upper_b = b >= 'A' && b <= 'Z' ? b + 32 : b;
            assert_int_equal(djp__text_equal_nocase((djp_text){&one, 1}, other),
                             upper_a == upper_b);
        }
    }
}

static const struct {
    const char *in;
    const char *repaired; /* NULL: valid as it is */
} utf8_cases[] = {
    {"", NULL},
    {"plain ASCII, longer than eight bytes", NULL},
    {"\x7f", NULL},
    {"caf\xc3\xa9", NULL},
    {"\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
    {"\xf4\x8f\xbf\xbf", NULL},
    {"\xed\x9f\xbf\xee\x80\x80", NULL},
    {"a\x80z", "a" BAD "z"},
    {"\xc0\xaf", BAD BAD},
    {"\xc1\x81", BAD BAD},
    {"\xe0\x80\x80", BAD BAD BAD},
    {"\xed\xa0\x80", BAD BAD BAD}, /* a lone surrogate */
    {"\xf0\x8f\xbf\xbf", BAD BAD BAD BAD},
    {"\xf4\x90\x80\x80", BAD BAD BAD BAD},
    {"\xf5\x80", BAD BAD},
    {"\xfe\xff", BAD BAD},
    {"x\xe2\x82", "x" BAD},
    {"x\xe2\x82y", "x" BAD "y"},
    {"\xf0\x9f\x98", BAD},
    {"\xf0\x9f\x98z", BAD "z"},
    {"12345678\xff"
     "12345678",
     "12345678" BAD "12345678"},
};

static void
utf8_is_checked_and_repaired(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof utf8_cases / sizeof utf8_cases[0]; i++) {
        const char *in = utf8_cases[i].in;
        const char *expected = utf8_cases[i].repaired ? utf8_cases[i].repaired : in;
        char out[128];
        int cut = 9;
        assert_int_equal(djp__utf8_valid(in, strlen(in)), utf8_cases[i].repaired == NULL);
        size_t made = djp__utf8_repair(out, sizeof out, in, strlen(in), &cut);
        assert_int_equal(cut, 0);
        assert_int_equal(made, strlen(expected));
        assert_memory_equal(out, expected, made);
    }
}

static void
random_bytes_repair_to_valid_text_of_any_size(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        unsigned char in[24];
        char out[72];
        size_t size = djp__rand64() % (sizeof in + 1);
        for (size_t i = 0; i < size; i++) {
            uint64_t r = djp__rand64();
            in[i] = (unsigned char)(r & 1 ? 0x80 | (r >> 8) : r >> 8);
        }
        int cut;
        size_t made = djp__utf8_repair(out, sizeof out, (char *)in, size, &cut);
        assert_int_equal(cut, 0);
        assert_true(djp__utf8_valid(out, made));
        if (djp__utf8_valid((char *)in, size)) {
            assert_int_equal(made, size);
            assert_memory_equal(in, out, size);
        }
        size_t room = djp__rand64() % 30;
        char shorter[30];
        size_t less = djp__utf8_repair(shorter, room, (char *)in, size, &cut);
        assert_true(less <= room);
        assert_true(djp__utf8_valid(shorter, less));
        assert_int_equal(cut, less < made);
        size_t prefix = djp__utf8_cut(out, made, room);
        assert_true(prefix <= room && djp__utf8_valid(out, prefix));
    }
}

static void
prefixes_count_characters(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    const size_t lengths[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(djp__utf8_prefix(text, strlen(text), i), lengths[i]);
    }
    assert_int_equal(djp__utf8_cut(text, 11, 5), 3);
    assert_int_equal(djp__utf8_cut(text, 11, 6), 6);
    assert_int_equal(djp__utf8_cut("\x80\x80\x80\x80\x80\x80\x80\x80", 8, 6), 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence),
        cmocka_unit_test(bad_bytes_at_every_place),
        cmocka_unit_test(cuts_and_prefixes),
        cmocka_unit_test(cases_of_letters),
        cmocka_unit_test(utf8_is_checked_and_repaired),
        cmocka_unit_test(random_bytes_repair_to_valid_text_of_any_size),
        cmocka_unit_test(prefixes_count_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
