/* Where the cells of a writer lie: no two overlap, blocks and chunks follow each other, wrong
 * arguments are refused one by one, and references keep the memory. */
#include "metrics_fixture.h"

#include <stdlib.h>

#include "djp/shard.h"

static djp_shard *
shard_of(djp_registry *r, int exemplars)
{
    djp_shard *shard = NULL;
    assert_int_equal(djp_shard_new(&shard, r, exemplars), 0);
    return shard;
}

static djp_series *
histogram_of(djp_registry *r, int number, size_t bounds_count)
{
    char name[32];
    double bounds[DJP_BUCKETS_MAX];
    djp_family *family = NULL;
    snprintf(name, sizeof name, "h%d", number);
    for (size_t i = 0; i < bounds_count; i++) {
        bounds[i] = (double)i;
    }
    djp_family_options options = {DJP_HISTOGRAM, name, "", "", NULL, 0, bounds, bounds_count, 0, 0};
    assert_int_equal(djp_family_new(&family, r, &options), 0);
    return djp_family_series(family, NULL);
}

/* Counters have two cells, histograms three more than bounds; each place is its own, and none lies
 * over two chunks. */
static void
no_two_places_overlap(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *shard = shard_of(r, 0);
    djp_family *counters = fixture_family(r, DJP_COUNTER, "c", 1);
    char *used = calloc(8, DJP_SHARD_CHUNK_DOUBLES);
    size_t last_chunk = 0, last_end = 0;
    for (int i = 0; i < 600; i++) {
        size_t bounds = (size_t)(i * 7 % (DJP_BUCKETS_MAX + 1)), chunk = 99, index = 99;
        djp_series *series = i % 3 ? histogram_of(r, i, bounds) : fixture_numbered(counters, i);
        size_t width = i % 3 ? bounds + 3 : 2;
        assert_int_equal(djp_shard_bind(&chunk, &index, shard, series), 0);
        assert_true(chunk < 8 && index + width <= DJP_SHARD_CHUNK_DOUBLES);
        for (size_t k = 0; k < width; k++) {
            assert_int_equal(used[chunk * DJP_SHARD_CHUNK_DOUBLES + index + k]++, 0);
        }
        /* One behind the other, and a chunk is left only when the place does not fit. */
        if (chunk == last_chunk) {
            assert_int_equal(index, last_end);
        } else {
            assert_int_equal(chunk, last_chunk + 1);
            assert_true(last_end + width > DJP_SHARD_CHUNK_DOUBLES);
            assert_int_equal(index, 0);
        }
        last_chunk = chunk;
        last_end = index + width;
    }
    assert_true(last_chunk >= 2);
    free(used);
    djp_shard_unref(shard);
    djp_registry_free(r);
}

/* A fold takes what belongs to a place and nothing of the one behind it. */
static void
neighbours_are_not_touched(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *shard = shard_of(r, 0);
    djp_series *h = histogram_of(r, 1, 2), *h2 = histogram_of(r, 2, 1);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    size_t chunk, at_h, at_c, at_h2;
    assert_int_equal(djp_shard_bind(&chunk, &at_h, shard, h), 0);
    assert_int_equal(djp_shard_bind(&chunk, &at_c, shard, c), 0);
    assert_int_equal(djp_shard_bind(&chunk, &at_h2, shard, h2), 0);
    assert_int_equal(at_c, at_h + 5);
    double *cells = djp_shard_chunk(shard, chunk);
    for (int i = 1; i <= 5; i++) {
        *(uint32_t *)(void *)&cells[at_c] += 3; /* ones */
        cells[at_c + 1] += 0.5;
        cells[at_h + 2] += 1;
        cells[at_h2 + 2] += 1;
        cells[at_h2 + 1] += 0.25;
        for (int k = 0; k < 3; k++) {
            djp_registry_fold(r);
        }
        assert_true(djp_series_value(c) == 3.5 * i);
        assert_int_equal(djp_series_count(h), i);
        assert_int_equal(djp_series_count(h2), i);
        assert_true(djp_series_value(h) == 0 && djp_series_value(h2) == 0.25 * i);
        assert_int_equal(fixture_counters(r).dropped, 0);
    }
    djp_shard_unref(shard);
    djp_registry_free(r);
}

/* A chunk is used to its last cell. */
static void
a_chunk_is_filled_to_its_end(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, DJP_SHARD_CHUNK_DOUBLES);
    djp_shard *shard = shard_of(r, 0);
    djp_family *counters = fixture_family(r, DJP_COUNTER, "c", 1);
    size_t chunk, index;
    for (int i = 0; i <= (int)DJP_SHARD_CHUNK_DOUBLES / 2; i++) {
        assert_int_equal(djp_shard_bind(&chunk, &index, shard, fixture_numbered(counters, i)), 0);
        assert_int_equal(chunk, i == (int)DJP_SHARD_CHUNK_DOUBLES / 2);
        djp_shard_chunk(shard, chunk)[index + 1] = i;
    }
    djp_registry_fold(r);
    for (int i = 0; i <= (int)DJP_SHARD_CHUNK_DOUBLES / 2; i++) {
        assert_true(djp_series_value(fixture_numbered(counters, i)) == i);
    }
    djp_shard_unref(shard);
    djp_registry_free(r);
}

/* Entries come in blocks of 128: around the end of each, what was added is folded. */
static void
blocks_follow_each_other(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 1000);
    djp_shard *shard = shard_of(r, 0);
    djp_family *counters = fixture_family(r, DJP_COUNTER, "c", 1);
    for (int i = 0; i < 400; i++) {
        size_t chunk, index;
        assert_int_equal(djp_shard_bind(&chunk, &index, shard, fixture_numbered(counters, i)), 0);
        djp_shard_chunk(shard, chunk)[index + 1] = i + 1;
        djp_registry_fold(r);
        assert_true(djp_series_value(fixture_numbered(counters, i)) == i + 1);
    }
    uint32_t places[400];
    djp_family_clear(counters);
    djp_registry_fold(r);
    assert_int_equal(djp_shard_sweep(places, 100, shard), 100); /* no more than there is room for */
    assert_int_equal(djp_shard_sweep(places + 100, 0, shard), 0);
    assert_int_equal(djp_shard_sweep(places + 100, 300, shard), 300);
    assert_int_equal(djp_shard_sweep(places, 400, shard), 0);
    for (uint32_t i = 0; i < 400; i++) {
        assert_int_equal(places[i], i * 2);
    }
    djp_shard_unref(shard);
    djp_registry_free(r);
}

/* A series that is bound anew behind its removal gets another place, and the old one may be swept
 * after that. */
static void
a_swept_place_is_not_that_of_the_living(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *shard = shard_of(r, 0);
    djp_family *counters = fixture_family(r, DJP_COUNTER, "c", 1);
    size_t chunk, first, second, third;
    uint32_t place;
    assert_int_equal(djp_shard_bind(&chunk, &first, shard, fixture_series(counters, "x")), 0);
    djp_family_clear(counters);
    djp_series *again = fixture_series(counters, "x");
    assert_int_equal(djp_shard_bind(&chunk, &second, shard, again), 0);
    assert_true(first != second);
    djp_registry_fold(r);
    assert_int_equal(djp_shard_sweep(&place, 1, shard), 1);
    assert_int_equal(place, first);
    assert_int_equal(djp_shard_bind(&chunk, &third, shard, again), 0);
    assert_int_equal(third, second); /* still known */
    djp_shard_chunk(shard, chunk)[second + 1] = 4;
    djp_registry_fold(r);
    assert_true(djp_series_value(again) == 4);
    djp_shard_unref(shard);
    djp_registry_free(r);
}

static void
each_wrong_argument_is_refused(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *shard = shard_of(r, 0), *none = NULL;
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_series *g = djp_family_series(fixture_family(r, DJP_GAUGE, "g", 0), NULL);
    size_t chunk = 0, index = 0;
    uint32_t place;
    assert_true(djp_shard_new(NULL, r, 0) < 0);
    assert_true(djp_shard_new(&none, NULL, 0) < 0);
    assert_null(none);
    assert_true(djp_shard_bind(NULL, &index, shard, c) < 0);
    assert_true(djp_shard_bind(&chunk, NULL, shard, c) < 0);
    assert_true(djp_shard_bind(&chunk, &index, NULL, c) < 0);
    assert_true(djp_shard_bind(&chunk, &index, shard, NULL) < 0);
    assert_true(djp_shard_bind(&chunk, &index, shard, g) < 0);
    assert_int_equal(djp_shard_bind(&chunk, &index, shard, c), 0);
    assert_null(djp_shard_chunk(NULL, 0));
    assert_null(djp_shard_chunk(shard, 1));
    assert_non_null(djp_shard_chunk(shard, 0));
    assert_int_equal(djp_shard_sweep(NULL, 1, shard), 0);
    assert_int_equal(djp_shard_sweep(&place, 1, NULL), 0);
    djp_shard_end(NULL);
    djp_shard_unref(NULL);
    assert_null(djp_shard_ref(NULL));
    djp_registry_fold(NULL);
    djp_shard_unref(shard);
    djp_registry_free(r);
}

/* As many unrefs as refs: the memory is there until the last one, and the writer is out of the list
 * after it. */
static void
references_keep_it(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *shard = shard_of(r, 0);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    size_t chunk, index;
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(djp_shard_ref(shard), shard);
    }
    assert_int_equal(djp_shard_bind(&chunk, &index, shard, c), 0);
    for (int i = 0; i < 3; i++) {
        djp_shard_chunk(shard, chunk)[index + 1] += 1;
        djp_shard_unref(shard);
        djp_registry_fold(r);
        assert_true(djp_series_value(c) == i + 1);
        assert_ptr_equal(r->shards, shard);
    }
    djp_shard_chunk(shard, chunk)[index + 1] += 1;
    djp_shard_unref(shard);
    assert_null(r->shards);
    assert_true(djp_series_value(c) == 4); /* what was not folded before */
    djp_registry_free(r);
}

/* The middle, the first and the last of a list of writers may end, and the others are folded all
 * the same. */
static void
writers_end_in_any_order(void **state)
{
    (void)state;
    static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
    for (size_t o = 0; o < 4; o++) {
        djp_registry *r = fixture_registry(0, 0);
        djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
        djp_shard *shards[4];
        double *cells[4];
        for (int i = 0; i < 4; i++) {
            size_t chunk, index;
            shards[i] = shard_of(r, 0);
            assert_int_equal(djp_shard_bind(&chunk, &index, shards[i], c), 0);
            cells[i] = djp_shard_chunk(shards[i], chunk) + index + 1;
        }
        double expected = 0;
        for (int n = 0; n < 4; n++) {
            for (int k = n; k < 4; k++) {
                *cells[orders[o][k]] += 1;
                expected += 1;
            }
            djp_shard_unref(shards[orders[o][n]]);
            djp_registry_fold(r);
            assert_true(djp_series_value(c) == expected);
        }
        assert_null(r->shards);
        djp_registry_free(r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_places_overlap),
        cmocka_unit_test(neighbours_are_not_touched),
        cmocka_unit_test(a_chunk_is_filled_to_its_end),
        cmocka_unit_test(blocks_follow_each_other),
        cmocka_unit_test(a_swept_place_is_not_that_of_the_living),
        cmocka_unit_test(each_wrong_argument_is_refused),
        cmocka_unit_test(references_keep_it),
        cmocka_unit_test(writers_end_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
