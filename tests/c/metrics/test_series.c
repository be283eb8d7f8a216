/* The life of series: which memory a new one gets, when that of a removed one may be used again,
 * and how full a family may be. */
#include "metrics_fixture.h"

#include "metrics/handle.h"

#define HOUR_NS 3600000000000ull

static uint32_t
places(const djp_registry *r)
{
    return r->segment.header->series_count;
}

static void
take_away(djp_family *f, int number)
{
    char value[32];
    snprintf(value, sizeof value, "v%d", number);
    djp_text text = {value, strlen(value)};
    assert_true(djp_family_remove(f, &text));
}

/* A look that comes too early leaves every place where a later one finds it. */
static void
places_that_did_not_rest_are_not_lost(void **state)
{
    (void)state;
    enum { REMOVED = 40 };
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    r->reuse_after_ns = HOUR_NS;
    for (int i = 0; i < REMOVED; i++) {
        assert_non_null(fixture_numbered(f, i));
    }
    for (int i = 0; i < REMOVED; i++) {
        take_away(f, i);
    }
    uint32_t before = places(r);
    for (int i = 0; i < 20; i++) {
        djp_counter_add(fixture_numbered(f, 100 + i), 1);
    }
    assert_int_equal(places(r), before + 20); /* none had rested */
    r->reuse_after_ns = 0;
    for (int i = 0; i < REMOVED; i++) {
        djp_series *series = fixture_numbered(f, 200 + i);
        assert_true(djp_series_value(series) == 0);
        djp_counter_add(series, i + 1);
    }
    assert_int_equal(places(r), before + 20); /* all of them */
    for (int i = 0; i < REMOVED; i++) {
        assert_true(djp_series_value(fixture_numbered(f, 200 + i)) == i + 1);
    }
    fixture_numbered(f, 300);
    assert_int_equal(places(r), before + 21);
    assert_int_equal(fixture_counters(r).refused, 0);
    djp_registry_free(r);
}

/* A removed series that comes back under its labels keeps its place, so that no other gets it,
 * however long it rested. */
static void
a_series_that_came_back_keeps_its_place(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    r->reuse_after_ns = 0;
    fixture_numbered(f, 1);
    take_away(f, 1);
    uint32_t before = places(r);
    djp_counter_add(fixture_numbered(f, 1), 5);
    assert_int_equal(places(r), before);
    djp_counter_add(fixture_numbered(f, 2), 7);
    assert_int_equal(places(r), before + 1);
    assert_true(djp_series_value(fixture_numbered(f, 1)) == 5);
    assert_true(djp_series_value(fixture_numbered(f, 2)) == 7);
    /* Removed again, it is one place, not two. */
    take_away(f, 1);
    fixture_numbered(f, 3);
    fixture_numbered(f, 4);
    assert_int_equal(places(r), before + 2);
    assert_int_equal(fixture_counters(r).series, 3);
    djp_registry_free(r);
}

static djp_series *
sized(djp_family *f, char letter, size_t size)
{
    char value[256];
    memset(value, letter, sizeof value);
    djp_text text = {value, size};
    return djp_family_series(f, &text);
}

/* Texts of one size more each: the place of a removed series is used up to its room and never
 * beyond. */
static void
a_place_is_used_up_to_its_room(void **state)
{
    (void)state;
    for (size_t size = 1; size < 100; size++) {
        djp_registry *r = fixture_registry(0, 0);
        djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
        r->reuse_after_ns = 0;
        djp_series *series = sized(f, 'a', 40);
        djp__series_entry *entry = series->entry;
        uint32_t key_room = entry->key_capacity, text_room = entry->text_capacity,
                 before = places(r);
        djp_family_clear(f);
        djp_series *next = sized(f, 'b', size);
        djp_counter_add(next, 3);
        int fits = next->entry == entry;
        assert_int_equal(places(r), before + (uint32_t)!fits);
        assert_true(next->entry->key_words <= next->entry->key_capacity);
        assert_true(next->entry->text_size <= next->entry->text_capacity);
        /* A key is its bytes and an end, in words; a text is `f_total{a="..."} `. */
        int room = (size + 1 + 7) / 8 <= key_room && size + strlen("f_total{a=\"\"} ") <= text_room;
        assert_int_equal(fits, room);
        assert_ptr_equal(sized(f, 'b', size), next);
        djp_registry_free(r);
    }
}

static void
values_start_at_nothing_in_a_used_place(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_HISTOGRAM, "h", 1);
    r->reuse_after_ns = 0;
    djp_series *series = fixture_numbered(f, 1);
    for (int i = 0; i < 30; i++) {
        djp_histogram_observe(series, 0.001 * (1 << (i % 15)));
    }
    djp__series_entry *place = series->entry;
    take_away(f, 1);
    series = fixture_numbered(f, 2);
    assert_ptr_equal(series->entry, place);
    assert_int_equal(djp_series_count(series), 0);
    for (uint32_t i = 0; i < f->entry->value_count; i++) {
        assert_int_equal(fixture_word(series, i), 0);
    }
    djp_registry_free(r);
}

/* n - 1, n and n + 1 label sets; a removed one makes room for one. */
static void
the_limit_counts_what_is_live(void **state)
{
    (void)state;
    enum { LIMIT = 5 };
    djp_registry *r = fixture_registry(0, LIMIT);
    djp_family *f = fixture_family(r, DJP_GAUGE, "g", 1);
    for (int i = 0; i < LIMIT; i++) {
        assert_false(fixture_numbered(f, i)->entry->is_overflow);
    }
    assert_int_equal(fixture_counters(r).overflowed, 0);
    assert_true(fixture_numbered(f, LIMIT)->entry->is_overflow);
    assert_int_equal(fixture_counters(r).overflowed, 1);
    assert_true(fixture_numbered(f, LIMIT)->entry->is_overflow); /* without the lock this time */
    assert_int_equal(fixture_counters(r).overflowed, 2);
    assert_false(fixture_numbered(f, 0)->entry->is_overflow);
    assert_int_equal(fixture_counters(r).overflowed, 2);
    take_away(f, 3);
    assert_false(fixture_numbered(f, LIMIT)->entry->is_overflow);
    /* it may come back only where there is room */
    assert_true(fixture_numbered(f, 3)->entry->is_overflow);
    /* The overflow series itself may be removed; it counts neither way. */
    djp_text overflow = {DJP__OVERFLOW, strlen(DJP__OVERFLOW)};
    assert_true(djp_family_remove(f, &overflow));
    assert_false(djp_family_remove(f, &overflow));
    assert_true(fixture_numbered(f, 99)->entry->is_overflow);
    take_away(f, 0);
    assert_false(fixture_numbered(f, 99)->entry->is_overflow);
    djp_registry_free(r);
}

static void
creation_follows_the_order(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_GAUGE, "g", 1);
    r->reuse_after_ns = 0;
    for (int i = 0; i < 4; i++) {
        djp_gauge_set(fixture_numbered(f, i), i);
    }
    fixture_assert_shows(r, DJP_TEXT_0_0_4,
                         "g{a=\"v0\"} 0\ng{a=\"v1\"} 1\ng{a=\"v2\"} 2\ng{a=\"v3\"} 3\n");
    take_away(f, 1);
    djp_gauge_set(fixture_numbered(f, 7), 7); /* takes its place */
    fixture_assert_shows(r, DJP_TEXT_0_0_4,
                         "g{a=\"v0\"} 0\ng{a=\"v7\"} 7\ng{a=\"v2\"} 2\ng{a=\"v3\"} 3\n");
    take_away(f, 0);
    take_away(f, 3);
    djp_gauge_set(fixture_numbered(f, 8), 8); /* the one that died first */
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "g{a=\"v8\"} 8\ng{a=\"v7\"} 7\ng{a=\"v2\"} 2\n");
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_that_did_not_rest_are_not_lost),
        cmocka_unit_test(a_series_that_came_back_keeps_its_place),
        cmocka_unit_test(a_place_is_used_up_to_its_room),
        cmocka_unit_test(values_start_at_nothing_in_a_used_place),
        cmocka_unit_test(the_limit_counts_what_is_live),
        cmocka_unit_test(creation_follows_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
