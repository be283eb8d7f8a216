/* The reusable gzip stream: what goes in comes out, one stream for many bodies, and out of memory
 * at every point. The source is part of this program, to damage a stream and to give it little
 * room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "djp/error.h"
#include "heap.h"
#include "net/gzip.c"

static void
assert_unpacks_to(const djp__buf *packed, const uint8_t *data, size_t size)
{
    z_stream stream = {0};
    uint8_t *out = malloc(size + 1);
    assert_non_null(out);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = (Bytef *)packed->data;
    stream.avail_in = (uInt)packed->size;
    stream.next_out = out;
    stream.avail_out = (uInt)size + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, size);
    assert_int_equal(stream.avail_in, 0);
    assert_memory_equal(out, data, size);
    inflateEnd(&stream);
    free(out);
}

static void
fill(uint8_t *data, size_t size, int random)
{
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = random ? (uint8_t)(state >> 24) : (uint8_t)(i % 61);
    }
}

static void
bodies_of_all_sizes_come_back_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 5, 1023, 65536, 1000003, 8000000};
    (void)state;
    djp__gzip *gzip;
    assert_int_equal(djp__gzip_new(&gzip), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int random = 0; random < 2; random++) {
            uint8_t *data = malloc(sizes[i] + 1);
            djp__buf out;
            assert_non_null(data);
            fill(data, sizes[i], random);
            djp__buf_init(&out, 0);
            assert_int_equal(djp__gzip_compress(gzip, &out, data, sizes[i]), 0);
            assert_unpacks_to(&out, data, sizes[i]);
            if (!random && sizes[i] > 1000) {
                assert_true(out.size < sizes[i] / 5);
            }
            djp__buf_fini(&out);
            free(data);
        }
    }
    djp__gzip_free(gzip);
}

static void
it_appends_and_does_not_disturb_what_is_there(void **state)
{
    (void)state;
    djp__gzip *gzip;
    djp__buf out;
    uint8_t data[3000];
    fill(data, sizeof data, 0);
    djp__buf_init(&out, 0);
    djp__buf_append(&out, "12345", 5);
    assert_int_equal(djp__gzip_new(&gzip), 0);
    assert_int_equal(djp__gzip_compress(gzip, &out, data, sizeof data), 0);
    assert_memory_equal(out.data, "12345", 5);
    djp__buf rest = out;
    rest.data += 5;
    rest.size -= 5;
    assert_unpacks_to(&rest, data, sizeof data);
    djp__buf_fini(&out);
    djp__gzip_free(gzip);
    djp__gzip_free(NULL);
}

/* The form of the stream: a gzip head, the fastest level, 32 KiB of window. A later reader of an
 * older body depends on none of them, but their cost does. */
static void
a_body_has_the_form_of_gzip(void **state)
{
    (void)state;
    static uint8_t data[40000];
    djp__gzip *gzip;
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__gzip_new(&gzip), 0);
    /* Random bytes, then the same again at a distance of 20,000: only a window of 32 KiB helps. */
    fill(data, 20000, 1);
    memcpy(data + 20000, data, 20000);
    assert_int_equal(djp__gzip_compress(gzip, &out, data, sizeof data), 0);
    assert_memory_equal(out.data, "\x1f\x8b\x08", 3);
    assert_int_equal(out.data[8], 4); /* the fastest level */
    assert_true(out.size < 21000);
    djp__buf_fini(&out);
    djp__gzip_free(gzip);
}

static void
make_use_and_free(void)
{
    djp__gzip *gzip;
    djp__buf out;
    assert_int_equal(djp__gzip_new(&gzip), 0);
    djp__buf_init(&out, 0);
    assert_int_equal(djp__gzip_compress(gzip, &out, "text", 4), 0);
    djp__buf_fini(&out);
    djp__gzip_free(gzip);
    for (long n = 1; n <= 4; n++) {
        djp__alloc_fail_once(n);
        int code = djp__gzip_new(&gzip);
        djp__alloc_fail_after(0);
        assert_int_equal(code, DJP_ENOMEM);
        assert_null(gzip);
    }
}

static void
no_memory_stays(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(make_use_and_free, 10), 0);
}

/* zlib refuses a stream that is damaged: an error, and no endless loop. */
static void
an_error_of_zlib_is_one(void **state)
{
    (void)state;
    djp__gzip *gzip;
    djp__buf out;
    assert_int_equal(djp__gzip_new(&gzip), 0);
    djp__buf_init(&out, 0);
    struct internal_state *healthy = gzip->stream.state;
    gzip->stream.state = NULL;
    assert_int_equal(djp__gzip_compress(gzip, &out, "text", 4), DJP_ENOMEM);
    gzip->stream.state = healthy;
    assert_int_equal(djp__gzip_compress(gzip, &out, "text", 4), 0);
    djp__buf_fini(&out);
    djp__gzip_free(gzip);
}

/* A full output is no error: the next part goes into more room. */
static void
small_rooms_are_enough(void **state)
{
    (void)state;
    static uint8_t data[100000];
    djp__gzip *gzip;
    const unsigned char *next = data;
    size_t left = sizeof data;
    djp__buf out;
    int code = Z_OK;
    fill(data, sizeof data, 1);
    assert_int_equal(djp__gzip_new(&gzip), 0);
    djp__buf_init(&out, 0);
    while (code != Z_STREAM_END) {
        djp__buf_reserve(&out, 1);
        code = gzip_step(&gzip->stream, &out, &next, &left);
        assert_true(code == Z_OK || code == Z_BUF_ERROR || code == Z_STREAM_END);
    }
    assert_int_equal(left, 0);
    assert_unpacks_to(&out, data, sizeof data);
    djp__buf_fini(&out);
    djp__gzip_free(gzip);
}

static void
out_of_memory_is_an_error_and_the_next_body_is_fine(void **state)
{
    (void)state;
    djp__gzip *gzip = NULL;
    int failures = 0;
    for (long n = 1;; n++) {
        djp__alloc_fail_after(n);
        int code = djp__gzip_new(&gzip);
        djp__alloc_fail_after(0);
        if (code == 0) {
            break;
        }
        assert_int_equal(code, DJP_ENOMEM);
        assert_null(gzip);
        failures++;
    }
    assert_true(failures >= 2);
    uint8_t *data = malloc(300000);
    assert_non_null(data);
    fill(data, 300000, 1);
    for (long n = 1; n <= 2; n++) {
        djp__buf out;
        djp__buf_init(&out, 0);
        djp__alloc_fail_after(n);
        int code = djp__gzip_compress(gzip, &out, data, 300000);
        djp__alloc_fail_after(0);
        assert_int_equal(code, DJP_ENOMEM);
        djp__buf_clear(&out);
        assert_int_equal(djp__gzip_compress(gzip, &out, data, 300000), 0);
        assert_unpacks_to(&out, data, 300000);
        djp__buf_fini(&out);
    }
    free(data);
    djp__gzip_free(gzip);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_all_sizes_come_back_whole),
        cmocka_unit_test(it_appends_and_does_not_disturb_what_is_there),
        cmocka_unit_test(a_body_has_the_form_of_gzip),
        cmocka_unit_test(no_memory_stays),
        cmocka_unit_test(an_error_of_zlib_is_one),
        cmocka_unit_test(small_rooms_are_enough),
        cmocka_unit_test(out_of_memory_is_an_error_and_the_next_body_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
