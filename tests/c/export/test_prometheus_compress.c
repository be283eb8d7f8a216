/* Compressed expositions: who asks for them, what is worth it, and that they read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "base/mem.h"
#include "djp/djp.h"

enum { PACK_SIZE = 5000 };

static char *
pack_text(size_t size)
{
    char *text = djp__alloc(size + 1);
    assert_non_null(text);
    memset(text, 'm', size);
    text[size] = '\0';
    return text;
}

/* Whether a text of that size is compressed for that header. */
static int
pack_is_done(const char *accept, size_t size)
{
    char *text = pack_text(size);
    size_t left = size;
    int done = djp_exposition_pack(&text, &left, djp_text_of(accept));
    assert_true(done ? left < size : left == size);
    djp_free(text);
    return done;
}

static void
headers_say_who_takes_gzip(void **state)
{
    static const char *const yes[] = {
        "gzip", "GZip", "br, gzip;q=0.1", "*", "identity;q=0, *;q=0.5", " gzip ; q=1 "};
    static const char *const no[] = {"",      "br",          "gzip;q=0", "gzip; q=0.0",
                                     "*;q=0", "gzip;q=0, *", "gzip;q=x", "gzips"};
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_int_equal(pack_is_done(yes[i], PACK_SIZE), 1);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_int_equal(pack_is_done(no[i], PACK_SIZE), 0);
    }
}

static void
short_texts_stay_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(pack_is_done("gzip", 0), 0);
    assert_int_equal(pack_is_done("gzip", 1023), 0);
    assert_int_equal(pack_is_done("gzip", 1024), 1);
}

static void
what_is_compressed_reads_back(void **state)
{
    char *text = pack_text(PACK_SIZE), back[PACK_SIZE];
    size_t size = PACK_SIZE;
    z_stream stream;
    (void)state;
    assert_int_equal(djp_exposition_pack(&text, &size, DJP_TEXT("gzip")), 1);
    memset(&stream, 0, sizeof stream);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = (Bytef *)text;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)back;
    stream.avail_out = sizeof back;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, PACK_SIZE);
    for (size_t i = 0; i < sizeof back; i++) {
        assert_int_equal(back[i], 'm');
    }
    inflateEnd(&stream);
    djp_free(text);
}

static void
memory_that_fails_leaves_the_text(void **state)
{
    char *text = pack_text(PACK_SIZE);
    size_t size = PACK_SIZE;
    (void)state;
    djp__alloc_fail_after(1);
    assert_int_equal(djp_exposition_pack(&text, &size, DJP_TEXT("gzip")), 0);
    djp__alloc_fail_after(0);
    assert_int_equal(size, PACK_SIZE);
    assert_int_equal(text[PACK_SIZE - 1], 'm');
    djp_free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_say_who_takes_gzip),
        cmocka_unit_test(short_texts_stay_as_they_are),
        cmocka_unit_test(what_is_compressed_reads_back),
        cmocka_unit_test(memory_that_fails_leaves_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
