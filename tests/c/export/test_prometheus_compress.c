/* Whether an exposition is compressed: by its size and by every form of the header that asks for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "djp/metrics.h"

/* Packs a text of that size; 1 when it was packed and comes out again as it was. */
static int
packs(size_t size, const char *accept)
{
    char *text = djp__alloc(size + 1), *given = text;
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)('a' + i % 17);
    }
    text[size] = '\0';
    size_t now = size;
    int packed = djp_exposition_pack(&text, &now, (djp_text){accept, accept ? strlen(accept) : 0});
    if (!packed) {
        assert_ptr_equal(text, given);
        assert_int_equal(now, size);
    } else {
        char *back = djp__alloc(size + 1);
        z_stream stream = {0};
        assert_non_null(back);
        assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
        stream.next_in = (Bytef *)text;
        stream.avail_in = (uInt)now;
        stream.next_out = (Bytef *)back;
        stream.avail_out = (uInt)size + 1;
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        assert_int_equal(stream.total_out, size);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(back[i], 'a' + i % 17);
        }
        inflateEnd(&stream);
        djp__free(back);
    }
    djp__free(text);
    return packed;
}

static void
headers_ask_or_do_not(void **state)
{
    static const struct {
        const char *accept;
        int packed;
    } cases[] = {
        {NULL, 0},           {"", 0},           {"gzip", 1},          {"GZIP", 1},       {" gzip ", 1},
        {"x-gzip", 0},       {"gzipped", 0},    {"deflate", 0},       {"br, gzip", 1},   {"gzip;q=1", 1},
        {"gzip;q=0.001", 1}, {"gzip;q=0", 0},   {"gzip;q=0.0", 0},    {"gzip; q=0", 0},  {"gzip;Q=0", 0},
        {"gzip;q=x", 0},     {"gzip;q=", 1},    {"gzip;x=0", 1},      {"*", 1},          {"*;q=0", 0},
        {"*;q=0.5", 1},      {"gzip;q=0,*", 0}, {"*,gzip;q=0", 0},    {"gzip,*;q=0", 1}, {"*;q=0,gzip", 1},
        {"identity", 0},     {",,gzip", 1},     {"gzip;q=0,gzip", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (packs(5000, cases[i].accept) != cases[i].packed) {
            fail_msg("%s", cases[i].accept);
        }
    }
}

static void
small_texts_are_not_worth_it(void **state)
{
    (void)state;
    assert_false(packs(0, "gzip"));
    assert_false(packs(1023, "gzip"));
    assert_true(packs(1024, "gzip"));
    assert_true(packs(3000000, "gzip"));
}

static void
without_memory_it_stays_as_it_is(void **state)
{
    (void)state;
    char *text = djp__alloc(2000), *given = text;
    memset(text, 'x', 2000);
    size_t size = 2000;
    djp__alloc_fail_after(1);
    int packed = djp_exposition_pack(&text, &size, (djp_text){"gzip", 4});
    djp__alloc_fail_after(0);
    assert_false(packed);
    assert_ptr_equal(text, given);
    djp__free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_ask_or_do_not),
        cmocka_unit_test(small_texts_are_not_worth_it),
        cmocka_unit_test(without_memory_it_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
