/* Cells of a writer: everything that was added is shown once and only once, whatever the fold, the
 * removal, the end or the registry does meanwhile. */
#include "metrics_fixture.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>

#include "djp/shard.h"
#include "metrics/exemplar.h"

static djp_shard *
cells_of(djp_registry *registry, int exemplars)
{
    djp_shard *cells = NULL;
    assert_int_equal(djp_shard_new(&cells, registry, exemplars), 0);
    assert_non_null(cells);
    return cells;
}

static double *
place_of(djp_shard *cells, djp_series *series)
{
    size_t chunk = 99, index = 99999;
    assert_int_equal(djp_shard_bind(&chunk, &index, cells, series), 0);
    double *memory = djp_shard_chunk(cells, chunk);
    assert_non_null(memory);
    assert_true(index < DJP_SHARD_CHUNK_DOUBLES);
    assert_int_equal((uintptr_t)memory % 8, 0);
    return &memory[index];
}

/* As a writer of another language does it: one aligned store, no lock. */
static void
add(double *cell, double amount)
{
    DJP__ATOMIC(uint64_t) *bits = (DJP__ATOMIC(uint64_t) *)(void *)cell;
    djp__store_relaxed(bits,
                       djp__double_to_bits(djp__bits_to_double(djp__load_relaxed(bits)) + amount));
}

static DJP__ATOMIC(uint32_t) * word(double *cell, int which)
{
    return (DJP__ATOMIC(uint32_t) *)(void *)cell + which;
}

static void
add_one(double *cell)
{
    djp__store_relaxed(word(cell, 0), djp__load_relaxed(word(cell, 0)) + 1);
}

static int
removed(double *cell)
{
    return djp__load_acquire(word(cell, 1)) != 0;
}

static djp_series *
counter_of(djp_registry *registry, const char *name)
{
    return djp_family_series(fixture_family(registry, DJP_COUNTER, name, 0), NULL);
}

static djp_series *
histogram_with(djp_registry *registry, const char *name, const double *bounds, size_t count)
{
    djp_family *family = NULL;
    djp_family_options options = {DJP_HISTOGRAM, name, "", "", NULL, 0, bounds, count, 0, 0};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return djp_family_series(family, NULL);
}

static void
what_was_added_is_shown_once(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 0);
    djp_series *c = counter_of(r, "c");
    double *cell = place_of(cells, c), expected = 0;
    assert_ptr_equal(cell, place_of(cells, c));
    for (int i = 0; i < 1000; i++) {
        double amount = i % 3 == 0 ? 1 : i % 3 == 1 ? 0.25 : 7;
        if (amount == 1) {
            add_one(cell);
        } else {
            add(&cell[1], amount);
        }
        expected += amount;
        if (i % 7 == 0) {
            djp_counter_add(c, 1); /* beside the cells */
            expected++;
        }
        djp_registry_fold(r);
        assert_true(djp_series_value(c) == expected);
    }
    for (int i = 0; i < 3; i++) {
        djp_registry_fold(r);
    }
    assert_true(djp_series_value(c) == expected);
    add_one(cell);
    /* the exposition folds by itself */
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nc_total 2892.25\n");
    djp_shard_unref(cells);
    assert_int_equal(fixture_counters(r).dropped, 0);
    djp_registry_free(r);
}

static void
several_writers_add_up(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = counter_of(r, "c");
    djp_shard *writers[5];
    for (int i = 0; i < 5; i++) {
        writers[i] = cells_of(r, 0);
        add(&place_of(writers[i], c)[1], 10);
    }
    djp_shard_end(writers[2]);
    assert_true(djp_series_value(c) == 10);
    add(&place_of(writers[2], c)[1], 10); /* the shard is not read any more */
    djp_registry_fold(r);
    assert_true(djp_series_value(c) == 50);
    for (int i = 4; i >= 0; i--) {
        add_one(place_of(writers[i], c));
        djp_shard_unref(writers[i]);
    }
    assert_true(djp_series_value(c) == 54);
    djp_registry_free(r);
}

static void
ones_may_wrap_around(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 0);
    djp_series *c = counter_of(r, "c");
    double *cell = place_of(cells, c);
    for (uint32_t i = 1; i <= 12; i++) {
        djp__store_relaxed(word(cell, 0), i * 0x60000000u);
        djp_registry_fold(r);
        assert_true(djp_series_value(c) == (double)i * 0x60000000u);
    }
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
histograms_show_counts_with_their_buckets(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 0);
    double bounds[] = {1, 2};
    djp_series *h = histogram_with(r, "h", bounds, 2);
    double *cell = place_of(cells, h);
    add(&cell[2], 1); /* between the two stores of an observation */
    djp_registry_fold(r);
    assert_int_equal(djp_series_count(h), 1);
    assert_true(djp_series_value(h) == 0);
    add(&cell[1], 0.5);
    add(&cell[1], -3);
    add(&cell[3], 2);
    add(&cell[4], 4);
    fixture_assert_shows(r, DJP_TEXT_0_0_4,
                         "h_bucket{le=\"1.0\"} 1\nh_bucket{le=\"2.0\"} 3\nh_bucket{le=\"+Inf\"} "
                         "7\nh_sum -2.5\nh_count 7\n");
    add(&cell[1], INFINITY);
    djp_registry_fold(r);
    djp_registry_fold(r);
    add(&cell[1], 1);
    djp_registry_fold(r);
    assert_true(isinf(djp_series_value(h)));
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
every_number_of_buckets_has_its_place(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 0);
    double bounds[DJP_BUCKETS_MAX];
    for (uint32_t i = 0; i < DJP_BUCKETS_MAX; i++) {
        bounds[i] = i;
    }
    djp_series *series[DJP_BUCKETS_MAX + 1];
    for (uint32_t count = 0; count <= DJP_BUCKETS_MAX; count++) {
        char name[16];
        snprintf(name, sizeof name, "h%u", count);
        series[count] = histogram_with(r, name, bounds, count);
        double *cell = place_of(cells, series[count]);
        for (uint32_t i = 0; i <= count; i++) {
            add(&cell[2 + i], 1 + i);
        }
        add(&cell[1], count);
    }
    djp_registry_fold(r);
    for (uint32_t count = 0; count <= DJP_BUCKETS_MAX; count++) {
        assert_int_equal(djp_series_count(series[count]), (count + 1) * (count + 2) / 2);
        assert_true(djp_series_value(series[count]) == count);
    }
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
removed_series_tell_their_writer(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 0);
    djp_family *family = fixture_family(r, DJP_COUNTER, "c", 1);
    djp_family *others = fixture_family(r, DJP_HISTOGRAM, "h", 1);
    double *cell = place_of(cells, fixture_series(family, "x")),
           *cell_h = place_of(cells, fixture_series(others, "x"));
    add(&cell[1], 5);
    add_one(cell);
    djp_family_clear(family);
    djp_family_clear(others);
    assert_false(removed(cell) || removed(cell_h));
    djp_registry_fold(r);
    assert_true(removed(cell) && removed(cell_h));
    /* what was there before went with the series */
    assert_int_equal(fixture_counters(r).dropped, 0);
    add(&cell[1], 1); /* the writer was just adding */
    add_one(cell);
    add(&cell_h[2], 3);
    djp_registry_fold(r);
    djp_registry_fold(r);
    assert_int_equal(fixture_counters(r).dropped, 5);
    djp_series *again = fixture_series(family, "x");
    double *fresh = place_of(cells, again);
    assert_ptr_not_equal(fresh, cell);
    add(&fresh[1], 2);
    djp_registry_fold(r);
    assert_true(djp_series_value(again) == 2);
    assert_int_equal(fixture_counters(r).dropped, 5);
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
swept_places_are_used_again(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 0);
    djp_family *family = fixture_family(r, DJP_HISTOGRAM, "h", 1);
    double *first = NULL;
    uint32_t places[4];
    assert_int_equal(djp_shard_sweep(places, 4, cells), 0);
    for (int i = 0; i < 3000; i++) {
        djp_series *series = fixture_numbered(family, i % 5);
        double *cell = place_of(cells, series);
        first = first != NULL ? first : cell;
        assert_ptr_equal(cell, first);
        assert_true(cell[0] == 0 && cell[1] == 0 && cell[2] == 0);
        add(&cell[2], 1);
        add(&cell[1], 0.5);
        djp_registry_fold(r);
        assert_int_equal(djp_series_count(series), 1);
        assert_true(djp_series_value(series) == 0.5);
        djp_family_clear(family);
        djp_registry_fold(r);
        assert_int_equal(djp_shard_sweep(places, 4, cells), 1);
        assert_ptr_equal(
            &djp_shard_chunk(
                cells, places[0] / DJP_SHARD_CHUNK_DOUBLES)[places[0] % DJP_SHARD_CHUNK_DOUBLES],
            first);
        assert_int_equal(djp_shard_sweep(places, 4, cells), 0);
    }
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
many_series_fill_many_chunks(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    djp_registry *r = fixture_registry(0, MANY);
    djp_shard *cells = cells_of(r, 0);
    djp_family *family = fixture_family(r, DJP_COUNTER, "c", 1);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            add(&place_of(cells, fixture_numbered(family, i))[1], i);
        }
    }
    djp_registry_fold(r);
    assert_non_null(djp_shard_chunk(cells, 4));
    assert_null(djp_shard_chunk(cells, 5));
    for (int i = 0; i < MANY; i += 17) {
        assert_true(djp_series_value(fixture_numbered(family, i)) == 2.0 * i);
    }
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
the_overflow_series_has_a_cell(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 2);
    djp_shard *cells = cells_of(r, 0);
    djp_family *family = fixture_family(r, DJP_COUNTER, "c", 1);
    for (int i = 0; i < 100; i++) {
        add_one(place_of(cells, fixture_numbered(family, i)));
    }
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "c_total{a=\"__overflow__\"} 98\n");
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
the_registry_may_go_first(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 1), *other = cells_of(r, 0);
    double *cell = place_of(cells, counter_of(r, "c"));
    djp_shard_ref(cells);
    assert_false(removed(cell));
    djp_registry_free(r);
    assert_true(removed(cell));
    add_one(cell);
    uint32_t place;
    assert_int_equal(djp_shard_sweep(&place, 1, cells), 0);
    djp_shard_end(cells);
    djp_shard_end(cells);
    djp_shard_unref(cells);
    add(&cell[1], 1);
    djp_shard_unref(cells);
    djp_shard_unref(other);
}

static void
flags_ask_for_exemplars(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *with = cells_of(r, 1), *without = cells_of(r, 0);
    double bounds[] = {1, 2};
    djp_series *h = histogram_with(r, "h", bounds, 2);
    double *asked = place_of(with, h), *silent = place_of(without, h);
    assert_true(djp__load_relaxed(word(asked, 0)) == 1 && djp__load_relaxed(word(silent, 0)) == 0);
    djp__store_relaxed(word(asked, 0), 0);
    djp_registry_fold(r);
    assert_true(djp__load_relaxed(word(asked, 0)) == 1 && djp__load_relaxed(word(silent, 0)) == 0);
    djp_span_context context = {{1}, {2}, DJP_FLAG_SAMPLED, 0, NULL};
    djp__histogram_exemplar(h, 1.5, &context);
    djp__histogram_exemplar(h, NAN, &context);
    djp__histogram_exemplar(NULL, 1, &context);
    djp__histogram_exemplar(counter_of(r, "c"), 1, &context);
    add(&asked[3], 1);
    fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0,
                         "h_bucket{le=\"2.0\"} 1 # {trace_id=\"01000000000000000000000000000000\"");
    djp_shard_unref(with);
    djp_shard_unref(without);
    djp_registry_free(r);
}

static void
wrong_arguments_are_refused(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = NULL;
    size_t chunk, index;
    uint32_t place;
    assert_int_equal(djp_shard_new(NULL, r, 0), DJP_EINVAL);
    assert_int_equal(djp_shard_new(&cells, NULL, 0), DJP_EINVAL);
    cells = cells_of(r, 0);
    djp_series *gauge = djp_family_series(fixture_family(r, DJP_GAUGE, "g", 0), NULL);
    djp_series *c = counter_of(r, "c");
    assert_int_equal(djp_shard_bind(&chunk, &index, cells, gauge), DJP_EINVAL);
    assert_int_equal(djp_shard_bind(&chunk, &index, cells, NULL), DJP_EINVAL);
    assert_int_equal(djp_shard_bind(&chunk, &index, NULL, c), DJP_EINVAL);
    assert_int_equal(djp_shard_bind(NULL, &index, cells, c), DJP_EINVAL);
    assert_null(djp_shard_chunk(cells, 0));
    assert_null(djp_shard_chunk(NULL, 0));
    assert_int_equal(djp_shard_sweep(NULL, 1, cells), 0);
    assert_int_equal(djp_shard_sweep(&place, 1, NULL), 0);
    assert_null(djp_shard_ref(NULL));
    djp_shard_end(NULL);
    djp_shard_unref(NULL);
    djp_registry_fold(NULL);
    djp_shard_unref(cells);
    djp_registry_free(r);
}

static void
every_failing_allocation_is_survived(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = counter_of(r, "c");
    int bound = 0;
    for (long nth = 1; !bound && nth < 20; nth++) {
        djp_shard *cells = NULL;
        size_t chunk, index;
        djp__alloc_fail_after(nth);
        int made = djp_shard_new(&cells, r, 0);
        int placed = made == 0 ? djp_shard_bind(&chunk, &index, cells, c) : DJP_ENOMEM;
        djp__alloc_fail_after(0);
        bound = placed == 0;
        assert_true(bound || placed == DJP_ENOMEM);
        assert_true(made == 0 || cells == NULL);
        if (made == 0) {
            add_one(place_of(cells, c)); /* later there is memory again */
        }
        djp_shard_unref(cells);
    }
    assert_true(bound);
    assert_true(djp_series_value(c) >= 2);
    djp_registry_free(r);
}

/* ---- a writer at work while others fold, remove and read ---- */

enum { WRITES = 300000 };

typedef struct writer {
    double *counter, *histogram;
    DJP__ATOMIC(int) done;
} writer;

static void *
write_all(void *argument)
{
    writer *w = argument;
    for (int i = 0; i < WRITES; i++) {
        add_one(w->counter);
        add(&w->counter[1], 0.5);
        add(&w->histogram[2 + i % 3], 1);
        add(&w->histogram[1], 0.5);
    }
    djp__store_release(&w->done, 1);
    return NULL;
}

static void
nothing_goes_backwards_beside_a_writer(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells[2] = {cells_of(r, 0), cells_of(r, 1)};
    double bounds[] = {1, 2}, last = 0;
    djp_series *c = counter_of(r, "c"), *h = histogram_with(r, "h", bounds, 2);
    writer writers[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        writers[i] = (writer){place_of(cells[i], c), place_of(cells[i], h), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_all, &writers[i]), 0);
    }
    uint64_t count = 0;
    while (!djp__load_acquire(&writers[0].done) || !djp__load_acquire(&writers[1].done)) {
        djp_registry_fold(r);
        double value = djp_series_value(c);
        uint64_t seen = djp_series_count(h);
        assert_true(value >= last && seen >= count);
        last = value;
        count = seen;
        sched_yield();
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        djp_shard_unref(cells[i]);
    }
    assert_true(djp_series_value(c) == 3.0 * WRITES);
    assert_int_equal(djp_series_count(h), 2 * WRITES);
    assert_true(djp_series_value(h) == 1.0 * WRITES);
    djp_registry_free(r);
}

typedef struct churn {
    djp_registry *registry;
    djp_family *family;
    DJP__ATOMIC(int) stop;
} churn;

static void *
remove_and_fold(void *argument)
{
    churn *c = argument;
    while (!djp__load_acquire(&c->stop)) {
        djp_family_clear(c->family);
        djp_registry_fold(c->registry);
        sched_yield();
    }
    return NULL;
}

static void
binding_beside_removals_stays_sound(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *cells = cells_of(r, 0);
    churn c = {r, fixture_family(r, DJP_COUNTER, "c", 1), 0};
    djp_series *kept = counter_of(r, "kept");
    double *cell = place_of(cells, kept);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, remove_and_fold, &c), 0);
    uint32_t places[64];
    for (int i = 0; i < 20000; i++) {
        add_one(place_of(cells, fixture_numbered(c.family, i % 50)));
        add_one(cell);
        if (i % 64 == 0) {
            djp_shard_sweep(places, 64, cells);
        }
    }
    djp__store_release(&c.stop, 1);
    pthread_join(thread, NULL);
    djp_shard_end(cells);
    assert_true(djp_series_value(kept) == 20000);
    djp_shard_unref(cells);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_shown_once),
        cmocka_unit_test(several_writers_add_up),
        cmocka_unit_test(ones_may_wrap_around),
        cmocka_unit_test(histograms_show_counts_with_their_buckets),
        cmocka_unit_test(every_number_of_buckets_has_its_place),
        cmocka_unit_test(removed_series_tell_their_writer),
        cmocka_unit_test(swept_places_are_used_again),
        cmocka_unit_test(many_series_fill_many_chunks),
        cmocka_unit_test(the_overflow_series_has_a_cell),
        cmocka_unit_test(the_registry_may_go_first),
        cmocka_unit_test(flags_ask_for_exemplars),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(nothing_goes_backwards_beside_a_writer),
        cmocka_unit_test(binding_beside_removals_stays_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
