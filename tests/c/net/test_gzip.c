/* The reusable gzip stream: what goes in comes out, one stream for many bodies, and out of memory
 * at every point. */
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
#include "net/gzip.h"

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
        cmocka_unit_test(out_of_memory_is_an_error_and_the_next_body_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
