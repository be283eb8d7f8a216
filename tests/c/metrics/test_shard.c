/* Shards: what a writer stores is shown at once and only once, whatever the removal of series, the
 * end of the shard or of its process does meanwhile. */
#include "metrics_fixture.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "djp/shard.h"
#include "metrics/exemplar.h"
#include "metrics/slot.h"
#include "skip_fork.h"

typedef DJP__ATOMIC(uint64_t) word;

static djp_registry *
registry_with(djp_metrics_sharing sharing)
{
    djp_registry *registry = NULL;
    djp_registry_options options = {
        .reserve_bytes = 1 << 22, .sharing = sharing, .writers = sharing == DJP_SHARE_NONE};
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    return registry;
}

static djp_shard *
shard_of(djp_registry *registry, int exemplars)
{
    djp_shard *shard = NULL;
    assert_int_equal(djp_shard_new(&shard, registry, exemplars), 0);
    return shard;
}

/* The first word; expects the result of bind. */
static word *
bound(djp_shard *shard, const djp_series *series, int expected)
{
    size_t place = 0;
    assert_int_equal(djp_shard_bind(&place, shard, series), expected);
    double *row = djp_shard_row(shard, place / DJP_SHARD_ROW_WORDS);
    assert_non_null(row);
    return (word *)(void *)row + place % DJP_SHARD_ROW_WORDS;
}

static word *
place_of(djp_shard *shard, const djp_series *series)
{
    return bound(shard, series, 0);
}

/* As a writer of another language does it: one aligned store, no lock. */
static void
add(word *sum, double amount)
{
    djp__store_relaxed(sum,
                       djp__double_to_bits(djp__bits_to_double(djp__load_relaxed(sum)) + amount));
}

static void
add_one(word *count)
{
    DJP__ATOMIC(uint32_t) *low = (DJP__ATOMIC(uint32_t) *)(void *)count;
    djp__store_relaxed(low, djp__load_relaxed(low) + 1);
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
    djp_family_options options = {DJP_HISTOGRAM, name, "", "", NULL, 0, bounds, count, 0, 0, 0};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return djp_family_series(family, NULL);
}

static void
what_was_added_is_shown_once(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shards[3] = {shard_of(r, 0), shard_of(r, 0), shard_of(r, 0)};
    djp_series *c = counter_of(r, "c");
    double expected = 0;
    for (int i = 0; i < 600; i++) {
        word *words = place_of(shards[i % 3], c);
        if (i % 2) {
            add_one(&words[0]);
        } else {
            add(&words[1], 0.25);
        }
        djp_counter_add(c, 1); /* beside the shards */
        expected += i % 2 ? 2 : 1.25;
        assert_true(djp_series_value(c) == expected);
    }
    djp_shard_end(shards[0]); /* the writer may still store, and it counts */
    djp_shard_finish(shards[1]);
    assert_true(djp_series_value(c) == expected);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nc_total 975\n");
    for (int i = 0; i < 3; i++) {
        djp_shard_unref(shards[i]);
    }
    assert_true(djp_series_value(c) == expected);
    djp_registry_free(r);
}

static void
counts_carry_into_the_high_half(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shard = shard_of(r, 0);
    djp_series *c = counter_of(r, "c");
    size_t place = 0;
    word *words = place_of(shard, c);
    assert_int_equal(djp_shard_bind(&place, shard, c), 0);
    for (uint64_t i = 1; i <= 12; i++) {
        DJP__ATOMIC(uint32_t) *low = (DJP__ATOMIC(uint32_t) *)(void *)words;
        djp__store_relaxed(low, djp__load_relaxed(low) + 0x3fffffffu);
        djp_shard_carry(shard, place);
        assert_true(djp_series_value(c) == (double)i * 0x40000000u);
    }
    djp_family_clear(c->family);
    djp_shard_carry(shard, place); /* the mark stays */
    assert_true(djp__load_relaxed(&words[0]) & DJP_SHARD_REMOVED);
    djp_shard_carry(shard, SIZE_MAX / 8);
    djp_shard_carry(NULL, 0);
    djp_shard_unref(shard);
    djp_registry_free(r);
}

static void
histograms_show_counts_with_their_buckets(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shard = shard_of(r, 0);
    double bounds[] = {1, 2};
    djp_series *h = histogram_with(r, "h", bounds, 2);
    word *words = place_of(shard, h);
    add_one(&words[1]); /* between the two stores of an observation */
    assert_int_equal(djp_series_count(h), 1);
    assert_true(djp_series_value(h) == 0);
    add(&words[0], 0.5);
    add_one(&words[2]);
    add_one(&words[3]);
    add(&words[0], 4);
    fixture_assert_shows(r, DJP_TEXT_0_0_4,
                         "h_bucket{le=\"1.0\"} 1\nh_bucket{le=\"2.0\"} 2\nh_bucket{le=\"+Inf\"} "
                         "3\nh_sum 4.5\nh_count 3\n");
    djp_shard_unref(shard);
    djp_registry_free(r);
}

static void
every_number_of_buckets_has_its_place(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shard = shard_of(r, 0);
    double bounds[DJP_BUCKETS_MAX];
    for (uint32_t i = 0; i < DJP_BUCKETS_MAX; i++) {
        bounds[i] = i;
    }
    djp_series *series[DJP_BUCKETS_MAX + 1];
    for (uint32_t count = 0; count <= DJP_BUCKETS_MAX; count++) {
        char name[16];
        snprintf(name, sizeof name, "h%u", count);
        series[count] = histogram_with(r, name, bounds, count);
        size_t place;
        assert_int_equal(djp_shard_bind(&place, shard, series[count]), 0);
        assert_int_equal(place / DJP_SHARD_ROW_WORDS, (place + count + 1) / DJP_SHARD_ROW_WORDS);
        word *words = place_of(shard, series[count]);
        for (uint32_t i = 0; i <= count; i++) {
            add_one(&words[1 + i]);
        }
        add(&words[0], count);
    }
    for (uint32_t count = 0; count <= DJP_BUCKETS_MAX; count++) {
        assert_int_equal(djp_series_count(series[count]), count + 1);
        assert_true(djp_series_value(series[count]) == count);
    }
    djp_shard_unref(shard);
    djp_registry_free(r);
}

/* Also for a place that another series takes, and for one that only other writers bind again. */
static void
removed_series_tell_their_writers(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shard = shard_of(r, 1), *other = shard_of(r, 0);
    r->reuse_after_ns = 0;
    djp_family *families[] = {fixture_family(r, DJP_COUNTER, "c", 1),
                              fixture_family(r, DJP_HISTOGRAM, "h", 1)};
    for (int f = 0; f < 2; f++) {
        int mark = f;
        djp_series *x = fixture_series(families[f], "x");
        word *words = place_of(shard, x), *others = place_of(other, x);
        add_one(&words[mark]);
        add(&words[1 - mark], 5);
        djp_family_clear(families[f]);
        assert_true(djp__load_relaxed(&words[mark]) & DJP_SHARD_REMOVED);
        assert_true(djp__load_relaxed(&others[mark]) & DJP_SHARD_REMOVED);
        add_one(&words[mark]); /* the writer was just adding */
        add(&words[1 - mark], 1);
        djp_series *y = fixture_series(families[f], "y");
        assert_ptr_equal(y->entry, x->entry);
        add_one(&words[mark]);
        add(&words[1 - mark], 1);
        assert_true(djp_series_value(y) == 0 && djp_series_count(y) == 0);
        assert_ptr_equal(bound(other, y, 1), others);
        add_one(&others[mark]);
        add(&others[1 - mark], 0.5);
        assert_true(djp__load_relaxed(&words[mark]) & DJP_SHARD_REMOVED);
        assert_ptr_equal(bound(shard, y, 1), words);
        add(&words[1 - mark], 0.25);
        assert_true(djp_series_value(y) == (f == 0 ? 1.75 : 0.75));
        size_t place;
        assert_int_equal(djp_shard_bind(&place, shard, x), DJP_EINVAL);
    }
    djp_shard_unref(shard);
    djp_shard_unref(other);
    djp_registry_free(r);
}

static void
an_overflow_series_comes_back_after_clear(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shard = shard_of(r, 0);
    r->cardinality_limit = 1;
    djp_family *family = fixture_family(r, DJP_COUNTER, "c", 1);
    (void)fixture_numbered(family, 0);
    djp_series *overflow = fixture_numbered(family, 1);
    word *words = place_of(shard, overflow);
    add_one(&words[0]);
    djp_family_clear(family);
    (void)fixture_numbered(family, 0);
    overflow = fixture_numbered(family, 1);
    assert_true(djp_series_value(overflow) == 0);
    assert_ptr_equal(bound(shard, overflow, 1), words);
    add_one(&words[0]);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "c_total{a=\"__overflow__\"} 1\n");
    djp_shard_unref(shard);
    djp_registry_free(r);
}

static void
the_registry_may_go_first(void **state)
{
    (void)state;
    for (int sharing = DJP_SHARE_NONE; sharing <= DJP_SHARE_FORK; sharing++) {
        djp_registry *r = registry_with((djp_metrics_sharing)sharing);
        djp_shard *shard = shard_of(r, 0), *ended = shard_of(r, 0);
        djp_series *c = counter_of(r, "c");
        word *words = place_of(shard, c), *others = place_of(ended, c);
        djp_shard_end(ended);
        djp_shard_end(ended);
        assert_true(djp__load_relaxed(&others[0]) & DJP_SHARD_ENDED);
        assert_false(djp__load_relaxed(&words[0]) & DJP_SHARD_ENDED);
        djp_registry_free(r);
        add_one(words);
        add_one(others);
        size_t place;
        assert_int_equal(djp_shard_bind(&place, shard, NULL), DJP_EINVAL);
        djp_shard_end(shard);
        djp_shard_finish(shard);
        assert_ptr_equal(djp_shard_ref(shard), shard);
        djp_shard_unref(shard);
        add_one(words);
        djp_shard_unref(shard);
        djp_shard_unref(ended);
    }
}

static void
a_shard_that_ended_is_taken_up_by_its_thread(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_series *c = counter_of(r, "c");
    for (int i = 1; i < 200; i++) {
        djp_shard *shard = shard_of(r, 0);
        word *words = place_of(shard, c);
        assert_false(djp__load_relaxed(&words[0]) & DJP_SHARD_ENDED);
        add_one(&words[0]);
        assert_true(djp_series_value(c) == i);
        if (i % 2) {
            djp_shard_finish(shard);
        }
        djp_shard_unref(shard);
    }
    djp_registry_free(r);
}

static void
histograms_request_exemplars(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *with = shard_of(r, 1), *without = shard_of(r, 0);
    double bounds[] = {1, 2};
    djp_series *h = histogram_with(r, "h", bounds, 2);
    word *asked = place_of(with, h), *silent = place_of(without, h);
    for (int i = 0; i < 2; i++) {
        assert_true(djp__load_relaxed(&asked[1]) & DJP_SHARD_REQUEST);
        assert_false(djp__load_relaxed(&silent[1]) & DJP_SHARD_REQUEST);
        add_one(&asked[1]);
        djp_shard_decline(with, h);
        assert_false(djp__load_relaxed(&asked[1]) & DJP_SHARD_REQUEST);
        djp_free(fixture_expose(r, DJP_TEXT_0_0_4));
    }
    assert_int_equal(djp_series_count(h), 2);
    djp_span_context context = {{1}, {2}, DJP_FLAG_SAMPLED, 0, NULL};
    djp_series_add_exemplar(h, 0.5, &context);
    djp_series_add_exemplar(h, NAN, &context);
    djp_series_add_exemplar(NULL, 1, &context);
    fixture_assert_shows(r, DJP_OPENMETRICS_1_0_0,
                         "h_bucket{le=\"1.0\"} 2 # {trace_id=\"01000000000000000000000000000000\"");
    djp_shard_unref(with);
    djp_shard_unref(without);
    djp_registry_free(r);
}

static void
wrong_arguments_are_refused(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shard = NULL;
    size_t place;
    assert_int_equal(djp_shard_new(NULL, r, 0), DJP_EINVAL);
    assert_int_equal(djp_shard_new(&shard, NULL, 0), DJP_EINVAL);
    shard = shard_of(r, 0);
    djp_series *gauge = djp_family_series(fixture_family(r, DJP_GAUGE, "g", 0), NULL);
    djp_series *c = counter_of(r, "c");
    assert_int_equal(djp_shard_bind(&place, shard, gauge), DJP_EINVAL);
    assert_int_equal(djp_shard_bind(&place, NULL, c), DJP_EINVAL);
    assert_int_equal(djp_shard_bind(NULL, shard, c), DJP_EINVAL);
    assert_non_null(djp_shard_row(shard, 0));
    assert_null(djp_shard_row(shard, 1u << 20));
    assert_null(djp_shard_row(NULL, 0));
    djp_shard_decline(shard, c);
    djp_shard_decline(NULL, c);
    djp_shard_decline(shard, NULL);
    assert_null(djp_shard_ref(NULL));
    djp_shard_end(NULL);
    djp_shard_finish(NULL);
    djp_shard_unref(NULL);
    djp_shard_unref(shard);
    djp_registry_free(r);
}

/* Python's private memory has one stripe; other memory ends somewhere. */
static void
without_a_free_stripe_there_is_no_shard(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_shard *shards[256] = {NULL};
    assert_int_equal(djp_shard_new(&shards[0], r, 0), DJP_EFULL);
    djp_registry_free(r);
    r = registry_with(DJP_SHARE_NONE);
    size_t count = 0;
    int result;
    while ((result = djp_shard_new(&shards[count], r, 0)) == 0) {
        count++;
    }
    assert_int_equal(result, DJP_EFULL);
    assert_in_range(count, 16, 64);
    djp_shard_finish(shards[3]);
    djp_shard *next = shard_of(r, 0);
    djp_shard_unref(next);
    for (size_t i = 0; i < count; i++) {
        djp_shard_unref(shards[i]);
    }
    djp_registry_free(r);
}

static void
every_failing_allocation_is_survived(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    int result = DJP_ENOMEM, fails = 0;
    for (long nth = 1; result != 0 && nth < 20; nth++) {
        djp_shard *shard = NULL;
        djp__alloc_fail_after(nth);
        result = djp_shard_new(&shard, r, 0);
        djp__alloc_fail_after(0);
        assert_true(result == 0 || (result == DJP_ENOMEM && shard == NULL));
        fails += result != 0;
        djp_shard_finish(shard);
        djp_shard_unref(shard);
    }
    assert_true(result == 0 && fails >= 2);
    djp_registry_free(r);
}

/* ---- processes ---- */

static uint32_t
slots_in_use(const djp_registry *registry)
{
    uint32_t count = 0;
    for (uint32_t stripe = 1; stripe < registry->segment.stripes; stripe++) {
        count += djp__slot_state_of(&registry->segment, stripe) != DJP__SLOT_FREE;
    }
    return count;
}

/* The child records through a shard of each of two threads, and dies in the middle of it. */
static void *
record_and_wait(void *argument)
{
    djp_registry *r = argument;
    djp_shard *shard = shard_of(r, 0);
    word *words = place_of(shard, counter_of(r, "c"));
    add_one(&words[0]);
    add(&words[1], 0.5);
    return shard;
}

static void
a_killed_process_loses_nothing(void **state)
{
    (void)state;
    SKIP_FORK();
    djp_registry *r = registry_with(DJP_SHARE_FORK);
    djp_shard *mine = shard_of(r, 0);
    djp_series *c = counter_of(r, "c");
    add_one(&place_of(mine, c)[0]);
    uint32_t top = 0;
    for (int i = 1; i <= 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            (void)record_and_wait(r);
            if (pthread_create(&thread, NULL, record_and_wait, r) == 0) {
                pthread_join(thread, NULL);
            }
            djp_counter_add(c, 1);
            if (i % 2) {
                djp_registry_free(r); /* an orderly end, with shards whose threads go on */
            }
            kill(getpid(), SIGKILL);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WTERMSIG(status), SIGKILL);
        assert_true(djp_series_value(c) == 1 + 4.0 * i);
        djp_free(fixture_expose(r, DJP_TEXT_0_0_4)); /* folds */
        assert_true(djp_series_value(c) == 1 + 4.0 * i);
        assert_int_equal(slots_in_use(r), 2);
        top = i == 1 ? djp__segment_stripes_in_use(&r->segment) : top;
        assert_int_equal(djp__segment_stripes_in_use(&r->segment), top);
    }
    djp_shard_unref(mine);
    djp_registry_free(r);
}

/* ---- a writer at work while others remove and read ---- */

enum { WRITES = 300000 };

typedef struct writer {
    word *counter, *histogram;
    DJP__ATOMIC(int) done;
} writer;

static void *
write_all(void *argument)
{
    writer *w = argument;
    for (int i = 0; i < WRITES; i++) {
        add_one(w->counter);
        add(&w->counter[1], 0.5);
        add_one(&w->histogram[1 + i % 3]);
        add(&w->histogram[0], 1);
    }
    djp__store_release(&w->done, 1);
    return NULL;
}

/* Two writers: the count is at most two observations ahead of the sum, and never behind. */
static void
nothing_goes_backwards_beside_a_writer(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    djp_shard *shards[2] = {shard_of(r, 0), shard_of(r, 1)};
    double bounds[] = {1, 2}, last = 0;
    djp_series *c = counter_of(r, "c"), *h = histogram_with(r, "h", bounds, 2);
    writer writers[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        writers[i] = (writer){place_of(shards[i], c), place_of(shards[i], h), 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_all, &writers[i]), 0);
    }
    uint64_t count = 0;
    while (!djp__load_acquire(&writers[0].done) || !djp__load_acquire(&writers[1].done)) {
        double value = djp_series_value(c);
        uint64_t words[DJP__SEGMENT_FOLD_MAX];
        djp__stripe_sum(words, r, h->family->entry, h->entry);
        uint64_t seen = words[1] + words[2] + words[3];
        assert_true(value >= last && seen >= count);
        assert_true((double)seen >= djp__bits_to_double(words[0]));
        last = value;
        count = seen;
        sched_yield();
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        djp_shard_unref(shards[i]);
    }
    assert_true(djp_series_value(c) == 3.0 * WRITES);
    assert_int_equal(djp_series_count(h), 2 * WRITES);
    assert_true(djp_series_value(h) == 2.0 * WRITES);
    djp_registry_free(r);
}

typedef struct churn {
    djp_registry *registry;
    djp_family *family;
    DJP__ATOMIC(int) stop;
} churn;

static void *
remove_and_show(void *argument)
{
    churn *c = argument;
    while (!djp__load_acquire(&c->stop)) {
        djp_family_clear(c->family);
        djp_free(fixture_expose(c->registry, DJP_TEXT_0_0_4));
        sched_yield();
    }
    return NULL;
}

static void
binding_beside_removals_stays_sound(void **state)
{
    (void)state;
    djp_registry *r = registry_with(DJP_SHARE_NONE);
    r->reuse_after_ns = 0;
    djp_shard *shard = shard_of(r, 0);
    churn c = {r, fixture_family(r, DJP_COUNTER, "c", 1), 0};
    djp_series *kept = counter_of(r, "kept");
    word *words = place_of(shard, kept);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, remove_and_show, &c), 0);
    for (int i = 0; i < 20000; i++) {
        size_t place;
        if (djp_shard_bind(&place, shard, fixture_numbered(c.family, i % 50)) >= 0) {
            double *row = djp_shard_row(shard, place / DJP_SHARD_ROW_WORDS);
            add_one((word *)(void *)row + place % DJP_SHARD_ROW_WORDS);
        }
        add_one(&words[0]);
    }
    djp__store_release(&c.stop, 1);
    pthread_join(thread, NULL);
    djp_shard_end(shard);
    assert_true(djp_series_value(kept) == 20000);
    djp_shard_unref(shard);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_shown_once),
        cmocka_unit_test(counts_carry_into_the_high_half),
        cmocka_unit_test(histograms_show_counts_with_their_buckets),
        cmocka_unit_test(every_number_of_buckets_has_its_place),
        cmocka_unit_test(removed_series_tell_their_writers),
        cmocka_unit_test(an_overflow_series_comes_back_after_clear),
        cmocka_unit_test(the_registry_may_go_first),
        cmocka_unit_test(a_shard_that_ended_is_taken_up_by_its_thread),
        cmocka_unit_test(histograms_request_exemplars),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(without_a_free_stripe_there_is_no_shard),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(a_killed_process_loses_nothing),
        cmocka_unit_test(nothing_goes_backwards_beside_a_writer),
        cmocka_unit_test(binding_beside_removals_stays_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
