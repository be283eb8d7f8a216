/* Percent codes and base64 over every byte, both ways, and everything that is none of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"

static void
percent_codes_of_every_byte(void **state)
{
    (void)state;
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    djp__buf out, back;
    djp__buf_init(&out, 0);
    djp__buf_init(&back, 0);
    for (int c = 0; c < 256; c++) {
        for (int also = 0; also < 2; also++) {
            char byte = (char)c, form[4];
            djp__buf_clear(&out);
            djp__buf_clear(&back);
            djp__percent_encode(&out, (djp_text){&byte, 1}, also ? "/+" : NULL);
            int kept = c != 0 && (strchr(safe, c) != NULL || (also && strchr("/+", c) != NULL));
            snprintf(form, sizeof form, "%%%02X", c);
            assert_int_equal(out.size, kept ? 1 : 3);
            assert_memory_equal(out.data, kept ? &byte : form, out.size);
            assert_true(djp__percent_decode(&back, (djp_text){out.data, out.size}));
            assert_int_equal(back.size, 1);
            assert_int_equal(back.data[0], byte);
        }
    }
    djp__buf_fini(&out);
    djp__buf_fini(&back);
}

/* Two digits of any case, and nothing else, behind each sign; a code at the very end counts. */
static void
percent_codes_of_every_pair(void **state)
{
    (void)state;
    djp__buf out;
    djp__buf_init(&out, 0);
    for (int first = 0; first < 256; first++) {
        for (int second = 0; second < 256; second++) {
            const char text[] = {'a', '%', (char)first, (char)second};
            static const char digits[] = "0123456789abcdefABCDEF";
            int good = first && second && strchr(digits, first) && strchr(digits, second);
            djp__buf_clear(&out);
            if (djp__percent_decode(&out, (djp_text){text, 4}) != good) {
                fail_msg("%02x %02x", first, second);
            }
            if (good) {
                char wanted[3] = {(char)first, (char)second, '\0'};
                assert_int_equal(out.size, 2);
                unsigned value = 0;
                sscanf(wanted, "%x", &value);
                assert_int_equal((unsigned char)out.data[1], value);
            }
        }
    }
    static const char *const bad[] = {"%", "%4", "a%", "%%41", "%41%", "%41%4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        djp__buf_clear(&out);
        assert_false(djp__percent_decode(&out, djp__text(bad[i])));
    }
    djp__buf_clear(&out);
    assert_true(djp__percent_decode(&out, djp__text("%41%42c%43")));
    assert_int_equal(out.size, 4);
    assert_memory_equal(out.data, "ABcC", 4);
    djp__buf_clear(&out);
    assert_true(djp__percent_decode(&out, (djp_text){NULL, 0}));
    assert_int_equal(out.size, 0);
    djp__buf_fini(&out);
}

static void
base64_both_ways(void **state)
{
    (void)state;
    djp__buf out, back;
    djp__buf_init(&out, 0);
    djp__buf_init(&back, 0);
    uint8_t bytes[64];
    for (size_t size = 0; size <= sizeof bytes; size++) {
        for (unsigned seed = 0; seed < 8; seed++) {
            for (size_t i = 0; i < size; i++) {
                bytes[i] = (uint8_t)(i * 37 + seed * 101 + (seed & 1 ? 255 - i : 0));
            }
            djp__buf_clear(&out);
            djp__base64(&out, bytes, size);
            assert_int_equal(out.size, (size + 2) / 3 * 4);
            for (size_t cut = 0; cut < 2; cut++) {
                size_t length = out.size;
                while (cut && length > 0 && out.data[length - 1] == '=') {
                    length--;
                }
                djp__buf_clear(&back);
                assert_true(djp__base64_decode(&back, (djp_text){out.data, length}));
                assert_int_equal(back.size, size);
                if (size > 0) {
                    assert_memory_equal(back.data, bytes, size);
                }
            }
        }
    }
    djp__buf_clear(&out);
    djp__base64(&out,
                "\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96"
                "\x9b\x71\xd7\x9f"
                "\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e"
                "\xbb\xf3\xdf\xbf",
                48);
    assert_memory_equal(out.data,
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 64);
    djp__buf_fini(&out);
    djp__buf_fini(&back);
}

static void
base64_takes_nothing_else(void **state)
{
    (void)state;
    djp__buf out;
    djp__buf_init(&out, 0);
    for (int c = 0; c < 256; c++) {
        char text[4] = {'A', 'A', (char)c, 'A'};
        int good = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                               c) != NULL;
        djp__buf_clear(&out);
        assert_int_equal(djp__base64_decode(&out, (djp_text){text, 4}), good);
    }
    static const struct {
        const char *text;
        int good;
    } cases[] = {{"", 1},      {"A", 0},     {"AA", 1},   {"AAA", 1},   {"AAAA", 1},
                 {"AAAAA", 0}, {"AA=", 0},   {"AA==", 1}, {"AA===", 0}, {"AAA=", 1},
                 {"AAA==", 0}, {"AAAA=", 0}, {"=", 0},    {"==", 0},    {"AB==", 0},
                 {"AQ==", 1},  {"AAB=", 0},  {"AAE=", 1}, {"A===", 0},  {"AA", 1},
                 {"AP", 0},    {"AAD", 0},   {"/w==", 1}, {"//8=", 1},  {"/x==", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__buf_clear(&out);
        if (djp__base64_decode(&out, djp__text(cases[i].text)) != cases[i].good) {
            fail_msg("%s", cases[i].text);
        }
    }
    djp__buf_fini(&out);
}

/* Published values of FNV-1a; parts that follow each other hash as one text. */
static void
the_fixed_hash_is_fnv_1a(void **state)
{
    (void)state;
    assert_true(djp__hash_fixed(DJP__HASH_FIXED, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(djp__hash_fixed(DJP__HASH_FIXED, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    uint64_t whole = djp__hash_fixed(DJP__HASH_FIXED, "foobar", 6);
    assert_true(whole == UINT64_C(0x85944171f73967e8));
    assert_true(whole == djp__hash_fixed(djp__hash_fixed(DJP__HASH_FIXED, "foo", 3), "bar", 3));
}

/* Texts that differ in one bit or in length have different hashes, and a text has one hash. */
static void
hashes_differ(void **state)
{
    (void)state;
    char text[80];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + i % 26);
    }
    for (size_t size = 0; size <= 70; size++) {
        uint64_t hash = djp__hash(text, size);
        assert_true(hash == djp__hash(text, size));
        assert_true(hash != djp__hash(text, size + 1));
        for (size_t at = 0; at < size; at++) {
            for (int bit = 0; bit < 8; bit++) {
                text[at] = (char)(text[at] ^ 1 << bit);
                assert_true(hash != djp__hash(text, size));
                text[at] = (char)(text[at] ^ 1 << bit);
            }
        }
    }
}

static void
check_made(djp__buf *buf, const char *expected)
{
    djp__buf_char(buf, '\0');
    assert_false(buf->failed);
    assert_string_equal(buf->data, expected);
    djp__buf_clear(buf);
}

/* Every pair of bytes at every place among sixteen digits, which are decoded at once, and behind
 * them. */
static void
hex_takes_lower_case_digits_only(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 256u * 256u * 9u; i++) {
        char text[] = "0af79be18cd23456af", pair[2] = {(char)i, (char)(i >> 8)};
        uint8_t bytes[9];
        size_t place = i >> 16;
        memcpy(text + 2 * place, pair, 2);
        const char *high = pair[0] ? strchr(digits, pair[0]) : NULL,
                   *low = pair[1] ? strchr(digits, pair[1]) : NULL;
        int good = djp__hex_decode(bytes, 9, text);
        if (good != (high && low) ||
            (good && bytes[place] != (high - digits) * 16 + (low - digits))) {
            fail_msg("%02x %02x at %u", (unsigned char)pair[0], (unsigned char)pair[1],
                     (unsigned)place);
        }
    }
}

static void
codes_go_both_ways(void **state)
{
    (void)state;
    djp__buf buf;
    uint8_t bytes[3];
    djp__buf_init(&buf, 0);
    djp__buf_hex(&buf, "\x00\xab\xff", 3);
    check_made(&buf, "00abff");
    assert_true(djp__hex_decode(bytes, 3, "00abff"));
    assert_memory_equal(bytes, "\x00\xab\xff", 3);
    assert_false(djp__hex_decode(bytes, 3, "00aBff"));
    assert_false(djp__hex_decode(bytes, 3, "00 bff"));
    djp__percent_encode(&buf, djp__text("a b%/\xc3\xa9~"), "/");
    check_made(&buf, "a%20b%25/%C3%A9~");
    assert_true(djp__percent_decode(&buf, djp__text("a%20b+%2f%C3%a9")));
    check_made(&buf, "a b+/\xc3\xa9");
    static const char *const bad[] = {"%", "%2", "a%zz", "%2g"};
    for (size_t i = 0; i < 4; i++) {
        assert_false(djp__percent_decode(&buf, djp__text(bad[i])));
        djp__buf_clear(&buf);
    }
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < 5; i++) {
        djp__base64(&buf, pairs[i][0], strlen(pairs[i][0]));
        check_made(&buf, pairs[i][1]);
        assert_true(djp__base64_decode(&buf, djp__text(pairs[i][1])));
        check_made(&buf, pairs[i][0]);
    }
    assert_true(djp__base64_decode(&buf, djp__text("Zm8")));
    check_made(&buf, "fo");
    static const char *const broken[] = {"Z", "Zm8==", "Zm=8", "Zg=", "Zm9v=", "Zm 8", "Zh=="};
    for (size_t i = 0; i < 7; i++) {
        assert_false(djp__base64_decode(&buf, djp__text(broken[i])));
    }
    djp__buf_fini(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_codes_of_every_byte),
        cmocka_unit_test(percent_codes_of_every_pair),
        cmocka_unit_test(base64_both_ways),
        cmocka_unit_test(base64_takes_nothing_else),
        cmocka_unit_test(the_fixed_hash_is_fnv_1a),
        cmocka_unit_test(hashes_differ),
        cmocka_unit_test(hex_takes_lower_case_digits_only),
        cmocka_unit_test(codes_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
