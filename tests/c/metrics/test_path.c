/* The path normaliser by the shared vectors; short buffers, noise, and that normalising twice changes nothing. */
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
        size_t size = djp_path_normalise(out, sizeof out, path->text, path->size);
        if (size != strlen(label) || strcmp(out, label) != 0) {
            print_error("%s gives %s, not %s\n", path->text, out, label);
            fail();
        }
        djp_path_normalise(again, sizeof again, out, size);
        assert_string_equal(again, out);
    }
    json_free(cases);
}

static void
short_buffers_cut_between_segments(void **state)
{
    (void)state;
    char out[32];
    assert_int_equal(djp_path_normalise(out, 10, "/api/123/x", 10), 9);
    assert_string_equal(out, "/api/{id}");
    assert_int_equal(djp_path_normalise(out, 9, "/api/123/x", 10), 4);
    assert_string_equal(out, "/api");
    assert_int_equal(djp_path_normalise(out, 1, "/api", 4), 0);
    assert_string_equal(out, "");
    assert_int_equal(djp_path_normalise(out, 0, "/api", 4), 0);
    assert_int_equal(djp_path_normalise(NULL, 10, "/api", 4), 0);
    assert_int_equal(djp_path_normalise(out, 10, NULL, 4), 0);
    assert_string_equal(out, "");
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
        size_t made = djp_path_normalise(out, room, text, size);
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
        cmocka_unit_test(noise_stays_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
