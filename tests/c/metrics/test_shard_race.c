/* Writers that come, end or sweep while another thread collects: the order is forced by a
 * collector, which runs where the fold does, starts the writer's call and looks whether it waits
 * for the end of the collection. */
#include "metrics_fixture.h"

#include <pthread.h>
#include <time.h>

#include "djp/shard.h"

typedef struct race {
    djp_registry *registry;
    djp_shard *shard;
    int (*act)(struct race *race);
    pthread_t thread;
    DJP__ATOMIC(int) ran, began, ended;
    int result, early;
} race;

static void *
race_act(void *argument)
{
    race *it = argument;
    djp__store_release(&it->began, 1);
    it->result = it->act(it);
    djp__store_release(&it->ended, 1);
    return NULL;
}

/* Long enough for a call that waits for nothing. One that waits never ends here, however long this
 * takes. */
static void
race_collect(void *user)
{
    race *it = user;
    if (djp__load_relaxed(&it->ran)) {
        return;
    }
    djp__store_relaxed(&it->ran, 1);
    assert_int_equal(pthread_create(&it->thread, NULL, race_act, it), 0);
    struct timespec pause = {0, 1000000};
    while (!djp__load_acquire(&it->began)) {
        nanosleep(&pause, NULL);
    }
    for (int i = 0; i < 30; i++) {
        nanosleep(&pause, NULL);
    }
    it->early = djp__load_acquire(&it->ended);
}

/* Runs act beside a collection. Returns what act returned; it must not have gone on before the
 * collection was over. */
static int
race_run(djp_registry *registry, djp_shard *shard, int (*act)(race *))
{
    race it = {.registry = registry, .shard = shard, .act = act};
    assert_int_equal(djp__registry_on_collect(registry, race_collect, &it), 0);
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4);
    djp_free(text);
    assert_true(it.ran);
    pthread_join(it.thread, NULL);
    assert_false(it.early);
    djp__registry_off_collect(registry, race_collect, &it);
    return it.result;
}

static double *
place(djp_shard *shard, djp_series *series)
{
    size_t chunk, index;
    assert_int_equal(djp_shard_bind(&chunk, &index, shard, series), 0);
    return djp_shard_chunk(shard, chunk) + index;
}

static int
act_end(race *it)
{
    djp_shard_end(it->shard);
    return 0;
}

static void
a_writer_that_ends_waits_for_the_collection(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_shard *shards[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(djp_shard_new(&shards[i], r, 0), 0);
        place(shards[i], c)[1] = 10;
    }
    race_run(r, shards[1], act_end);
    assert_true(djp_series_value(c) == 30);
    djp_shard_unref(shards[1]);
    place(shards[0], c)[1] = 11;
    place(shards[2], c)[1] = 12;
    djp_registry_fold(r);
    assert_true(djp_series_value(c) == 33);
    djp_shard_unref(shards[0]);
    djp_shard_unref(shards[2]);
    djp_registry_free(r);
}

static int
act_begin(race *it)
{
    return djp_shard_new(&it->shard, it->registry, 0) == 0 ? 0 : 1;
}

static int
act_unref(race *it)
{
    djp_shard_unref(it->shard);
    return 0;
}

static int
act_fold(race *it)
{
    djp_registry_fold(it->registry);
    return 0;
}

static void
writers_that_come_and_go_wait(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_series *c = djp_family_series(fixture_family(r, DJP_COUNTER, "c", 0), NULL);
    djp_shard *last = NULL;
    assert_int_equal(race_run(r, NULL, act_begin), 0);
    last = r->shards;
    assert_non_null(last);
    place(last, c)[1] = 4;
    race_run(r, NULL, act_fold);
    assert_true(djp_series_value(c) == 4);
    race_run(r, last, act_unref);
    assert_null(r->shards);
    djp_registry_free(r);
}

static int
act_sweep(race *it)
{
    uint32_t places[4];
    return (int)djp_shard_sweep(places, 4, it->shard);
}

static void
a_sweep_waits(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    djp_shard *shard = NULL;
    assert_int_equal(djp_shard_new(&shard, r, 0), 0);
    place(shard, fixture_numbered(f, 1));
    place(shard, fixture_numbered(f, 2));
    djp_family_clear(f);
    djp_registry_fold(r);
    assert_int_equal(race_run(r, shard, act_sweep), 2);
    assert_int_equal(djp_shard_sweep((uint32_t[1]){0}, 1, shard), 0);
    djp_shard_unref(shard);
    djp_registry_free(r);
}

static void
nothing(void *user)
{
    (void)user;
}

static int
act_off_collect(race *it)
{
    djp__registry_off_collect(it->registry, nothing, it->registry);
    return 0;
}

/* Whoever takes a collector away may free what it uses at once. */
static void
a_collector_is_away_when_the_call_returns(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    size_t before = r->collector_count;
    assert_int_equal(djp__registry_on_collect(r, nothing, r), 0);
    race_run(r, NULL, act_off_collect);
    assert_int_equal(r->collector_count, before);
    djp__registry_off_collect(r, nothing, r); /* it is not there any more */
    assert_int_equal(r->collector_count, before);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_that_ends_waits_for_the_collection),
        cmocka_unit_test(writers_that_come_and_go_wait),
        cmocka_unit_test(a_sweep_waits),
        cmocka_unit_test(a_collector_is_away_when_the_call_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
