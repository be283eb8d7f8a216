/* The path normaliser by the shared vectors; short buffers, noise, and that normalising twice
 * changes nothing. */
#include "metrics_fixture.h"

#include <stdlib.h>

#include "base/rand.h"
#include "json.h"

static void
vectors_give_their_labels(void **state)
{
    (void)state;
    json *cases = json_load("normalise.json");
    assert_true(json_count(cases) > 30);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *path = json_get(json_at(cases, i), "path");
        const char *label = json_string(json_get(json_at(cases, i), "label"), "");
        char out[512], again[512];
        size_t size = djp_path_normalise(out, sizeof out, (djp_text){path->text, path->size});
        if (size != strlen(label) || strcmp(out, label) != 0) {
            print_error("%s gives %s, not %s\n", path->text, out, label);
            fail();
        }
        djp_path_normalise(again, sizeof again, (djp_text){out, size});
        assert_string_equal(again, out);
    }
    json_free(cases);
}

static void
short_buffers_cut_between_segments(void **state)
{
    (void)state;
    char out[32];
    assert_int_equal(djp_path_normalise(out, 10, DJP_TEXT("/api/123/x")), 9);
    assert_string_equal(out, "/api/{id}");
    assert_int_equal(djp_path_normalise(out, 9, DJP_TEXT("/api/123/x")), 4);
    assert_string_equal(out, "/api");
    assert_int_equal(djp_path_normalise(out, 1, DJP_TEXT("/api")), 0);
    assert_string_equal(out, "");
    assert_int_equal(djp_path_normalise(out, 0, DJP_TEXT("/api")), 0);
    assert_int_equal(djp_path_normalise(NULL, 10, DJP_TEXT("/api")), 0);
    assert_int_equal(djp_path_normalise(out, 10, (djp_text){NULL, 4}), 0);
    assert_string_equal(out, "");
}

static void
becomes(const char *path, const char *want)
{
    char out[1024];
    size_t size = djp_path_normalise(out, sizeof out, djp_text_of(path));
    assert_int_equal(size, strlen(out));
    if (strcmp(out, want) != 0) {
        fail_msg("%s: %s, not %s", path, out, want);
    }
    djp_path_normalise(out, sizeof out, djp_text_of(want));
    assert_string_equal(out, want); /* once more changes nothing */
}

/* Each rule at the last text that it does not take and the first that it takes. */
static void
shapes_of_segments(void **state)
{
    (void)state;
    char segment[80], path[96];
    becomes("/order-123", "/order-123");
    becomes("/order-1234", "/{id}");
    becomes("/abcdefabcdefabc", "/abcdefabcdefabc"); /* 15 hexadecimal letters */
    becomes("/abcdefabcdefabcd", "/{id}");
    becomes("/abcdefabcdefabcg", "/abcdefabcdefabcg");
    becomes("/ABCDEFABCDEFABCD", "/{id}");
    becomes("/a1-bcxyzghijklmnopq", "/a1-bcxyzghijklmnopq"); /* 19 bytes with a digit */
    becomes("/a1-bcxyzghijklmnopqr", "/{id}");
    becomes("/a-bcxyzghijklmnopqrst", "/a-bcxyzghijklmnopqrst");
    becomes("/7", "/{id}");
    becomes("/v", "/v");
    becomes("/v1", "/v1");
    becomes("/V1", "/V1");
    becomes("/v1.2", "/v1.2");
    becomes("/v1234567", "/v1234567");
    becomes("/v12345678", "/{id}");
    becomes("/v1.2.3.4", "/v1.2.3.4");
    becomes("/v.1", "/{file}");
    becomes("/w1.2", "/{file}");
    becomes("/v1a", "/v1a");
    becomes("/a.html", "/{file}");
    becomes("/.", "/.");
    becomes("/..", "/..");
    becomes("/a@b", "/{id}");
    becomes("/a%20b", "/{id}");
    becomes("/a_b-c~d:e", "/a_b-c~d:e");
    becomes("/\xc3\xa9", "/{id}");
    becomes("/{id}", "/{id}");
    becomes("/{userId}", "/{userId}");
    becomes("/{}", "/{id}");
    becomes("/{a1}", "/{id}");
    becomes("/{a", "/{id}");
    becomes("/a}", "/{id}");
    becomes("/tenant-", "/tenant-");
    becomes("/tenant-x", "/tenant-{id}");
    becomes("/tenant-1234", "/tenant-{id}");
    becomes("/tenants", "/tenants");
    becomes("/xtenant-x", "/xtenant-x");
    becomes("/123e4567-e89b-12d3-a456-426614174000", "/{id}");
    becomes("/abcdefab-cdef-abcd-efab-cdefabcdefab", "/{id}");
    becomes("/abcdefab-cdef-abcd-efab-cdefabcdefag", "/abcdefab-cdef-abcd-efab-cdefabcdefag");
    becomes("/abcdefabc-def-abcd-efab-cdefabcdefab", "/abcdefabc-def-abcd-efab-cdefabcdefab");
    becomes("/abcdefab-cdefa-bcd-efab-cdefabcdefab", "/abcdefab-cdefa-bcd-efab-cdefabcdefab");
    becomes("/abcdefab-cdef-abcde-fab-cdefabcdefab", "/abcdefab-cdef-abcde-fab-cdefabcdefab");
    becomes("/abcdefab-cdef-abcd-efabc-defabcdefab", "/abcdefab-cdef-abcd-efabc-defabcdefab");
    for (size_t size = 63; size <= 65; size++) {
        memset(segment, 'x', sizeof segment);
        segment[size] = '\0';
        snprintf(path, sizeof path, "/%s", segment);
        becomes(path, size <= 64 ? path : "/{id}");
    }
}

static void
ends_and_depths(void **state)
{
    (void)state;
    becomes("", "");
    becomes("/", "/");
    becomes("//", "//");
    becomes("a", "a");
    becomes("a/", "a/");
    becomes("/a?b/c", "/a");
    becomes("/a#b/c", "/a");
    becomes("/a/?b", "/a/");
    becomes("?a", "");
    becomes("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/i/j");
    /* with the empty one in front, twelve */
    becomes("/a/b/c/d/e/f/g/h/i/j/k", "/a/b/c/d/e/f/g/h/i/j/k");
    char out[64];
    djp_path_normalise(out, sizeof out, DJP_TEXT("/a/b/c/d/e/f/g/h/i/j/k/l"));
    assert_string_equal(out, "/a/b/c/d/e/f/g/h/i/j/k/...");
    djp_path_normalise(out, sizeof out, DJP_TEXT("/a/b/c/d/e/f/g/h/i/j/k?/l"));
    assert_string_equal(out, "/a/b/c/d/e/f/g/h/i/j/k");
    /* The closing dots need all of their room. */
    djp_path_normalise(out, 27, DJP_TEXT("/a/b/c/d/e/f/g/h/i/j/k/l"));
    assert_string_equal(out, "/a/b/c/d/e/f/g/h/i/j/k/...");
    djp_path_normalise(out, 26, DJP_TEXT("/a/b/c/d/e/f/g/h/i/j/k/l"));
    assert_string_equal(out, "/a/b/c/d/e/f/g/h/i/j/k");
}

static void
noise_stays_in_bounds(void **state)
{
    (void)state;
    static const char parts[] = "/ab01.-_{}@%?#~:tenant-\xff\0";
    for (int i = 0; i < 50000; i++) {
        size_t size = djp__rand64() % 120, room = 1 + djp__rand64() % 100;
        char *text = malloc(size + 1), *out = malloc(room);
        for (size_t k = 0; k < size; k++) {
            text[k] = parts[djp__rand64() % (sizeof parts - 1)];
        }
        size_t made = djp_path_normalise(out, room, (djp_text){text, size});
        assert_true(made < room);
        assert_int_equal(out[made], 0);
        free(text);
        free(out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_give_their_labels),
        cmocka_unit_test(short_buffers_cut_between_segments),
        cmocka_unit_test(shapes_of_segments),
        cmocka_unit_test(ends_and_depths),
        cmocka_unit_test(noise_stays_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
